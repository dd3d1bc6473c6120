"""The second act: the language of one city changes, and the loop closes by itself. Every step is checked where it happens.

Nothing is published on behalf of our own services: notes come in by the platform's door, validators work through the desk's
HTTP API, orders are those of an operator. The thresholds of drift detection are the documented ones; the gate's are those of
`lifecycle/data/demo_gate.json`, since a few minutes of simulated validation must be enough to judge.
"""

from __future__ import annotations

import tempfile
import threading
import time
from contextlib import ExitStack
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from contracts.identity import note_key
from contracts.records import DriftLevel, ModelAction, ModelEventKind, Origin, Sample
from contracts.topics import STATISTICS_OBSERVED, prefixed
from corpus.simulation import Part, Shift, simulate
from rich.text import Text

from rxtract.bringup import MODEL_NAME
from rxtract.demo.act import Act, DemoFailed
from rxtract.demo.language import KINDS, SHARE, new_language, score_names, words_of
from rxtract.demo.loop_observer import LoopObserver
from rxtract.kafka import client_config
from rxtract.lag import LagProbe
from rxtract.models.orders import Outcome, carry_out, new_command
from rxtract.platform_notes import as_submitted
from rxtract.senders import KafkaSender
from rxtract.simulated_validator import SimulatedValidator

if TYPE_CHECKING:
    from collections.abc import Sequence

    from clinical_ner.notes import AnnotatedNote
    from contracts.records import DriftDetected, ModelEvent, NoteSubmitted, ReviewRequested
    from corpus import SyntheticNote

    from rxtract.bringup import Running
    from rxtract.demo.loop_observer import LoopSeen
    from rxtract.demo.screen import Screen

CITY = "Pune"
WATCHER_GROUP = "rxtract-drift-watcher"
CITY_SHARE = 0.5
BEFORE_NOTES = 1_300
RATE = 120
ARRAY = 20
KEPT_NOTES = 150
ERROR_RATE = 0.05
VALIDATORS = 2
MOST_LABELS = 400
SEED = 71
PATIENCE_S = 600.0  # a training takes about a minute of its own; beside other work, at the lowest priority, many
LEAST_GAIN = 0.1
REVIEWS = 20


@dataclass(frozen=True, slots=True)
class LoopSummary:
    """What the act did, for the last lines and for --json."""

    alarms: int
    labels: int
    label_errors: int
    missing_labels: int
    sent_to_review: int
    promoted_version: str
    f1_before: float
    f1_after: float
    seconds_to_critical: float
    seconds_to_recovered: float
    refused_version: str
    rolled_back_to: str


