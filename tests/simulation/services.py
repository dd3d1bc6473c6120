"""The product's own code, put on simulated clients: what a service's bootstrap does, less the servers around it."""

import random
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from clinical_ner.meaning import Assertion, MeaningRows
from clinical_ner.notes import Label
from clinical_ner.tagger import Entity, NoteStatistics, TaggedColumns, TaggedNote
from contracts import topics
from contracts.apply import apply_schemas
from contracts.records import EntitiesExtracted, ModelRef, NoteAccepted, NoteSubmitted
from contracts.registry import InMemoryRegistry, RegistryUnavailable
from contracts.rules import NoteLimits
from contracts.wire import Deserializer, Serializer
from extractor import handler as extraction
from extractor.bootstrap import codecs
from extractor.metrics import METRICS as EXTRACTOR_METRICS
from extractor.settings import ExtractorSettings
from ingestor.domain.acceptance import Acceptance
from ingestor.handler import STAGE, SubmittedNotes
from ingestor.metrics import METRICS as INGESTOR_METRICS
from runtime.kafka.consumer_errors import ConsumerErrors
from runtime.kafka.deadletter import DeadLetterBudget
from runtime.kafka.delivery import DeliveryProducer
from runtime.kafka.records import Handler, InputRecord, OutputRecord
from runtime.service.health import Liveness, Readiness
from runtime.service.metrics import EXPIRED_RECORDS, Metrics
from runtime.service.pseudonyms import Pseudonyms
from runtime.service.settings import TRIES
from runtime.stream import loop
from runtime.stream.attempts import Attempts, quarantined
from runtime.stream.loop import CONSUMER_DEFAULTS, ConsumerLoop, LoopLimits
from runtime.stream.retry import Backoff
from runtime.stream.state import ASSIGNED
from serving.tagging import LoadedModel

from tests.simulation.broker import Broker
from tests.simulation.client import SimConsumer, SimProducer
from tests.simulation.kernel import EPOCH_MS, Killed, Process, SimEvent, SimExecutor, sim_wait

if TYPE_CHECKING:
    from numpy.typing import NDArray

SUBMITTED, ACCEPTED, ENTITIES = topics.NOTES_SUBMITTED, topics.NOTES_ACCEPTED, topics.ENTITIES_EXTRACTED
INGESTORS, EXTRACTORS = "rxtract-ingestor", "rxtract-extractor"
ODD = "x"
"""So begin the ids of notes that kill or break."""
GOOD_TEXTS = ("k/c/o HTN", "HTN k/c/o", "k HTN c/o")
KILLS_INGESTOR, KILLS_EXTRACTOR, BREAKS, EMPTY = "KILLINGESTOR", "KILLEXTRACTOR", "BREAKS", " "
EVENTS = uuid.uuid5(uuid.NAMESPACE_DNS, "rxtract.behealthy.in")
MODEL = ModelRef(name="rxtract-ner", version="7", serial=3)


def install() -> None:
    """Put simulated threads in the place of real ones."""
    loop.ThreadPoolExecutor = SimExecutor
    loop.wait_for = sim_wait


class Codecs(NamedTuple):
    """Bytes and records."""

    registry: InMemoryRegistry
    submitted: Serializer[NoteSubmitted]
    read_submitted: Deserializer[NoteSubmitted]
    write_accepted: Serializer[NoteAccepted]
    read_accepted: Deserializer[NoteAccepted]
    read_entities: Deserializer[EntitiesExtracted]
    extractor: Any


@cache
def contract() -> Codecs:
    """The contract's own codecs, made once."""
    registry = InMemoryRegistry()
    apply_schemas(registry, "")
    settings = ExtractorSettings.load(bootstrap_servers="b:1", schema_registry_url="http://x")
    return Codecs(
        registry,
        Serializer.for_topic(NoteSubmitted, registry, SUBMITTED),
        Deserializer.for_topic(NoteSubmitted, registry, SUBMITTED),
        Serializer.for_topic(NoteAccepted, registry, ACCEPTED),
        Deserializer.for_topic(NoteAccepted, registry, ACCEPTED),
        Deserializer.for_topic(EntitiesExtracted, registry, ENTITIES),
        codecs(registry, settings),
    )


