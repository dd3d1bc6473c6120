"""The numbers of one look, as plain data: for the API, `rxtract quality`, and the page."""

from dataclasses import asdict, dataclass, replace
from typing import Any

from contracts.records import LabelQuality
from outcomes.cells import Cell, quantile_ms
from outcomes.folding import INTAKE_DLQ, Episode, Promotion
from outcomes.kpis import KPIS, REMEDIES, Assumptions, Kpi, View, interval_of, met
from outcomes.planning import Expectation, Point, expectation
from outcomes.quality import LABELS

from scorekeeper.domain.audit import Audit, audit_of
from scorekeeper.domain.board import TODAY, WEEK, Board


@dataclass(frozen=True, slots=True)
class Reading:
    """One KPI as read now.

    Attributes:
        value: In the KPI's unit; None before there is anything.
        met: Whether the target is met; None without a value or a target, or when too few were audited to say.
        days: The value of each day of the week, oldest first.
    """

    kpi: Kpi
    value: float | None
    met: bool | None
    days: tuple[tuple[str, float | None], ...]

    @property
    def remedy(self) -> str:
        """What to do first; empty while the target is met, or nobody can say."""
        return REMEDIES.get(self.kpi.name, "") if self.met is False else ""


@dataclass(frozen=True, slots=True)
class Row:
    """One city or one model version beside the others. Shares from 0 to 1; None before there is anything."""

    name: str
    notes: int
    straight: float | None
    f1: LabelQuality | None
    audited: int
    estimated_f1: float | None
    corrected: float | None
    slow_s: float | None


@dataclass(frozen=True, slots=True)
class Plan:
    """What to label next: of all notes of the week, whatever the page shows.

    Attributes:
        within: F1 that the audit of a week shall be near to.
        audit: Of the version that serves.
        curve: Labels and F1 of each version that was trained, in the order of labels.
        next: What the next labels are expected to bring; None: not known yet.
    """

    within: float
    audit: Audit
    curve: tuple[Point, ...]
    next: Expectation | None


@dataclass(frozen=True, slots=True)
class Figures:
    """Everything that one look shows.

    Attributes:
        bias: F1 of audit notes shown with predictions minus F1 of those shown without; None while too few say so.
        corrected: Notes that people changed, of those that they decided; however many looked at one, it counts once.
        people_hours: That people spent on them.
        pulse: For each minute of the last hour its beginning (UTC ms), notes straight through, notes for people.
        forgotten: Notes of the eight days that are no longer remembered one by one: a newer revision of one counts twice.
        refused: Live notes refused at the door, by reason.
        refused_of_history: Notes refused at the door that are known not to be live.
        refused_later: Dead letters behind the door: topic, reason, times.
    """

    window: str
    city: str
    version: str
    whole: bool
    forgotten: int
    days: tuple[str, ...]
    notes_today: int
    readings: dict[str, Reading]
    quality: tuple[LabelQuality, ...]
    audited: int
    bias: float | None
    corrected: int
    decided: int
    people_hours: float
    cities: tuple[Row, ...]
    versions: tuple[Row, ...]
    pulse: tuple[tuple[int, int, int], ...]
    refused: tuple[tuple[str, int], ...]
    refused_of_history: int
    refused_later: tuple[tuple[str, str, int], ...]
    episodes: tuple[Episode, ...]
    promotions: tuple[tuple[int, Promotion], ...]
    awaits_approval: str
    plan: Plan
    now_ms: int

    @property
    def quality_of_labels(self) -> tuple[LabelQuality, ...]:
        """Of each label, and of both."""
        return tuple(row for row in self.quality if row.label in LABELS)

    @property
    def quality_of_statements(self) -> tuple[LabelQuality, ...]:
        """Of each class of what is said, and of each kind."""
        return tuple(row for row in self.quality if row.label not in LABELS)


def plan(board: Board, now_ms: int) -> Plan:
    """Plan the labels of a week. Hold the board's lock."""
    serving = board.folded.promotions[max(board.folded.promotions)].version if board.folded.promotions else ""
    points = board.folded.trained.values()
    return Plan(
        within=board.assumptions.audit_f1_within,
        audit=audit_of(board, board.view(WEEK, now_ms, version=serving)),
        curve=tuple(sorted(points)),
        next=expectation(points),
    )


