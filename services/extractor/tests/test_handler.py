"""Records in, records out: what a note becomes, and what happens to one that cannot be read or tagged."""

import itertools
import math
import random
from dataclasses import fields
from datetime import UTC
from typing import NamedTuple

import pytest
from clinical_ner import meaning
from clinical_ner.meaning import Assertion, Prescription, Relation
from clinical_ner.reference import note_values
from clinical_ner.tagger import NoteStatistics
from contracts import records, topics
from contracts.apply import apply_schemas
from contracts.identity import event_id
from contracts.reasons import Reason
from contracts.records import (
    AssertionStatus,
    AssertionTime,
    EntitiesExtracted,
    EntityLabel,
    Experiencer,
    ModelRef,
    NoteAccepted,
    Origin,
    RelationType,
    Review,
    ReviewReason,
    ReviewRequested,
    StatisticsObserved,
)
from contracts.registry import InMemoryRegistry, RegistryUnavailable
from contracts.wire import MAX_RECORD_BYTES, Deserializer, Serializer
from drift.config import DriftConfig
from drift.observation import NOTES_PER_RECORD, STATISTICS, values_of
from drift.watcher import PartitionWatcher
from extractor.bootstrap import bootstrap, codecs
from extractor.domain.rereading import REREAD_NOTES
from extractor.handler import ExtractionHandler, Topics
from extractor.metrics import LIVE_REFUSED, METRICS, REVIEWS, REVIEWS_UNSENT
from extractor.settings import ExtractorSettings
from runtime.errors import BudgetExceeded
from runtime.kafka.deadletter import ATTEMPT, REASON, DeadLetterBudget, header, origin_of
from runtime.kafka.records import InputRecord
from runtime.service.metrics import Metrics
from sealing import SealingWriter, SqliteKeyStore, open_keys, unseal
from sealing.keys import LOOK_EVERY_S
from sealing.rotation import initialise
from serving.tagging import LoadedModel, WrongTaggerError

NOW_MS = 1_700_000_000_000
MODEL = ModelRef(name="rxtract-ner", version="7", serial=3)


PRESENT = Assertion("PRESENT", "CURRENT", "PATIENT", -1, -1)
TABLET = Prescription("tablet", "40 mg", None, 1, 1, "d", "HS", None, None, None, "oral")


class Entity(NamedTuple):
    label: str
    start: int
    end: int
    confidence: float
    assertion: Assertion = PRESENT
    prescription: Prescription | None = None


class Numbers(NamedTuple):
    tokens: int = 4
    oov_tokens: int = 1
    chars: int = 20
    unknown_chars: int = 2
    disease_entities: int = 1
    treatment_entities: int = 1
    disease_tokens: int = 1
    treatment_tokens: int = 2
    negated_entities: int = 1
    uncertain_entities: int = 0
    confidence: float = 0.9


class Tagged(NamedTuple):
    entities: tuple
    relations: tuple
    confidence: float
    statistics: Numbers = Numbers()


class WordTagger:
    """Finds HTN and Telma; raises on BREAKS; is unsure on UNSURE."""

    rules_version = "tables-7"

    def __init__(self) -> None:
        self.calls: list[int] = []

    def tag(self, texts):
        self.calls.append(len(texts))
        return [self._tag(text) for text in texts]

    def _tag(self, text: str) -> Tagged:
        if "BREAKS" in text:
            raise ValueError(text)
        entities = []
        for label, word in (("DISEASE", "HTN"), ("TREATMENT", "Telma")):
            if (start := text.find(word)) >= 0:
                entities.append(Entity(label, start, start + len(word), 0.8))
        relations = (Relation("TREATS", 1, 0, 0.57),) if len(entities) == 2 else ()
        return Tagged(tuple(entities), relations, 0.2 if "UNSURE" in text else 0.9)


