"""Sealing records, and every way in which a sealed record cannot be opened."""

import json
import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest
from contracts import records
from contracts.reasons import Reason
from contracts.records import AnnotationValidated, EntitiesExtracted, NoteAccepted, NoteSubmitted, ReviewRequested
from contracts.wire import WireError
from hypothesis import given
from hypothesis import strategies as st
from runtime.errors import Recoverable, SettingsError
from runtime.kafka.letters import LetterError
from sealing import (
    Grant,
    KeyStoreAway,
    MasterKeyRefused,
    MasterKeys,
    Missing,
    NotReadable,
    PatientKeys,
    SqliteKeyStore,
    open_keys,
    reading,
    seal,
    sealed_again,
    unseal,
    writing,
)
from sealing.keys import LOOK_EVERY_S
from sealing.masters import master_id, new_master, write_masters
from sealing.rotation import back_up, initialise, restore, rotate
from sealing.texts import SEALED_RECORDS, SEPARATOR

EXAMPLES = Path(__file__).parents[3] / "schemas" / "examples"
CLEAR = {
    "NoteAccepted": "notes.accepted.v1",
    "NoteSubmitted": "notes.submitted.v1",
    "EntitiesExtracted": "entities.extracted.v1",
    "ReviewRequested": "review.requested.v1",
    "AnnotationValidated": "annotations.validated.v1",
}


class Clock:
    def __init__(self):
        self.now_s = 0.0

    def __call__(self):
        return self.now_s


@pytest.fixture
def files(tmp_path):
    initialise(tmp_path / "keys.db", tmp_path / "master.key")
    return tmp_path


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def keys(files, clock):
    return PatientKeys(SqliteKeyStore(files / "keys.db"), MasterKeys(files / "master.key"), clock)


def examples(name):
    kind = getattr(records, name)
    return [kind.from_json(path.read_bytes()) for path in sorted((EXAMPLES / CLEAR[name]).glob("*.json"))]


def note(**changes):
    return replace(examples("NoteAccepted")[0], **changes)


def every_word(record):
    words = [getattr(record, "text", ""), getattr(record, "comment", None) or ""]
    for field in ("entities", "predicted_entities"):
        for entity in getattr(record, field, ()):
            words.append(entity.text)
            words += [
                str(value) for value in (entity.prescription.to_dict() if entity.prescription else {}).values() if value
            ]
    return [word for word in words if len(word) > 3]


def test_every_record_that_has_a_sealed_field_is_known():
    with_field = {name for name in dir(records) if "sealed" in getattr(getattr(records, name), "__annotations__", {})}
    assert with_field - SEALED_RECORDS == {
        "DriftWords",  # words of five patients and more: nobody's own
        "DeskChanged",  # a guideline: no patient's
        "EntitiesCoded",  # who makes these three opens nothing: of sealed entities they hold no words
        "FhirDocumentMade",  # and no document is made of them
        "WebhookDelivery",
    }


@pytest.mark.parametrize("name", sorted(CLEAR))
def test_every_example_comes_back_whole_and_shows_no_word_in_between(keys, name):
    assert any(map(every_word, examples(name)))
    for record in examples(name):
        sealed = seal(record, keys)
        shown = json.dumps(sealed.to_dict() | {"sealed": "", "segment": "", "specialty": ""}, ensure_ascii=False)
        assert not [word for word in every_word(record) if json.dumps(word, ensure_ascii=False)[1:-1] in shown]
        assert record.sealed is None
        assert record == type(record).from_dict(record.to_dict())  # the record that was given is as it was
        key_id = sealed.encryption_key_id
        unseal(sealed, keys)
        assert sealed == replace(record, encryption_key_id=key_id)


@given(text=st.text(alphabet=st.characters(codec="utf-8", exclude_characters=SEPARATOR), min_size=1))
def test_any_text_comes_back(tmp_path_factory, text):
    place = tmp_path_factory.getbasetemp() / "any"
    if not place.exists():
        place.mkdir()
        initialise(place / "keys.db", place / "master.key")
    keys = open_keys(place / "keys.db", place / "master.key")
    sealed = seal(note(text=text), keys)
    unseal(sealed, keys)
    assert sealed.text == text


@pytest.mark.parametrize("text", ["a\0b", "\ud800"])
def test_a_text_that_no_door_lets_in_is_refused_not_cut(keys, text):
    with pytest.raises(WireError) as refused:
        seal(note(text=text), keys)
    assert refused.value.reason is Reason.INVALID_RECORD


