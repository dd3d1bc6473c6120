"""The page on what a note says of its entities: its examples are run, and its figures are those of the lines."""

import importlib.util
import re
from collections import Counter
from pathlib import Path
from types import ModuleType

import pytest
from clinical_ner.meaning import Experiencer, RelationType, Status, Time, read_spans
from clinical_ner.meaning_evaluation import score_meaning
from clinical_ner.notes import Label, Span

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "meaning.md").read_text(encoding="utf-8")
ENTITY = re.compile(r"\[([^\]]+)\]|<([^>]+)>")
TOLERANCE = 0.02
"""A correction of a phrase may move a figure by as much; more is to be said on the page."""


def rows(heading: str) -> list[list[str]]:
    section = PAGE.split(f"## {heading}\n", 1)[1].split("\n## ", 1)[0]
    found = [[cell.strip() for cell in line.strip("|").split(" |")] for line in section.splitlines() if line[:1] == "|"]
    return [cells for cells in found if not set(cells[0]) <= {"-", "|"}]


def read(marked: str) -> tuple[str, list[Span]]:
    text, spans, at = "", [], 0
    for match in ENTITY.finditer(marked):
        text += marked[at : match.start()]
        name = match[1] or match[2]
        spans.append(Span(len(text), len(text) + len(name), Label.DISEASE if match[1] else Label.TREATMENT))
        text += name
        at = match.end()
    return text + marked[at:], spans


EXAMPLES = rows("Examples")[1:]
RELATIONS = rows("Relations")[1:]


def test_there_are_twenty_examples_and_more_and_every_word_is_explained() -> None:
    assert len(EXAMPLES) >= 20
    words = {cells[0].strip("`") for cells in rows("Status, time, experiencer")}
    assert words >= {*Status, *Time, *Experiencer}
    assert {cells[0].strip("`") for cells in RELATIONS} == {*RelationType, "none"}
    assert {word for cells in EXAMPLES for word in cells[1:4]} == {*Status, *Time, *Experiencer} - {"UNKNOWN"}


@pytest.mark.parametrize("cells", EXAMPLES, ids=lambda cells: cells[0])
def test_an_example_says_what_the_page_says(cells: list[str]) -> None:
    text, spans = read(cells[0].strip("`"))
    (found,) = read_spans(text, spans).assertions
    decided = text[found.cue_start : found.cue_end] if found.cue_start >= 0 else ""
    assert [found.status, found.time, found.experiencer, decided] == [*cells[1:4], cells[4].strip("| ")]


@pytest.mark.parametrize("cells", RELATIONS, ids=lambda cells: cells[0])
def test_a_relation_is_of_the_type_that_the_page_says(cells: list[str]) -> None:
    text, spans = read(cells[2].strip("`"))
    found = [str(relation.type) for relation in read_spans(text, spans).relations]
    assert found == [] if cells[0] == "none" else found == [cells[0].strip("`")]


def test_the_figures_are_those_of_the_lines() -> None:
    measured = figures()
    stated = {cells[0].strip("`"): cells[1:] for cells in rows("How well")[1:]}
    printed = "\n".join(f"| `{name}` | {n} | {p:.2f} | {r:.2f} |" for name, (n, p, r) in measured.items())
    assert stated.keys() == measured.keys(), printed
    for name, (_, precision, recall) in measured.items():
        assert float(stated[name][1]) == pytest.approx(precision, abs=TOLERANCE), printed
        assert float(stated[name][2]) == pytest.approx(recall, abs=TOLERANCE), printed


def test_the_figures_of_a_second_hand_are_those_of_the_part_that_measures() -> None:
    lines = _lines()
    measured = [
        score_meaning([lines.note(one) for one in lines.parts("fresh_lines.txt")["measured"]]),
        score_meaning([lines.prescription(one) for one in lines.parts("fresh_prescriptions.txt")["measured"]]),
    ]
    found = {
        f"{group} `{name}`": (one["support"], one["precision"], one["recall"])
        for scores in measured
        for group, classes in scores["classes"].items()
        for name, one in classes.items()
        if one["support"]
    }
    stated = {cells[0]: tuple(map(float, cells[1:])) for cells in rows("On lines of a second hand")[1:]}
    printed = "\n".join(f"| {name} | {n} | {p:.2f} | {r:.2f} |" for name, (n, p, r) in found.items())
    assert stated.keys() == found.keys(), printed
    for name, figures in found.items():
        assert stated[name] == pytest.approx(figures, abs=TOLERANCE), printed


def figures() -> dict[str, tuple[int, float, float]]:
    """For each class: how many lines' entities or relations have it, how often its name is right, how often it is found."""
    lines = _lines()
    wanted, found, right = Counter[str](), Counter[str](), Counter[str]()
    for one in map(lines.parse, lines.lines("meaning_lines.txt")):
        meaning = read_spans(one.text, one.spans)
        for assertion, gold in zip(meaning.assertions, one.assertions, strict=True):
            given = list(map(str, assertion[:3]))
            wanted.update(gold)
            found.update(given)
            right.update(mine for mine, its in zip(given, gold, strict=True) if mine == its)
        related = {(str(each.type), each.treatment, each.disease) for each in meaning.relations}
        wanted.update(f"relation {kind}" for kind, _, _ in one.relations)
        found.update(f"relation {kind}" for kind, _, _ in related)
        right.update(f"relation {kind}" for kind, _, _ in one.relations & related)
    order = [*Status, *Time, *Experiencer, *(f"relation {kind}" for kind in RelationType)]
    return {
        name: (wanted[name], right[name] / found[name], right[name] / wanted[name]) for name in order if wanted[name]
    }


def _lines() -> ModuleType:
    path = ROOT / "libs/clinical-ner/tests/test_meaning_lines.py"
    spec = importlib.util.spec_from_file_location("meaning_lines", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
