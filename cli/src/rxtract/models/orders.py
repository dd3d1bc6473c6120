"""Orders to the trainer and its answers: a ModelCommand is published, and the events about it are followed to the end.

Only the trainer moves aliases. So that no order is left lying where nobody reads it, a trainer is looked for first.
"""

from __future__ import annotations

import time
import uuid
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient
from contracts.records import ModelAction, ModelCommand, ModelEventKind
from contracts.registry import ConfluentRegistry
from contracts.segments import ALL_NOTES
from contracts.topics import MODEL_COMMANDS, MODEL_EVENTS, dlq_of, prefixed
from contracts.wire import Serializer
from runtime.kafka.delivery import DeliveryProducer
from runtime.kafka.records import OutputRecord
from runtime.service.clock import now_ms

from rxtract.errors import UserError
from rxtract.kafka import client_config
from rxtract.reading import TopicReader

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from contracts.records import ModelEvent
    from runtime.kafka.seen import Seen

    from rxtract.addresses import StackAddresses

TRAINER_GROUP = "rxtract-trainer"
DELIVERY_TIMEOUT_S = 30.0
ADMIN_TIMEOUT_S = 10.0
LOOK_EVERY_S = 0.5
SEGMENT_NAMES = frozenset({"city", "specialty"})


class Outcome(StrEnum):
    """How an order ended."""

    DONE = "DONE"
    REJECTED = "REJECTED"
    FAILED = "FAILED"
    AWAITS_APPROVAL = "AWAITS_APPROVAL"
    DEFERRED = "DEFERRED"
    TIMED_OUT = "TIMED_OUT"


@dataclass(slots=True)
class Answer:
    """What became of an order: its outcome, the events about it in their order, and why."""

    command_id: str
    outcome: Outcome
    events: list[ModelEvent] = field(default_factory=list)
    reasons: tuple[str, ...] = ()

    @property
    def last(self) -> ModelEvent | None:
        """The event that ended it, if one came."""
        return self.events[-1] if self.events else None

    def to_dict(self) -> dict[str, Any]:
        """Return it as the JSON object of `--json`."""
        return {
            "command_id": self.command_id,
            "outcome": str(self.outcome),
            "reasons": list(self.reasons),
            "events": [event.to_dict() for event in self.events],
        }


_ENDS = {
    ModelEventKind.PROMOTED: Outcome.DONE,
    ModelEventKind.ROLLED_BACK: Outcome.DONE,
    ModelEventKind.REJECTED: Outcome.REJECTED,
    ModelEventKind.TRAINING_FAILED: Outcome.FAILED,
    ModelEventKind.TRAINING_DEFERRED: Outcome.DEFERRED,
    ModelEventKind.APPROVAL_AWAITED: Outcome.AWAITS_APPROVAL,
}


class Conversation:
    """Takes the records of the event topic (and the commands' dead letters) and says when the order has ended."""

    def __init__(self, command: ModelCommand) -> None:
        self._command = command
        self._followed = {command.command_id}
        self.events: list[ModelEvent] = []

    def take(self, seen: Seen) -> Answer | None:
        """Return the answer once it is known."""
        record = seen.record
        if record is None or record.command_id not in self._followed:
            return None
        if isinstance(record, ModelCommand):
            reason = seen.header("rxtract.reason") or "no reason"
            reason_given = f"the trainer refused the order ({reason}): `rxtract dlq list {MODEL_COMMANDS}` shows it"
            return self._answer(Outcome.REJECTED, (reason_given,))
        if record.event_id in {event.event_id for event in self.events}:
            return None
        self.events.append(record)
        if record.kind is ModelEventKind.MERGED_INTO and record.merged_into:
            self._followed.add(record.merged_into)
            return None
        outcome = _ENDS.get(record.kind)
        return None if outcome is None else self._answer(outcome, tuple(record.reasons))

    def timed_out(self, seconds: float) -> Answer:
        """Return the answer where none came in time."""
        reason_given = f"no end within {seconds:.0f} s; the order stands, its events come on {MODEL_EVENTS}"
        return self._answer(Outcome.TIMED_OUT, (reason_given,))

    def _answer(self, outcome: Outcome, reasons: tuple[str, ...]) -> Answer:
        return Answer(self._command.command_id, outcome, list(self.events), reasons)


def checked_segment(segment: str | None) -> str | None:
    """Return the key of a segment as it was given.

    Raises:
        UserError: It is none.
    """
    if segment is None or segment == ALL_NOTES:
        return segment
    names = [
        name for name, _, value in (part.partition("=") for part in segment.split("|")) if value and "=" not in value
    ]
    if len(names) != len(segment.split("|")) or len(set(names)) != len(names) or not set(names) <= SEGMENT_NAMES:
        raise UserError(
            f'--segment {segment!r} is no key of a segment: give city=Pune, specialty=cardiology, or both as "city=Pune|specialty=cardiology"'
        )
    return segment


