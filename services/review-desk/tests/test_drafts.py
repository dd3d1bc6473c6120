"""An unfinished correction outlives the page, and no patient's erasure."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import pytest
from contracts.files import example_files
from contracts.identity import note_key
from contracts.records import ReviewRequested
from contracts.topics import REVIEW_REQUESTED
from review_desk.adapters.drafts import Drafts
from review_desk.adapters.store import Store
from review_desk.domain.refusals import Conflict
from review_desk.domain.tasks import Task
from sealing import PatientKeys, SqliteKeyStore, open_keys
from sealing.rotation import initialise

DRAFT = {
    "entities": [{"start": 0, "end": 4, "label": "TREATMENT", "prescription": {"strength": "500 mg"}}],
    "pairs": [],
}
REQUEST = ReviewRequested.from_json(example_files(REVIEW_REQUESTED)[0].read_text("utf-8"))
NOTE = note_key(REQUEST.source, REQUEST.note_id)
TASK = Task(REQUEST.revision, 1, 0, 0, 0, 0.5, "UNCERTAIN", "Pune", "general", 0, double=False)


class Redis:
    """In place of `Store`, and of Redis."""

    def __init__(self) -> None:
        self.kept: dict[str, str] = {}
        self.redis = self

    def key(self, *parts: str) -> str:
        return " ".join(parts)

    def set(self, key: str, value: str, ex: int) -> None:
        assert ex > 0
        self.kept[key] = value

    def get(self, key: str) -> str | None:
        return self.kept.get(key)

    def delete(self, key: str) -> None:
        self.kept.pop(key, None)


@pytest.fixture
def keys(tmp_path: Path) -> PatientKeys:
    initialise(tmp_path / "keys.db", tmp_path / "master.key")
    return open_keys(tmp_path / "keys.db", tmp_path / "master.key")


class Texts:
    """In place of `Requests`."""

    def __init__(self, request: ReviewRequested | None = REQUEST) -> None:
        self.request = request

    def read(self, _partition: int, _offset: int) -> ReviewRequested | None:
        return self.request


def drafts(redis: Redis, keys: PatientKeys | None, texts: Texts | None = None) -> Drafts:
    return Drafts(cast("Store", redis), texts or Texts(), keys)


@pytest.mark.parametrize("sealed", [False, True])
def test_a_draft_comes_back_to_its_person_until_it_is_dropped(keys: PatientKeys, *, sealed: bool) -> None:
    kept = drafts(Redis(), keys if sealed else None)
    kept.save("anna", NOTE, TASK, DRAFT)
    assert kept.read("anna", NOTE, REQUEST) == DRAFT
    assert kept.read("ben", NOTE, REQUEST) is None
    kept.drop("anna", NOTE, REQUEST.revision)
    assert kept.read("anna", NOTE, REQUEST) is None


def test_where_texts_are_sealed_redis_holds_no_word_of_it(keys: PatientKeys) -> None:
    redis = Redis()
    drafts(redis, keys).save("anna", NOTE, TASK, DRAFT)
    [value] = redis.kept.values()
    assert not {word for word in ("500", "strength", "TREATMENT") if word in value}


def test_an_erasure_takes_the_draft_along(keys: PatientKeys, tmp_path: Path) -> None:
    kept = drafts(Redis(), keys)
    kept.save("anna", NOTE, TASK, DRAFT)
    SqliteKeyStore(tmp_path / "keys.db").erase(REQUEST.patient_ref, 1)
    later = open_keys(tmp_path / "keys.db", tmp_path / "master.key")
    other = drafts(cast("Any", kept._redis), later)
    assert other.read("anna", NOTE, REQUEST) is None


@pytest.mark.parametrize("sealed", [False, True])
def test_what_was_kept_before_sealing_was_switched_is_not_shown(keys: PatientKeys, *, sealed: bool) -> None:
    redis = Redis()
    drafts(redis, keys if sealed else None).save("anna", NOTE, TASK, DRAFT)
    assert drafts(redis, None if sealed else keys).read("anna", NOTE, REQUEST) is None


def test_a_draft_of_another_note_does_not_open(keys: PatientKeys) -> None:
    redis = Redis()
    kept = drafts(redis, keys)
    kept.save("anna", NOTE, TASK, DRAFT)
    [(place, value)] = redis.kept.items()
    moved = ReviewRequested.from_dict({**REQUEST.to_dict(), "note_id": "another"})
    redis.kept[place.replace(REQUEST.note_id, "another")] = value
    assert kept.read("anna", NOTE.replace(REQUEST.note_id, "another"), moved) is None


def test_who_was_erased_while_it_was_written_is_not_kept(keys: PatientKeys, tmp_path: Path) -> None:
    name = keys.for_subject(REQUEST.patient_ref).key_id
    request = ReviewRequested.from_dict({**REQUEST.to_dict(), "encryption_key_id": name})
    SqliteKeyStore(tmp_path / "keys.db").erase(REQUEST.patient_ref, 1)
    redis, later = Redis(), open_keys(tmp_path / "keys.db", tmp_path / "master.key")
    with pytest.raises(Conflict, match="its text is gone"):
        drafts(redis, later, Texts(request)).save("anna", NOTE, TASK, DRAFT)
    assert not redis.kept


def test_whose_words_they_are_is_asked_where_they_are_sealed_alone(keys: PatientKeys) -> None:
    redis, gone = Redis(), Texts(None)
    with pytest.raises(Conflict, match="its text is gone"):
        drafts(redis, keys, gone).save("anna", NOTE, TASK, DRAFT)
    drafts(redis, None, gone).save("anna", NOTE, TASK, DRAFT)
    assert drafts(redis, None).read("anna", NOTE, REQUEST) == DRAFT
