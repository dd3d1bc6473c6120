"""What the HTTP door does with the notes of one request, apart from HTTP itself."""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from operator import attrgetter

from contracts.reasons import Reason
from contracts.records import NoteAccepted, NoteSubmitted, Origin
from contracts.wire import WireError
from runtime.deadletter import dead_letter
from runtime.delivery import DeliveryProducer
from runtime.errors import Rejected
from runtime.metrics import Metrics
from runtime.records import Headers, InputRecord, OutputRecord
from runtime.tracing import Spans, request

from ingestor.adapters.results import FirstResults, key_of
from ingestor.domain.acceptance import Acceptance, Refused
from ingestor.domain.rules import Violation
from ingestor.http.bodies import MAX_FAULTS, FieldError, Item, NoteResult
from ingestor.metrics import HTTP_WAITING, NOTES_ACCEPTED, NOTES_REFUSED, NOTES_REPEATED

DOOR = "http"
STAGE = "ingestor-http"
_content_of = attrgetter(*(field.name for field in fields(NoteSubmitted)))


class IdempotencyConflict(Exception):
    """The Idempotency-Key was used before, with another body."""


@dataclass(frozen=True, slots=True)
class Sender:
    """Who sent a request, under which Idempotency-Key, with the digest of its body and the trace it belongs to."""

    client: str
    idempotency_key: str | None
    body_digest: str
    traceparent: str | None = None