def look(
    board: Board, now_ms: int, window: str, city: str = "", version: str = "", *, assumed: Assumptions | None = None
) -> Figures:
    """Read everything at one moment. Hold the board's lock.

    Args:
        board: The numbers.
        now_ms: The moment, UTC milliseconds.
        window: TODAY or WEEK.
        city: "": all.
        version: Of the model; "": all.
        assumed: In place of the board's own assumptions, to see what another rate would give.
    """
    view = board.view(window, now_ms, city, version, assumed=assumed)
    days = board.days(WEEK, now_ms)
    by_day = [(day, replace(view, days=(day,))) for day in days]
    readings = {}
    for kpi in KPIS:
        value = kpi.value(view)
        readings[kpi.name] = Reading(
            kpi, value, met(kpi, value, interval_of(kpi, view)), tuple((day, kpi.value(one)) for day, one in by_day)
        )
    folded = board.folded
    return Figures(
        window=window,
        city=city,
        version=version,
        whole=board.whole,
        forgotten=folded.notes.forgotten_of_window,
        days=view.days,
        notes_today=board.view(TODAY, now_ms, city, version).cell.notes,
        readings=readings,
        quality=view.quality,
        audited=len(view.audits),
        bias=board.bias(view),
        corrected=view.cell.changed,
        decided=view.cell.decided,
        people_hours=view.cell.seconds / 3600,
        cities=tuple(_row(board, window, now_ms, one, version, one) for one in board.cities()),
        versions=tuple(_row(board, window, now_ms, city, one, one) for one in board.versions()),
        pulse=tuple(board.pulse.minutes(now_ms)),
        refused=tuple(sorted(view.refused().items(), key=lambda one: (-one[1], one[0]))),
        refused_of_history=view.refused_of_history,
        refused_later=_refused_later(view),
        episodes=tuple(sorted(folded.episodes.values(), key=lambda one: one.began_at)),
        promotions=tuple(sorted(folded.promotions.items())),
        awaits_approval=folded.awaits_approval,
        plan=plan(board, now_ms),
        now_ms=now_ms,
    )


def _row(board: Board, window: str, now_ms: int, city: str, version: str, name: str) -> Row:
    view = board.view(window, now_ms, city, version)
    cell = view.cell
    slow = quantile_ms(cell.latency_bins, 0.95)
    return Row(
        name=name,
        notes=cell.notes,
        straight=_share(cell.straight, cell),
        f1=board.f1(view),
        audited=len(view.audits),
        estimated_f1=cell.expected.f1,
        corrected=cell.changed / cell.decided if cell.decided else None,
        slow_s=None if slow is None else slow / 1000,
    )


def _share(part: int, cell: Cell) -> float | None:
    return part / cell.notes if cell.notes else None


def _refused_later(view: View) -> tuple[tuple[str, str, int], ...]:
    """Dead letters behind the door, by topic and reason: these are faults of ours, not of those who send."""
    found: dict[tuple[str, str], int] = {}
    for refusal, times in view.folded.refused.items():
        if refusal.day in view.days and refusal.topic != INTAKE_DLQ:
            key = (refusal.topic, refusal.reason)
            found[key] = found.get(key, 0) + times
    return tuple((*key, times) for key, times in sorted(found.items()))


def kpis_of(figures: Figures, assumed: Assumptions) -> dict[str, Any]:
    """The KPIs for a program."""
    return {
        "assumed": asdict(assumed),
        "window": {"name": figures.window, "first_day": figures.days[0], "last_day": figures.days[-1]},
        "city": figures.city,
        "version": figures.version,
        "notes_today": figures.notes_today,
        "refused": dict(figures.refused),
        "people": {"decided": figures.decided, "corrected": figures.corrected, "hours": figures.people_hours},
        "kpis": {
            name: {
                "title": one.kpi.title,
                "value": one.value,
                "days": dict(one.days),
                "unit": one.kpi.unit,
                "target": one.kpi.target,
                "better": one.kpi.better,
                "met": one.met,
                "sentence": one.kpi.sentence,
                "remedy": one.remedy,
            }
            for name, one in figures.readings.items()
        },
    }


def quality_of(board: Board, now_ms: int) -> dict[str, Any]:
    """Live quality per version, per city, and per version in each city that was audited, for a program. Hold the board's lock."""
    days = board.days(WEEK, now_ms)
    scopes = [(version, "") for version in ("", *board.versions())]
    scopes += [("", city) for city in board.cities()]
    seen = {(note.version, note.city) for note in board.view(WEEK, now_ms).audits}
    scopes += [(version, city) for version in board.versions() for city in board.cities() if (version, city) in seen]
    rows = []
    for version, city in scopes:
        view = board.view(WEEK, now_ms, city, version)
        estimated = view.cell.expected.f1
        if not view.audits and estimated is None:
            continue
        rows.append(
            {
                "version": version,
                "serial": board.model(version).serial if version else None,
                "city": city,
                "notes": view.cell.notes,
                "audited_notes": len(view.audits),
                "labels": [row.to_dict() for row in view.quality],
                "estimated_f1": estimated,
                "prefill_bias": board.bias(view),
            }
        )
    return {"window": {"first_day": days[0], "last_day": days[-1]}, "quality": rows}