class World:
    def __init__(self, **options) -> None:
        self.registry = InMemoryRegistry()
        apply_schemas(self.registry, "")
        settings = ExtractorSettings.load(bootstrap_servers="b:1", schema_registry_url="http://x")
        self.tagger = WordTagger()
        self.models = [LoadedModel(MODEL, self.tagger)]
        self.metrics = Metrics(METRICS)
        self.handler = ExtractionHandler(
            lambda: self.models[-1],
            codecs(self.registry, settings, options.pop("keys", None)),
            Topics(topics.ENTITIES_EXTRACTED, topics.REVIEW_REQUESTED, topics.STATISTICS_OBSERVED),
            options.pop("budget", DeadLetterBudget()),
            metrics=self.metrics,
            review_below=0.5,
            now_ms=lambda: NOW_MS,
            **options,
        )
        self.serialize = Serializer.for_topic(NoteAccepted, self.registry, topics.NOTES_ACCEPTED)

    def record(self, offset: int, text: str = "k/c/o HTN on Telma 40", **more) -> InputRecord:
        fields = {
            "source": "clinic",
            "note_id": f"n{offset}",
            "revision": 1,
            "prescription_ref": "p",
            "patient_ref": "patient",
            "doctor_ref": "doctor",
            "city": "Pune",
            "specialty": "cardiology",
            "written_at": NOW_MS - 2000,
            "accepted_at": NOW_MS - 1000,
            "text": text,
        }
        value = self.serialize(NoteAccepted(**{**fields, **more}))
        return InputRecord(topics.NOTES_ACCEPTED, 4, offset, NOW_MS, f"clinic|n{offset}".encode(), value)

    def decoded(self, record_type, topic, outputs):
        decode = Deserializer.for_topic(record_type, self.registry, topic)
        return [decode(output.value) for output in outputs if output.topic == topic]

    def events(self, outputs) -> list[EntitiesExtracted]:
        return self.decoded(EntitiesExtracted, topics.ENTITIES_EXTRACTED, outputs)

    def statistics(self, outputs) -> list[StatisticsObserved]:
        return self.decoded(StatisticsObserved, topics.STATISTICS_OBSERVED, outputs)


def dead(outputs):
    return [output for output in outputs if output.topic == topics.dlq_of(topics.NOTES_ACCEPTED)]


@pytest.fixture
def world() -> World:
    return World()


def test_a_note_becomes_its_entities(world):
    outputs = world.handler([world.record(5)])
    (event,) = world.events(outputs)
    assert event.event_id == event_id("clinic", "n5", 1, 3, 0)
    assert [(e.entity_id, e.label, e.text, e.start, e.end) for e in event.entities] == [
        ("e1", EntityLabel.DISEASE, "HTN", 6, 9),
        ("e2", EntityLabel.TREATMENT, "Telma", 13, 18),
    ]
    (relation,) = event.relations
    assert (relation.type, relation.treatment_id, relation.disease_id) == (RelationType.TREATS, "e2", "e1")
    assert relation.confidence == 0.57
    assert (event.source, event.note_id, event.patient_ref) == ("clinic", "n5", "patient")
    assert (event.rules_version, event.rules_serial) == ("tables-7", 0)
    assert (event.model, event.extracted_at, event.note_confidence) == (MODEL, NOW_MS, 0.9)
    assert (event.segment.city, event.segment.specialty) == ("Pune", "cardiology")
    assert not event.review.requested
    assert outputs[0].key == b"clinic|n5"


def test_what_the_note_says_of_an_entity_goes_out_whole_and_to_the_desk_too(world):
    negated = Assertion("NEGATED", "HISTORICAL", "FAMILY", 0, 2)
    relation = Relation("TREATS_FAILED", 1, 0, 0.4)
    entities = (Entity("DISEASE", 3, 6, 0.8, negated), Entity("TREATMENT", 7, 12, 0.8, prescription=TABLET))
    world.tagger._tag = lambda text: Tagged(entities, (relation,), 0.1)
    outputs = world.handler([world.record(0, "No HTN Telma 40 HS"), world.record(1, "No HTN Telma 40 HS")])
    first, second = world.events(outputs)
    assert first.entities == second.entities
    disease, treatment = first.entities
    assert tuple(disease.assertion.to_dict().values()) == negated
    assert disease.prescription is None
    assert tuple(treatment.assertion.to_dict().values()) == PRESENT
    assert tuple(treatment.prescription.to_dict().values()) == TABLET
    assert [one.type for one in first.relations] == [RelationType.TREATS_FAILED]
    requests = world.decoded(ReviewRequested, topics.REVIEW_REQUESTED, outputs)
    assert [(one.entities, one.relations) for one in requests] == [(first.entities, first.relations)] * 2


def test_the_library_and_the_contract_say_what_is_said_of_an_entity_in_the_same_words():
    pairs = ((meaning.Status, AssertionStatus), (meaning.Time, AssertionTime), (meaning.Experiencer, Experiencer))
    for ours, contract in pairs:
        assert [member.value for member in ours] == [member.value for member in contract]
    assert {member.value for member in meaning.RelationType} | {"UNKNOWN"} == set(RelationType)
    assert Assertion._fields == tuple(field.name for field in fields(records.Assertion))
    assert Prescription._fields == tuple(field.name for field in fields(records.Prescription))