class ActTwo(Act):
    """The act on a running stack that has played the first one.

    Args:
        running: The stack, started with `close_loop`.
        screen: Where progress is shown.
    """

    patience_s = PATIENCE_S

    def __init__(self, running: Running, screen: Screen) -> None:
        super().__init__(running, screen)
        self._door = KafkaSender(running.addresses)
        self._truths: dict[str, AnnotatedNote] = {}
        statistics = prefixed(running.addresses.topic_prefix, STATISTICS_OBSERVED)
        self._watched = LagProbe(client_config(running.addresses, "rxtract-demo"), WATCHER_GROUP, statistics)
        self._pids = {name: one.pid for name, one in running.services.items()}
        self._alarms_shown = 0
        self._events_shown = 0

    def play(self) -> LoopSummary:
        """Play the act.

        Raises:
            DemoFailed: A step did not happen.
        """
        with ExitStack() as ending:
            ending.callback(self._door.close)
            ending.callback(self._watched.close)
            observer = ending.enter_context(LoopObserver(self._running.addresses))
            self._quiet(observer)
            began_s, sending = self._shift(ending)
            critical_s = self._critical(observer) - began_s
            self._reviewed(observer)
            words = words_of(Part.KEPT)
            f1_before = self._measure(observer, "before", words)
            promoted, labels, errors, missing = self._learn(observer)
            sending.set()
            recovered_s = self._reloaded(observer, promoted) - began_s
            f1_after = self._measure(observer, "after", words)
            self._compare(f1_before, f1_after, recovered_s)
            refused = self._offer_bad_challenger()
            back = self._roll_back(observer, promoted)
            return LoopSummary(
                alarms=observer.look(lambda seen: len(seen.alarms)),
                labels=labels,
                label_errors=errors,
                missing_labels=missing,
                sent_to_review=observer.look(lambda seen: len(_for_review(seen))),
                promoted_version=str(promoted.model_version),
                f1_before=round(f1_before, 3),
                f1_after=round(f1_after, 3),
                seconds_to_critical=round(critical_s, 1),
                seconds_to_recovered=round(recovered_s, 1),
                refused_version=refused,
                rolled_back_to=back,
            )

    # -- the steps

    def _quiet(self, observer: LoopObserver) -> None:
        self._screen.chapter(f"{BEFORE_NOTES:,} more notes in the usual language, half of them from {CITY}")
        with self._step("usual language"):
            notes = list(simulate(SEED, BEFORE_NOTES, city_share=(CITY, CITY_SHARE)))
            for start in range(0, len(notes), ARRAY):
                self._send(notes[start : start + ARRAY])
                self._tick(ARRAY / (2 * RATE))
            sent = {self._key(note) for note in notes}
            self._wait(observer, lambda seen: sent <= seen.extracted.keys(), "not all notes have an entity event")
        with self._step("no alarm without a shift"):
            self._wait(observer, lambda _: self._watched.lag() == 0, "the watcher did not read all statistics")
            alarms = observer.look(lambda seen: list(seen.alarms))
            if alarms:
                raise DemoFailed(f"{len(alarms)} alarms without a shift, the first: {alarms[0].evidence}")
        self._screen.good("no alarm: neither here nor in the first act")

    def _shift(self, ending: ExitStack) -> tuple[float, threading.Event]:
        kinds = ", ".join(kind.value.replace("_", " ") for kind in KINDS)
        self._screen.chapter(f"The language of {CITY} changes: {kinds}")
        shifts = [Shift(kind, city=CITY, share=SHARE, part=Part.LABELLED) for kind in KINDS]
        stream = simulate(SEED + 1, shift=shifts, city_share=(CITY, CITY_SHARE))
        stop, done = threading.Event(), threading.Event()

        def send() -> None:
            try:
                while not stop.wait(ARRAY / RATE):
                    self._send(list(islice(stream, ARRAY)))
            finally:
                done.set()

        began_s = time.monotonic()
        thread = threading.Thread(target=send, name="platform", daemon=True)
        thread.start()

        def end() -> None:
            stop.set()
            thread.join(timeout=30)

        ending.callback(end)
        return began_s, stop

    def _critical(self, observer: LoopObserver) -> float:
        with self._step("drift found"):
            self._wait(observer, lambda seen: _worst(seen.alarms) is not None, "no critical drift was found")
        self._tell(observer)
        return time.monotonic()

    def _reviewed(self, observer: LoopObserver) -> None:
        with self._step("notes of the city go to review"):
            self._wait(
                observer,
                lambda seen: len(_for_review(seen)) >= REVIEWS,
                f"fewer than {REVIEWS} notes of {CITY} were sent to review because of the drift",
            )
        self._screen.good(f"notes of {CITY} go to people now, because its language moved")

    def _learn(self, observer: LoopObserver) -> tuple[ModelEvent, int, int, int]:
        self._screen.chapter(f"{VALIDATORS} simulated validators label notes of {CITY}; they err on {ERROR_RATE:.0%}")
        addresses = self._running.addresses
        people = [
            SimulatedValidator(addresses.desk_url, token, self._truths, error_rate=ERROR_RATE, seed=SEED + number)
            for number, token in enumerate((addresses.desk_token, addresses.desk_lead_token)[:VALIDATORS])
        ]
        with self._step("training deferred until there are labels"):
            self._wait(observer, lambda seen: bool(_of(seen, ModelEventKind.TRAINING_DEFERRED)), "no deferral was told")
            missing = observer.look(lambda seen: _of(seen, ModelEventKind.TRAINING_DEFERRED)[0].missing_labels or 0)
        self._tell(observer)

        def label() -> None:
            for person in people:
                if sum(len(one.worked.labelled) for one in people) < MOST_LABELS and not _trained(observer):
                    person.next(f"city={CITY}")
            self._tell(observer)

        try:
            with self._step("labels, training, gate"):
                self._wait(observer, lambda seen: _end_of_training(seen) is not None, "the trainer did not end", label)
        finally:
            for person in people:
                person.close()
        self._tell(observer)
        labels = sum(len(one.worked.labelled) for one in people)
        errors = sum(one.worked.erred for one in people)
        self._screen.good(f"{labels} notes labelled at the desk, {errors} of them wrongly on purpose")
        ended = observer.look(_end_of_training)
        if ended is None or ended.kind is not ModelEventKind.PROMOTED:
            reasons_given = "; ".join(ended.reasons) if ended else "nothing"
            raise DemoFailed(f"gate: the retrained model was not promoted: {reasons_given}")
        return ended, labels, errors, missing

    def _reloaded(self, observer: LoopObserver, promoted: ModelEvent) -> float:
        with self._step("extractors serve the new model"):
            self._send(list(islice(simulate(SEED + 2), ARRAY)), origin=Origin.REPLAY)
            self._wait(
                observer,
                lambda seen: str(promoted.model_version) in seen.first_by_version_s,
                "no note was tagged by the new model",
                lambda: self._send(list(islice(simulate(int(time.time_ns()) % 10**6), 2)), origin=Origin.REPLAY),
            )
        if self._pids != {name: one.pid for name, one in self._running.services.items()}:
            raise DemoFailed("extractors serve the new model: a service was started anew")
        self._screen.good(f"version {promoted.model_version} serves; no process was restarted")
        return observer.look(lambda seen: seen.first_by_version_s[str(promoted.model_version)])

    def _measure(self, observer: LoopObserver, when: str, words: frozenset[str]) -> float:
        """F1 on names that neither the labels nor the training corpus hold, on the same notes each time."""
        notes = [
            replace_id(note, f"kept-{when}-{number}")
            for number, note in enumerate(new_language(SEED + 5, CITY, KEPT_NOTES, Part.KEPT))
        ]
        truths = {self._key(note): note.truth for note in notes}
        with self._step(f"unseen names {when}"):
            self._send(notes, origin=Origin.REPLAY, keep=False)
            self._wait(observer, lambda seen: truths.keys() <= seen.extracted.keys(), "not all kept notes were tagged")
            found = observer.look(lambda seen: {key: seen.extracted[key].entities for key in truths})
        score = score_names(truths, found, words)
        self._screen.good(f"unseen new names, {when}: F1 {score.f1:.2f} ({score.gold} mentions)")
        return score.f1

    def _compare(self, before: float, after: float, seconds: float) -> None:
        if after < before + LEAST_GAIN:
            raise DemoFailed(f"recovery: F1 on unseen names went from {before:.2f} to {after:.2f}")
        words = (
            f"F1 on names nobody showed it: {before:.2f} to {after:.2f}; {seconds:.0f} s from the first shifted note"
        )
        self._screen.good(f"{words} to the new model serving")

    def _offer_bad_challenger(self) -> str:
        self._screen.chapter("A bad model is offered")
        with self._step("bad challenger refused"), tempfile.TemporaryDirectory() as folder:
            version = register_bad_model(Path(folder), self._running.addresses.mlflow_url)
            command = new_command(ModelAction.EVALUATE, MODEL_NAME, "demo-operator", target_version=version)
            answer = carry_out(self._running.addresses, command, trainer_timeout_s=30, timeout_s=PATIENCE_S)
            if answer.outcome is not Outcome.REJECTED:
                raise DemoFailed(f"version {version} was not refused: {answer.outcome}: {'; '.join(answer.reasons)}")
        for reason in answer.reasons[:3]:
            self._screen.good(f"refused: {reason}")
        return version

    def _roll_back(self, observer: LoopObserver, promoted: ModelEvent) -> str:
        self._screen.chapter("The promoted model is rolled back")
        with self._step("rollback"):
            command = new_command(ModelAction.ROLLBACK, MODEL_NAME, "demo-operator")
            answer = carry_out(self._running.addresses, command, trainer_timeout_s=30, timeout_s=PATIENCE_S)
            last = answer.last
            if answer.outcome is not Outcome.DONE or last is None or last.model_version == promoted.model_version:
                raise DemoFailed(f"not rolled back: {answer.outcome}: {'; '.join(answer.reasons)}")
            note = f"synthetic-back-{time.time_ns()}"
            self._wait(
                observer,
                lambda seen: any(one.model.serial == last.serial for one in seen.extracted.values()),
                "no note was tagged by the former model again",
                lambda: self._send(
                    [replace_id(next(simulate(SEED)), f"{note}-{time.time_ns()}")], origin=Origin.REPLAY
                ),
            )
        self._screen.good(f"version {last.model_version} serves again, as serial {last.serial}")
        return str(last.model_version)

    # -- what they share

    def _send(self, notes: Sequence[SyntheticNote], *, origin: Origin = Origin.LIVE, keep: bool = True) -> None:
        if keep:
            self._truths |= {self._key(note): note.truth for note in notes}
        self._door.send(
            [_with_origin(as_submitted(note, self._running.addresses.ingest_source), origin) for note in notes]
        )

    def _key(self, note: SyntheticNote) -> str:
        return note_key(self._running.addresses.ingest_source, note.note_id)

    def _tick(self, seconds: float) -> None:
        threading.Event().wait(seconds)

    def _tell(self, observer: LoopObserver) -> None:
        """Show alarms and model events that have come since the last time."""
        alarms, events = observer.look(
            lambda seen: (seen.alarms[self._alarms_shown :], seen.events[self._events_shown :])
        )
        self._alarms_shown += len(alarms)
        self._events_shown += len(events)
        for alarm in alarms:
            style = {"CRITICAL": "bold red", "WARNING": "bold yellow"}.get(alarm.level.value, "bold green")
            self._screen.say(Text.assemble((f"{alarm.level.value:<9}", style), f" {alarm.segment}: {alarm.evidence}"))
        for event in events:
            version = f" version {event.model_version}" if event.model_version else ""
            self._screen.say(Text.assemble((event.kind.value, "bold cyan"), f"{version}: {event.reasons[0]}"))
            for reason in event.reasons[1:6] if event.kind is ModelEventKind.PROMOTED else ():
                self._screen.say(f"    {reason}")


