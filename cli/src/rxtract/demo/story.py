"""Act one of the demo: a note in, its entities out. Every step checks that it really happened, or names itself."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from contracts.identity import note_key
from contracts.records import EntitiesExtracted, NoteSubmitted, Origin
from contracts.registry import ConfluentRegistry
from contracts.topics import NOTES_ACCEPTED, NOTES_SUBMITTED, prefixed, subject_of
from contracts.wire import Serializer
from runtime.service.clock import now_ms

from rxtract.demo.act import Act, DemoFailed
from rxtract.demo.malformed import malformed_notes
from rxtract.demo.screen import Figures, Screen
from rxtract.highlight import legend
from rxtract.kafka import client_config
from rxtract.lag import LagProbe
from rxtract.observer import Observer, Outcomes
from rxtract.replay import replay_mended
from rxtract.senders import HttpSender, KafkaSender

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from runtime.kafka.seen import Seen

    from rxtract.addresses import StackAddresses
    from rxtract.bringup import Running
    from rxtract.demo.malformed import Malformed

EXAMPLE = (
    "The patient was a 62-year-old man with squamous cell lung cancer, which was first successfully treated by a "
    "combination of radiation therapy and chemotherapy."
)
EXPECTED = (
    ("DISEASE", "squamous cell lung cancer"),
    ("TREATMENT", "radiation therapy"),
    ("TREATMENT", "chemotherapy"),
)
ARRAY = 50
NOTES_PER_S = 250
SHOWN = 4
EXTRACTOR_GROUP = "rxtract-extractor"


@dataclass(frozen=True, slots=True)
class Summary:
    """What the act did, for the last lines and for --json."""

    notes: int
    structured: int
    entities: int
    dead_letters: int
    mended: int
    p50_ms: float
    p95_ms: float
    model_version: str
    seconds: float


class ActOne(Act):
    """The act on a running stack.

    Args:
        running: The stack with its services.
        screen: Where progress is shown.
        notes: Synthetic notes, half of them through each door.
    """

    def __init__(self, running: Running, screen: Screen, notes: Sequence[NoteSubmitted]) -> None:
        super().__init__(running, screen)
        self._addresses: StackAddresses = running.addresses
        self._notes = notes
        self._sent: dict[str, NoteSubmitted] = {}
        self._http = HttpSender(self._addresses)
        self._kafka = KafkaSender(self._addresses)
        topic = prefixed(self._addresses.topic_prefix, NOTES_ACCEPTED)
        self._lag = LagProbe(client_config(self._addresses, "rxtract-demo"), EXTRACTOR_GROUP, topic)

    def play(self) -> Summary:
        """Play the act.

        Raises:
            DemoFailed: a step did not happen.
        """
        began = time.monotonic()
        try:
            with Observer(self._addresses) as observer:
                self._example(observer)
                self._stream(observer)
                self._show(observer)
                self._refuse_and_mend(observer)
                return observer.look(lambda seen: self._summary(seen, time.monotonic() - began))
        finally:
            self._http.close()
            self._kafka.close()
            self._lag.close()

    def _example(self, observer: Observer) -> None:
        self._screen.chapter("One sentence, by both doors")
        with self._step("example by HTTP"):
            by_http = example_note("synthetic-example-http", self._addresses.ingest_source)
            self._send_http([by_http])
        with self._step("example by Kafka"):
            by_kafka = example_note("synthetic-example-kafka", self._addresses.ingest_source)
            self._send_kafka([by_kafka])
        for note in (by_http, by_kafka):
            with self._step(f"entities of {note.note_id}"):
                event = self._event_of(observer, key_of(note))
                check_example(event)
        self._screen.note("the example of the design", EXAMPLE, event.entities)
        for entity in event.entities:
            words = f"{entity.label} {entity.start}-{entity.end} {entity.text!r} confidence {entity.confidence:.2f}"
            self._screen.good(words)

    def _stream(self, observer: Observer) -> None:
        half = len(self._notes) // 2
        self._screen.chapter(
            f"{len(self._notes):,} synthetic notes, half by HTTP, half by Kafka, {NOTES_PER_S} a second"
        )
        with self._step("notes sent"), self._screen.live(lambda: self._figures(observer)) as refresh:
            began = time.monotonic()
            for number, (start, send) in enumerate(self._batches(half)):
                send(self._notes[start : start + ARRAY])
                self._pace(observer, began + (number + 1) * ARRAY / NOTES_PER_S, refresh)
            self._wait(
                observer, lambda seen: len(seen.events) >= len(self._sent), "some notes have no entity event", refresh
            )
        missing = observer.look(lambda seen: self._sent.keys() - seen.events.keys())
        if missing:
            raise DemoFailed(f"notes structured: {len(missing)} notes have no entity event")
        with self._step("lag back to zero"):
            self._wait(observer, lambda _: self._lag.lag() == 0, "the extractor's lag did not go to zero")
        self._screen.good(f"every one of {len(self._sent):,} notes has its entity event, lag 0")

    def _show(self, observer: Observer) -> None:
        self._screen.chapter("A few of them")
        self._screen.say(legend())
        events = observer.look(lambda seen: [seen.events[key_of(note)] for note in self._notes[:200]])
        chosen = sorted(events, key=lambda event: -len({entity.text for entity in event.entities}))[:SHOWN]
        for event in chosen:
            note = self._sent[key_of(event)]
            title = f"{event.note_id}, {event.segment.city}, {event.segment.specialty}, confidence {event.note_confidence:.2f}"
            self._screen.note(title, note.text, event.entities)

    def _refuse_and_mend(self, observer: Observer) -> None:
        self._screen.chapter("Three malformed notes")
        topic = prefixed(self._addresses.topic_prefix, NOTES_SUBMITTED)
        ids = ConfluentRegistry(self._addresses.schema_registry_url).ids_of_subject(subject_of(topic))
        base = replace(self._notes[0], note_id=f"synthetic-malformed-{time.time_ns()}")
        wrong = malformed_notes(base, Serializer(NoteSubmitted, max(ids)))
        with self._step("malformed notes refused"):
            self._kafka.send_raw([(one.key, one.value) for one in wrong])
            keys = {one.key for one in wrong}
            self._wait(observer, lambda seen: keys <= {letter.key for letter in seen.dead}, "not all are dead letters")
        letters = {letter.key: letter for letter in observer.look(lambda seen: list(seen.dead))}
        for one in wrong:
            check_letter(one, letters[one.key])
            words = f"{one.reason}: {one.reason.sentence} ({one.value and len(one.value)} bytes kept as they came)"
            self._screen.good(words)
        mended = next(one for one in wrong if one.mendable)
        with self._step("mended note replayed"):
            letter = letters[mended.key]
            replay_mended(self._addresses, letter, {**letter.record.to_dict(), "text": EXAMPLE, "origin": "REPLAY"})
            check_example(self._event_of(observer, mended.key.decode()))
        self._screen.good("the empty note was given a text, replayed, and has its entities")

    def _event_of(self, observer: Observer, note: str) -> EntitiesExtracted:
        self._wait(observer, lambda seen: note in seen.events, "no entity event came")
        return observer.look(lambda seen: seen.events[note])

    def _send_http(self, notes: Sequence[NoteSubmitted]) -> None:
        status = self._http.send(notes)
        if status != 202:
            raise DemoFailed(f"the HTTP door answered {status}, not 202")
        self._sent |= {key_of(note): note for note in notes}

    def _send_kafka(self, notes: Sequence[NoteSubmitted]) -> None:
        self._kafka.send(notes)
        self._sent |= {key_of(note): note for note in notes}

    def _batches(self, half: int) -> Iterator[tuple[int, Callable[[Sequence[NoteSubmitted]], None]]]:
        """Yield where each array starts and the door that it goes through, the doors in turn."""
        for start in range(0, half, ARRAY):
            yield start, self._send_http
            yield half + start, self._send_kafka

    def _pace(self, observer: Observer, until_s: float, refresh: Callable[[], None]) -> None:
        observer.wait(lambda _: time.monotonic() >= until_s, self.patience_s, refresh)

    def _figures(self, observer: Observer) -> Figures:
        lag = self._lag.lag()
        return observer.look(
            lambda seen: Figures(
                sent=len(self._sent),
                structured=len(seen.events),
                entities=seen.entities,
                p50_ms=seen.percentile_ms(0.5),
                p95_ms=seen.percentile_ms(0.95),
                lag=max(lag, 0),
                dead=len(seen.dead),
                version=max(seen.versions, key=int, default=""),
            )
        )

    def _summary(self, seen: Outcomes, seconds: float) -> Summary:
        return Summary(
            notes=len(self._sent),
            structured=len(self._sent.keys() & seen.events.keys()),
            entities=seen.entities,
            dead_letters=len(seen.dead),
            mended=1,
            p50_ms=round(seen.percentile_ms(0.5), 1),
            p95_ms=round(seen.percentile_ms(0.95), 1),
            model_version=max(seen.versions, key=int, default=""),
            seconds=round(seconds, 1),
        )


def key_of(note: NoteSubmitted | EntitiesExtracted) -> str:
    """Return a note's key."""
    return note_key(note.source, note.note_id)


