"""What people said about a note: each person's last word, and the one word that speaks for the note."""

from typing import NamedTuple

from contracts.records import AnnotationOutcome, AnnotationValidated, Sample

from outcomes.cells import CellKey
from outcomes.quality import AuditedNote, audited, spans
from outcomes.said import differs

DECIDED = frozenset({AnnotationOutcome.ACCEPTED, AnnotationOutcome.CORRECTED, AnnotationOutcome.ADJUDICATED})
_MOST_VALIDATORS = 2


class Word(NamedTuple):
    """A person's last word on a note. No text of it.

    Attributes:
        sequence: Its number among his words on this revision.
        since: When he first spoke about this revision, UTC milliseconds.
        seconds: Of his work on the note, that on older revisions too.
        seconds_before: Those on older revisions alone.
        decides: Whether it says what is right; a skip, or a note that he cannot read, does not.
        audit: What it measures; None when it is no decision on a note of the audit.
    """

    revision: int
    sequence: int
    since: int
    at: int
    key: CellKey
    seconds: float
    seconds_before: float
    decides: bool
    unreadable: bool
    adjudicates: bool
    changes: bool
    sample: str
    audit: AuditedNote | None


class Words:
    """All that was said about one note."""

    __slots__ = ("_last",)

    def __init__(self) -> None:
        self._last: dict[str, Word] = {}

    def take(self, annotation: AnnotationValidated, key: CellKey) -> tuple[Word | None, Word] | None:
        """Take a word; returns that person's word before and the new one, or None when he has said a later one already."""
        known = self._last.get(annotation.annotator)
        if known is not None and known[:2] >= (annotation.revision, annotation.sequence):
            if known.revision == annotation.revision:
                self._last[annotation.annotator] = known._replace(since=min(known.since, annotation.annotated_at))
            return None
        word = _word(annotation, key, known)
        self._last[annotation.annotator] = word
        return known, word

    def settled(self, *, of_audit: bool = False) -> Word | None:
        """The word that speaks for the note: of the newest revision that people saw, the last of a lead, else the first of the others.

        None speaks for a note that a lead could not read either.

        Args:
            of_audit: Only words on the note as one of the audit.
        """
        newest = max((word.revision for word in self._last.values()), default=0)
        current = [(who, word) for who, word in self._last.items() if word.revision == newest]
        if _given_up([word for _, word in current]):
            return None
        sound = [(who, word) for who, word in current if word.decides and (word.audit is not None or not of_audit)]
        if leads := [(word.at, who, word) for who, word in sound if word.adjudicates]:
            return max(leads, key=lambda one: one[:2])[2]
        return min(sound, key=lambda one: (one[1].since, one[0]))[1] if sound else None

    def newest_day(self) -> str:
        """The day of the last word."""
        return max(word.key[0] for word in self._last.values())


def _given_up(words: list[Word]) -> bool:
    """Whether a lead found unreadable what two people had disagreed on: his is then the third verdict, as the desk counts them."""
    verdicts = [word for word in words if word.decides or word.unreadable]
    undecided = not any(word.adjudicates for word in verdicts)
    return undecided and len(verdicts) > _MOST_VALIDATORS and any(word.unreadable for word in verdicts)


def _word(annotation: AnnotationValidated, key: CellKey, known: Word | None) -> Word:
    again = known is not None and known.revision == annotation.revision
    # A word carries the seconds of the words before it on the same revision; a newer revision was more work.
    earlier = 0.0 if known is None else known.seconds_before if again else known.seconds
    decides = annotation.outcome in DECIDED
    measures = decides and annotation.sample is Sample.AUDIT and annotation.model is not None
    return Word(
        revision=annotation.revision,
        sequence=annotation.sequence,
        since=min(known.since, annotation.annotated_at) if known is not None and again else annotation.annotated_at,
        at=annotation.annotated_at,
        key=key,
        seconds=annotation.seconds_spent + earlier,
        seconds_before=earlier,
        decides=decides,
        unreadable=annotation.outcome is AnnotationOutcome.UNREADABLE,
        adjudicates=annotation.outcome is AnnotationOutcome.ADJUDICATED,
        changes=decides and (spans(annotation.predicted_entities) != spans(annotation.entities) or differs(annotation)),
        sample=annotation.sample.value,
        audit=audited(annotation) if measures else None,
    )