PRESENT = Assertion("PRESENT", "CURRENT", "PATIENT", -1, -1)
PRESENT_PLACES = (1, 1, 1, -1, -1)
"""The same as places in the enums."""
NO_RELATIONS_NO_PRESCRIPTIONS = np.zeros((0, 5), np.int32), np.zeros((0, 11), np.int32)
NUMBERS = NoteStatistics(
    tokens=4,
    oov_tokens=1,
    unknown_chars=2,
    chars=20,
    disease_entities=1,
    treatment_entities=1,
    disease_tokens=1,
    treatment_tokens=2,
    negated_entities=1,
    uncertain_entities=0,
    confidence=0.9,
)


class StubTagger:
    """Finds HTN; fails on one word."""

    rules_version = "tables-7"

    def tag_columns(self, points: "NDArray[np.uint32]", bounds: "NDArray[np.int64]") -> TaggedColumns:
        """What `tag` finds, as the product's tagger gives it to batches by columns."""
        edges = bounds.tolist()
        texts = ["".join(map(chr, points[begin:end].tolist())) for begin, end in pairwise(edges)]
        if any(BREAKS in text for text in texts):
            raise ValueError
        ats = np.array([text.find("HTN") for text in texts], np.int64)
        rows = np.flatnonzero(ats >= 0)
        found, none = len(rows), np.zeros(len(texts) + 1, np.int64)
        *numbers, mean = NUMBERS
        assertions = np.tile(np.array(PRESENT_PLACES, np.int64), (found, 1))
        return TaggedColumns(
            bounds=np.concatenate([[0], np.cumsum(ats >= 0)]).astype(np.int64),
            notes=rows,
            labels=np.ones(found, np.int64),
            starts=ats[rows],
            ends=ats[rows] + 3,
            confidences=np.full(found, 0.8),
            assertions=np.ascontiguousarray(assertions.T),
            relation_bounds=none,
            relations=np.zeros((3, 0), np.int64),
            relation_confidences=np.zeros(0),
            note_confidences=np.full(len(texts), 0.9),
            numbers=np.repeat(np.array(numbers, np.int64)[:, None], len(texts), axis=1),
            mean_confidences=np.full(len(texts), mean),
            read=MeaningRows(assertions.astype(np.int32), *NO_RELATIONS_NO_PRESCRIPTIONS, b""),
        )

    def tag(self, texts: Sequence[str]) -> list[TaggedNote]:
        return [self._tag(text) for text in texts]

    def _tag(self, text: str) -> TaggedNote:
        if BREAKS in text:
            raise ValueError
        at = text.find("HTN")
        found = (Entity(Label.DISEASE, at, at + 3, 0.8, PRESENT),) if at >= 0 else ()
        return TaggedNote(found, (), 0.9, NUMBERS)


@dataclass
class Moods:
    """What handlers meet, as chances for each batch."""

    slow: float = 0.0
    bug: float = 0.0
    away: float = 0.0
    seconds: float = 0.003


@dataclass
class Outlook:
    """What every process of the world is given."""

    broker: Broker
    chance: random.Random
    moods: Moods
    limits: LoopLimits
    off_by_one: bool = False
    eager: bool = False
    delivery_s: float = 6.0
    queue: int = 200
    column_notes: int = extraction.COLUMN_NOTES
    on_killer: Callable[[InputRecord], None] = lambda _: None
    producers: list[tuple[Process, SimProducer]] = field(default_factory=list)


class Running(NamedTuple):
    """A process that was made."""

    run: Callable[[], object]
    stop: Callable[[], None]
    readiness: Readiness
    expired: Callable[[], float]
    behind: Callable[[], str] = str
    judge: Callable[[], str] = str


def moody(handler: Handler, outlook: Outlook, process: Process, word: str) -> Handler:
    """A handler that takes time, fails now and then, and dies of a record that kills."""
    kernel, chance, moods = outlook.broker.kernel, outlook.chance, outlook.moods
    deadly = word.encode()

    def handle(records: Sequence[InputRecord]) -> Sequence[OutputRecord]:
        process.in_hand = {(record.topic, record.partition) for record in records}
        kernel.wait(chance.uniform(1.0, 4.0) if chance.random() < moods.slow else chance.uniform(0, moods.seconds))
        process.step()
        for record in records:
            if record.value is not None and deadly in record.value:
                outlook.on_killer(record)
                process.ended = True
                process.kill()
                raise Killed
        if chance.random() < moods.away:
            raise RegistryUnavailable("simulated")
        if chance.random() < moods.bug:
            raise ZeroDivisionError
        outputs = handler(records)
        if not outputs:
            process.in_hand = set()
        return outputs

    return handle


