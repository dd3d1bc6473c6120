"""Every KPI, declared once: its name, formula, sources, target, owner, unit and sentence, and the function that computes it.

docs/kpis.md is generated from here (`python -m outcomes.kpis`), the metrics and the control page read it too.
"""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from statistics import median

from contracts.records import LabelQuality

from outcomes import examples
from outcomes.cells import Cell, quantile_ms, selected, summed
from outcomes.days import DAY_MS, day_start_ms
from outcomes.examples import Example, newest
from outcomes.folding import ACCEPTED_DLQ, INTAKE_DLQ, Episode, Folded
from outcomes.quality import ALL, AuditedNote, is_known, measure, row_of
from outcomes.statements import STATUS

ENTITIES, ANNOTATIONS = "entities.extracted.v1", "annotations.validated.v1"
DRIFT, MODELS, REFUSED, LOST = "drift.detected.v1", "model.events.v1", INTAKE_DLQ, ACCEPTED_DLQ


@dataclass(frozen=True, slots=True)
class Assumptions:
    """What no topic knows. Settings of the scorekeeper, shown beside what is made from them.

    Attributes:
        entry_minutes: What the data-entry team needed for one note.
        validator_rupees_per_hour: Cost of an hour of a validator.
        machine_rupees_per_hour: Cost of an hour of all servers.
        audit_f1_within: How near to the true F1 the audit of a week shall be.
        audit_rate_least: Share of notes that an audit draws at least, whatever that needs.
        audit_rate_most: Share that it draws at most.
    """

    entry_minutes: float = 4.0
    validator_rupees_per_hour: float = 300.0
    machine_rupees_per_hour: float = 60.0
    audit_f1_within: float = 0.03
    audit_rate_least: float = 0.0001
    audit_rate_most: float = 0.25


@dataclass(frozen=True)
class View:
    """What a KPI is computed from: some days, perhaps one city or model version, at one moment.

    Sums are made once and kept, so a view is good for one moment alone: make another when records have come.
    """

    folded: Folded
    days: tuple[str, ...]
    now_ms: int
    city: str = ""
    version: str = ""
    assumptions: Assumptions = Assumptions()

    @cached_property
    def cell(self) -> Cell:
        """Sums of what is viewed."""
        return summed(self.folded.cells, selected(self.days, self.city, self.version))

    @cached_property
    def notes_of_all(self) -> int:
        """Notes of these days in every city, by every version."""
        return sum(cell.notes for key, cell in self.folded.cells.items() if key[0] in self.days)

    @cached_property
    def quality(self) -> tuple[LabelQuality, ...]:
        """Audited quality per label and for all; empty before any audit."""
        return measure(self.audits) if self.audits else ()

    @cached_property
    def audits(self) -> list[AuditedNote]:
        """Audited notes of what is viewed, in the order of their keys: the same notes then give the same last digit."""
        found = (
            note
            for note in self.folded.audits.values()
            if self._holds(note.written_at) and self.city in {"", note.city} and self.version in {"", note.version}
        )
        return sorted(found, key=lambda note: note.note)

    def refused(self) -> dict[str, int]:
        """Live notes refused at the door, by reason. The door does not know city or version of what it cannot read."""
        found: dict[str, int] = {}
        for refusal, times in self.folded.refused.items():
            if refusal.day in self.days and refusal.topic == INTAKE_DLQ and refusal.live:
                found[refusal.reason] = found.get(refusal.reason, 0) + times
        return found

    @property
    def refused_of_history(self) -> int:
        """Notes refused at the door that say themselves that they are not live."""
        return sum(
            times
            for refusal, times in self.folded.refused.items()
            if refusal.day in self.days and refusal.topic == INTAKE_DLQ and not refusal.live
        )

    def episodes(self) -> list[Episode]:
        """Episodes of drift that began in these days, everywhere."""
        found = self.folded.episodes.values()
        return [one for one in found if self._holds(one.began_at) and self.version in {"", one.version}]

    def open_episodes(self) -> list[Episode]:
        """Episodes of drift that were open in these days, whenever they began, of every version: what a timeline draws."""
        start, end = self._bounds_ms
        return [one for one in self.folded.episodes.values() if one.began_at < end and one.is_open_since(start)]

    @cached_property
    def _bounds_ms(self) -> tuple[int, int]:
        """The first moment of these days, and the one after the last."""
        zone = self.folded.zone
        return day_start_ms(self.days[0], zone), day_start_ms(self.days[-1], zone, 1)

    def _holds(self, at_ms: int) -> bool:
        start, end = self._bounds_ms
        return start <= at_ms < end

    def examples(self, kind: str) -> list[Example]:
        """The newest of those that a number of this view is made of, newest first."""
        if kind == examples.DRIFT:
            return newest(_example(one) for one in self.open_episodes())
        everywhere = kind in examples.NOWHERE
        kinds = (examples.STRAIGHT, examples.REVIEW) if kind == examples.NOTES else (kind,)
        wanted = selected(self.days) if everywhere else selected(self.days, self.city, self.version)
        return self.folded.newest.of(kinds, wanted)

    def hours(self) -> float:
        """Hours of the window in which there was something to run: from the first known note on, up to now."""
        start, end = self._bounds_ms
        began = self.now_ms if self.folded.began_at is None else self.folded.began_at
        return max(min(self.now_ms, end) - max(start, began), 0) / 3_600_000