def test_offsets_count_code_points(world):
    text = "\N{GRINNING FACE} e\N{COMBINING ACUTE ACCENT}क HTN"
    (event,) = world.events(world.handler([world.record(0, text)]))
    (entity,) = event.entities
    assert text[entity.start : entity.end] == entity.text == "HTN"


def test_the_same_note_gives_the_same_event_twice(world):
    first, second = (world.events(world.handler([world.record(1)])) for _ in range(2))
    assert first == second


def test_unsure_notes_go_to_review(world):
    outputs = world.handler([world.record(0, "UNSURE HTN"), world.record(1)])
    (request,) = world.decoded(ReviewRequested, topics.REVIEW_REQUESTED, outputs)
    event = world.events(outputs)[0]
    assert event.review.requested
    assert event.review.reason is ReviewReason.LOW_CONFIDENCE
    assert (request.event_id, request.text, request.entities) == (event.event_id, "UNSURE HTN", event.entities)
    assert (request.patient_ref, request.doctor_ref) == ("patient", "doctor")
    assert (request.source, request.note_id, request.relations) == ("clinic", "n0", event.relations)
    assert (request.rules_version, request.rules_serial) == ("tables-7", 0)


def test_one_batch_is_tagged_by_one_model(world):
    other = LoadedModel(ModelRef(name="rxtract-ner", version="8", serial=4), world.tagger)
    tag = world.tagger.tag
    world.tagger.tag = lambda texts: (world.models.append(other), tag(texts))[1]
    assert {event.model.version for event in world.events(world.handler([world.record(n) for n in range(9)]))} == {"7"}
    assert {event.model.version for event in world.events(world.handler([world.record(9)]))} == {"8"}


BROKEN = [
    (None, Reason.EMPTY_VALUE),
    (b"", Reason.EMPTY_VALUE),
    (b"\x01\x00\x00\x00\x01ab", Reason.WRONG_MAGIC_BYTE),
    (b"\x00\x00", Reason.TRUNCATED),
    (b"\x00\x7f\x00\x00\x00ab", Reason.UNKNOWN_SCHEMA),
]


@pytest.mark.parametrize(("value", "reason"), BROKEN)
def test_poison_becomes_a_dead_letter_and_its_neighbours_go_on(world, value, reason):
    poison = InputRecord(topics.NOTES_ACCEPTED, 4, 1, NOW_MS, b"key", value, (("h", b"1"),))
    outputs = world.handler([world.record(0), poison, world.record(2)])
    (letter,) = dead(outputs)
    assert (letter.key, letter.value, letter.headers[0]) == (b"key", value, ("h", b"1"))
    assert header(letter.headers, REASON) == reason.value.encode()
    assert [event.note_id for event in world.events(outputs)] == ["n0", "n2"]


def test_truncated_and_trailing_bytes_are_poison(world):
    value = world.record(0).value
    records = [world.record(0)._replace(value=value[:cut], offset=cut) for cut in range(6, len(value), 7)]
    records.append(world.record(0)._replace(value=value + b"x", offset=999))
    outputs = World(budget=DeadLetterBudget(consecutive=10_000, untried=10_000)).handler(records)
    assert len(dead(outputs)) == len(records)
    assert header(dead(outputs)[-1].headers, REASON) == b"TRAILING_BYTES"


def test_a_tagger_that_raises_costs_only_the_note_that_breaks_it(world):
    """R8: 1 % of notes break the tagger."""
    records = [world.record(n, "BREAKS" if n % 100 == 50 else "HTN") for n in range(400)]
    outputs = world.handler(records)
    letters = dead(outputs)
    assert len(letters) == 4
    assert {header(letter.headers, REASON) for letter in letters} == {b"HANDLER_FAILED"}
    assert {header(letter.headers, ATTEMPT) for letter in letters} == {b"3"}
    assert [event.note_id for event in world.events(outputs)] == [f"n{n}" for n in range(400) if n % 100 != 50]
    assert len(world.tagger.calls) < 100  # halving, not one call a note


@pytest.mark.parametrize(("origin", "counted"), [(one, float(one is Origin.LIVE)) for one in Origin])
def test_of_refused_notes_only_live_ones_burn_the_error_budget(world, origin, counted):
    refused = world.metrics.counter(LIVE_REFUSED)
    assert refused._value.get() == 0.0  # there before the first event, else Prometheus' rate() does not see that one
    world.handler([world.record(0, "BREAKS", origin=origin), world.record(1)])
    assert refused._value.get() == counted


