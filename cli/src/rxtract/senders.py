"""The two ways a platform sends notes, for demonstrations and measurements: by HTTP in arrays, and as Avro events.

`rxtract send` has doors of its own (`rxtract.backfill.doors`), which try again and report each refusal.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
from contracts.identity import note_key
from contracts.records import NoteSubmitted
from contracts.registry import ConfluentRegistry
from contracts.topics import NOTES_SUBMITTED, prefixed, subject_of
from contracts.wire import Serializer
from runtime.kafka.delivery import DeliveryProducer
from runtime.kafka.records import OutputRecord

from rxtract.backfill.doors import as_body
from rxtract.kafka import client_config

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rxtract.addresses import StackAddresses

TIMEOUT_S = 30.0


class HttpSender:
    """Sends notes as a platform without Kafka does."""

    def __init__(self, addresses: StackAddresses) -> None:
        headers = {"Authorization": f"Bearer {addresses.ingest_token}"}
        self._client = httpx.Client(base_url=addresses.ingest_url, headers=headers, timeout=TIMEOUT_S)

    def send(self, notes: Sequence[NoteSubmitted]) -> int:
        """Send notes as one array and return the HTTP status."""
        return self._client.post("/v1/notes", json=[as_body(note) for note in notes]).status_code

    def close(self) -> None:
        """Close the connections."""
        self._client.close()


class KafkaSender:
    """Sends notes as a platform with Kafka does."""

    def __init__(self, addresses: StackAddresses) -> None:
        self._topic = prefixed(addresses.topic_prefix, NOTES_SUBMITTED)
        ids = ConfluentRegistry(addresses.schema_registry_url).ids_of_subject(subject_of(self._topic))
        self._serialize = Serializer(NoteSubmitted, max(ids))
        self._producer = DeliveryProducer(client_config(addresses, "platform"))

    def send(self, notes: Sequence[NoteSubmitted]) -> None:
        """Send notes and wait until the broker has them."""
        self.send_raw([(_key(note), self._serialize(note)) for note in notes])

    def send_soon(self, notes: Sequence[NoteSubmitted]) -> None:
        """Send notes without waiting; `close` waits for what is left."""
        self._producer.send([OutputRecord(self._topic, _key(note), self._serialize(note)) for note in notes])

    def send_raw(self, records: Sequence[tuple[bytes, bytes | None]]) -> None:
        """Send bytes as they are, for records that are wrong on purpose."""
        outputs = [OutputRecord(self._topic, key, value) for key, value in records]
        self._producer.send(outputs).wait(TIMEOUT_S)

    def close(self) -> None:
        """Let what is left be delivered."""
        self._producer.close(TIMEOUT_S)


def _key(note: NoteSubmitted) -> bytes:
    return note_key(note.source, note.note_id).encode()