@dataclass(frozen=True, slots=True)
class Kpi:
    """One KPI. ``better`` says which way is good; ``target`` in the unit. ``value`` gives None before there is anything."""

    name: str
    title: str
    formula: str
    sources: tuple[str, ...]
    target: float | None
    better: str
    owner: str
    unit: str
    sentence: str
    segmented: bool
    value: Callable[[View], float | None]

    @property
    def metric(self) -> str:
        """The metric's name: in base units, as Prometheus wants it."""
        stem = self.name.removesuffix("_rate").removesuffix("_share").replace("person_hours", "person_time")
        return f"rxtract_kpi_{stem}{_BASE_UNITS[self.unit][0]}"

    @property
    def base_unit(self) -> str:
        """The metric's unit."""
        return _BASE_UNITS[self.unit][1]

    def in_base_unit(self, value: float) -> float:
        """A value as the metric shows it."""
        return value * _BASE_UNITS[self.unit][2]


# A metric's ending, its unit, and how many of that unit one of ours has.
_BASE_UNITS: dict[str, tuple[str, str, float]] = {
    "share": ("_ratio", "ratio", 1.0),
    "seconds": ("_seconds", "seconds", 1.0),
    "hours": ("_seconds", "seconds", 3_600.0),
    "days": ("_seconds", "seconds", 86_400.0),
    "rupees": ("_rupees", "rupees", 1.0),
    "notes": ("", "notes", 1.0),
    "facts": ("", "facts", 1.0),
    "notes per hour": ("", "notes per hour", 1.0),
    "episodes": ("", "episodes", 1.0),
}


def _share(part: float, whole: float) -> float | None:
    return part / whole if whole else None


def _straight(view: View) -> float | None:
    cell = view.cell
    return _share(cell.straight, cell.notes)


def _set_apart(view: View) -> float | None:
    cell = view.cell
    return _share(cell.mentions - cell.facts, cell.mentions)


def _correction(view: View) -> float | None:
    cell = view.cell
    return _share(cell.changed, cell.decided)


def _pace(view: View) -> float | None:
    cell = view.cell
    return _share(cell.decided, cell.seconds / 3600)


def _hours_saved(view: View) -> float | None:
    cell = view.cell
    if not cell.notes:
        return None
    return cell.straight * view.assumptions.entry_minutes / 60 - cell.seconds / 3600


def _seconds(share: float) -> Callable[[View], float | None]:
    def value(view: View) -> float | None:
        found = quantile_ms(view.cell.latency_bins, share)
        return None if found is None else found / 1000

    return value


def _cost(view: View) -> float | None:
    cell, assumed = view.cell, view.assumptions
    people = cell.seconds / 3600 * assumed.validator_rupees_per_hour
    machines = view.hours() * assumed.machine_rupees_per_hour
    # A city's or version's share of the machines is its share of the notes.
    portion = cell.notes / view.notes_of_all if view.notes_of_all else 0.0
    return _share((people + machines * portion) * 1000, cell.notes)


def _refused(view: View) -> float | None:
    refused = sum(view.refused().values())
    return _share(refused, refused + view.notes_of_all)


def _quality(field: str, label: str = ALL) -> Callable[[View], float | None]:
    def value(view: View) -> float | None:
        found = row_of(label, view.quality)
        known = found is not None and is_known(found, field.partition("_")[0])
        return float(getattr(found, field)) if known else None

    return value


