"""The way by columns and the way by objects are one behaviour: the same records, byte for byte, the same metrics, the same end."""

import random
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from clinical_ner import meaning
from clinical_ner.config import TrainingConfig
from clinical_ner.tagger import Tagger
from clinical_ner.train import train
from contracts import files, topics
from contracts.apply import apply_schemas
from contracts.records import (
    AssertionStatus,
    AssertionTime,
    DriftDetected,
    DriftLevel,
    EntitiesExtracted,
    EntityLabel,
    Experiencer,
    ModelRef,
    NoteAccepted,
    Origin,
    RelationType,
    ReviewRequested,
)
from contracts.registry import InMemoryRegistry
from contracts.wire import MAX_RECORD_BYTES, Deserializer, Serializer
from corpus import generate
from extractor.bootstrap import codecs
from extractor.columns import ColumnExtraction
from extractor.domain.new_words import NewWords
from extractor.domain.sampling import OpenEpisodes, Sampling, SamplingRates
from extractor.handler import ExtractionHandler, Topics
from extractor.metrics import METRICS
from extractor.settings import ExtractorSettings
from prometheus_client import generate_latest
from runtime.errors import BudgetExceeded
from runtime.kafka.deadletter import REASON, DeadLetterBudget, header
from runtime.kafka.records import InputRecord
from runtime.service.metrics import Metrics
from sealing import KeyStoreAway, PatientKeys, open_keys, unseal, writing
from sealing.keys import LOOK_EVERY_S
from sealing.rotation import initialise
from serving.tagging import LoadedModel

NOW_MS = 1_700_000_000_000
MODEL = ModelRef(name="rxtract-ner", version="7", serial=3)
TEXTS = [note.text for note in generate(5, 120)]
ODD = [
    "",
    " ",
    "\n\n",
    "\x00",
    "😀 DM — Tab Metformin 500 mg BD x 5 days 😀",
    "नोट: fever, Tab PCM 650 SOS",
    "x" * 3_000,
]
SEALABLE = [text for text in ODD if "\0" not in text]
WRITTEN = {"pseudonym_key_id": "k1", "purpose": "care", "consent_artefact_id": "é", "encryption_key_id": ""}


@pytest.fixture(scope="module")
def tagger() -> Tagger:
    made = train(generate(1, 150), TrainingConfig(passes=8, calibration_folds=2), seed=1).tagger()
    assert sum(len(note.entities) for note in made.tag(TEXTS)) > 100
    return made


class Way:
    """One handler with all that it keeps."""

    def __init__(
        self,
        tagger: Any,
        column_notes: int,
        *,
        key: bytes | None = b"k" * 32,
        review_below: float = 0.7,
        keys: PatientKeys | None = None,
    ):
        registry = InMemoryRegistry()
        apply_schemas(registry, "")
        self.registry, self.metrics = registry, Metrics(METRICS)
        self.metrics.build_all()
        self.episodes, self.unreviewed = OpenEpisodes(), []
        rates = SamplingRates(0.2, 0.3, daily_budget=9, audit_of={"city=Pune": 0.5})
        sampling = Sampling(review_below, key, rates, self.episodes, on_unreviewed=lambda: self.unreviewed.append(1))
        self.handler = ExtractionHandler(
            lambda: LoadedModel(MODEL, tagger, rules_serial=2),
            codecs(registry, ExtractorSettings.load(bootstrap_servers="b:1", schema_registry_url="http://x"), keys),
            Topics(topics.ENTITIES_EXTRACTED, topics.REVIEW_REQUESTED, topics.STATISTICS_OBSERVED, topics.DRIFT_WORDS),
            DeadLetterBudget(),
            metrics=self.metrics,
            review_below=review_below,
            sampling=sampling,
            new_words=NewWords(self._segment, lambda: self.episodes.are_open),
            now_ms=lambda: NOW_MS,
            column_notes=column_notes,
        )
        self.plain = Serializer.for_topic(NoteAccepted, registry, topics.NOTES_ACCEPTED)
        self.serialize = writing(self.plain, keys)

    def _segment(self, note: NoteAccepted, serial: int) -> str | None:
        found = self.episodes.worst(note, serial)
        return None if found is None else found[0]

    def measured(self) -> str:
        lines = generate_latest(self.metrics.registry).decode().splitlines()
        return "\n".join(line for line in lines if "_created" not in line)


def ways(tagger: Any, **options: Any) -> tuple[Way, Way]:
    """By columns whatever the size, and by objects."""
    return Way(tagger, 1, **options), Way(tagger, 10**9, **options)


