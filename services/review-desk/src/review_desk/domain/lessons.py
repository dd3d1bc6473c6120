"""Synthetic notes with known answers, by which a person is trained at the desk."""

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from annotations.spans import Span, Stated

from review_desk.domain.spans import DrawnSpan, Pair


@dataclass(frozen=True, slots=True)
class Lesson:
    """A synthetic note, what a model is said to have found, and what is right.

    Attributes:
        teaches: In one line.
        found: (span, confidence); a note without any is shown blind.
        truth: What is to be marked, and what is stated of it.
        pairs: (start of the treatment, start of the disease, type).
    """

    note_id: str
    teaches: str
    text: str
    found: tuple[tuple[Span, float], ...]
    truth: tuple[tuple[Span, Stated], ...]
    pairs: frozenset[tuple[int, int, str]]


@dataclass(frozen=True, slots=True)
class Judged:
    """What was not as it should be, in the note's own words; nothing where all is right."""

    missing: tuple[str, ...]
    extra: tuple[str, ...]
    restated: tuple[str, ...]
    pairs: tuple[str, ...]

    @property
    def is_right(self) -> bool:
        """Whether nothing is wrong."""
        return not (self.missing or self.extra or self.restated or self.pairs)


@cache
def lessons() -> tuple[Lesson, ...]:
    """All of them, in their order."""
    kept = json.loads(files("review_desk").joinpath("data/lessons.json").read_text(encoding="utf-8"))
    return tuple(map(_lesson, kept))


def judge(lesson: Lesson, marks: Sequence[DrawnSpan], pairs: Collection[Pair]) -> Judged:
    """Compare what a person marked with what is right."""
    truth, given = dict(lesson.truth), {mark.span: mark.stated for mark in marks}
    restated = [span for span in truth if span in given and given[span] not in {None, truth[span]}]
    said = {(pair.treatment.start, pair.disease.start, pair.type) for pair in pairs}
    return Judged(
        missing=tuple(_named(lesson, span) for span in sorted(truth.keys() - given.keys())),
        extra=tuple(_named(lesson, span) for span in sorted(given.keys() - truth.keys())),
        restated=tuple(f"{_words(lesson, span)}: {_stated(truth[span])}" for span in sorted(restated)),
        pairs=tuple(_pair(lesson, one) for one in sorted(lesson.pairs ^ said)),
    )


def _named(lesson: Lesson, span: Span) -> str:
    return f"{_words(lesson, span)} ({span.label.lower()})"


def _words(lesson: Lesson, span: Span) -> str:
    return lesson.text[span.start : span.end]


def _stated(stated: Stated) -> str:
    return ", ".join(part.lower() for part in stated)


def _pair(lesson: Lesson, pair: tuple[int, int, str]) -> str:
    starts = {span.start: _words(lesson, span) for span, _ in lesson.truth}
    treatment, disease = (starts.get(start, "something else") for start in pair[:2])
    kind = pair[2].lower().replace("_", " ")
    return f"{treatment} and {disease}: {kind}" if pair in lesson.pairs else f"{treatment} and {disease}: no pair"


def _lesson(kept: dict[str, Any]) -> Lesson:
    text = kept["text"]
    truth = tuple((_span(text, words, label, *rest[3:]), Stated(*rest[:3])) for words, label, *rest in kept["truth"])
    return Lesson(
        kept["note_id"],
        kept["teaches"],
        text,
        tuple((_span(text, words, label), confidence) for words, label, confidence in kept["found"]),
        tuple(sorted(truth)),
        frozenset((_start(text, one), _start(text, other), kind) for one, other, kind in kept.get("pairs", [])),
    )


def _span(text: str, words: str, label: str, nth: int = 1) -> Span:
    start = _start(text, [words, nth])
    return Span(start, start + len(words), label)


def _start(text: str, place: Any) -> int:
    """Where the n-th mention of words begins; the first one, where no number is given."""
    words, nth = (place, 1) if isinstance(place, str) else place
    start = -1
    for _ in range(nth):
        start = text.index(words, start + 1)
    return start
