"""Ranks annotations that are probably wrong, so that people look at the worst first.

Every rule is a sentence that a reviewer can agree or disagree with. The score orders the list only: it is no
probability.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from clinical_ner.datasets import given_tokens
from clinical_ner.mentions import mention_key

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from clinical_ner.notes import AnnotatedNote, Span

UNLABELLED = "O"
_EDGE_WORDS = frozenset(
    {"a", "an", "and", "are", "as", "at", "by", "for", "from", "in", "is", "of", "on", "or"}
    | {"the", "their", "these", "this", "those", "to", "was", "were", "which", "with"}
)
_OPENING = {"(": ")", "[": "]"}
_LONG_MENTION_TOKENS = 12
_FEW = 3


@dataclass(frozen=True, slots=True)
class Suspect:
    """One annotation (or one place that seems to miss one) to look at, with the reason."""

    index: int
    note_id: str
    start: int
    end: int
    text: str
    label: str
    reason: str
    score: float


@dataclass(frozen=True, slots=True)
class _Place:
    index: int
    start: int
    end: int
    label: str


def label_counts(notes: Sequence[AnnotatedNote]) -> dict[str, Counter[str]]:
    """Return for each mention string how often it is DISEASE, TREATMENT and, at word boundaries, unlabelled ("O")."""
    return {key: Counter(place.label for place in places) for key, places in _occurrences(notes).items()}


def suspects(notes: Sequence[AnnotatedNote]) -> list[Suspect]:
    """Return what to review, the most suspicious first."""
    found = [*_by_consistency(notes), *_by_form(notes)]
    best: dict[tuple[int, int, int], Suspect] = {}
    for suspect in sorted(found, key=lambda suspect: -suspect.score):
        best.setdefault((suspect.index, suspect.start, suspect.end), suspect)
    return list(best.values())


def _occurrences(notes: Sequence[AnnotatedNote]) -> dict[str, list[_Place]]:
    places: dict[str, list[_Place]] = defaultdict(list)
    words: Counter[int] = Counter()
    for index, note in enumerate(notes):
        for span in note.spans:
            key = mention_key(note.text[span.start : span.end])
            places[key].append(_Place(index, span.start, span.end, str(span.label)))
            words[len(key.split())] += 1
    longest = max(words, default=0)
    for index, note in enumerate(notes):
        for start, end in _free_runs(note, longest):
            key = mention_key(note.text[start:end])
            if key in places:
                places[key].append(_Place(index, start, end, UNLABELLED))
    return places


def _free_runs(note: AnnotatedNote, longest: int) -> Iterator[tuple[int, int]]:
    """Yield the (start, end) of every run of up to `longest` tokens that touches no span."""
    tokens = given_tokens(note)
    taken = [any(start < span.end and end > span.start for span in note.spans) for start, end in tokens]
    for first, (start, _) in enumerate(tokens):
        for last in range(first, min(first + longest, len(tokens))):
            if taken[last]:
                break
            yield start, tokens[last][1]


def _by_consistency(notes: Sequence[AnnotatedNote]) -> Iterator[Suspect]:
    for places in _occurrences(notes).values():
        counts = Counter(place.label for place in places)
        if len(counts) < 2:
            continue
        usual, most = counts.most_common(1)[0]
        share = most / len(places)
        for place in places:
            rare = counts[place.label]
            if place.label != usual and most >= _FEW and most > 2 * rare:
                weight = 1.0 if UNLABELLED not in {usual, place.label} else 0.8
                others = f"{_named(usual)} in {most} of its {len(places)} places"
                score = weight * share * (1 - 1 / most)
                yield _suspect(notes, place, f"{_named(place.label)} here, {others}", score)


def _by_form(notes: Sequence[AnnotatedNote]) -> Iterator[Suspect]:
    for index, note in enumerate(notes):
        for span in note.spans:
            reason, score = _form(note.text[span.start : span.end]) or _neighbour(note, span) or ("", 0.0)
            if reason:
                yield _suspect(notes, _Place(index, span.start, span.end, str(span.label)), reason, score)


def _form(text: str) -> tuple[str, float] | None:
    words = text.split()
    if text != text.strip():
        return "begins or ends with a blank", 0.9
    if not any(character.isalpha() for character in text):
        return "holds no letter", 0.9
    if any(text.count(left) != text.count(right) for left, right in _OPENING.items()):
        return "a bracket is cut off", 0.6
    if len(words) > _LONG_MENTION_TOKENS:
        return f"{len(words)} words long", 0.5
    return _edge(words[-1], "ends") or _edge(words[0], "begins")


def _edge(word: str, side: str) -> tuple[str, float] | None:
    if word.casefold() in _EDGE_WORDS and not (side == "ends" and word.isupper()):  # "vitamin A"
        return f"{side} with {word.casefold()!r}", 0.7
    if not any(character.isalnum() for character in word) and word not in {*_OPENING, *_OPENING.values()}:
        return f"{side} with punctuation", 0.65
    return None


def _neighbour(note: AnnotatedNote, span: Span) -> tuple[str, float] | None:
    for other in note.spans:
        if other is not span and other.start >= span.end and not note.text[span.end : other.start].strip():
            kind = "another label" if other.label is not span.label else "a span of the same label"
            return f"touches {kind}: is the boundary right?", 0.3
    return None


def _suspect(notes: Sequence[AnnotatedNote], place: _Place, reason: str, score: float) -> Suspect:
    note = notes[place.index]
    text = note.text[place.start : place.end]
    return Suspect(place.index, note.note_id, place.start, place.end, text, place.label, reason, round(score, 3))


def _named(label: str) -> str:
    return "not annotated" if label == UNLABELLED else label