def note(rng: random.Random, number: int, odd: list[str] = ODD, **more: Any) -> NoteAccepted:
    fields: dict[str, Any] = {
        "source": rng.choice(["clinic", "ward-7"]),
        "note_id": rng.choice(["n", "नोट|", "x" * 90]) + str(number),
        "revision": rng.choice([1, 2, 70, 2**31 - 1]),
        "prescription_ref": "p",
        "patient_ref": f"patient{number % 40}",
        "doctor_ref": f"doctor{number % 9}",
        "city": rng.choice(["Pune", "Mumbai", "पुणे", ""]),
        "specialty": rng.choice(["cardiology", "general medicine", "x" * 70]),
        "written_at": NOW_MS - rng.choice([-5_000, 0, 2_000, 10**9]),
        "accepted_at": NOW_MS - rng.choice([-5_000, 0, 1_000, 9 * 10**8]),
        "text": rng.choice(odd) if rng.random() < 0.1 else rng.choice(TEXTS) + rng.choice(["", " \n", " Adv zzyzx."]),
        "origin": rng.choice(list(Origin)) if rng.random() < 0.5 else Origin.LIVE,
    }
    fields |= {name: value for name, value in WRITTEN.items() if rng.random() < 0.3}
    return NoteAccepted(**{**fields, **more})


def batch(way: Way, rng: random.Random, first: int, size: int, **more: Any) -> list[InputRecord]:
    values = [way.serialize(note(rng, first + number, **more)) for number in range(size)]
    return [InputRecord(topics.NOTES_ACCEPTED, 4, first + at, NOW_MS, b"k", value) for at, value in enumerate(values)]


def drift(segment: str, level: DriftLevel) -> DriftDetected:
    example = files.example_files(topics.DRIFT_DETECTED)[0].read_text("utf-8")
    return replace(DriftDetected.from_json(example), segment=segment, level=level, model=MODEL)


def went_by_columns(way: Way, records: list[InputRecord], tagger: Any) -> bool:
    columns = way.handler._columns
    assert columns is not None
    return columns.batch([record.value for record in records], LoadedModel(MODEL, tagger)) is not None


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("key", [b"k" * 32, None], ids=["audited", "without a key"])
def test_both_ways_make_the_same_of_any_batches(tagger, seed, key):
    rng = random.Random(f"{seed}")
    mine, theirs = ways(tagger, key=key)
    first, by_columns = 0, 0
    for turn in range(7):
        if turn == 3:
            for way in (mine, theirs):
                way.episodes.tell(drift("city=Pune", DriftLevel.WARNING))
                way.episodes.tell(drift("specialty=cardiology", DriftLevel.CRITICAL))
        size = rng.choice([1, 2, 9, 40, 70])
        records = batch(mine, rng, first, size)
        if turn == 5:  # taken up anew, from a little before
            first -= 3
            records = [record._replace(offset=record.offset - 3) for record in records]
        by_columns += went_by_columns(mine, records, tagger)
        assert mine.handler(records) == theirs.handler(records)
        first += size
    assert by_columns == 6  # all but the first, from which the schema's id is learnt
    assert mine.measured() == theirs.measured()
    assert mine.unreviewed == theirs.unreviewed
    assert any(
        "reviews" in line and line.endswith(".0") and not line.endswith(" 0.0") for line in mine.measured().splitlines()
    )


def test_of_many_partitions_in_one_call_comes_what_comes_of_each_by_itself(tagger):
    def of_partition(way: Way, number: int) -> list[InputRecord]:
        records = batch(way, random.Random(number), 1_000 * number, 130)
        return [record._replace(partition=number) for record in records]

    for column_notes in (1, 10**9):
        together, one_by_one = Way(tagger, column_notes), Way(tagger, column_notes)
        for partition in range(3):
            for way in (together, one_by_one):  # where they begin notes may have been told before
                way.handler._rereading.until(partition, -1_000, 1_000 * partition - 1)
        parts = [of_partition(together, number) for number in (0, 1, 2)]
        first, second = [part[:60] for part in parts], [part[60:] for part in parts]
        outputs = []
        for rows in (first, second):
            outputs += together.handler([record for part in rows for record in part])
        expected = [output for rows in (first, second) for part in rows for output in one_by_one.handler(part)]
        assert sorted(outputs) == sorted(expected)
        notes = [output for output in outputs if output.topic == topics.ENTITIES_EXTRACTED]
        assert notes == [output for output in expected if output.topic == topics.ENTITIES_EXTRACTED]
        counted = [line for line in together.measured().splitlines() if "_bucket" not in line]
        assert counted == [line for line in one_by_one.measured().splitlines() if "_bucket" not in line]
        assert {topics.REVIEW_REQUESTED, topics.STATISTICS_OBSERVED} <= {output.topic for output in outputs}


