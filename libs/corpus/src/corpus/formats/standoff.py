"""Annotations that stand beside their text: brat (.ann), i2b2 (.con, .ast, .rel; XML of 2012), PubTator."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from corpus.formats.found import FoundNote, FoundRelation, FoundSpan, InvalidRecord
from corpus.formats.offsets import same_words
from corpus.formats.records import apply_words
from corpus.formats.source import Source
from corpus.formats.xml_tree import documents
from corpus.loaders_text import DatasetError, check_text

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from corpus.formats.report import Report

_ENTITY = re.compile(r"(T\d+)\t(\S+) (\d+ \d+(?:;\d+ \d+)*)(?:\t(.*))?$")
_RELATION = re.compile(r"R\d+\t(\S+) \S+?:(\S+) \S+?:(\S+)\s*$")
_ATTRIBUTE = re.compile(r"[AM]\d+\t(\S+) ([TE]\d+)(?: (.*))?$")
_CONCEPT = re.compile(r'c="(.*?)" (\d+):(\d+) (\d+):(\d+)\|\|t="([^"]*)"(?:\|\|a="([^"]*)")?\s*$')
_LINK = re.compile(r'c="(.*?)" (\d+):(\d+) (\d+):(\d+)\|\|r="([^"]*)"\|\|c="(.*?)" (\d+):(\d+) (\d+):(\d+)\s*$')
_TITLE = re.compile(r"(\S+?)\|([ta])\|(.*)$")
_MORE = re.compile(r"\d+ \d+\t|\t")
_TEXT_FOLDERS = ("", "../txt", "../text", "../concept/../txt")


def read_brat(source: Source, report: Report) -> Iterator[FoundNote]:
    """Yield the one note of an `.ann` file and the `.txt` file beside it."""
    path = source.path
    text_path = path.with_suffix(".txt")
    if not text_path.exists():
        report.problem(path, 0, f"its text {text_path.name} is not beside it", "no text")
        return
    text = Source(text_path, source.encoding).text()
    if not text.strip():
        report.remark(path, 0, "documents without text, left out")
        return
    _check(text_path, text)
    spans: dict[str, FoundSpan] = {}
    relations: list[FoundRelation] = []
    said: dict[str, dict[str, str]] = {}
    for number, line in source.lines(report):
        _brat_line(report, path, number, line, (spans, relations, said))
    for ident, words in said.items():
        apply_words(report, path, 0, [spans[ident]] if ident in spans else [], words)
    if not spans:
        report.remark(path, 0, "documents without an annotation, read as notes without entities (were they annotated?)")
    yield FoundNote(path, 0, text, list(spans.values()), relations or None, path.stem, named=False, group=path.stem)


def _brat_line(
    report: Report, path: Path, number: int, line: str,
    found: tuple[dict[str, FoundSpan], list[FoundRelation], dict[str, dict[str, str]]],
) -> None:  # fmt: skip
    spans, relations, said = found
    if entity := _ENTITY.match(line):
        ident, label, places, words = entity.groups()
        if ident in spans:
            report.problem(path, number, f"{ident} stands twice: give each entity an id of its own", "id twice")
        edges = [[int(edge) for edge in part.split()] for part in places.split(";")]
        pieces = len(edges) > 1
        start, end = min(left for left, _ in edges), max(right for _, right in edges)
        if pieces and words and len(words) != end - start:
            report.remark(path, number, "spans in several pieces, taken from the first to the last")
            words = None
        spans[ident] = FoundSpan(start, end, label, words, ident, line=number)
    elif relation := _RELATION.match(line):
        relations.append(FoundRelation(*relation.groups()))
    elif attribute := _ATTRIBUTE.match(line):
        name, ident, value = attribute.groups()
        said.setdefault(ident, {})[name] = value or ""
    elif line[:1] in {"E", "*"}:
        report.remark(path, number, "events and equivalences, not read")
    elif line.strip() and line[:1] not in {"#", "N"}:
        report.problem(path, number, "no line of brat: write T1, tab, Label start end, tab, text", "brat")


def read_i2b2(source: Source, report: Report) -> Iterator[FoundNote]:
    """Yield the one note of a `.con` (or `.ast`) file: `c="words" line:token line:token||t="problem"`, lines from 1, tokens from 0."""
    path = source.path
    text_path = next(
        (found for each in _TEXT_FOLDERS if (found := path.parent / each / f"{path.stem}.txt").exists()), None
    )
    if text_path is None:
        report.problem(path, 0, f"its text {path.stem}.txt is neither beside it nor in ../txt", "no text")
        return
    text = Source(text_path, source.encoding).text()
    _check(text_path, text)
    tokens = _tokens_by_line(text)
    spans: dict[str, FoundSpan] = {}
    for number, line in source.lines(report):
        if line.strip():
            _concept(report, path, number, line, (text, tokens, spans))
    for suffix, folder in ((".ast", "../ast"), (".rel", "../rel")):
        beside = next(
            (found for each in ("", folder) if (found := path.parent / each / f"{path.stem}{suffix}").exists()), None
        )
        if beside is not None and suffix == ".ast":
            for number, line in Source(beside, source.encoding).lines(report):
                if line.strip():
                    _concept(report, beside, number, line, (text, tokens, spans))
    relations = _links(report, path, source.encoding)
    yield FoundNote(path, 0, text, list(spans.values()), relations, path.stem, named=False, group=path.stem, exact=True)


def _concept(
    report: Report, path: Path, number: int, line: str,
    found: tuple[str, list[list[tuple[int, int]]], dict[str, FoundSpan]],
) -> None:  # fmt: skip
    text, tokens, spans = found
    match = _CONCEPT.match(line)
    if match is None:
        report.problem(path, number, 'no line of i2b2: write c="words" 1:0 1:2||t="problem"', "i2b2")
        return
    words, *edges, label, assertion = match.groups()
    first, start, last, end = map(int, edges)
    try:
        place = (tokens[first - 1][start][0], tokens[last - 1][end][1])
    except IndexError:
        report.problem(path, number, f"the text has no token {first}:{start} or {last}:{end}", "outside")
        return
    if min(first, last) < 1 or not same_words(text[place[0] : place[1]], words):
        report.problem(
            path,
            number,
            "the words do not stand at these tokens: lines count from 1, tokens from 0, divided by blanks",
            "contradiction",
        )
        return
    ident = f"{first}:{start} {last}:{end}"
    span = spans.setdefault(ident, FoundSpan(*place, label, ident=ident, line=number))
    if assertion == "associated_with_someone_else":
        apply_words(report, path, number, [span], {"experiencer": "other"})
    elif assertion:
        apply_words(report, path, number, [span], {"assertion": assertion})


def _links(report: Report, path: Path, encoding: str) -> list[FoundRelation] | None:
    beside = next(
        (found for each in ("", "../rel") if (found := path.parent / each / f"{path.stem}.rel").exists()), None
    )
    if beside is None:
        return None
    relations = []
    for number, line in Source(beside, encoding).lines(report):
        match = _LINK.match(line)
        if match is None:
            if line.strip():
                report.problem(
                    beside, number, 'no line of i2b2: write c="words" 1:0 1:2||r="TrAP"||c="words" 1:4 1:4', "i2b2"
                )
            continue
        _, a, b, c, d, kind, _, e, f, g, h = match.groups()
        relations.append(FoundRelation(kind, f"{a}:{b} {c}:{d}", f"{e}:{f} {g}:{h}"))
    return relations


def _tokens_by_line(text: str) -> list[list[tuple[int, int]]]:
    found, position = [], 0
    for line in text.split("\n"):
        found.append([(position + match.start(), position + match.end()) for match in re.finditer(r"[^ \t\r]+", line)])
        position += len(line) + 1
    return found


def read_i2b2_xml(source: Source, report: Report) -> Iterator[FoundNote]:
    """Yield the note of an XML file with TEXT and TAGS (i2b2 2012 and its like)."""
    roots = ("ClinicalNarrativeTemporalAnnotation", "deIdi2b2", "root")
    head = source.head().decode("utf-8", "replace")
    root = next((name for name in roots if f"<{name}" in head), roots[0])
    for line, node in documents(source, report, root):
        text = node.said("TEXT")
        spans = []
        for tag in (tag for tags in node.all("TAGS") for tag in tags.children if "start" in tag.attributes):
            given = tag.attributes
            try:
                start, end = int(given["start"]), int(given["end"])
            except (KeyError, ValueError):
                report.problem(source.path, tag.line, "a tag without start and end", "no place")
                continue
            span = FoundSpan(
                start,
                end,
                given.get("type") or given.get("TYPE") or tag.name,
                given.get("text"),
                given.get("id", ""),
                line=tag.line,
            )
            words = {"negated": given["polarity"].casefold()} if given.get("polarity") in {"NEG", "POS"} else {}
            apply_words(report, source.path, tag.line, [span], words)
            spans.append(span)
        check_text(text)
        yield FoundNote(source.path, line, text, spans, note_id=source.path.stem, group=source.path.stem)


def read_pubtator(source: Source, report: Report) -> Iterator[FoundNote]:
    """Yield a note for each document: `id|t|title`, `id|a|abstract`, then `id, start, end, words, type` by tabs."""
    note: FoundNote | None = None
    for number, line in source.lines(report):
        if not line.strip():
            if note is not None:
                yield note
            note = None
        elif title := _TITLE.match(line):
            ident, kind, words = title.groups()
            if note is None or kind == "t":
                if note is not None:
                    yield note
                note = FoundNote(source.path, number, words, [], note_id=ident, named=True, group=ident)
            else:
                note.text = f"{note.text}\n{words}"
        else:
            _pubtator_row(source.path, report, note, number, line)
    if note is not None:
        yield note


def _pubtator_row(path: Path, report: Report, note: FoundNote | None, number: int, line: str) -> None:
    cells = line.split("\t")
    if (
        note is not None
        and cells[0] == note.note_id
        and len(cells) >= 5
        and cells[1].isdecimal()
        and cells[2].isdecimal()
    ):
        note.spans.append(FoundSpan(int(cells[1]), int(cells[2]), cells[4], cells[3], line=number))
    elif note is not None and cells[0] == note.note_id and len(cells) == 4:
        report.remark(path, number, "relations between concepts, not read (they name no words)")
    else:
        report.problem(path, number, "no line of PubTator: write id, start, end, words, type by tabs", "pubtator")


def _check(path: Path, text: str) -> None:
    try:
        check_text(text)
    except InvalidRecord as error:
        raise DatasetError(f"{path}: {error}") from None