def test_what_comes_of_a_note_is_sealed_with_the_notes_key(keys):
    first = seal(note(patient_ref="p1"), keys)
    assert seal(note(patient_ref="p1"), keys).encryption_key_id == first.encryption_key_id
    assert seal(note(patient_ref="p2"), keys).encryption_key_id != first.encryption_key_id
    event = replace(examples("EntitiesExtracted")[0], patient_ref="p2", encryption_key_id=first.encryption_key_id)
    assert seal(event, keys).encryption_key_id == first.encryption_key_id


def test_without_a_patient_a_note_has_a_key_of_its_own(keys):
    imported = replace(examples("AnnotationValidated")[0], patient_ref="", encryption_key_id=None)
    other = replace(imported, note_id="another")
    assert seal(imported, keys).encryption_key_id != seal(other, keys).encryption_key_id


def test_a_writer_leaves_the_record_as_it_was_whatever_happens(keys):
    request = next(request for request in examples("ReviewRequested") if request.entities)
    before = request.to_dict()
    writer = writing(lambda record: json.dumps(record.to_dict(), default=repr).encode(), keys)
    assert not [word for word in every_word(request) if json.dumps(word)[1:-1].encode() in writer(request)]
    assert request.to_dict() == before
    with pytest.raises(ZeroDivisionError):
        writing(lambda _: 1 // 0, keys)(request)
    assert request.to_dict() == before
    twice = replace(examples("AnnotationValidated")[0], predicted_entities=request.entities, entities=request.entities)
    before = twice.to_dict()
    writer(twice)
    assert twice.to_dict() == before


def test_what_is_sealed_already_passes_as_it_is(keys):
    sealed = seal(note(), keys)
    assert seal(sealed, keys) is sealed


@pytest.mark.parametrize("place", [0, 1, 12, 13, -1])
def test_a_flipped_bit_is_a_broken_seal(keys, place):
    sealed = seal(note(), keys)
    damaged = bytearray(sealed.sealed)
    damaged[place] ^= 1
    with pytest.raises(WireError) as refused:
        unseal(replace(sealed, sealed=bytes(damaged)), keys)
    assert refused.value.reason is Reason.BROKEN_SEAL


@pytest.mark.parametrize("length", [0, 1, 12, 13, 20])
def test_a_seal_that_was_cut_is_broken(keys, length):
    sealed = seal(note(), keys)
    with pytest.raises(WireError) as refused:
        unseal(replace(sealed, sealed=sealed.sealed[:length]), keys)
    assert refused.value.reason is Reason.BROKEN_SEAL


@pytest.mark.parametrize("changes", [{"note_id": "another"}, {"source": "another"}, {"revision": 9}])
def test_a_seal_of_another_note_is_broken(keys, changes):
    with pytest.raises(WireError) as refused:
        unseal(replace(seal(note(), keys), **changes), keys)
    assert refused.value.reason is Reason.BROKEN_SEAL


def test_a_seal_of_another_kind_of_record_is_broken(keys):
    request = examples("ReviewRequested")[0]
    event = next(e for e in examples("EntitiesExtracted"))
    event = replace(
        event, source=request.source, note_id=request.note_id, revision=request.revision, entities=request.entities
    )
    sealed = seal(event, keys)
    moved = replace(seal(request, keys), sealed=sealed.sealed, encryption_key_id=sealed.encryption_key_id)
    with pytest.raises(WireError) as refused:
        unseal(moved, keys)
    assert refused.value.reason is Reason.BROKEN_SEAL


def test_an_erased_key_is_known_as_erased_within_a_second(files, keys, clock):
    sealed = seal(note(patient_ref="p1"), keys)
    other = seal(note(patient_ref="p2"), keys)
    SqliteKeyStore(files / "keys.db").erase("p1", 1)
    clock.now_s += LOOK_EVERY_S
    with pytest.raises(WireError) as refused:
        unseal(replace(sealed), keys)
    assert refused.value.reason is Reason.ERASED
    unseal(other, keys)
    new = seal(note(patient_ref="p1"), keys)
    assert new.encryption_key_id != sealed.encryption_key_id  # a new visit is a new beginning
    with pytest.raises(WireError):
        seal(note(patient_ref="p1", encryption_key_id=sealed.encryption_key_id), keys)


def test_what_was_asked_before_an_erasure_is_not_remembered_behind_it(files, clock):
    class Slow(SqliteKeyStore):
        before_answer = staticmethod(lambda: None)

        def find(self, key_id):
            found = super().find(key_id)
            self.before_answer()
            return found

    store = Slow(files / "keys.db")
    maker = open_keys(files / "keys.db", files / "master.key")
    sealed = seal(note(patient_ref="p1"), maker)
    keys = PatientKeys(store, MasterKeys(files / "master.key"), clock)

    def meanwhile():
        SqliteKeyStore(files / "keys.db").erase("p1", 1)
        clock.now_s += LOOK_EVERY_S
        keys.for_subject("p2")  # another thread notices the erasure

    store.before_answer = meanwhile
    keys.of(sealed.encryption_key_id)
    with pytest.raises(WireError) as refused:
        unseal(replace(sealed), keys)
    assert refused.value.reason is Reason.ERASED


def test_the_bytes_of_a_destroyed_key_are_nowhere_in_the_files(files, keys):
    store = SqliteKeyStore(files / "keys.db")
    sealed = seal(note(patient_ref="p1"), keys)
    wrapped = store.find(sealed.encryption_key_id).wrapped
    assert wrapped in b"".join(path.read_bytes() for path in files.iterdir())
    store.erase("p1", 1)
    assert wrapped not in b"".join(path.read_bytes() for path in files.iterdir())


def test_a_store_from_another_time_does_not_know_the_key(files, keys, tmp_path):
    back_up(files / "keys.db", tmp_path / "old.db")
    sealed = seal(note(patient_ref="later"), keys)
    older = PatientKeys(SqliteKeyStore(tmp_path / "old.db"), MasterKeys(files / "master.key"))
    with pytest.raises(WireError) as refused:
        unseal(sealed, older)
    assert refused.value.reason is Reason.UNKNOWN_KEY


@pytest.mark.parametrize(
    ("content", "line"),
    [
        ("", "RXTRACT_MASTER_KEY_FILE is empty"),
        ("ab" * 20, "line 1 has 40 digits and needs 64"),
        ("no key", "line 1 is not hexadecimal"),
        ("ab" * 32, "does not hold the master key of this key store"),
    ],
)
def test_a_wrong_or_truncated_master_key_is_one_clear_line(files, content, line):
    (files / "master.key").write_text(content)
    with pytest.raises(MasterKeyRefused) as refused:
        open_keys(files / "keys.db", files / "master.key")
    assert line in str(refused.value)
    assert "\n" not in str(refused.value)
    assert not content or content not in str(refused.value)


@pytest.mark.parametrize(
    ("store", "master"), [(None, "master.key"), ("keys.db", None), ("none.db", "master.key"), ("keys.db", "none")]
)
def test_a_missing_file_is_one_clear_line_and_nothing_is_made(files, store, master):
    with pytest.raises(SettingsError) as refused:
        open_keys(store and files / store, master and files / master)
    assert "RXTRACT_" in str(refused.value)
    assert not (files / "none.db").exists()


def test_a_file_that_is_no_store_is_one_clear_line(files):
    (files / "other.db").write_bytes(b"no database" * 100)
    with pytest.raises(SettingsError, match="is no key store that can be read"):
        SqliteKeyStore(files / "other.db")


def test_a_store_that_went_away_is_waited_for_never_passed_by(files, keys, clock):
    sealed = seal(note(), keys)
    (files / "keys.db").rename(files / "elsewhere.db")
    clock.now_s += LOOK_EVERY_S
    with pytest.raises(KeyStoreAway) as away:
        seal(note(), keys)
    assert isinstance(away.value, Recoverable)
    with pytest.raises(KeyStoreAway):
        unseal(replace(sealed), keys)
    (files / "elsewhere.db").rename(files / "keys.db")
    unseal(sealed, keys)


def test_a_batch_makes_its_keys_at_once_and_two_processes_agree(files, keys):
    other = open_keys(files / "keys.db", files / "master.key")
    mine = keys.prepare([f"p{number % 700}" for number in range(1_400)])
    theirs = other.prepare([f"p{number}" for number in range(701)])
    assert all(mine[subject].key_id == theirs[subject].key_id for subject in mine)
    assert SqliteKeyStore(files / "keys.db").counts() == (701, 0)


def test_a_changed_wrapping_opens_nothing(files, keys):
    sealed = seal(note(patient_ref="p1"), keys)
    with sqlite3.connect(files / "keys.db") as db:
        db.execute("UPDATE keys SET subject = 'another'")
    fresh = open_keys(files / "keys.db", files / "master.key")
    for attempt in (lambda: unseal(sealed, fresh), lambda: seal(note(patient_ref="another"), fresh)):
        with pytest.raises(WireError) as refused:
            attempt()
        assert refused.value.reason is Reason.UNKNOWN_KEY


def test_a_master_key_that_is_taken_away_at_work_is_waited_for(files, keys, clock):
    sealed = seal(note(), keys)
    kept = (files / "master.key").read_text()
    fresh = open_keys(files / "keys.db", files / "master.key")
    rotate(files / "keys.db", files / "master.key")
    new = (files / "master.key").read_text()
    (files / "master.key").write_text(kept)
    with pytest.raises(KeyStoreAway, match="has no master key"):
        unseal(sealed, fresh)
    (files / "master.key").write_text(new)
    unseal(sealed, fresh)


def test_readers_pass_or_refuse_what_they_have_no_keys_for(files, keys):
    write, read = writing(replace, keys), replace
    value = write(note())
    assert value.text == ""
    with pytest.raises(WireError) as refused:
        reading(read, NoteAccepted, None, Missing.REFUSE)(value)
    assert refused.value.reason is Reason.UNKNOWN_KEY
    assert reading(read, NoteAccepted, None)(value) == value
    assert reading(read, NoteAccepted, keys)(value).text == note().text
    SqliteKeyStore(files / "keys.db").erase(note().patient_ref, 1)
    fresh = open_keys(files / "keys.db", files / "master.key")
    assert reading(read, NoteAccepted, fresh)(value) == value
    with pytest.raises(WireError):
        reading(read, NoteAccepted, fresh, Missing.REFUSE)(value)


def test_where_sealing_is_off_the_codecs_are_untouched():
    assert writing(print, None) is print
    assert reading(print, EntitiesExtracted, None) is print
    assert reading(print, records.ModelEvent, None, Missing.REFUSE) is print


def test_rotation_reads_everything_before_and_after_with_the_services_running(files, keys, clock):
    before = seal(note(patient_ref="p1"), keys)
    old = (files / "master.key").read_text().split()
    counted = rotate(files / "keys.db", files / "master.key")
    assert counted == 1
    new = (files / "master.key").read_text().split()
    assert len(new) == 1
    assert new != old
    clock.now_s += LOOK_EVERY_S
    unseal(replace(before), keys)
    after = seal(note(patient_ref="p2"), keys)
    fresh = open_keys(files / "keys.db", files / "master.key")
    for sealed in (before, after):
        unseal(replace(sealed), fresh)
    write_masters(files / "old.key", old)
    with pytest.raises(MasterKeyRefused):
        open_keys(files / "keys.db", files / "old.key")


def test_a_rotation_that_was_cut_off_is_done_by_the_next(files, keys):
    sealed = seal(note(), keys)
    path = files / "master.key"
    write_masters(path, [new_master(), *path.read_text().split()])  # died before the store was told
    unseal(replace(sealed), open_keys(files / "keys.db", path))
    rotate(files / "keys.db", path)
    unseal(sealed, open_keys(files / "keys.db", path))
    assert len(path.read_text().split()) == 1


def test_a_restored_backup_brings_no_erased_patient_back(files, keys, clock):
    kept, erased = seal(note(patient_ref="p1"), keys), seal(note(patient_ref="p2"), keys)
    back_up(files / "keys.db", files / "backup.db")
    SqliteKeyStore(files / "keys.db").erase("p2", 5)
    later = seal(note(patient_ref="p3"), keys)
    done = restore(files / "keys.db", files / "master.key", files / "backup.db")
    assert done == 1
    clock.now_s += LOOK_EVERY_S
    unseal(kept, keys)
    for sealed, reason in ((erased, Reason.ERASED), (later, Reason.UNKNOWN_KEY)):
        with pytest.raises(WireError) as refused:
            unseal(sealed, keys)
        assert refused.value.reason is reason


def test_a_lost_store_is_restored_and_its_journal_repeats_the_erasures(files, keys):
    kept, erased = seal(note(patient_ref="p1"), keys), seal(note(patient_ref="p2"), keys)
    back_up(files / "keys.db", files / "backup.db")
    store = SqliteKeyStore(files / "keys.db")
    store.erase("p2", 5)
    store.close()
    for path in files.glob("keys.db*"):
        if not path.name.endswith(".erasures"):
            path.unlink()
    assert restore(files / "keys.db", files / "master.key", files / "backup.db") == 1
    fresh = open_keys(files / "keys.db", files / "master.key")
    unseal(kept, fresh)
    with pytest.raises(WireError) as refused:
        unseal(erased, fresh)
    assert refused.value.reason is Reason.ERASED


def test_a_backup_of_another_store_or_of_another_master_is_refused(files, keys, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    initialise(other / "keys.db", other / "master.key")
    back_up(other / "keys.db", other / "backup.db")
    with pytest.raises(SettingsError, match="another key store"):
        restore(files / "keys.db", other / "master.key", other / "backup.db")
    with pytest.raises(MasterKeyRefused, match="does not hold the master key"):
        restore(files / "keys.db", files / "master.key", other / "backup.db")


def test_nothing_is_ever_overwritten(files):
    with pytest.raises(SettingsError, match="there already"):
        initialise(files / "keys.db", files / "master.key")
    back_up(files / "keys.db", files / "backup.db")
    with pytest.raises(SettingsError, match="never overwrites"):
        back_up(files / "keys.db", files / "backup.db")


def test_files_are_for_their_owner_alone(files):
    back_up(files / "keys.db", files / "backup.db")
    assert all(path.stat().st_mode & 0o077 == 0 for path in files.iterdir() if path.is_file())


def test_a_downstream_reader_with_a_grant_opens_what_any_avro_client_gives(files, keys):
    grant = Grant(files / "keys.db", files / "master.key")
    event = next(event for event in examples("EntitiesExtracted") if event.entities)
    fields = seal(event, keys).to_dict()
    opened = grant.open("EntitiesExtracted", fields)
    assert [one["text"] for one in opened["entities"]] == [one.text for one in event.entities]
    assert grant.open("EntitiesExtracted", event.to_dict()) == event.to_dict()  # what was never sealed
    with pytest.raises(NotReadable, match="changed") as refused:
        grant.open("EntitiesExtracted", fields | {"note_id": "another"})
    assert refused.value.reason is Reason.BROKEN_SEAL
    with pytest.raises(ValueError, match="holds no text"):
        grant.open("ModelEvent", {})


def test_a_master_keys_name_does_not_give_it_away():
    key = bytes.fromhex(new_master())
    assert master_id(key) not in key.hex()


def test_types_of_records_are_those_of_the_contract():
    kinds = (NoteSubmitted, NoteAccepted, EntitiesExtracted, ReviewRequested, AnnotationValidated)
    assert {kind.SCHEMA_NAME for kind in kinds} == SEALED_RECORDS


def test_what_goes_back_of_a_letter_is_sealed_as_its_topic_wants_it(keys):
    accepted = note(text="c/o fever, mended", encryption_key_id=None)
    sealed = sealed_again(keys)(accepted)
    assert (sealed.text, accepted.text) == ("", "c/o fever, mended")
    unseal(sealed, keys)
    assert sealed.text == "c/o fever, mended"
    submitted = examples("NoteSubmitted")[0]
    assert sealed_again(keys)(submitted) is submitted, "the platform's own topic is in clear"
    assert sealed_again(None)(accepted) is accepted, "nothing is sealed where sealing is off"


def test_a_mended_note_of_another_patient_is_sealed_under_that_ones_key(keys):
    first = seal(note(patient_ref="a" * 32), keys)
    unseal(first, keys)
    again = sealed_again(keys)(replace(first, patient_ref="b" * 32))
    assert again.encryption_key_id == keys.for_subject("b" * 32).key_id != first.encryption_key_id
    assert sealed_again(keys)(first).encryption_key_id == first.encryption_key_id


def test_what_cannot_be_sealed_does_not_go_back_in_clear(keys, clock):
    sealed = seal(note(patient_ref="c" * 32, text="c/o fever"), keys)
    assert sealed_again(keys)(sealed) is sealed
    with pytest.raises(LetterError, match="not opened here"):
        sealed_again(None)(replace(sealed, text="typed beside it"))
    unseal(sealed, keys)
    with pytest.raises(LetterError, match="would go back in clear"):
        sealed_again(None)(sealed)
    with pytest.raises(LetterError, match="never had"):
        sealed_again(keys)(replace(sealed, encryption_key_id="0" * 16))
    keys.store.erase(sealed.patient_ref, 1)
    clock.now_s += LOOK_EVERY_S
    with pytest.raises(LetterError, match="was destroyed"):
        sealed_again(keys)(sealed)