def test_what_is_not_plain_has_the_reasons_of_the_other_way(tagger):
    rng = random.Random(1)
    mine, theirs = ways(tagger)
    good = batch(mine, rng, 0, 60)
    for way in (mine, theirs):
        way.handler(good)
    values = [record.value for record in good]
    bad = [
        None,
        b"",
        b"\1" + values[0][1:],
        values[1][:-1],
        values[2] + b"x",
        values[3].replace(b"patient", b"pati\xffnt"),
        mine.serialize(
            note(rng, 99, text="", sealed=b"\1sealed", encryption_key_id="k")
        ),  # and nobody here may open it
    ]
    for wrong in bad:
        records = [record._replace(value=wrong) if at == 7 else record for at, record in enumerate(good)]
        assert not went_by_columns(mine, records, tagger)
        outputs = mine.handler(records)
        assert outputs == theirs.handler(records)
        assert sum(output.topic == topics.dlq_of(topics.NOTES_ACCEPTED) for output in outputs) == 1
    assert mine.measured() == theirs.measured()


@pytest.fixture
def keys(tmp_path) -> PatientKeys:
    initialise(tmp_path / "keys.db", tmp_path / "master.key")
    return open_keys(tmp_path / "keys.db", tmp_path / "master.key")


def opened(way: Way, keys: PatientKeys, outputs: Any) -> list[Any]:
    """What a reader with the grant sees, and that nobody else sees a word."""
    readers = {
        topics.ENTITIES_EXTRACTED: Deserializer.for_topic(EntitiesExtracted, way.registry, topics.ENTITIES_EXTRACTED),
        topics.REVIEW_REQUESTED: Deserializer.for_topic(ReviewRequested, way.registry, topics.REVIEW_REQUESTED),
    }
    seen = []
    for output in outputs:
        if output.topic in readers:
            record = readers[output.topic](output.value)
            assert record.sealed is not None
            assert not getattr(record, "text", "")
            assert not [one for one in record.entities if one.text or one.prescription]
            unseal(record, keys)
            seen.append((output.topic, output.key, record))
        else:
            seen.append(output)
    return seen


@pytest.mark.parametrize("seed", range(3))
def test_both_ways_make_the_same_of_sealed_notes(tagger, keys, seed):
    rng = random.Random(f"sealed {seed}")
    mine, theirs = ways(tagger, keys=keys)
    first = 0
    for size in (1, 30, 70):
        records = batch(mine, rng, first, size, odd=SEALABLE, encryption_key_id=None)
        assert went_by_columns(mine, records, tagger) is (size > 1)
        found = opened(mine, keys, mine.handler(records))
        assert found == opened(theirs, keys, theirs.handler(records))
        first += size
    assert mine.measured() == theirs.measured()
    events = [one[2] for one in found if isinstance(one[2], EntitiesExtracted)]
    assert sum(entity.prescription is not None for event in events for entity in event.entities) > 10
    assert [one for one in found if isinstance(one[2], ReviewRequested)]


def test_a_sealed_note_that_cannot_be_opened_sends_its_batch_the_other_way(tagger, keys, tmp_path):
    rng = random.Random(7)
    mine, theirs = ways(tagger, keys=keys)
    good = batch(mine, rng, 0, 50, odd=SEALABLE, encryption_key_id=None)
    for way in (mine, theirs):
        way.handler(good)
    read = Deserializer.for_topic(NoteAccepted, mine.registry, topics.NOTES_ACCEPTED)
    other = read(good[3].value)
    flipped = bytearray(read(good[4].value).sealed)
    flipped[-1] ^= 1
    initialise(tmp_path / "other.db", tmp_path / "other.key")
    foreign = writing(mine.plain, open_keys(tmp_path / "other.db", tmp_path / "other.key"))
    erased = note(rng, 200, patient_ref="erased", odd=SEALABLE, encryption_key_id=None)
    cases = {
        b"BROKEN_SEAL": [
            mine.plain(replace(other, note_id="another")),
            mine.plain(replace(other, sealed=bytes(flipped))),
            mine.plain(replace(other, sealed=b"")),
            mine.plain(replace(other, sealed=b"\2" + other.sealed[1:])),
        ],
        b"UNKNOWN_KEY": [foreign(erased), mine.plain(replace(other, encryption_key_id=None))],
        b"ERASED": [mine.serialize(erased)],
    }
    keys.store.erase("erased", 1)
    keys._looked_at_s -= LOOK_EVERY_S
    for reason, values in cases.items():
        for value in values:
            records = [record._replace(value=value) if at == 7 else record for at, record in enumerate(good)]
            assert not went_by_columns(mine, records, tagger)
            outputs = mine.handler(records)
            assert opened(mine, keys, outputs) == opened(theirs, keys, theirs.handler(records))
            letters = [one for one in outputs if one.topic == topics.dlq_of(topics.NOTES_ACCEPTED)]
            assert [header(one.headers, REASON) for one in letters] == [reason]


