"""The Kafka door: every bad input becomes a dead letter with its reason and its original bytes; nothing stops it."""

import dataclasses

import fastavro
import pytest
from contracts.files import schema_text
from contracts.reasons import Reason
from contracts.records import NoteAccepted, NoteSubmitted, Origin
from contracts.registry import InMemoryRegistry, RegistryUnavailable, WriterSchemas
from contracts.rules import NoteLimits
from contracts.wire import Deserializer, Serializer, WireError
from ingestor.domain.acceptance import Acceptance
from ingestor.handler import SubmittedNotes
from ingestor.metrics import METRICS, NOTES_ACCEPTED, NOTES_REFUSED
from runtime.errors import Recoverable
from runtime.kafka.deadletter import REASON, SOURCE, header, origin_of
from runtime.kafka.records import InputRecord, OutputRecord
from runtime.service.metrics import Metrics
from runtime.service.pseudonyms import Pseudonyms
from sealing import SealingWriter, SqliteKeyStore, open_keys, preparing, unseal
from sealing.keys import LOOK_EVERY_S
from sealing.letters import letter_sealer, open_letter
from sealing.rotation import initialise

NOW_MS = 1_790_000_000_000
NOTE = NoteSubmitted(
    source="clinic-app",
    note_id="N1",
    revision=1,
    prescription_id="RX1",
    patient_ref="P1",
    doctor_ref="D1",
    city="Pune",
    specialty="gp",
    written_at=NOW_MS,
    text="c/o fever x 3 days",
)


class Door:
    def __init__(self) -> None:
        self.registry = InMemoryRegistry()
        self.other_id = self.registry.register("other-value", schema_text("ModelCommand"))
        self.schema_id = self.registry.register("in-value", schema_text("NoteSubmitted"))
        accepted_id = self.registry.register("out-value", schema_text("NoteAccepted"))
        self.metrics = Metrics(METRICS)
        self.write = Serializer(NoteSubmitted, self.schema_id)
        self.read_accepted = Deserializer(NoteAccepted, WriterSchemas(self.registry, "out-value"))
        self.handle = SubmittedNotes(
            Deserializer(NoteSubmitted, WriterSchemas(self.registry, "in-value")),
            Serializer(NoteAccepted, accepted_id),
            Acceptance(NoteLimits(), Pseudonyms(b"k" * 32)),
            "out",
            metrics=self.metrics,
            clock=lambda: NOW_MS,
        )

    def __call__(self, *values: bytes | None) -> list[OutputRecord]:
        records = [InputRecord("in", 0, offset, 0, b"key", value) for offset, value in enumerate(values)]
        return list(self.handle(records))

    def refusal(self, value: bytes | None) -> str:
        [output] = self(value)
        assert output.topic == "in.dlq"
        assert (output.key, output.value) == (b"key", value)
        return (header(output.headers, REASON) or b"").decode()


@pytest.fixture
def door() -> Door:
    return Door()


def test_a_legal_note_is_accepted_under_its_id(door: Door) -> None:
    [output] = door(door.write(NOTE))
    accepted = door.read_accepted(output.value)
    assert (output.topic, output.key) == ("out", b"clinic-app|N1")
    assert (accepted.text, accepted.source, accepted.accepted_at) == (NOTE.text, "clinic-app", NOW_MS)
    assert door.metrics.counter(NOTES_ACCEPTED).labels("kafka", "kafka")._value.get() == 1


def test_a_dead_letter_says_the_origin_of_its_note_where_that_could_be_read(door: Door) -> None:
    note = dataclasses.replace(NOTE, text=" ", origin=Origin.BACKFILL)
    assert [origin_of(output.headers) for output in door(door.write(note), b"no record")] == [Origin.BACKFILL, None]


def test_two_sources_with_one_id_are_two_notes(door: Door) -> None:
    outputs = door(*(door.write(dataclasses.replace(NOTE, source=source)) for source in ("clinic-app", "lab")))
    assert [output.key for output in outputs] == [b"clinic-app|N1", b"lab|N1"]
    assert [door.read_accepted(output.value).source for output in outputs] == ["clinic-app", "lab"]