def _estimated(view: View) -> float | None:
    return view.cell.expected.f1


def _example(episode: Episode) -> Example:
    ended = "" if episode.recovered_at is None else ", recovered"
    return Example(episode.episode_id, f"{episode.segment}, {episode.level}{ended}", episode.began_at)


def _episodes(view: View) -> float | None:
    return float(len(view.episodes()))


def _recovery(view: View) -> float | None:
    hours = [(one.recovered_at - one.began_at) / 3_600_000 for one in view.episodes() if one.recovered_at is not None]
    return median(hours) if hours else None


def _model_age(view: View) -> float | None:
    serving = view.folded.promotions
    return (view.now_ms - serving[max(serving)].at) / DAY_MS if serving else None


def _availability(view: View) -> float | None:
    cell = view.cell
    # Nobody knows in which city a lost note was written, and no version made it.
    lost = 0 if view.city or view.version else sum(day in view.days for day in view.folded.lost.values())
    return _share(cell.prompt, cell.notes + lost)


UP, DOWN = "higher", "lower"
KPIS: tuple[Kpi, ...] = (
    Kpi("notes", "Notes", "live notes with entities, each once", (ENTITIES,), None, UP, "platform", "notes",
        "Live notes that became structured records.", True, lambda view: float(view.cell.notes)),
    Kpi("facts", "Facts", "entities of live notes with status PRESENT, time CURRENT, experiencer PATIENT", (ENTITIES,), None, UP,
        "business owner", "facts", "Diseases and treatments that the notes say the patients have now.", True,
        lambda view: float(view.cell.facts)),
    Kpi("set_apart_share", "Set apart", "entities of live notes that are no facts: negated, possible, past, planned, another's, or not judged / "
        "entities of live notes", (ENTITIES,), None, DOWN, "business owner", "share",
        "Share of all named diseases and treatments that do not apply to the patient now, and so are not counted.", True, _set_apart),
    Kpi("straight_through_rate", "Straight through", "notes with review reason NONE or AUDIT / notes", (ENTITIES,), 0.90, UP,
        "validation lead", "share", "Share of notes that needed no review; the others were uncertain or from a drifted segment.", True, _straight),
    Kpi("validated_precision", "Precision", "weighted right mentions / mentions that the model made, audit sample", (ANNOTATIONS,), 0.85,
        UP, "data science", "share", "Share of the model's marks that are correct.", True, _quality("precision")),
    Kpi("validated_recall", "Recall", "weighted right mentions / mentions that people found, audit sample", (ANNOTATIONS,), 0.85, UP,
        "data science", "share", "Share of the entities in the notes that the model found.", True, _quality("recall")),
    Kpi("validated_f1", "Quality (F1)", "2 TP / (2 TP + FP + FN), weighted by 1 / inclusion probability, audit sample", (ANNOTATIONS,),
        0.85, UP, "data science", "share", "Model accuracy on a random sample that people reviewed.", True, _quality("f1")),
    Kpi("validated_f1_low", "Quality, lower end", "lower end of the 95 % interval of F1", (ANNOTATIONS,), None, UP, "data science",
        "share", "Lower end of the 95 % confidence interval.", True, _quality("f1_low")),
    Kpi("validated_f1_high", "Quality, upper end", "upper end of the 95 % interval of F1", (ANNOTATIONS,), None, UP, "data science",
        "share", "Upper end of the 95 % confidence interval.", True, _quality("f1_high")),
    Kpi("validated_status_f1", "Quality of statuses (F1)", "2 TP / (2 TP + FP + FN) over the statuses of rightly found entities that people "
        "judged, weighted by 1 / inclusion probability, audit sample", (ANNOTATIONS,), 0.95, UP, "data science", "share",
        "Accuracy of the statuses (present, negated, possible and so on) on a random sample that people reviewed.", True,
        _quality("f1", STATUS)),
    Kpi("estimated_f1", "Expected quality", "F1 of expected counts from calibrated confidences", (ENTITIES,), 0.85, UP, "data science",
        "share", "The score that the model itself predicts, before people have reviewed anything.", True, _estimated),
    Kpi("correction_rate", "Corrected", "validated live notes whose entities, or what is said of them, differ from what the model and the rules found / validated live notes", (ANNOTATIONS,), 0.40,
        DOWN, "validation lead", "share", "Share of reviewed notes, mostly uncertain ones, that had to be changed.", True,
        _correction),
    Kpi("notes_per_validator_hour", "Pace", "validated live notes / hours spent on live notes", (ANNOTATIONS,), 120, UP, "validation lead",
        "notes per hour", "Notes that one validator decides per hour at the desk.", True, _pace),
    Kpi("person_hours_saved", "Hours saved", "straight-through notes x entry minutes / 60 - hours of validators",
        (ENTITIES, ANNOTATIONS), None, UP, "business owner", "hours",
        "Hours of typing avoided, minus the hours spent on review.", True, _hours_saved),
    Kpi("time_to_structured_p50", "Time to record, typical", "median of extracted_at - accepted_at, live notes", (ENTITIES,), 2, DOWN,
        "platform", "seconds", "Half of the notes were structured within this time.", True, _seconds(0.5)),
    Kpi("time_to_structured_p95", "Time to record, slow", "95th percentile of extracted_at - accepted_at, live notes", (ENTITIES,), 10,
        DOWN, "platform", "seconds", "95 % of the notes were structured within this time.", True, _seconds(0.95)),
    Kpi("cost_per_1000_notes", "Cost of 1,000 notes",
        "(hours of validators x their rate + hours since the first note of the window x rate of the machines) / notes x 1,000", (ENTITIES, ANNOTATIONS), 2000, DOWN,
        "business owner", "rupees", "People and machines, at the rates assumed below.", True, _cost),
    Kpi("refused_share", "Refused", "dead letters of the door of live notes, or of what does not say / (dead letters + notes)", (REFUSED, ENTITIES), 0.01, DOWN, "platform",
        "share", "Share of the input that could not be read or was not valid.", False, _refused),
    Kpi("drift_episodes", "Drift episodes", "episodes that began in the window", (DRIFT,), None, DOWN, "data science", "episodes",
        "Times that the language of the notes moved away from the training data.", False, _episodes),
    Kpi("time_to_recovery", "Time to recovery", "median of first RECOVERED - first alarm of an episode", (DRIFT,), 24, DOWN,
        "data science", "hours", "Hours until the notes looked like the training data again.", False, _recovery),
    Kpi("model_age", "Model age", "now - the last promotion or rollback", (MODELS,), 30, DOWN, "data science", "days",
        "Days since this model went live.", False, _model_age),
    Kpi("availability", "Availability", "live notes structured within 30 s of acceptance / (live notes + those given up behind the door, "
        "which know no city or version)", (ENTITIES, LOST), 0.995, UP, "platform", "share",
        "Share of notes that were structured in time; a waiting note counts once it comes out.", True, _availability),
)  # fmt: skip
"""All of them, in the order in which people read them."""