def test_a_note_of_before_sealing_was_on_goes_the_other_way_and_comes_out_sealed(tagger, keys):
    rng = random.Random(8)
    mine, theirs = ways(tagger, keys=keys)
    good = batch(mine, rng, 0, 50, odd=SEALABLE, encryption_key_id=None)
    mine.handler(good), theirs.handler(good)
    clear = mine.plain(note(rng, 100, text="k/c/o HTN on Telma 40", encryption_key_id=None))
    records = [*good[:20], good[20]._replace(value=clear)]
    assert not went_by_columns(mine, records, tagger)
    assert opened(mine, keys, mine.handler(records))[-1] == opened(theirs, keys, theirs.handler(records))[-1]


def test_by_columns_too_a_key_store_that_is_away_is_waited_for(tagger, keys, tmp_path):
    way = Way(tagger, 1, keys=keys)
    records = batch(way, random.Random(9), 0, 50, odd=SEALABLE, encryption_key_id=None)
    way.handler(records)
    (tmp_path / "keys.db").rename(tmp_path / "elsewhere.db")
    keys._looked_at_s -= LOOK_EVERY_S
    with pytest.raises(KeyStoreAway):
        way.handler(records)
    (tmp_path / "elsewhere.db").rename(tmp_path / "keys.db")
    assert len(way.handler(records)) >= 50


def test_too_many_refused_end_both_ways(tagger):
    rng = random.Random(2)
    mine, theirs = ways(tagger)
    good = batch(mine, rng, 0, 300)
    broken = [record._replace(value=b"\1" + record.value[1:]) for record in good]
    for way in (mine, theirs):
        way.handler(good[:20])
        with pytest.raises(BudgetExceeded):
            [way.handler(broken) for _ in range(20)]


def test_a_note_that_breaks_the_tagger_costs_its_neighbours_nothing(tagger):
    class Breaks:
        rules_version = tagger.rules_version

        def tag(self, texts):
            if any("zzyzx" in text for text in texts):
                raise ValueError
            return tagger.tag(texts)

        def tag_columns(self, points, bounds):
            return self.tag(["".join(map(chr, points.tolist()))]) and tagger.tag_columns(points, bounds)

        def unknown_words(self, text):
            return tagger.unknown_words(text)

    rng = random.Random(3)
    mine, theirs = ways(Breaks())
    for way in (mine, theirs):
        way.handler(batch(mine, random.Random(0), 0, 1, text="fever"))
    records = batch(mine, rng, 1, 70)
    outputs = mine.handler(records)
    assert outputs == theirs.handler(records)
    assert any(output.topic == topics.dlq_of(topics.NOTES_ACCEPTED) for output in outputs)
    assert mine.measured() == theirs.measured()


@pytest.mark.slow
@pytest.mark.parametrize("text", ["HTN on Telma 40. ", "x "])
def test_records_near_the_limit_go_the_other_way(tagger, text):
    mine, theirs = ways(tagger)
    rng = random.Random(4)
    for way in (mine, theirs):
        way.handler(batch(mine, random.Random(0), 0, 2, text="fever"))
    whole = text * ((MAX_RECORD_BYTES - 2_000) // len(text))
    records = [*batch(mine, rng, 2, 3, text="fever"), *batch(mine, rng, 5, 1, text=whole)]
    assert not went_by_columns(mine, records, tagger)
    assert mine.handler(records) == theirs.handler(records)


def test_an_older_writer_s_notes_go_the_other_way(tagger):
    mine, theirs = ways(tagger)
    records = batch(mine, random.Random(5), 0, 12)
    for way in (mine, theirs):
        way.handler(records)
    columns = mine.handler._columns
    assert isinstance(columns, ColumnExtraction)
    other = (999).to_bytes(5, "big")
    assert columns._note.own_header == records[0].value[:5] != other
    assert not went_by_columns(mine, [*records, records[0]._replace(value=other + records[0].value[5:])], tagger)


def test_small_batches_go_by_objects(tagger):
    way = Way(tagger, 8)
    way.handler(batch(way, random.Random(6), 0, 1))
    way.handler._columns = None  # whoever asks it now would make a difference
    assert len(way.handler(batch(way, random.Random(6), 1, 7))) >= 7


def test_places_of_names_are_those_of_the_contract():
    assert [one.value for one in meaning.Status] == [one.value for one in AssertionStatus]
    assert [one.value for one in meaning.Time] == [one.value for one in AssertionTime]
    assert [one.value for one in meaning.Experiencer] == [one.value for one in Experiencer]
    assert ["UNKNOWN", *(one.value for one in meaning.RelationType)] == [one.value for one in RelationType]
    assert [one.value for one in EntityLabel] == ["UNKNOWN", "DISEASE", "TREATMENT"]
    assert np.int64(1) == list(EntityLabel).index(EntityLabel.DISEASE)
