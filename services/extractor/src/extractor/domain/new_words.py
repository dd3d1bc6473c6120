"""New words of drifted segments, k-anonymous: told only when many patients and doctors used them, never a name or a number.

Counted for one process and while an episode is open; bounded in words, segments and people remembered.
"""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from contracts.records import DriftWords, ModelRef, NewWord, NoteAccepted

PATIENTS = 5
DOCTORS = 3
_WORDS = 2_000
_SEGMENTS = 64
_TOLD_AT_ONCE = 50
_CHARS = (3, 40)


@runtime_checkable
class KnowsWords(Protocol):
    """A tagger that can say which words its training never held."""

    def unknown_words(self, text: str) -> Sequence[str]:
        """Tokens as written."""


@dataclass(slots=True)
class _Word:
    notes: int = 0
    patients: set[str] = field(default_factory=set)
    doctors: set[str] = field(default_factory=set)
    barred: bool = False  # seen capitalised: it may be somebody's name
    told: bool = False

    @property
    def may_be_told(self) -> bool:
        return not (self.barred or self.told) and len(self.patients) >= PATIENTS and len(self.doctors) >= DOCTORS


@dataclass(slots=True)
class _Segment:
    model: ModelRef
    since: int
    until: int
    words: "OrderedDict[str, _Word]" = field(default_factory=OrderedDict)


class NewWords:
    """Counts, and tells each word once.

    Args:
        segment_of: The drifted segment of a note, or None.
        is_asked: Whether any segment drifts; if not, notes need not be shown.
    """

    def __init__(
        self, segment_of: Callable[[NoteAccepted, int], str | None], is_asked: Callable[[], bool] = lambda: True
    ) -> None:
        self._segment_of = segment_of
        self.is_asked = is_asked
        self._segments: OrderedDict[str, _Segment] = OrderedDict()

    def observe(self, note: NoteAccepted, tagger: object, model: ModelRef) -> str | None:
        """Count a live note's new words; returns its segment when that drifts."""
        segment = self._segment_of(note, model.serial)
        if segment is None or not isinstance(tagger, KnowsWords):
            return None
        found = self._segments.get(segment)
        if found is None or found.model != model:
            found = self._segments[segment] = _Segment(model, note.accepted_at, note.accepted_at)
            while len(self._segments) > _SEGMENTS:
                self._segments.popitem(last=False)
        found.until = max(found.until, note.accepted_at)
        for token in set(tagger.unknown_words(note.text)):
            self._count(found, token, note)
        return segment

    def told(self, segments: Sequence[str]) -> list[DriftWords]:
        """What may be told now of these segments and was not told before."""
        records = []
        for segment in dict.fromkeys(segments):
            found = self._segments[segment]
            ready = [(word, counts) for word, counts in found.words.items() if counts.may_be_told]
            ready.sort(key=lambda item: (-item[1].notes, item[0]))
            for _, counts in ready[:_TOLD_AT_ONCE]:
                counts.told = True
            if ready:
                words = tuple(
                    NewWord(word=word, notes=one.notes, patients=len(one.patients), doctors=len(one.doctors))
                    for word, one in ready[:_TOLD_AT_ONCE]
                )
                records.append(
                    DriftWords(
                        segment=segment,
                        model=found.model,
                        words=words,
                        observed_from=found.since,
                        observed_to=found.until,
                    )
                )
        return records

    def _count(self, segment: _Segment, token: str, note: NoteAccepted) -> None:
        if not token.isalpha() or not _CHARS[0] <= len(token) <= _CHARS[1]:
            return
        key = token.lower()
        word = segment.words.setdefault(key, _Word())
        segment.words.move_to_end(key)
        if len(segment.words) > _WORDS:
            segment.words.popitem(last=False)
        if token != key:
            word.barred = True
        word.notes += 1
        if len(word.patients) <= PATIENTS * 4:
            word.patients.add(note.patient_ref)
        if len(word.doctors) <= DOCTORS * 4:
            word.doctors.add(note.doctor_ref)