def ingestor(outlook: Outlook, process: Process) -> Running:
    """The Kafka door, as `ingestor.bootstrap.kafka_door` makes it."""
    contract_codecs, metrics = contract(), Metrics(INGESTOR_METRICS)
    acceptance = Acceptance(NoteLimits(), Pseudonyms(b"k" * 32))
    handler = SubmittedNotes(
        contract_codecs.read_submitted, contract_codecs.write_accepted, acceptance, ACCEPTED, metrics=metrics
    )
    return looped(outlook, process, handler, (INGESTORS, SUBMITTED, STAGE, KILLS_INGESTOR), metrics)


def extractor(outlook: Outlook, process: Process) -> Running:
    """The extractor's handler in the plain loop."""
    metrics = Metrics(EXTRACTOR_METRICS)
    return looped(
        outlook,
        process,
        extraction_handler(metrics, outlook.column_notes),
        (EXTRACTORS, ACCEPTED, extraction.STAGE, KILLS_EXTRACTOR),
        metrics,
    )


def extraction_handler(metrics: Metrics, column_notes: int) -> Handler:
    """As `extractor.bootstrap` makes it, with a stub for the model."""
    model = LoadedModel(MODEL, StubTagger())
    return extraction.ExtractionHandler(
        lambda: model,
        contract().extractor,
        extraction.Topics(ENTITIES, topics.REVIEW_REQUESTED, topics.STATISTICS_OBSERVED),
        DeadLetterBudget(),
        metrics=metrics,
        review_below=0.5,
        column_notes=column_notes,
    )


def looped(
    outlook: Outlook, process: Process, handler: Handler, names: tuple[str, str, str, str], metrics: Metrics
) -> Running:
    """A handler in `runtime.stream.loop.ConsumerLoop`."""
    group, topic, stage, deadly = names
    kernel = outlook.broker.kernel
    stop = SimEvent(kernel)
    readiness, liveness = Readiness(ASSIGNED, age_s=lambda: kernel.now), Liveness()
    errors = ConsumerErrors(metrics, readiness)
    attempts = Attempts(TRIES, metrics)
    config = {**CONSUMER_DEFAULTS, "group.id": group}
    if outlook.eager:
        config["partition.assignment.strategy"] = "range"
    producer = SimProducer(outlook.broker, process, delivery_s=outlook.delivery_s, most=outlook.queue)
    outlook.producers.append((process, producer))
    running = ConsumerLoop(
        SimConsumer(outlook.broker, process, config, off_by_one=outlook.off_by_one),
        DeliveryProducer({}, producer),
        quarantined(moody(handler, outlook, process, deadly), attempts, stage),
        [topic],
        stop=stop,
        limits=outlook.limits,
        metrics=metrics,
        liveness=liveness,
        readiness=readiness,
        backoff=Backoff(0.1, 2.0, 1.0),
        attempts=attempts,
        errors=errors,
    )
    return Running(running.run, running.stop, readiness, metrics.counter(EXPIRED_RECORDS)._value.get)


def good_text(revision: int) -> str:
    """Where the stub finds its entity depends on the revision, so that notes of one batch differ."""
    return GOOD_TEXTS[revision % len(GOOD_TEXTS)]


def wrong_event(key: bytes | None, event: EntitiesExtracted) -> str | None:
    """What is wrong with an event by what its note said, whichever way its batch went; None: nothing."""
    if key != f"clinic-app|{event.note_id}".encode():
        return f"its key is {key!r}"
    named = f"{event.source}|{event.note_id}|{event.revision}|{MODEL.serial}|0"
    if event.event_id != str(uuid.uuid5(EVENTS, named)):
        return "its id is another note's, or none"
    starts, wanted = [one.start for one in event.entities], [good_text(event.revision).find("HTN")]
    if starts != wanted and not event.note_id.startswith(ODD):
        return f"its entities begin at {starts}, not {wanted}"
    return None


def note(note_id: str, revision: int, text: str) -> NoteSubmitted:
    """A note as the platform submits it."""
    return NoteSubmitted(
        source="clinic-app",
        note_id=note_id,
        revision=revision,
        prescription_id="RX1",
        patient_ref="P1",
        doctor_ref="D1",
        city="Pune",
        specialty="gp",
        written_at=EPOCH_MS,
        text=text,
    )
