"""How each person works: pace, edits, and agreement with the others, on the audit and with leads, for each label."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from annotations.verdicts import ACCEPTED, CORRECTED, settle

from review_desk.adapters.store import KEEP_S, Entry, Store
from review_desk.domain.agreement import Agreement, agreement
from review_desk.domain.tasks import AUDIT, DeskVerdict

LOOKED_AT = 300
"""The newest notes of each person."""
_HOUR_MS = 3_600_000

Pair = tuple[DeskVerdict, DeskVerdict]


@dataclass(frozen=True, slots=True)
class PersonFigures:
    """One person's work.

    Attributes:
        notes: Decided in 31 days.
        last_hour: Decided in the last hour.
        median_seconds: At work on a note; None while there is none.
        corrected: Share of the labelled notes in which something was changed; None while there is none.
        with_others: Agreement with other validators, by label.
        on_audit: The same on notes of the random audit alone.
        with_leads: Agreement with what leads decided.
    """

    annotator: str
    notes: int
    last_hour: int
    median_seconds: float | None
    corrected: float | None
    with_others: tuple[Agreement, ...]
    on_audit: tuple[Agreement, ...]
    with_leads: tuple[Agreement, ...]


def figures_of(store: Store, annotator: str, now_ms: int) -> PersonFigures:
    """The figures of one person; what is not of the newest notes counts in the pace alone."""
    times = store.decision_times(annotator, now_ms - KEEP_S * 1000)
    newest = store.redis.zrevrange(store.key("decided", annotator), 0, LOOKED_AT - 1)
    entries = store.entries([member.partition(" ")[2] for member in newest])
    mine = [(entry, verdict) for entry in entries.values() if (verdict := _mine(entry, annotator)) is not None]
    labelled = [verdict for _, verdict in mine if verdict.outcome in {ACCEPTED, CORRECTED}]
    seconds = [verdict.seconds for _, verdict in mine if verdict.seconds > 0]
    return PersonFigures(
        annotator=annotator,
        notes=len(times),
        last_hour=sum(at > now_ms - _HOUR_MS for at in times),
        median_seconds=round(median(seconds), 1) if seconds else None,
        corrected=sum(one.outcome == CORRECTED for one in labelled) / len(labelled) if labelled else None,
        with_others=agreement(_with_others(mine)),
        on_audit=agreement(_with_others([(entry, one) for entry, one in mine if entry.task.sample == AUDIT])),
        with_leads=agreement(_with_leads(mine)),
    )


def _mine(entry: Entry, annotator: str) -> DeskVerdict | None:
    verdict = entry.verdicts.get(annotator)
    return verdict if verdict is not None and verdict.revision == entry.task.revision else None


def _with_others(mine: Sequence[tuple[Entry, DeskVerdict]]) -> list[Pair]:
    return [
        (verdict, other)
        for entry, verdict in mine
        for other in _others(entry.verdicts, verdict)
        if not other.adjudicates and not verdict.adjudicates
    ]


def _with_leads(mine: Sequence[tuple[Entry, DeskVerdict]]) -> list[Pair]:
    pairs = []
    for entry, verdict in mine:
        standing = settle(entry.verdicts.values(), entry.trust).verdict
        if standing is not None and standing.adjudicates and standing in _others(entry.verdicts, verdict):
            pairs.append((verdict, standing))
    return pairs


def _others(verdicts: Mapping[str, DeskVerdict], mine: DeskVerdict) -> list[DeskVerdict]:
    """What others labelled of the same revision."""
    return [
        other
        for annotator, other in verdicts.items()
        if annotator != mine.annotator and other.labels and mine.labels and other.revision == mine.revision
    ]