BY_NAME = {kpi.name: kpi for kpi in KPIS}

REMEDIES = {
    "straight_through_rate": "See in the table By city of the control page which city sends most notes to people; label those at the desk, then retrain.",
    "validated_precision": "Look at the corrected notes: what is marked wrongly comes in kinds. Label more of them, then retrain.",
    "validated_recall": "Look at the corrected notes: what is missed comes in kinds. Label more of them, then retrain.",
    "validated_f1": "Compare the model versions; if the newest is worse, roll back (rxtract model rollback), else label and retrain.",
    "validated_status_f1": "Look at what people corrected: rxtract rules proposals shows which phrase to add, rxtract rules release releases it.",
    "estimated_f1": "The model is unsure of these notes: label those that wait at the desk, then retrain.",
    "correction_rate": "Look at the corrected notes of the busiest city; retrain once some hundred are labelled.",
    "notes_per_validator_hour": "Watch one validator work for ten minutes; keyboard shortcuts and a quiet queue help most.",
    "time_to_structured_p50": "Notes wait for an extractor: add a replica, or see the runbook on lag.",
    "time_to_structured_p95": "Some notes wait long: see which partition lags (rxtract doctor), and the runbook on lag.",
    "cost_per_1000_notes": "Mostly people: raise the share that goes straight through. Mostly machines: fewer replicas while few notes come.",
    "refused_share": "See the reasons on the control page, tell the sender, then send again what was refused (rxtract dlq replay).",
    "time_to_recovery": "Drift waits for labels: give the validators the notes of that city first.",
    "model_age": "Ask for a training (rxtract model retrain); the gate decides whether the new version serves.",
    "availability": "Notes came late or were given up: see the dead letters behind the door and the runbook on lag.",
}
"""What to do first when a KPI is off its target; one for each KPI that has a target."""