def register_bad_model(folder: Path, tracking_uri: str) -> str:
    """Train on labels that are exchanged, register it as an operator might, and return its version."""
    from clinical_ner.config import TrainingConfig
    from clinical_ner.notes import Label, Span
    from clinical_ner.tracking import log_and_register
    from clinical_ner.train import train
    from corpus.generator import generate

    other = {Label.DISEASE: Label.TREATMENT, Label.TREATMENT: Label.DISEASE}
    notes = [
        replace(note, spans=tuple(Span(span.start, span.end, other[span.label]) for span in note.spans), pairs=())
        for note in generate(SEED, 300, vocabulary="train")
    ]
    train(notes, TrainingConfig(passes=8, calibration_folds=2, rescore=False), SEED).save(folder)
    return log_and_register(folder, tracking_uri=tracking_uri, run_name="exchanged labels", trigger="operator").version


def replace_id(note: SyntheticNote, note_id: str) -> SyntheticNote:
    """Return the same note under another id, still marked as synthetic."""
    return replace(note, note_id=f"synthetic-{note_id}" if not note_id.startswith("synthetic-") else note_id)


def _with_origin(note: NoteSubmitted, origin: Origin) -> NoteSubmitted:
    return note if origin is Origin.LIVE else type(note).from_dict({**note.to_dict(), "origin": str(origin)})


def _worst(alarms: Sequence[DriftDetected]) -> DriftDetected | None:
    return next((one for one in alarms if one.level is DriftLevel.CRITICAL and CITY in one.segment), None)


def _for_review(seen: LoopSeen) -> list[ReviewRequested]:
    """Notes that people shall look at because their segment drifts."""
    return [one for one in seen.requested.values() if one.sample is Sample.DRIFT and one.segment.city == CITY]


def _of(seen: LoopSeen, kind: ModelEventKind) -> list[ModelEvent]:
    return [event for event in seen.events if event.kind is kind]


def _end_of_training(seen: LoopSeen) -> ModelEvent | None:
    ends = (ModelEventKind.PROMOTED, ModelEventKind.REJECTED, ModelEventKind.TRAINING_FAILED)
    return next((event for event in seen.events if event.kind in ends), None)


def _trained(observer: LoopObserver) -> bool:
    return observer.look(
        lambda seen: bool(_of(seen, ModelEventKind.MODEL_TRAINED)) or _end_of_training(seen) is not None
    )