def test_a_dead_letter_says_the_source_of_its_note_where_that_could_be_read(door: Door) -> None:
    notes = [dataclasses.replace(NOTE, text=" "), dataclasses.replace(NOTE, source="Clinic"), b"no record"]
    outputs = door(*(note if isinstance(note, bytes) else door.write(note) for note in notes))
    assert [header(output.headers, SOURCE) for output in outputs] == [b"clinic-app", None, None]


@pytest.mark.parametrize("value", [None, b""])
def test_empty_value(door: Door, value: bytes | None) -> None:
    assert door.refusal(value) == "EMPTY_VALUE"


def test_wrong_magic_byte(door: Door) -> None:
    assert door.refusal(b"\x01" + door.write(NOTE)[1:]) == "WRONG_MAGIC_BYTE"
    assert door.refusal(b'{"note_id": "N1"}') == "WRONG_MAGIC_BYTE"


def test_unknown_schema_id(door: Door) -> None:
    assert door.refusal(b"\x00\x00\x00\x27\x0f" + door.write(NOTE)[5:]) == "UNKNOWN_SCHEMA"


def test_a_schema_of_another_subject(door: Door) -> None:
    value = b"\x00" + door.other_id.to_bytes(4, "big") + door.write(NOTE)[5:]
    assert door.refusal(value) == "UNKNOWN_SCHEMA"


def test_truncated_at_every_byte(door: Door) -> None:
    whole = door.write(NOTE)
    reasons = {door.refusal(whole[:length]) for length in range(1, len(whole))}
    assert reasons <= {"TRUNCATED", "UNDECODABLE"}


def test_trailing_bytes(door: Door) -> None:
    assert door.refusal(door.write(NOTE) + b"\x00") == "TRAILING_BYTES"


def test_a_ten_megabyte_note(door: Door) -> None:
    assert door.refusal(door.write(NOTE) + b"x" * 10_000_000) == "TOO_LARGE"


def test_invalid_utf8(door: Door) -> None:
    value = door.write(NOTE).replace(b"fever", b"fe\xff\xfer")
    assert door.refusal(value) == "INVALID_UTF8"


def test_lone_surrogates_as_a_careless_producer_encodes_them(door: Door) -> None:
    value = door.write(NOTE).replace(b"fev", "\ud800".encode("utf-8", "surrogatepass"))
    assert door.refusal(value) == "INVALID_UTF8"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"text": "nul\x00"}, "ILLEGAL_CHARACTERS"),
        ({"text": ""}, "EMPTY_TEXT"),
        ({"text": "a " * 100_000}, "TOO_MANY_TOKENS"),
        ({"written_at": 0}, "IMPOSSIBLE_TIME"),
        ({"revision": 0}, "OUT_OF_RANGE"),
        ({"note_id": ""}, "MISSING_FIELD"),
        ({"source": ""}, "INVALID_SOURCE"),
        ({"source": "Clinic"}, "INVALID_SOURCE"),
        ({"source": "a|b"}, "INVALID_SOURCE"),
    ],
)
def test_what_the_rules_refuse(door: Door, changes: dict, reason: str) -> None:
    assert door.refusal(door.write(dataclasses.replace(NOTE, **changes))) == reason
    assert door.metrics.counter(NOTES_REFUSED).labels("kafka", "kafka", reason)._value.get() == 1


def test_the_largest_legal_note_passes_and_its_neighbour_does_not(door: Door) -> None:
    def of_size(length: int) -> bytes:
        return door.write(dataclasses.replace(NOTE, text="x" * length))

    [output] = door(of_size(1_048_000))
    assert output.topic == "out"
    # Still a legal submitted record, but with the pseudonyms it would outgrow what a record may have.
    assert door.refusal(of_size(1_048_500)) == "TOO_LARGE"


def test_a_batch_keeps_order_and_bad_ones_do_not_hurt_their_neighbours(door: Door) -> None:
    good = door.write(NOTE)
    assert [output.topic for output in door(good, b"", good, None, good)] == ["out", "in.dlq", "out", "in.dlq", "out"]


def test_a_registry_that_is_away_is_not_the_notes_fault(door: Door) -> None:
    door.registry.down = True
    with pytest.raises(RegistryUnavailable):
        door(door.write(NOTE))