_MEASURED = {
    "validated_precision": (ALL, "precision"),
    "validated_recall": (ALL, "recall"),
    "validated_f1": (ALL, "f1"),
    "validated_status_f1": (STATUS, "f1"),
}


def interval_of(kpi: Kpi, view: View) -> tuple[float, float] | None:
    """The 95 % interval of a KPI that a sample measures; None for what is counted, or not measured yet."""
    if kpi.name not in _MEASURED:
        return None
    label, measure = _MEASURED[kpi.name]
    row = row_of(label, view.quality)
    if row is None:
        return None
    low, high = getattr(row, f"{measure}_low"), getattr(row, f"{measure}_high")
    return None if low is None or high is None else (low, high)


def met(kpi: Kpi, value: float | None, interval: tuple[float, float] | None = None) -> bool | None:
    """Whether a value meets the target.

    None when there is no value or no target, and when the interval of a sample holds the target: then too few notes were
    looked at to say.
    """
    if value is None or kpi.target is None:
        return None
    low, high = interval or (value, value)
    if low < kpi.target < high:
        return None
    return value >= kpi.target if kpi.better == UP else value <= kpi.target


def markdown() -> str:
    """The reference page."""
    assumed = Assumptions()
    head = (
        "# KPIs\n\nGenerated from `libs/outcomes/src/outcomes/kpis.py`; do not edit.\n\n"
        "Computed by the scorekeeper from the topics of today and the seven days before, only live notes, each note once. Shown on the\n"
        "control page and as [metrics](reference/metrics.md).\n\n"
        "Input without a known origin counts as live: input that nobody can read, and annotations from before they named an origin.\n\n"
        "Several people may review one note. One verdict settles it (`annotations.verdicts`, the same rule as for training and the\n"
        "review desk): the last decision of a lead, else that of the first reviewer when all agree. While they disagree, or when\n"
        "nobody could read the note, it counts in no measure of quality or correction; the hours of all reviewers count. So quality\n"
        "leaves disputed notes out until a lead has decided them: keep the lead's queue short. An audit of a revision that a newer\n"
        "one has replaced measures nothing. A measure has a value once two audit notes say something of it.\n\n"
        "Precision, recall, F1 and expected quality judge whether the name of a disease or treatment was found, whatever the note says of it;\n"
        "they count every entity. All other counts of entities count [facts](meaning.md): PRESENT, CURRENT, PATIENT. Records from\n"
        "before notes were read for that are UNKNOWN, and no facts.\n\n"
        "No KPI shows that nothing comes out at all: a waiting note is neither structured nor given up, and availability keeps\n"
        "its value. `RxtractNothingExtracted` and `RxtractLagGrows` page for that ([lag](runbooks/lag.md)).\n\n"
        "Only whole notes count as given up: one that came out once has come out, and a revision of it that was given up later lowers no\n"
        "availability. It is among the dead letters behind the door on the control page.\n\n"
        f"Assumed, and settings of the scorekeeper: {assumed.entry_minutes:g} minutes to type one note by hand, "
        f"{assumed.validator_rupees_per_hour:g} rupees for a\nvalidator's hour, {assumed.machine_rupees_per_hour:g} rupees for an hour "
        "of all machines. Change them before you quote a figure.\n\n"
    )
    rows = [
        "| KPI | In words | Formula | Source | Target | On the page; as a metric | Owner |",
        "|---|---|---|---|---|---|---|",
    ]
    for kpi in KPIS:
        goal = f"- ({kpi.unit})" if kpi.target is None else f"{kpi.target:g} or {kpi.better} ({kpi.unit})"
        source = ", ".join(f"`{topic}`" for topic in kpi.sources)
        seen = f"{kpi.title}; `{kpi.metric}`"
        rows.append(f"| `{kpi.name}` | {kpi.sentence} | {kpi.formula} | {source} | {goal} | {seen} | {kpi.owner} |")
    return head + "\n".join(rows) + "\n"


if __name__ == "__main__":
    sys.stdout.write(markdown())
