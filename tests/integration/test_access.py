"""`rxtract access` between real servers: the looks at a patient's notes, and no others."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from contracts.apply import apply_schemas, apply_topics
from contracts.identity import note_key
from contracts.records import AccessAction, AccessLogged, NoteAccepted, Seen
from contracts.registry import ConfluentRegistry
from contracts.topics import ACCESS_LOGGED, NOTES_ACCEPTED, load_topics
from contracts.wire import Serializer
from runtime.kafka.delivery import DeliveryProducer
from runtime.kafka.records import OutputRecord
from runtime.service.pseudonyms import Pseudonyms
from rxtract.app import build
from rxtract.errors import UserError
from typer.testing import CliRunner

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.stack
KEY = b"p" * 32
NAMES = Pseudonyms(KEY)


def note(patient: str, number: int) -> NoteAccepted:
    return NoteAccepted(
        source="clinic", note_id=f"{patient}-{number}", revision=1, prescription_ref="r", patient_ref=NAMES.of("patient", patient),
        doctor_ref="d", city="Pune", specialty="x", written_at=1_790_000_000_000, text="fever", accepted_at=1_790_000_000_000,
    )  # fmt: skip


def look(key: str, person: str, at: int, access_id: str) -> AccessLogged:
    return AccessLogged(
        access_id=access_id, person=person, role="validator", service="review-desk", action=AccessAction.REVIEW,
        note_ref=NAMES.of("note", key), seen=(Seen.TEXT,), at=at, pseudonym_key_id=NAMES.key_id,
    )  # fmt: skip


def typed(*words: str) -> Any:
    return CliRunner().invoke(build(words), list(words))


def test_the_looks_at_a_patients_notes_and_no_others(
    stack: Any, topic_prefix: str, tmp_path: Path, monkeypatch: Any
) -> None:
    addresses = stack.addresses
    config = {"bootstrap.servers": addresses.bootstrap_servers}
    known = load_topics()
    registry = ConfluentRegistry(addresses.schema_registry_url)
    apply_topics(config, known, topic_prefix)
    apply_schemas(registry, topic_prefix)
    (tmp_path / "pseudonym.key").write_bytes(KEY)
    monkeypatch.setenv("RXTRACT_BOOTSTRAP_SERVERS", addresses.bootstrap_servers)
    monkeypatch.setenv("RXTRACT_SCHEMA_REGISTRY_URL", addresses.schema_registry_url)
    monkeypatch.setenv("RXTRACT_TOPIC_PREFIX", topic_prefix)
    monkeypatch.setenv("RXTRACT_PSEUDONYM_KEY_FILE", str(tmp_path / "pseudonym.key"))

    accepted, logged = topic_prefix + NOTES_ACCEPTED, topic_prefix + ACCESS_LOGGED
    write_note = Serializer.for_topic(NoteAccepted, registry, accepted)
    write_look = Serializer.for_topic(AccessLogged, registry, logged)
    notes = [note("P1", 1), note("P1", 2), note("P2", 1)]
    keys = [note_key(one.source, one.note_id) for one in notes]
    looks = [look(keys[0], "asha", 2_000, "b"), look(keys[2], "ravi", 1_500, "c"), look(keys[1], "ravi", 1_000, "a")]
    producer = DeliveryProducer(config)
    records = [OutputRecord(accepted, key.encode(), write_note(one)) for key, one in zip(keys, notes, strict=True)]
    records += [
        OutputRecord(logged, one.person.encode(), write_look(one)) for one in [*looks, looks[0]]
    ]  # one came twice
    producer.send(records).wait(30)
    producer.close(5)

    of_patient = typed("access", "--patient", "P1", "--json")
    assert of_patient.exception is None, of_patient.exception
    rows = [json.loads(line) for line in of_patient.stdout.splitlines()]
    assert [(row["person"], row["note"], row["seen"]) for row in rows] == [
        ("ravi", keys[1], ["TEXT"]),
        ("asha", keys[0], ["TEXT"]),
    ]
    of_note = typed("access", "--note", keys[2])
    assert "ravi (validator)  review-desk REVIEW  clinic|P2-1  TEXT" in of_note.stdout
    unknown = typed("access", "--patient", "P9")
    assert isinstance(unknown.exception, UserError)
    assert "no note of this patient" in str(unknown.exception)