def new_command(action: ModelAction, model_name: str, requested_by: str, **more: Any) -> ModelCommand:
    """Return an order of an operator. Each call is an order of its own."""
    given = {"reason": "operator", "target_version": None, "champion_version": None, "segment": None, **more}
    return ModelCommand(
        command_id=str(uuid.uuid4()),
        action=action,
        model_name=model_name,
        requested_by=requested_by,
        requested_at=now_ms(),
        **given,
    )


def carry_out(
    addresses: StackAddresses,
    command: ModelCommand,
    *,
    trainer_timeout_s: float,
    timeout_s: float,
    say: Callable[[str], None] = lambda _: None,
    group: str = TRAINER_GROUP,
) -> Answer:
    """Publish an order and follow its events to the end.

    Raises:
        UserError: Kafka, the registry or a trainer does not answer; nothing was ordered then.
    """
    addresses.need("bootstrap_servers", "schema_registry_url")
    await_trainer(addresses, group, trainer_timeout_s, say)
    conversation = Conversation(command)
    deadline = time.monotonic() + timeout_s
    for seen in _after_publishing(addresses, command, lambda: time.monotonic() > deadline, say):
        known = len(conversation.events)
        answer = conversation.take(seen)
        for event in conversation.events[known:]:
            say(describe(event))
        if answer is not None:
            return answer
    return conversation.timed_out(timeout_s)


def await_trainer(
    addresses: StackAddresses, group: str, timeout_s: float, say: Callable[[str], None] = lambda _: None
) -> None:
    """Return when a trainer is in its group.

    Raises:
        UserError: none is within the time.
    """
    admin = AdminClient({**client_config(addresses, "rxtract-cli"), "log_level": 0})
    deadline = time.monotonic() + timeout_s
    announced = False
    while (members := _members(admin, group)) in (None, 0):
        if time.monotonic() > deadline:
            raise UserError(_nobody(addresses, group, timeout_s, asked=members is not None))
        if not announced:
            say("waiting for a trainer to be there")
            announced = True
        time.sleep(LOOK_EVERY_S)


def _nobody(addresses: StackAddresses, group: str, timeout_s: float, *, asked: bool) -> str:
    if not asked:
        return f"no answer from Kafka at {addresses.bootstrap_servers} within {timeout_s:.0f} s: `rxtract doctor` says what answers"
    return (
        f"no trainer answers: the consumer group {group} has had no member for {timeout_s:.0f} s; "
        "start one (`rxtract up`) and try again; nothing was ordered"
    )


def describe(event: ModelEvent) -> str:
    """Return an event as one line for people."""
    version = f" version {event.model_version}" if event.model_version else ""
    parts = [f"{event.kind.lower().replace('_', ' ')}:{version or ' ' + event.model_name}"]
    if event.serial is not None:
        parts.append(f"serial {event.serial}")
    if event.previous_version:
        parts.append(f"before it version {event.previous_version}")
    if event.missing_labels:
        parts.append(f"{event.missing_labels} labelled notes are missing; it goes on by itself when they are there")
    if event.merged_into:
        parts.append(f"taken over by the open run {event.merged_into}")
    return ", ".join(parts)


def publish(addresses: StackAddresses, command: ModelCommand) -> None:
    """Publish an order and wait until the broker has it."""
    topic = prefixed(addresses.topic_prefix, MODEL_COMMANDS)
    serialize = Serializer.for_topic(ModelCommand, ConfluentRegistry(addresses.schema_registry_url), topic)
    producer = DeliveryProducer(client_config(addresses, "rxtract-cli"))
    try:
        producer.send([OutputRecord(topic, command.model_name.encode(), serialize(command))]).wait(DELIVERY_TIMEOUT_S)
    finally:
        producer.close(DELIVERY_TIMEOUT_S)


def _after_publishing(
    addresses: StackAddresses, command: ModelCommand, until: Callable[[], bool], say: Callable[[str], None]
) -> Iterator[Seen]:
    """Yield what comes on the event topic from before the order on, so that no answer is missed."""
    topics = [prefixed(addresses.topic_prefix, name) for name in (MODEL_EVENTS, dlq_of(MODEL_COMMANDS))]
    publish(addresses, command)
    say(f"{command.action.lower()} ordered ({command.command_id}); waiting for the trainer's events")
    # from the start: the topic is small, and an answer that came between the order and the reading is not missed
    yield from TopicReader(addresses).read(topics, follow=True, until=until)


def _members(admin: AdminClient, group: str) -> int | None:
    """Return how many are in the group; None while the broker gives no answer (a coordinator may only be starting)."""
    try:
        described = admin.describe_consumer_groups([group], request_timeout=ADMIN_TIMEOUT_S)[group].result()
    except KafkaException as error:
        return 0 if error.args[0].name() == "GROUP_ID_NOT_FOUND" else None
    return len(described.members)
