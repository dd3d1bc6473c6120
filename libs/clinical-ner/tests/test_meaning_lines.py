"""Lines as doctors write them, and how well the rules read them: floors, so that a change of a table shows what it costs."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from typing import NamedTuple

from clinical_ner.meaning import read_spans
from clinical_ner.notes import Label, Span

DATA = Path(__file__).parent / "data"
STATUSES = {"n": "NEGATED", "p": "POSSIBLE", "y": "HYPOTHETICAL", "a": "ALLERGY", "r": "REFUSED"}
TIMES = {"h": "HISTORICAL", "l": "PLANNED"}
PERSONS = {"f": "FAMILY", "o": "OTHER"}
ENTITY = re.compile(r"\[([^\[\]<>]+?)(?::([npyarhlfo]+))?\]|<([^\[\]<>]+?)(?::([npyarhlfo]+))?>")
RELATION = re.compile(r"T(\d+) ([A-Z_]+) D(\d+)")


class Line(NamedTuple):
    text: str
    spans: tuple[Span, ...]
    assertions: tuple[tuple[str, str, str], ...]
    relations: frozenset[tuple[str, int, int]]  # type, places of treatment and disease


def parse(line: str) -> Line:
    marked, _, related = line.replace("\\n", "\n").partition(" => ")
    text, spans, assertions, at = "", [], [], 0
    for match in ENTITY.finditer(marked):
        text += marked[at : match.start()]
        name, codes = match[1] or match[3], match[2] or match[4] or ""
        spans.append(Span(len(text), len(text) + len(name), Label.DISEASE if match[1] else Label.TREATMENT))
        kinds = ((STATUSES, "PRESENT"), (TIMES, "CURRENT"), (PERSONS, "PATIENT"))
        assertions.append(tuple(next((names[c] for c in codes if c in names), usual) for names, usual in kinds))
        text += name
        at = match.end()
    text += marked[at:]
    places = {label: [i for i, span in enumerate(spans) if span.label == label] for label in Label}
    relations = frozenset(
        (kind, places[Label.TREATMENT][int(t) - 1], places[Label.DISEASE][int(d) - 1])
        for t, kind, d in RELATION.findall(related)
    )
    return Line(text, tuple(spans), tuple(assertions), relations)


def lines(name: str) -> list[str]:
    content = (DATA / name).read_text(encoding="utf-8")
    return [line for line in content.splitlines() if line.strip() and not line.startswith("#")]


def parse_prescription(line: str) -> tuple[str, tuple[Span, ...], list[dict[str, str]]]:
    marked, _, gold = line.replace("\\n", "\n").partition(" => ")
    parsed = parse(marked)
    wanted = [
        dict(pair.strip().split("=", 1) for pair in part.split(";")) if part.strip() != "null" else {}
        for part in gold.split(" | ")
    ]
    return parsed.text, parsed.spans, wanted


def as_words(prescription) -> dict[str, str]:
    if prescription is None:
        return {}
    values = {name: value for name, value in prescription._asdict().items() if value is not None}
    return {name: str(value).lower() if value is True else str(value) for name, value in values.items()}


def read(line: Line):
    return read_spans(line.text, line.spans)


def test_statuses_times_and_experiencers():
    right, total, classes = 0, 0, {}
    for each in map(parse, lines("meaning_lines.txt")):
        for found, wanted in zip(read(each).assertions, each.assertions, strict=True):
            same = tuple(map(str, found[:3])) == wanted
            right, total = right + same, total + 1
            for name in wanted:
                counts = classes.setdefault(name, [0, 0])
                counts[0] += name in tuple(map(str, found[:3]))
                counts[1] += 1
    assert right / total >= 0.95
    assert {name: counts for name, counts in classes.items() if counts[0] / counts[1] < 0.85} == {}


def test_relations():
    right, total, counts = 0, 0, Counter()
    for each in map(parse, lines("meaning_lines.txt")):
        labels = {span.label for span in each.spans}
        if len(labels) < 2:
            continue
        found = {(str(r.type), r.treatment, r.disease) for r in read(each).relations}
        right, total = right + (found == each.relations), total + 1
        treats = {
            name: {r for r in those if r[0] == "TREATS"} for name, those in (("found", found), ("gold", each.relations))
        }
        counts["found"] += len(treats["found"] & treats["gold"])
        counts["gold"] += len(treats["gold"])
        counts["wrong"] += len(treats["found"] - treats["gold"])
    assert right / total >= 0.9
    assert counts["found"] / counts["gold"] >= 0.9
    assert counts["wrong"] <= 3


def test_prescriptions():
    right, total, whole = 0, 0, 0
    given = lines("prescription_lines.txt")
    for text, spans, wanted in map(parse_prescription, given):
        found = [as_words(each) for each in read_spans(text, spans).prescriptions]
        whole += found == wanted
        for mine, gold in zip(found, wanted, strict=True):
            names = mine.keys() | gold.keys()
            right += sum(mine.get(name) == gold.get(name) for name in names)
            total += len(names)
    assert right / total >= 0.97
    assert whole / len(given) >= 0.9