def example_note(note_id: str, source: str) -> NoteSubmitted:
    """Return the design's example sentence as a note of a synthetic patient."""
    return NoteSubmitted(
        source=source,
        note_id=note_id,
        revision=1,
        prescription_id="SYNTHETIC-0",
        patient_ref="SYNTHETIC-PATIENT-0",
        doctor_ref="SYNTHETIC-DOCTOR-0",
        city="Pune",
        specialty="oncology",
        written_at=now_ms(),
        text=EXAMPLE,
        language="en",
        origin=Origin.LIVE,
    )


def check_example(event: EntitiesExtracted) -> None:
    """Raise unless the event has exactly the expected entities, with right offsets."""
    found = tuple((str(entity.label), entity.text) for entity in event.entities)
    if found != EXPECTED:
        raise DemoFailed(f"expected {EXPECTED}, found {found}")
    for entity in event.entities:
        if EXAMPLE[entity.start : entity.end] != entity.text:
            raise DemoFailed(f"offsets {entity.start}-{entity.end} are not those of the entity's text")


def check_letter(wrong: Malformed, letter: Seen) -> None:
    """Raise unless the dead letter has the right reason and the original bytes."""
    if letter.header("rxtract.reason") != wrong.reason:
        raise DemoFailed(f"malformed notes refused: reason {letter.header('rxtract.reason')} instead of {wrong.reason}")
    if letter.value != wrong.value:
        raise DemoFailed("malformed notes refused: the dead letter's bytes are not those that were sent")
