"""Mention swap: training notes once more, with their mentions replaced by others of the same label."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clinical_ner.notes import AnnotatedNote, Label, Span

if TYPE_CHECKING:
    import random
    from collections.abc import Mapping, Sequence

    from clinical_ner.standing import Standing


def mention_pools(
    notes: Sequence[AnnotatedNote],
    rng: random.Random,
    lexicon: Mapping[Label, Sequence[str]] | None = None,
    standing: Standing | None = None,
) -> dict[Label, list[str]]:
    """Mentions of each label as they occur (frequent ones more often), and as many names of a supplied lexicon.

    More names than mentions were measured to hurt: the swapped notes then no longer look like notes. A name of a real note
    goes into the notes of others only where all its words may stand in the model.
    """
    pools: dict[Label, list[str]] = {label: [] for label in Label}
    for note in notes:
        for span in note.spans:
            name = note.text[span.start : span.end]
            if standing is None or standing.holds_all_of(name, note):
                pools[span.label].append(name)
    for label, names in (lexicon or {}).items():
        pools[label] += rng.sample(list(names), min(len(names), len(pools[label])))
    return pools


def swapped(note: AnnotatedNote, pools: Mapping[Label, Sequence[str]], rng: random.Random) -> AnnotatedNote:
    """Return the note with every mention replaced by a random one of its label, offsets adjusted."""
    parts: list[str] = []
    spans: list[Span] = []
    at = length = 0
    for span in sorted(note.spans):
        if span.start < at:
            continue
        name = rng.choice(pools[span.label]) if pools[span.label] else note.text[span.start : span.end]
        before = note.text[at : span.start]
        start = length + len(before)
        parts += [before, name]
        spans.append(Span(start, start + len(name), span.label))
        at, length = span.end, start + len(name)
    text = "".join([*parts, note.text[at:]])
    return AnnotatedNote(text, tuple(spans), note_id=note.note_id, group=note.group, people=note.people)
