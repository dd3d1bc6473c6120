"""Annotated notes in the four forms that other tools take: JSON lines, CoNLL columns, spaCy's DocBin, tasks of Label Studio."""

from __future__ import annotations

import itertools
import json
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from clinical_ner.datasets import given_tokens

from corpus.formats.docbin import write_docbin
from corpus.loaders_jsonl import dump_jsonl

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from clinical_ner.notes import AnnotatedNote

_CHOICES = ("status", "time", "experiencer")


class Target(StrEnum):
    """The forms that are written."""

    JSONL = "jsonl"
    CONLL = "conll"
    SPACY = "spacy"
    LABEL_STUDIO = "label-studio"


LOSES = {
    Target.JSONL: "",
    Target.CONLL: "texts become tokens divided by blanks; relations and what notes say are not in it",
    Target.SPACY: "relations, ids and what notes say are not in it",
    Target.LABEL_STUDIO: "given tokens, prescriptions and the labels that a note was not annotated for are not in it",
}
"""What each form has no place for."""


def write(notes: Iterable[AnnotatedNote], target: Target, path: Path) -> int:
    """Write notes to a file, one at a time where the form allows it; return how many."""
    count = 0

    def counted() -> Iterator[AnnotatedNote]:
        nonlocal count
        for note in notes:
            count += 1
            yield note

    if target is Target.SPACY:
        path.write_bytes(write_docbin(counted()))
        return count
    lines = {Target.JSONL: dump_jsonl, Target.CONLL: conll_lines, Target.LABEL_STUDIO: label_studio_lines}[target]
    with path.open("w", encoding="utf-8", newline="\n") as file:
        for line in lines(counted()):
            file.write(f"{line}\n")
    return count


def conll_lines(notes: Iterable[AnnotatedNote]) -> Iterator[str]:
    """Yield `token<TAB>tag` lines in BIO, a blank line after each note; a token is cut where an entity begins or ends inside it."""
    group: str | None = None
    for note in notes:
        if note.group != group and (note.group or group):
            yield "-DOCSTART-\tO\n"
        group = note.group
        before = None
        for start, end in _cut_tokens(note):
            span = next((span for span in note.spans if span.start <= start < span.end), None)
            tag = "O" if span is None else f"{'I' if span is before else 'B'}-{span.label}"
            before = span
            yield f"{note.text[start:end]}\t{tag}"
        yield ""


def _cut_tokens(note: AnnotatedNote) -> Iterator[tuple[int, int]]:
    edges = sorted({edge for span in note.spans for edge in (span.start, span.end)})
    for start, end in given_tokens(note):
        cuts = [start, *(edge for edge in edges if start < edge < end), end]
        for left, right in itertools.pairwise(cuts):
            words = note.text[left:right]
            yield from ((left + at, left + at + len(word)) for at, word in _words(words))


def _words(text: str) -> Iterator[tuple[int, str]]:
    at = 0
    for word in text.split():
        at = text.index(word, at)
        yield at, word
        at += len(word)


def label_studio_lines(notes: Iterable[AnnotatedNote]) -> Iterator[str]:
    """Yield a JSON list of tasks, a task a line. Offsets count UTF-16 units, as Label Studio's pages do; each region repeats its words."""
    yield "["
    before = ""
    for number, note in enumerate(notes, 1):
        if before:
            yield f"{before},"
        before = json.dumps(_task(note, number), ensure_ascii=False)
    if before:
        yield before
    yield "]"


def _task(note: AnnotatedNote, number: int) -> dict[str, Any]:
    data = {"text": note.text, "note_id": note.note_id, **({"group": note.group} if note.group else {})}
    meta = {key: value for key, value in note.meta.items() if key not in {"token_offsets", "annotates"}}
    return {"id": number, "data": data, "meta": meta, "annotations": [{"id": number, "result": list(_results(note))}]}


def _results(note: AnnotatedNote) -> Iterator[dict[str, Any]]:
    for place, span in enumerate(note.spans):
        words = note.text[span.start : span.end]
        start = _utf16(note.text[: span.start])
        value = {"start": start, "end": start + _utf16(words), "text": words}
        common = {"id": f"s{place}", "to_name": "text"}
        yield {**common, "from_name": "label", "type": "labels", "value": {**value, "labels": [str(span.label)]}}
        for name in _CHOICES if note.meanings else ():
            said = getattr(note.meanings[place], name)
            if said is not None:
                yield {**common, "from_name": name, "type": "choices", "value": {**value, "choices": [said]}}
    typed = note.relations if note.relations is not None else [("TREATS", *pair) for pair in note.pairs]
    for kind, treatment, disease in typed:
        yield {
            "type": "relation",
            "from_id": f"s{treatment}",
            "to_id": f"s{disease}",
            "direction": "right",
            "labels": [kind],
        }


def _utf16(text: str) -> int:
    return len(text) + sum(character > "\uffff" for character in text)