def test_a_note_that_cannot_say_its_origin_may_be_live_and_counts(world):
    world.handler([world.record(0)._replace(value=b"\x01bad")])
    assert world.metrics.counter(LIVE_REFUSED)._value.get() == 1.0


def test_a_broken_note_alone_is_tried_as_often_as_it_may(world):
    world.handler([world.record(0, "BREAKS")])
    assert world.tagger.calls == [1, 1, 1]


def test_no_memory_is_not_the_notes_fault(world):
    def tag(texts):
        raise MemoryError

    world.tagger.tag = tag
    with pytest.raises(MemoryError):
        world.handler([world.record(0)])


def test_a_tagger_that_drops_results_is_a_surprise(world):
    world.tagger.tag = lambda texts: []
    with pytest.raises(WrongTaggerError):
        world.handler([world.record(0)])


def test_the_registry_being_away_is_not_poison(world):
    record = world.record(0)
    world.registry.down = True
    with pytest.raises(RegistryUnavailable):
        world.handler([record])
    world.registry.down = False
    assert len(world.events(world.handler([record]))) == 1


def test_a_bad_deploy_stops_before_it_fills_the_dlq(world):
    """R14: after 100 consecutive dead letters nothing more is published."""
    world.handler([world.record(100)])
    poison = [world.record(n)._replace(value=b"\x01bad") for n in range(100)]
    world.handler(poison[:99])
    with pytest.raises(BudgetExceeded):
        world.handler(poison[99:])


def largest_text(world: World, start: str) -> str:
    """The longest text that still makes a legal record."""
    spare = MAX_RECORD_BYTES - len(world.record(0, start + "x" * 900_000).value)
    return start + "x" * (900_000 + spare)


def test_a_review_request_too_large_to_write_costs_only_itself(world):
    """A note at the limit: with the entities beside the text its review request is larger than a record may be."""
    record = world.record(0, largest_text(world, "UNSURE HTN Telma "))
    assert len(record.value) == MAX_RECORD_BYTES
    outputs = world.handler([record, world.record(1, "UNSURE HTN")])
    assert dead(outputs) == []
    large, small = world.events(outputs)
    assert len(large.entities) == 2
    assert large.review == Review(requested=False, reason=ReviewReason.LOW_CONFIDENCE, inclusion_probability=None)
    assert small.review.requested
    requests = world.decoded(ReviewRequested, topics.REVIEW_REQUESTED, outputs)
    assert [request.note_id for request in requests] == ["n1"]
    assert world.metrics.counter(REVIEWS_UNSENT).labels("LOW_CONFIDENCE")._value.get() == 1
    assert world.metrics.counter(REVIEWS).labels("LOW_CONFIDENCE")._value.get() == 1


def test_a_result_too_large_to_write_is_a_dead_letter(world):
    """Nested entities may repeat the text until their event exceeds the limit."""
    text = largest_text(world, "HTN ")
    tag = world.tagger._tag
    whole = tuple(Entity("DISEASE", 0, len(text) - number, 0.8) for number in range(2))
    world.tagger._tag = lambda one: Tagged(whole, (), 0.9) if one == text else tag(one)
    outputs = world.handler([world.record(0, text, origin=Origin.REEXTRACT), world.record(1)])
    (letter,) = dead(outputs)
    assert header(letter.headers, REASON) == b"TOO_LARGE"
    assert origin_of(letter.headers) is Origin.REEXTRACT
    assert [event.note_id for event in world.events(outputs)] == ["n1"]


def go_on(world):
    """As if the partition had been read up to here by this process."""
    world.handler._rereading.until(4, -REREAD_NOTES - 1, -1)


def test_where_notes_may_be_read_again_statistics_are_told_note_by_note(world):
    def pieces(first, last):
        found = world.statistics(world.handler([world.record(n) for n in range(first, last)]))
        return [(r.n, r.first_offset, r.last_offset) for r in found if r.segment == "all"]

    assert pieces(0, 60) == [(1, n, n) for n in range(60)]
    assert pieces(60, REREAD_NOTES + 30)[-2:] == [(25, 500, 524), (5, 525, 529)]
    assert pieces(530, 555) == [(25, 530, 554)]
    assert pieces(540, 560) == [(1, n, n) for n in range(540, 560)]  # taken up anew


