"""The two doors for a batch of notes. Both return only when every note of it is settled."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import httpx
from contracts.files import schema_text
from contracts.identity import note_key
from contracts.records import NoteSubmitted
from contracts.registry import ConfluentRegistry, RegistryUnavailable, SchemaNotFound
from contracts.topics import NOTES_SUBMITTED, prefixed, subject_of
from contracts.wire import Serializer, WireError
from runtime.errors import DeliveryFailed, Rejected
from runtime.kafka.delivery import DeliveryProducer
from runtime.kafka.records import OutputRecord

from rxtract.errors import UserError
from rxtract.kafka import client_config

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from rxtract.addresses import StackAddresses

PATIENCE_S = 120.0
"""How long a door that is away or busy is tried before the send gives up; running it again goes on."""

_TOO_LARGE, _BUSY, _AWAY, _UNAUTHENTICATED = 413, 429, 503, 401


@dataclass(frozen=True, slots=True)
class Refusal:
    """A note of the batch that was refused: its place in it, and the reasons."""

    index: int
    errors: list[dict[str, str]]


class Door(Protocol):
    """Where notes are sent."""

    def send(self, notes: Sequence[NoteSubmitted]) -> list[Refusal]:
        """Send a batch; all notes that are not in the answer are stored.

        Raises:
            UserError: the door is closed for good or for too long.
        """

    def close(self) -> None:
        """Give back connections."""


class HttpDoor:
    """POST /v1/notes in arrays. The token says the source: a note that names none ("") gets it, one that names another is refused.

    Args:
        addresses: Needs `ingest_url` and `ingest_token`.
        transport: For tests.
        sleep: Waits so many seconds.
    """

    def __init__(
        self,
        addresses: StackAddresses,
        transport: httpx.BaseTransport | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._client = httpx.Client(
            base_url=addresses.ingest_url,
            headers={"Authorization": f"Bearer {addresses.ingest_token}", "Content-Type": "application/json"},
            timeout=30,
            transport=transport,
        )
        self._sleep = sleep

    def send(self, notes: Sequence[NoteSubmitted]) -> list[Refusal]:
        """See Door. A batch that is too large is halved."""
        answer = self._post(notes)
        if answer.status_code == _TOO_LARGE:
            return self._halve(notes)
        if answer.status_code not in {202, 207, 409, 422} or "results" not in answer.json():
            raise UserError(f"the HTTP door answered {answer.status_code}: is {self._client.base_url} an ingestor?")
        return [
            Refusal(result["index"], result["errors"] or [_conflict()])
            for result in answer.json()["results"]
            if result["status"] in {"refused", "conflict"}
        ]

    def close(self) -> None:
        """See Door."""
        self._client.close()

    def _halve(self, notes: Sequence[NoteSubmitted]) -> list[Refusal]:
        if len(notes) == 1:
            return [Refusal(0, [_error("", "TOO_LARGE", "the note is larger than 1 MiB")])]
        half = len(notes) // 2
        second = self.send(notes[half:])
        return self.send(notes[:half]) + [Refusal(half + refusal.index, refusal.errors) for refusal in second]

    def _post(self, notes: Sequence[NoteSubmitted]) -> httpx.Response:
        """Post until there is an answer about the notes themselves."""
        bodies = [as_body(note) for note in notes]
        content = json.dumps(
            bodies
        ).encode()  # pure ASCII: a lone surrogate reaches the ingestor, which refuses that note alone
        waited_s = 0.0
        while True:
            pause_s, why = 1.0, "cannot be reached"
            try:
                answer = self._client.post("/v1/notes", content=content)
            except httpx.TransportError:
                pass
            else:
                if answer.status_code == _UNAUTHENTICATED:
                    raise UserError("the HTTP door refused the token: set RXTRACT_INGEST_TOKEN or give --stack")
                if answer.status_code not in {_BUSY, _AWAY}:
                    return answer
                pause_s, why = float(answer.headers.get("retry-after", "1")), f"answers {answer.status_code}"
            if waited_s >= PATIENCE_S:
                raise UserError(f"the HTTP door {why}; run the same command again later, it goes on where it was")
            self._sleep(pause_s)
            waited_s += pause_s


class KafkaDoor:
    """Avro records on `notes.submitted.v1`. What the ingestor refuses later is in its dead letters.

    Args:
        addresses: Needs `bootstrap_servers` and `schema_registry_url`.
    """

    def __init__(self, addresses: StackAddresses) -> None:
        self._topic = prefixed(addresses.topic_prefix, NOTES_SUBMITTED)
        try:
            registry = ConfluentRegistry(addresses.schema_registry_url)
            schema_id = registry.lookup(subject_of(self._topic), schema_text(NoteSubmitted.SCHEMA_NAME))
        except SchemaNotFound:
            raise UserError(f"no schema for {self._topic}: run `rxtract schemas apply`") from None
        except RegistryUnavailable as error:
            raise UserError(f"{error}: is {addresses.schema_registry_url} up?") from None
        self._serialize = Serializer(NoteSubmitted, schema_id)
        self._producer = DeliveryProducer(client_config(addresses, "rxtract-send"))

    def send(self, notes: Sequence[NoteSubmitted]) -> list[Refusal]:
        """See Door."""
        refusals: list[Refusal] = []
        outputs: list[OutputRecord] = []
        for index, note in enumerate(notes):
            try:
                key = note_key(note.source, note.note_id).encode()
                outputs.append(OutputRecord(self._topic, key, self._serialize(note)))
            except (WireError, UnicodeEncodeError) as error:
                reason = error.reason if isinstance(error, WireError) else None
                sentence = reason.sentence if reason else "a string holds a lone surrogate"
                refusals.append(Refusal(index, [_error("", reason or "ILLEGAL_CHARACTERS", sentence)]))
        try:
            self._producer.send(outputs).wait(PATIENCE_S)
        except (DeliveryFailed, Rejected) as error:
            raise UserError(f"Kafka: {error}; run the same command again later, it goes on where it was") from None
        return refusals

    def close(self) -> None:
        """See Door."""
        self._producer.close(5)


def as_body(note: NoteSubmitted) -> dict[str, object]:
    """Return a note as the JSON body of the HTTP door: what is null, and a source that is not known, left out."""
    return {
        name: value for name, value in note.to_dict().items() if value is not None and (name, value) != ("source", "")
    }


def _error(field: str, reason: str, message: str) -> dict[str, str]:
    return {"field": field, "reason": str(reason), "message": message}


def _conflict() -> dict[str, str]:
    return _error("note_id", "CONFLICT", "other content was accepted from this source under this note_id and revision")
