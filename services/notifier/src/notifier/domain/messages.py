"""What a source is told of a note: the body of a delivery, and its identity."""

import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from contracts.identity import split_note_key
from contracts.reasons import Reason
from contracts.records import DeliveryKind, EntitiesExtracted, Origin, WebhookDelivery
from runtime.kafka.deadletter import REASON, header, origin_of
from runtime.kafka.records import InputRecord

_PLACES = uuid.uuid5(uuid.NAMESPACE_DNS, "webhooks.rxtract.behealthy.in")
"""Fixed for ever: a refusal that is told again has the identity that it had."""
TYPES = {DeliveryKind.EXTRACTED: "note.extracted", DeliveryKind.REFUSED: "note.refused"}
Place = tuple[str, int, int]


@dataclass(frozen=True, slots=True)
class Message:
    """One outcome of one note.

    Attributes:
        delivery: As it lies on the topic of deliveries where it cannot be delivered.
        body: What is posted.
        origin: Of the note; None where a refused note could not say.
        place: Topic, partition and offset of the record that it was made of.
    """

    delivery: WebhookDelivery
    body: bytes
    origin: Origin | None
    place: Place


def of_event(event: EntitiesExtracted, record: InputRecord) -> Message:
    """What a model found."""
    data = event.to_dict()
    for name in ("encryption_key_id", "sealed", "patient_ref", "pseudonym_key_id", "event_id"):
        data.pop(name, None)
    words = {one["entity_id"]: one["text"] for one in data["entities"]}
    for one in data["relations"]:
        one |= {"treatment": words.get(one["treatment_id"], ""), "disease": words.get(one["disease_id"], "")}
    delivery = _delivery(
        event.event_id,
        event.source,
        event.note_id,
        DeliveryKind.EXTRACTED,
        data,
        revision=event.revision,
        record=record,
    )
    return Message(delivery, delivery.body.encode(), event.origin, _place(record))


def of_letter(letter: InputRecord, source: str) -> Message:
    """Why a note was refused. Its text is not repeated: the receiver has it."""
    said = (header(letter.headers, REASON) or b"").decode("ascii", "replace")
    reason = Reason(said) if said in Reason.__members__ else None
    note_id = _note_id(letter.key, source)
    data = {
        "source": source,
        "note_id": note_id,
        "reason": said,
        "message": "" if reason is None else reason.sentence,
        "refused_at": letter.timestamp_ms,
    }
    place = f"{letter.topic} {letter.partition}:{letter.offset}"
    identity = str(uuid.uuid5(_PLACES, place))
    delivery = _delivery(identity, source, note_id or "", DeliveryKind.REFUSED, data, revision=0, record=letter)
    return Message(delivery, delivery.body.encode(), origin_of(letter.headers), _place(letter))


def of_replay(delivery: WebhookDelivery, record: InputRecord) -> Message:
    """What could not be delivered before, byte for byte; a mended one as it was mended."""
    return Message(delivery, delivery.body.encode(), None, _place(record))


def _delivery(
    identity: str,
    source: str,
    note_id: str,
    kind: DeliveryKind,
    data: Mapping[str, Any],
    *,
    revision: int,
    record: InputRecord,
) -> WebhookDelivery:
    moment = datetime.fromtimestamp(record.timestamp_ms / 1000, UTC).isoformat(timespec="milliseconds")
    body = {"type": TYPES[kind], "timestamp": moment.replace("+00:00", "Z"), "data": data}
    return WebhookDelivery(
        delivery_id=identity,
        source=source,
        note_id=note_id,
        revision=revision,
        kind=kind,
        body=json.dumps(body, ensure_ascii=False, separators=(",", ":")),
        occurred_at=record.timestamp_ms,
    )


def _note_id(key: bytes | None, source: str) -> str | None:
    """The note of a letter's key, which its sender may have made as he liked."""
    try:
        named, note_id = split_note_key((key or b"").decode())
    except ValueError:
        return None
    return note_id if named == source else None


def _place(record: InputRecord) -> Place:
    return record.topic, record.partition, record.offset
