"""What the page shows, put into words and shapes. The templates only place it."""

import shlex
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from contracts.identity import split_note_key
from contracts.reasons import Reason
from contracts.records import LabelQuality
from jinja2 import Environment, FileSystemLoader, select_autoescape
from outcomes.days import day_start_ms
from outcomes.examples import AUDIT, BEHIND, CORRECTED, DRIFT, HISTORY, NOTES, NOWHERE, REFUSED, REVIEW, STRAIGHT
from outcomes.kpis import BY_NAME, Assumptions
from outcomes.quality import is_known, of_both_labels

from scorekeeper.adapters.ledger import Accounted
from scorekeeper.domain.board import TODAY, WEEK, Board
from scorekeeper.domain.figures import Figures, Reading, look
from scorekeeper.http import charts, words
from scorekeeper.http.questions import Answers, Questions

KINDS = {
    NOTES: "Notes that became records",
    STRAIGHT: "Notes that went straight through",
    REVIEW: "Notes that were sent to people",
    AUDIT: "Notes of the audit",
    CORRECTED: "Notes that people corrected",
    DRIFT: "Episodes of drift",
    REFUSED: "Refused input",
    HISTORY: "Refused input that is not live",
    BEHIND: "Dead letters behind the door",
}
"""What examples are kept of."""
OF_NOTES = frozenset({NOTES, STRAIGHT, REVIEW, AUDIT, CORRECTED})
"""Of these the identity is a note's; else an episode's, or the place of a dead letter."""
AT_THE_DESK = frozenset({REVIEW, AUDIT, CORRECTED})
"""Of these the review desk has the notes."""
_CARDS = (
    ("straight_through_rate", REVIEW),
    ("validated_f1", AUDIT),
    ("correction_rate", CORRECTED),
    ("person_hours_saved", STRAIGHT),
    ("time_to_structured_p50", NOTES),
    ("model_age", ""),
    ("refused_share", REFUSED),
)
_MORE = (
    "facts",
    "set_apart_share",
    "validated_precision",
    "validated_recall",
    "estimated_f1",
    "notes_per_validator_hour",
    "time_to_structured_p95",
    "availability",
    "cost_per_1000_notes",
    "drift_episodes",
    "time_to_recovery",
)
_MOST_CITIES, _MOST_DISEASES, _MOST_ROWS = 5, 8, 8
_SHADES = 5


@dataclass(frozen=True, slots=True)
class Scope:
    """What is looked at."""

    window: str = WEEK
    city: str = ""
    version: str = ""
    entry: float | None = None
    validator: float | None = None
    machine: float | None = None

    def assumed(self, known: Assumptions) -> Assumptions:
        """What is assumed in this look: the settings, except where the reader tries another value."""
        return replace(
            known,
            entry_minutes=known.entry_minutes if self.entry is None else self.entry,
            validator_rupees_per_hour=known.validator_rupees_per_hour if self.validator is None else self.validator,
            machine_rupees_per_hour=known.machine_rupees_per_hour if self.machine is None else self.machine,
        )

    @property
    def tries_values(self) -> bool:
        """Whether anything is assumed that the settings do not say."""
        return (self.entry, self.validator, self.machine) != (None, None, None)

    def query(self, **other: str) -> str:
        """The address of this scope with something changed."""
        return f"/{self._query(other)}"

    def settled(self) -> str:
        """The address of this scope with the settings' own assumptions."""
        return replace(self, entry=None, validator=None, machine=None).query()

    def examples(self, kind: str, **other: str) -> str:
        """The address of the examples of a number in this scope, with something changed."""
        return f"/examples/{kind}{self._query(other)}"

    def _query(self, other: Mapping[str, str]) -> str:
        tried = {"entry": self.entry, "validator": self.validator, "machine": self.machine}
        chosen = {"window": self.window, "city": self.city, "version": self.version}
        chosen |= {name: f"{value:g}" for name, value in tried.items() if value is not None} | dict(other)
        kept = {name: value for name, value in chosen.items() if value and (name, value) != ("window", WEEK)}
        return f"?{urlencode(kept)}" if kept else ""

    def words(self) -> str:
        """What is looked at, for people."""
        parts = ("Today" if self.window == TODAY else "Today and the seven days before", self.city)
        return ", ".join(part for part in (*parts, self.version and f"model version {self.version}") if part)