def test_known_schemas_pass_while_the_registry_is_away(door: Door) -> None:
    door(door.write(NOTE))
    door.registry.down = True
    assert door(door.write(NOTE))[0].topic == "out"


def test_a_producer_that_moves_to_a_compatible_version_is_understood(door: Door) -> None:
    import io
    import json

    newer = json.loads(schema_text("NoteSubmitted"))
    newer["fields"].append({"name": "clinic_name", "type": ["null", "string"], "default": None})
    newer_id = door.registry.register("in-value", json.dumps(newer))
    buffer = io.BytesIO(b"\x00" + newer_id.to_bytes(4, "big"))
    buffer.seek(5)
    fastavro.schemaless_writer(buffer, fastavro.parse_schema(newer), {**NOTE.to_dict(), "clinic_name": "Sahyadri"})
    old, new = door(door.write(NOTE), buffer.getvalue())
    assert (old.topic, new.topic) == ("out", "out")
    assert door.read_accepted(new.value).text == NOTE.text


def test_every_reason_has_a_sentence() -> None:
    assert all(reason.sentence.endswith(".") for reason in Reason)


def test_an_accepted_note_names_the_submitted_record_that_it_was_made_of() -> None:
    door = Door()
    outputs = door(door.write(NOTE), b"junk", door.write(NOTE))
    assert [header(output.headers, "rxtract.submitted") for output in outputs] == [b"0:0", None, b"0:2"]


@pytest.fixture
def sealed(tmp_path):
    """A door that seals, with its keys."""
    initialise(tmp_path / "keys.db", tmp_path / "master.key")
    keys = open_keys(tmp_path / "keys.db", tmp_path / "master.key")
    door = Door()
    write = SealingWriter(door.handle._write, keys)
    door.handle = SubmittedNotes(
        door.handle._read, write, door.handle._acceptance, "out", metrics=door.metrics, prepare=preparing(write),
        seal_letter=letter_sealer(keys), clock=lambda: NOW_MS,
    )  # fmt: skip
    return door, keys, SqliteKeyStore(tmp_path / "keys.db")


def test_an_accepted_note_leaves_sealed_and_a_batch_makes_its_keys_at_once(sealed):
    door, keys, store = sealed
    notes = [dataclasses.replace(NOTE, note_id=f"N{number}", patient_ref=f"P{number % 3}") for number in range(9)]
    outputs = door(*map(door.write, notes))
    assert b"fever" not in b"".join(output.value for output in outputs)
    assert store.counts() == (3, 0)
    accepted = [door.read_accepted(output.value) for output in outputs]
    assert len({note.encryption_key_id for note in accepted}) == 3
    unseal(accepted[0], keys)
    assert accepted[0].text == NOTE.text


@pytest.mark.parametrize("readable", [True, False])
def test_what_is_refused_is_sealed_whole_and_opens_with_the_grant(sealed, readable):
    door, keys, store = sealed
    value = door.write(dataclasses.replace(NOTE, written_at=1)) if readable else b"\x00\x00\x00\x00\x09 c/o fever"
    (letter,) = door(value)
    assert letter.topic == "in.dlq"
    assert header(letter.headers, REASON) == (b"IMPOSSIBLE_TIME" if readable else b"UNKNOWN_SCHEMA")
    assert b"fever" not in letter.value
    assert open_letter(letter, keys) == value
    with pytest.raises(WireError, match="BROKEN_SEAL"):
        open_letter(letter._replace(key=b"another"), keys)
    with pytest.raises(WireError, match="UNKNOWN_KEY"):
        open_letter(letter, None)
    store.erase(Pseudonyms(b"k" * 32).of("patient", "P1"), 1)
    keys._looked_at_s -= LOOK_EVERY_S  # a second later
    if readable:
        with pytest.raises(WireError, match="ERASED"):
            open_letter(letter, keys)


def test_with_the_store_away_nothing_leaves_the_door(sealed, tmp_path):
    door, keys, _ = sealed
    (tmp_path / "keys.db").rename(tmp_path / "elsewhere")
    keys._looked_at_s -= LOOK_EVERY_S
    with pytest.raises(Recoverable):
        door(door.write(NOTE))
    (tmp_path / "elsewhere").rename(tmp_path / "keys.db")
    assert len(door(door.write(NOTE))) == 1
