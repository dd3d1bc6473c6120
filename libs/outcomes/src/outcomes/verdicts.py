"""The verdicts on one note as the KPIs count them: whose work they were, and what the one that settles the note measures."""

from dataclasses import dataclass, replace
from typing import Self

from annotations.spans import spans_of
from annotations.trust import Trust
from annotations.verdicts import Verdict, agree, newest, settle
from contracts.records import AnnotationValidated, Sample

from outcomes.cells import CellKey
from outcomes.quality import AuditedNote, audited
from outcomes.statements import differs


@dataclass(frozen=True, slots=True)
class CountedVerdict(Verdict):
    """A verdict with what the KPIs need of it. No text.

    Attributes:
        key: The cell that it is counted in.
        seconds: Of the annotator's work on the note, that on older revisions too.
        seconds_before: Those on older revisions alone.
        changes: Whether it corrects what was predicted.
        audit: What it measures; None when it has no labels for a note of the audit.
    """

    key: CellKey = ("", "", "")
    seconds: float = 0.0
    seconds_before: float = 0.0
    changes: bool = False
    sample: str = ""
    audit: AuditedNote | None = None

    @classmethod
    def counted(cls, annotation: AnnotationValidated, key: CellKey, known: Self | None) -> Self:
        """The verdict of an annotation, which stands on the annotator's verdict before it, if there is one."""
        again = known is not None and known.revision == annotation.revision
        # An annotation carries the seconds of those before it on the same revision; a newer revision was more work.
        earlier = 0.0 if known is None else known.seconds_before if again else known.seconds
        verdict = replace(
            cls.of(annotation),
            key=key,
            seconds=annotation.seconds_spent + earlier,
            seconds_before=earlier,
            sample=annotation.sample.value,
        )
        if not verdict.labels:
            return verdict
        corrected = set(spans_of(annotation.predicted_entities)) != set(verdict.spans) or differs(annotation)
        measures = annotation.sample is Sample.AUDIT and annotation.model is not None
        return replace(verdict, changes=corrected, audit=audited(annotation) if measures else None)


class NoteVerdicts:
    """All verdicts on one note, the standing one of each annotator."""

    __slots__ = ("_standing",)

    def __init__(self) -> None:
        self._standing: dict[str, CountedVerdict] = {}

    def take(
        self, annotation: AnnotationValidated, key: CellKey
    ) -> tuple[CountedVerdict | None, CountedVerdict] | None:
        """Take an annotation; returns the annotator's verdict before and the new one, or None when it is older than what stands."""
        known = self._standing.get(annotation.annotator)
        given = CountedVerdict.counted(annotation, key, known)
        standing = newest(known, given)
        self._standing[annotation.annotator] = standing
        is_new = known is None or (given.revision, given.sequence) > (known.revision, known.sequence)
        return (known, standing) if is_new else None

    def of(self, annotator: str) -> bool:
        """Whether a person has answered on the note."""
        return annotator in self._standing

    def settled(self, trust: Trust) -> CountedVerdict | None:
        """The verdict that settles the note; None while none does."""
        return settle(self._standing.values(), trust).verdict

    def audited(self, trust: Trust) -> CountedVerdict | None:
        """The verdict that measures the model on this note of the audit.

        It is the one that settles the note, or one that agrees with it, where a note came into the audit on its second request.
        """
        truth = self.settled(trust)
        if truth is None or truth.audit is not None:
            return truth
        same = [
            verdict
            for verdict in self._standing.values()
            if verdict.audit is not None
            and verdict.counts(trust)
            and verdict.revision == truth.revision
            and agree(verdict, truth)
        ]
        return min(same, key=lambda verdict: (verdict.since, verdict.annotator), default=None)

    def newest_day(self) -> str:
        """The day of the last verdict."""
        return max(verdict.key[0] for verdict in self._standing.values())