def test_pieces_of_a_process_that_died_and_of_its_successor_are_counted_once(world):
    """The successor reads again from the last commit, which may be anywhere in a piece."""
    go_on(world)
    notes = [world.record(n) for n in range(900)]
    told = [*world.statistics(world.handler(notes[:40])), *world.statistics(world.handler(notes[40:90]))]
    successor = World()
    told += [
        *successor.statistics(successor.handler(notes[33:733])),
        *successor.statistics(successor.handler(notes[733:])),
    ]
    watcher = PartitionWatcher(0, DriftConfig(), lambda _: {}, UTC)
    for offset, record in enumerate(one for one in told if one.segment == "all"):
        watcher.apply(offset, record)
    assert watcher.counts.dropped == 90 - 33
    assert sum(r.n for r in told if r.segment == "all") - watcher.counts.dropped == 900


def test_so_much_is_told_note_by_note_as_an_extractor_takes_into_one_call():
    """A process that died may have told all of a call; pieces of what it told would be dropped whole, with what is new in them."""
    settings = ExtractorSettings.load(bootstrap_servers="b:1", schema_registry_url="http://x")
    registry = InMemoryRegistry()
    apply_schemas(registry, "")
    made = bootstrap(settings, tagger=WordTagger(), registry=registry)
    handler = made.handler(codecs(registry, settings))
    world = World()
    records = [world.record(number) for number in range(made.limits.call_records + 100)]
    told = [r for r in world.statistics(handler(records)) if r.segment == "all"]
    assert [r.n for r in told] == [1] * made.limits.call_records + [25] * 4


def test_statistics_of_live_notes_only(world):
    go_on(world)
    records = [world.record(n, origin=Origin.LIVE if n % 2 else Origin.BACKFILL) for n in range(10)]
    found = world.statistics(world.handler(records))
    assert {record.segment for record in found} == {
        "all",
        "city=Pune",
        "specialty=cardiology",
        "city=Pune|specialty=cardiology",
    }
    assert {(r.n, r.first_offset, r.last_offset, r.note_partition) for r in found} == {(5, 1, 9, 4)}


def sums_by_name(record):
    """Count, sum and sum of squares by the statistic's name."""
    assert record.statistics == ()
    numbers = record.sums
    return dict(zip(STATISTICS, zip(numbers[::3], numbers[1::3], numbers[2::3], strict=True), strict=True))


def test_statistics_sum_values_notes_and_squares(world):
    go_on(world)
    (all_notes, *_) = world.statistics(world.handler([world.record(0), world.record(1)]))
    sums = sums_by_name(all_notes)
    assert sums["tokens"] == (2, 8, 32)
    assert sums["oov_share"] == (2, 0.5, 0.125)
    assert sums["negated_share"] == (2, 1, 0.5)
    assert sums["disease_token_share"] == (2, pytest.approx(2 / 3), pytest.approx(2 / 9))
    assert all_notes.observed_at == NOW_MS - 1000


def test_a_note_without_tokens_has_no_shares(world):
    world.tagger._tag = lambda text: Tagged((), (), 0.9, Numbers(tokens=0, chars=0))
    (all_notes, *_) = world.statistics(world.handler([world.record(0)]))
    counts = {name: count for name, (count, _, _) in sums_by_name(all_notes).items()}
    assert (counts["tokens"], counts["oov_share"], counts["unknown_char_share"]) == (1, 0, 0)


def test_statistics_are_those_of_the_models_reference():
    """What the watcher compares must be named and defined as what the model was trained with."""
    drawn = random.Random(0)
    for _ in range(200):
        numbers = NoteStatistics(*(drawn.choice((0, 1, 3, 7)) for _ in range(10)), confidence=drawn.random())
        values = dict(zip(STATISTICS, values_of(numbers), strict=True))
        assert {name: value for name, value in values.items() if not math.isnan(value)} == note_values(numbers)


def test_a_statistics_record_covers_at_most_25_notes(world):
    go_on(world)
    records = [world.record(n, city=("Pune", "Delhi")[n % 2]) for n in range(60)]
    found = world.statistics(world.handler(records))
    by_segment: dict[str, list[StatisticsObserved]] = {}
    for record in found:
        by_segment.setdefault(record.segment, []).append(record)
    assert [r.n for r in by_segment["all"]] == [25, 25, 10]
    assert [r.n for r in by_segment["city=Pune"]] == [25, 5]
    assert max(r.n for r in found) <= NOTES_PER_RECORD
    for records_of in by_segment.values():
        ends = [(r.first_offset, r.last_offset) for r in records_of]
        assert all(before[1] < after[0] for before, after in itertools.pairwise(ends))