@dataclass(slots=True)
class Queue:
    """Notes that wait for the broker's report; bounded, and no client may take more than half of it.

    Attributes:
        max_notes: Most notes that may wait.
    """

    max_notes: int
    waiting: dict[str, int] = field(default_factory=dict)

    @contextmanager
    def place_for(self, client: str, notes: int) -> Iterator[None]:
        """Take places for as long as the context lasts.

        Raises:
            Rejected: There are not enough.
        """
        mine = self.waiting.get(client, 0)
        # A client that is alone in an empty queue is always served, however long its array.
        if mine and (mine + notes > self.max_notes // 2 or sum(self.waiting.values()) + notes > self.max_notes):
            raise Rejected("the queue is full")
        if not mine and self.waiting and sum(self.waiting.values()) + notes > self.max_notes:
            raise Rejected("the queue is full")
        self.waiting[client] = mine + notes
        try:
            yield
        finally:
            left = self.waiting[client] - notes
            if left:
                self.waiting[client] = left
            else:
                del self.waiting[client]


@dataclass(frozen=True, slots=True)
class _Judged:
    """A note that is to be sent: where it stands in the request, the record, and what makes it the same again."""

    index: int
    accepted: NoteAccepted
    output: OutputRecord
    key: str
    digest: str


@dataclass(frozen=True, slots=True)
class _Refusal:
    """A note that is not legal: where it stands in the request, and why, at least one fault."""

    index: int
    item: Item
    faults: Sequence[Violation]

    @property
    def reason(self) -> Reason:
        return self.faults[0].reason


class Intake:
    """Judges, deduplicates and publishes the notes of a request.

    Args:
        acceptance: The judge, the same as at the Kafka door.
        write: From an accepted note to bytes.
        producer: Belongs to the event loop's thread.
        topic: Full name of the topic of accepted notes.
        submitted_topic: Full name of the topic of submitted notes, whose dead letters hold refused notes of both doors.
        first_results: What earlier requests became.
        delivery_timeout_s: How long the broker may take to acknowledge.
        spans: Makes a span of each request; None: no tracing.
    """

    def __init__(
        self,
        acceptance: Acceptance,
        write: Callable[[NoteAccepted], bytes],
        producer: DeliveryProducer,
        topic: str,
        submitted_topic: str,
        first_results: FirstResults,
        queue: Queue,
        metrics: Metrics,
        clock: Callable[[], int],
        delivery_timeout_s: float,
        spans: Spans | None = None,
    ) -> None:
        self._acceptance = acceptance
        self._write = write
        self._producer = producer
        self._topic = topic
        self._submitted_topic = submitted_topic
        self._first_results = first_results
        self._queue = queue
        self._metrics = metrics
        self._clock = clock
        self._delivery_timeout_s = delivery_timeout_s
        self._spans = spans

    async def take(self, items: Sequence[Item], sender: Sender) -> list[NoteResult]:
        """Take the notes of one request. When this returns, the broker has acknowledged every accepted one.

        Raises:
            Rejected: Too much is waiting; nothing counts as accepted, sending again is harmless.
            DeliveryFailed: The broker did not acknowledge in time; nothing counts as accepted, sending again is harmless.
            IdempotencyConflict: The Idempotency-Key belongs to another body.
        """
        with self._queue.place_for(sender.client, len(items)):
            waiting = self._metrics.gauge(HTTP_WAITING)
            waiting.inc(len(items))
            try:
                with request(self._spans, sender.traceparent) as headers:
                    return await self._take(items, sender, headers)
            finally:
                waiting.dec(len(items))

    async def _take(self, items: Sequence[Item], sender: Sender, headers: Headers) -> list[NoteResult]:
        outcomes = [self._judge(index, item, sender) for index, item in enumerate(items)]
        judged = [outcome for outcome in outcomes if isinstance(outcome, _Judged)]
        refusals = [outcome for outcome in outcomes if isinstance(outcome, _Refusal)]
        results = {result.index: result for result in _refused(refusals)}
        letters = [self._letter(refusal) for refusal in refusals]
        fresh = await self._drop_repeated(judged, sender, results)
        await self._deliver([*(note.output._replace(headers=headers) for note in fresh), *letters])
        if fresh:
            await self._first_results.remember(_memories(fresh, sender))
        for note in fresh:
            results[note.index] = _accepted(note, "accepted", note.accepted.accepted_at)
        self._count(fresh, refusals, list(results.values()), sender)
        return [results[index] for index in range(len(items))]

    async def keep_unreadable(self, body: bytes, reason: Reason) -> None:
        """Keep a body that is no JSON of ours as a dead letter; returns when the broker has it.

        Raises:
            Rejected, DeliveryFailed: as `take`.
        """
        await self._deliver([self._dead(body, None, reason)])

    async def _deliver(self, outputs: Sequence[OutputRecord]) -> None:
        if outputs:
            # A local queue that is full is answered at once: the client waits better than this thread.
            await self._producer.send(outputs, enqueue_timeout_s=0).done(self._delivery_timeout_s)

    def _letter(self, refusal: _Refusal) -> OutputRecord:
        """The dead letter of a refused note: what was sent, as JSON, under the first of its reasons."""
        item = refusal.item
        key = item.note_id.encode() if item.note_id is not None else None
        return self._dead(item.source_bytes(), key, refusal.reason, item.origin)

    def _dead(self, value: bytes, key: bytes | None, reason: Reason, origin: Origin | None = None) -> OutputRecord:
        headers = (("content-type", b"application/json"),)
        never_on_the_topic = -1
        record = InputRecord(
            self._submitted_topic, never_on_the_topic, never_on_the_topic, self._clock(), key, value, headers
        )
        return dead_letter(record, reason, STAGE, origin=origin)

    def _judge(self, index: int, item: Item, sender: Sender) -> _Judged | _Refusal:
        if item.note is None:
            return _Refusal(index, item, item.faults)
        try:
            accepted = self._acceptance.accept(item.note, producer=sender.client, now_ms=self._clock())
            output = OutputRecord(self._topic, accepted.note_id.encode(), self._write(accepted))
        except Refused as refused:
            return _Refusal(index, item, refused.violations)
        except WireError as error:
            return _Refusal(index, item, [Violation("", error.reason)])
        if sender.idempotency_key is not None:
            key = key_of(sender.client, "idempotency-key", sender.idempotency_key, str(index))
            return _Judged(index, accepted, output, key, sender.body_digest)
        key = key_of(sender.client, "note", accepted.note_id, str(accepted.revision))
        return _Judged(index, accepted, output, key, key_of(repr(_content_of(item.note))))

    async def _drop_repeated(
        self, judged: Sequence[_Judged], sender: Sender, results: dict[int, NoteResult]
    ) -> list[_Judged]:
        """Answer what was accepted before, in this request or an earlier one; return the rest."""
        request_key = _request_key(sender)
        found = await self._first_results.find([request_key, *(note.key for note in judged)])
        if found[0] is not None and _recall(found[0])[0] != sender.body_digest:
            raise IdempotencyConflict
        known = {note.key: _recall(value) for note, value in zip(judged, found[1:], strict=True) if value is not None}
        fresh = []
        for note in judged:
            first = known.get(note.key)
            if first is None:
                known[note.key] = (note.digest, note.accepted.accepted_at)
                fresh.append(note)
            elif first[0] == note.digest:
                results[note.index] = _accepted(note, "duplicate", first[1])
            else:
                results[note.index] = NoteResult(index=note.index, note_id=note.accepted.note_id, status="conflict")
        return fresh

    def _count(
        self, fresh: Sequence[_Judged], refusals: Sequence[_Refusal], results: Sequence[NoteResult], sender: Sender
    ) -> None:
        self._metrics.counter(NOTES_ACCEPTED).labels(DOOR, sender.client).inc(len(fresh))
        for refusal in refusals:
            self._metrics.counter(NOTES_REFUSED).labels(DOOR, sender.client, refusal.reason).inc()
        for result in results:
            if result.status in {"duplicate", "conflict"}:
                self._metrics.counter(NOTES_REPEATED).labels(result.status).inc()


def body_digest(body: bytes) -> str:
    """What tells two bodies apart."""
    return hashlib.sha256(body).hexdigest()


def _request_key(sender: Sender) -> str:
    return key_of(sender.client, "request", sender.idempotency_key or sender.body_digest)


def _memories(fresh: Sequence[_Judged], sender: Sender) -> dict[str, str]:
    memories = {note.key: f"{note.digest}:{note.accepted.accepted_at}" for note in fresh}
    if sender.idempotency_key is not None:
        memories[_request_key(sender)] = f"{sender.body_digest}:0"
    return memories


def _recall(memory: str) -> tuple[str, int]:
    digest, _, accepted_at = memory.partition(":")
    return digest, int(accepted_at)


def _accepted(note: _Judged, status: str, accepted_at: int) -> NoteResult:
    return NoteResult.model_construct(
        index=note.index, note_id=note.accepted.note_id, status=status, accepted_at=accepted_at, errors=[]
    )


def _refused(refusals: Sequence[_Refusal]) -> Iterator[NoteResult]:
    """The results of refused notes. As far as one answer names faults, each note has its first named before any has its second."""
    left = max(0, MAX_FAULTS - len(refusals))
    for place, refusal in enumerate(refusals):
        more = min(left, len(refusal.faults) - 1)
        left -= more
        named = refusal.faults[: more + (place < MAX_FAULTS)]
        errors = [FieldError(field=fault.field, reason=fault.reason, message=fault.reason.sentence) for fault in named]
        yield NoteResult(
            index=refusal.index,
            note_id=refusal.item.note_id,
            status="refused",
            errors=errors,
            more_errors=len(refusal.faults) - len(named),
        )