class Page:
    """Renders.

    Args:
        board: The numbers.
        questions: The answers from the records at rest.
        least_patients: Patients on which a row of an answer rests, as the page says.
        desk_url: Of the review desk; "": examples are not linked.
        account: Asks the ledger; None: there is no card.
    """

    def __init__(
        self,
        board: Board,
        questions: Questions,
        least_patients: int,
        desk_url: str = "",
        *,
        account: Callable[[], Accounted | None] | None = None,
    ) -> None:
        self._board = board
        self._questions = questions
        self._least_patients = least_patients
        self._desk_url = desk_url
        self._account = account
        self._templates = Environment(
            loader=FileSystemLoader(Path(__file__).parent / "templates"),
            autoescape=select_autoescape(),
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._templates.globals.update(
            points=words.points,
            share=words.share,
            number=words.number,
            value_of=words.value_of,
            target_of=words.target_of,
            is_known=is_known,
            charts=charts,
        )

    def whole(self, scope: Scope, now_ms: int) -> str:
        """The whole page."""
        return self._templates.get_template("page.html").render(self._context(scope, now_ms))

    def numbers(self, scope: Scope, now_ms: int) -> str:
        """The part that changes."""
        return self._templates.get_template("numbers.html").render(self._context(scope, now_ms))

    def examples(
        self, kind: str, scope: Scope, now_ms: int, shows: Callable[[Sequence[str]], None] = lambda _notes: None
    ) -> str | None:
        """The newest of those that a number of this scope is made of; None when there is no such kind.

        ``shows`` is called with the notes among them; what it raises keeps them from being shown.
        """
        if kind not in KINDS:
            return None
        scope = replace(scope, city="", version="") if kind in NOWHERE or kind == DRIFT else scope
        with self._board.lock:
            found = self._board.view(scope.window, now_ms, scope.city, scope.version).examples(kind)
        desk_url = self._desk_url if kind in AT_THE_DESK else ""
        rows = [
            (one, words.moment(one.at, self._board.zone, "%d %b %H:%M:%S"), *_ways(kind, one.identity, desk_url))
            for one in found
        ]
        template = self._templates.get_template("examples.html")
        shows([one.identity for one in found] if kind in OF_NOTES else [])
        return template.render(kind=kind, title=KINDS[kind], rows=rows, desk_url=desk_url, scope=scope, letters=NOWHERE)

    def closed(self, words: str, title: str = "Examples") -> str:
        """In place of what was asked for: why it is not shown."""
        return self._templates.get_template("examples.html").render(title=title, rows=[], closed=words, scope=Scope())

    def letters(self, rows: Sequence[Mapping[str, Any]], **context: Any) -> str:
        """The list of dead letters."""
        shown = [{**row, "when": words.moment(row["timestamp_ms"], self._board.zone, "%d %b %H:%M:%S")} for row in rows]
        return self._templates.get_template("letters.html").render(rows=shown, **context)

    def letter(self, row: Mapping[str, Any], **context: Any) -> str:
        """One dead letter whole."""
        when = words.moment(row["timestamp_ms"], self._board.zone, "%d %b %Y %H:%M:%S")
        return self._templates.get_template("letter.html").render(row=row, when=when, **context)

    def _context(self, scope: Scope, now_ms: int) -> dict[str, Any]:
        answers = self._questions.answers()
        account = None if self._account is None else self._account()
        with self._board.lock:
            assumed = scope.assumed(self._board.assumptions)
            figures = look(self._board, now_ms, scope.window, scope.city, scope.version, assumed=assumed)
        zone = self._board.zone
        week_ms = day_start_ms(self._board.days(WEEK, now_ms)[0], zone)
        target = BY_NAME["validated_f1"].target
        return {
            "scope": scope,
            "figures": figures,
            "has_ledger": self._account is not None,
            "account": account,
            "time": words.moment(now_ms, zone, "%H:%M:%S"),
            "zone": zone.key,
            "cards": [_card(figures, figures.readings[name], kind) for name, kind in _CARDS],
            "notes_week": figures.readings["notes"],
            "notes_spark": charts.spark(figures.readings["notes"].days, "Notes"),
            "more": [figures.readings[name] for name in _MORE],
            "assumed": assumed,
            "pulse": charts.pulse(figures.pulse, zone),
            "pulse_total": sum(straight + people for _, straight, people in figures.pulse),
            "forest": charts.forest(
                [(row.name, _known(row.f1), row.estimated_f1, row.audited) for row in figures.versions], target
            ),
            "timeline": charts.timeline(
                [one for one in figures.episodes if one.is_open_since(week_ms)],
                figures.promotions,
                week_ms,
                now_ms,
                zone=zone,
            ),
            "refused": _bars(figures.refused),
            "answers": _answers(answers),
            "least_patients": self._least_patients,
        }


def _ways(kind: str, identity: str, desk_url: str) -> tuple[str, str]:
    """Where one can be looked at: its place on the desk and the command; "" where there is none."""
    if kind == DRIFT:
        return "", ""
    if kind in NOWHERE:
        return "", f"rxtract dlq show {identity.replace('.dlq ', ' ')}"
    source, note_id = split_note_key(identity)
    at_desk = f"{desk_url}/notes?{urlencode({'source': source, 'note_id': note_id}, quote_via=quote, safe='')}"
    return at_desk if desk_url else "", shlex.join(["rxtract", "why", "--source", source, note_id])


def _card(figures: Figures, reading: Reading, kind: str) -> dict[str, Any]:
    kpi = reading.kpi
    picture = charts.spark(reading.days, kpi.title) if kpi.name != "model_age" else ""
    detail = ""
    quality = _known(of_both_labels(figures.quality))
    if kpi.name == "validated_f1" and quality is not None:
        picture = charts.interval(quality, kpi.target)
        detail = f"{words.share(quality.f1_low)} to {words.share(quality.f1_high)}, {figures.audited:,} notes audited"
    elif kpi.name == "validated_f1" and figures.audited:
        picture = ""
        detail = f"{figures.audited:,} {'note' if figures.audited == 1 else 'notes'} audited, too few to say"
    elif kpi.name == "time_to_structured_p50":
        slow = figures.readings["time_to_structured_p95"]
        detail = f"slowest in twenty: {words.value_of(slow.value, 'seconds')}"
    elif kpi.name == "correction_rate" and figures.decided:
        detail = f"{figures.corrected:,} of {figures.decided:,} notes that people decided"
    elif kpi.name == "model_age" and figures.promotions:
        detail = f"version {figures.promotions[-1][1].version} serves"
    elif kpi.name == "model_age" and figures.versions:
        detail = f"version {figures.versions[0].name} serves, no promotion is known"
    elif kpi.name == "refused_share":
        detail = f"{sum(times for _, times in figures.refused):,} refused"
    if kpi.name == "model_age" and figures.awaits_approval:
        detail = f"{detail}; version {figures.awaits_approval} awaits approval".removeprefix("; ")
    scoped = bool(figures.city or figures.version) and not kpi.segmented
    return {"reading": reading, "kind": kind, "picture": picture, "detail": detail, "everywhere": scoped}


def _known(row: LabelQuality | None) -> LabelQuality | None:
    """A quality of which two notes or more say something."""
    return row if row is not None and is_known(row, "f1") else None


def _bars(rows: tuple[tuple[str, int], ...]) -> list[tuple[str, str, int, float]]:
    """Reasons with their sentence, how often, and the part of the longest bar."""
    top = max((times for _, times in rows), default=1)
    return [(name, _sentence(name), times, times / top) for name, times in rows]


def _sentence(reason: str) -> str:
    return Reason(reason).sentence if reason in Reason.__members__ else ""


def _answers(answers: Answers) -> dict[str, Any]:
    """The three ready questions, cut to what fits."""
    treatments = answers.rows.get("treatments-per-disease", [])[:_MOST_ROWS]
    rising = answers.rows.get("rising-mentions", [])[:_MOST_ROWS]
    most = max((row[2] for row in treatments), default=1)
    fastest = max((row[4] for row in rising), default=1)
    return {
        "notes": answers.notes,
        "stale": answers.stale,
        "diseases": _heat(answers.rows.get("diseases-by-city-and-week", [])),
        "treatments": [(*row, row[2] / most) for row in treatments],
        "rising": [(*row, row[4] / fastest) for row in rising],
    }


def _heat(rows: list[tuple[Any, ...]]) -> dict[str, Any] | None:
    """Diseases by city of the newest week, as a table of shades."""
    if not rows:
        return None
    week = rows[0][0]
    notes: dict[tuple[str, str], int] = defaultdict(int)
    by_city: dict[str, int] = defaultdict(int)
    by_disease: dict[str, int] = defaultdict(int)
    for row_week, city, disease, count in rows:
        if row_week == week:
            notes[disease, city] += count
            by_city[city] += count
            by_disease[disease] += count
    cities = sorted(by_city, key=lambda one: -by_city[one])[:_MOST_CITIES]
    diseases = sorted(by_disease, key=lambda one: -by_disease[one])[:_MOST_DISEASES]
    top = max(notes.values())
    table = [
        (disease, [(notes[disease, city], -(-notes[disease, city] * _SHADES // top)) for city in cities])
        for disease in diseases
    ]
    return {"week": week, "cities": cities, "rows": table}