def test_an_empty_batch_gives_nothing(world):
    assert list(world.handler([])) == []


@pytest.fixture
def sealed(tmp_path):
    """A world that seals, and its key store."""
    initialise(tmp_path / "keys.db", tmp_path / "master.key")
    keys = open_keys(tmp_path / "keys.db", tmp_path / "master.key")
    world = World(keys=keys, budget=DeadLetterBudget(consecutive=3, untried=3))
    world.serialize = SealingWriter(world.serialize, keys)
    return world, SqliteKeyStore(tmp_path / "keys.db"), keys


def test_a_sealed_note_is_tagged_and_what_comes_of_it_is_sealed_with_its_key(sealed):
    world, _, keys = sealed
    record = world.record(0, "UNSURE k/c/o HTN on Telma 40")
    assert b"HTN" not in record.value
    outputs = world.handler([record])
    assert b"HTN" not in b"".join(output.value for output in outputs)
    (event,), (request,) = (
        world.events(outputs),
        world.decoded(ReviewRequested, topics.REVIEW_REQUESTED, outputs),
    )
    assert event.encryption_key_id == request.encryption_key_id is not None
    assert [one.text for one in event.entities] == ["", ""]
    unseal(event, keys)
    unseal(request, keys)
    assert [one.text for one in event.entities] == ["HTN", "Telma"] == [one.text for one in request.entities]
    assert request.text == "UNSURE k/c/o HTN on Telma 40"


def test_what_comes_of_a_note_of_before_sealing_was_on_is_sealed(sealed):
    world, _, _ = sealed
    world.serialize = Serializer.for_topic(NoteAccepted, world.registry, topics.NOTES_ACCEPTED)
    outputs = world.handler([world.record(0)])
    assert b"HTN" not in outputs[0].value
    assert world.events(outputs)[0].encryption_key_id


def test_notes_of_an_erased_patient_are_erased_beside_others_and_use_up_no_budget(sealed):
    world, store, _ = sealed
    gone = [world.record(number, patient_ref="gone") for number in range(20)]
    kept = world.record(99, patient_ref="kept")
    store.erase("gone", 1)
    sealed[2]._looked_at_s -= LOOK_EVERY_S  # a second later
    outputs = world.handler([*gone, kept])
    letters = dead(outputs)
    assert {header(letter.headers, REASON) for letter in letters} == {b"ERASED"}
    assert [letter.value for letter in letters] == [record.value for record in gone]
    assert [event.note_id for event in world.events(outputs)] == ["n99"]
    assert world.metrics.counter(LIVE_REFUSED)._value.get() == 0


def test_a_store_from_another_time_stops_the_extractor_and_nothing_is_tagged(sealed, tmp_path):
    world, _, _ = sealed
    records = [world.record(number) for number in range(5)]
    initialise(tmp_path / "other.db", tmp_path / "other.key")
    other = World(keys=open_keys(tmp_path / "other.db", tmp_path / "other.key"), budget=DeadLetterBudget(untried=3))
    other.registry = world.registry
    with pytest.raises(BudgetExceeded):
        other.handler(records)
    assert other.tagger.calls in ([], [0])


def test_a_sealed_note_where_sealing_is_off_is_refused_not_tagged_as_empty(sealed):
    world, _, _ = sealed
    (letter,) = World().handler([world.record(0)])
    assert header(letter.headers, REASON) == b"UNKNOWN_KEY"


def test_a_flipped_bit_or_another_notes_seal_is_a_dead_letter(sealed):
    world, _, _ = sealed
    first, second = world.record(0), world.record(1)
    flipped = bytearray(first.value)
    seal = Deserializer.for_topic(NoteAccepted, world.registry, topics.NOTES_ACCEPTED)(first.value).sealed
    flipped[first.value.index(seal) + len(seal) // 2] ^= 1
    swapped = second._replace(value=first.value.replace(b"n0", b"n1"))
    outputs = world.handler([first._replace(value=bytes(flipped)), swapped, world.record(2)])
    reasons = [header(letter.headers, REASON) for letter in dead(outputs)]
    assert reasons[-1] == b"BROKEN_SEAL"
    assert len(reasons) == 2
    assert [event.note_id for event in world.events(outputs)] == ["n2"]
