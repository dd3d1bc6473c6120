"""What the HTTP door does with the notes of one request, apart from HTTP itself."""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, fields, replace
from operator import attrgetter

from contracts.identity import note_key
from contracts.reasons import Reason
from contracts.records import NoteAccepted, NoteSubmitted, Origin
from contracts.rules import Violation
from contracts.wire import WireError
from runtime.errors import Rejected
from runtime.kafka.deadletter import dead_letter
from runtime.kafka.delivery import DeliveryProducer
from runtime.kafka.records import Headers, InputRecord, OutputRecord
from runtime.kafka.trace_header import TRACEPARENT
from runtime.kafka.tracing import Spans, request
from runtime.service.metrics import Metrics
from runtime.web.client_door import HttpRefusal
from sealing.letters import SealLetter, in_clear
from starlette.requests import Request

from ingestor.adapters.log import AcceptedLog, Place
from ingestor.adapters.results import FirstResults, key_of
from ingestor.domain.acceptance import Acceptance, NoteRefused
from ingestor.http.bodies import MAX_FAULTS, FieldError, Item, NoteResult
from ingestor.metrics import HTTP_WAITING, NOTES_ACCEPTED, NOTES_REFUSED, NOTES_REPEATED

DOOR = "http"
STAGE = "ingestor-http"
MAX_IDEMPOTENCY_KEY_CHARS = 256
_content_of = attrgetter(*(field.name for field in fields(NoteSubmitted)))


class IdempotencyConflict(Exception):
    """The Idempotency-Key was used before, with another body."""


@dataclass(frozen=True, slots=True)
class Sender:
    """Who sent a request, and so the source of its notes; under which Idempotency-Key, with the digest of its body and the trace it belongs to."""

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
class _Memory:
    """A first result: what was stored, when, and its place in the log."""

    digest: str
    accepted_at: int
    mark: str

    @property
    def text(self) -> str:
        """As it is kept."""
        return f"{self.digest}:{self.accepted_at}:{self.mark}"

    @classmethod
    def read(cls, text: str | None) -> "_Memory | None":
        """From what was kept; None for nothing, and for what a release before kept without a place."""
        digest, _, rest = (text or "").partition(":")
        accepted_at, _, mark = rest.partition(":")
        return cls(digest, int(accepted_at), mark) if mark else None


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
        log: Tells whether what they became is still there.
        delivery_timeout_s: How long the broker may take to acknowledge.
        spans: Makes a span of each request; None: no tracing.
        seal_letter: Seals what is refused.
        prepare: Makes the keys of a request's patients at once; None where nothing is sealed.
    """

    def __init__(
        self,
        acceptance: Acceptance,
        write: Callable[[NoteAccepted], bytes],
        producer: DeliveryProducer,
        topic: str,
        *,
        submitted_topic: str,
        first_results: FirstResults,
        log: AcceptedLog,
        queue: Queue,
        metrics: Metrics,
        clock: Callable[[], int],
        delivery_timeout_s: float,
        spans: Spans | None = None,
        seal_letter: SealLetter = in_clear,
        prepare: Callable[[Sequence[str]], object] | None = None,
    ) -> None:
        self._acceptance = acceptance
        self._write = write
        self._producer = producer
        self._topic = topic
        self._submitted_topic = submitted_topic
        self._first_results = first_results
        self._log = log
        self._queue = queue
        self._metrics = metrics
        self._clock = clock
        self._delivery_timeout_s = delivery_timeout_s
        self._spans = spans
        self._seal_letter = seal_letter
        self._prepare = prepare

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
        if self._prepare is not None:
            patients = [self._acceptance.patient_of(item.note) for item in items]
            self._prepare([patient for patient in patients if patient is not None])
        outcomes = [self._judge(index, item, sender) for index, item in enumerate(items)]
        judged = [outcome for outcome in outcomes if isinstance(outcome, _Judged)]
        refusals = [outcome for outcome in outcomes if isinstance(outcome, _Refusal)]
        results = {result.index: result for result in _refused(refusals, sender)}
        letters = [self._letter(refusal, sender) for refusal in refusals]
        fresh = await self._drop_repeated(judged, sender, results)
        places = await self._deliver([*(note.output._replace(headers=headers) for note in fresh), *letters])
        if fresh:
            await self._remember(fresh, places, sender)
        for note in fresh:
            results[note.index] = _accepted(note, "accepted", note.accepted.accepted_at)
        self._count(fresh, refusals, list(results.values()), sender)
        return [results[index] for index in range(len(items))]

    async def keep_unreadable(self, body: bytes, reason: Reason, sender: Sender) -> None:
        """Keep a body that is no JSON of ours as a dead letter; returns when the broker has it.

        Raises:
            Rejected, DeliveryFailed: as `take`.
        """
        await self._deliver([self._seal_letter(self._dead(body, None, reason, sender), None)])

    async def _deliver(self, outputs: Sequence[OutputRecord]) -> Mapping[int, Place]:
        if not outputs:
            return {}
        # A local queue that is full is answered at once: the client waits better than this thread.
        delivery = self._producer.send(outputs, enqueue_timeout_s=0, with_places=True)
        await delivery.done(self._delivery_timeout_s)
        return delivery.places

    async def _remember(self, fresh: Sequence[_Judged], places: Mapping[int, Place], sender: Sender) -> None:
        """Remember what was stored, with its place in the log: without one nobody could tell later whether it is still there."""
        stored = [(note, places[number]) for number, note in enumerate(fresh) if number in places]
        marks = await self._log.marks([place for _, place in stored])
        memories = {
            note.key: _Memory(note.digest, note.accepted.accepted_at, mark)
            for (note, _), mark in zip(stored, marks, strict=True)
            if mark is not None
        }
        if memories and sender.idempotency_key is not None:
            memories[_request_key(sender)] = replace(next(iter(memories.values())), digest=sender.body_digest)
        await self._first_results.remember({key: memory.text for key, memory in memories.items()})

    async def _recall(self, keys: Sequence[str]) -> dict[str, "_Memory"]:
        """First results whose notes the log still holds."""
        found = await self._first_results.find(keys)
        read = {key: memory for key, value in zip(keys, found, strict=True) if (memory := _Memory.read(value))}
        held = await self._log.holds([memory.mark for memory in read.values()])
        return {key: memory for (key, memory), is_held in zip(read.items(), held, strict=True) if is_held}

    def _letter(self, refusal: _Refusal, sender: Sender) -> OutputRecord:
        """The dead letter of a refused note: what was sent, as JSON, under the first of its reasons."""
        item = refusal.item
        key = note_key(sender.client, item.note_id).encode() if item.note_id is not None else None
        patient = self._acceptance.patient_of(item.note)
        return self._seal_letter(self._dead(item.element_bytes(), key, refusal.reason, sender, item.origin), patient)

    def _dead(
        self, value: bytes, key: bytes | None, reason: Reason, sender: Sender, origin: Origin | None = None
    ) -> OutputRecord:
        headers = (("content-type", b"application/json"),)
        never_on_the_topic = -1
        record = InputRecord(
            self._submitted_topic, never_on_the_topic, never_on_the_topic, self._clock(), key, value, headers
        )
        return dead_letter(record, reason, STAGE, origin=origin, source=sender.client)

    def _judge(self, index: int, item: Item, sender: Sender) -> _Judged | _Refusal:
        if item.note is None:
            return _Refusal(index, item, item.faults)
        try:
            accepted = self._acceptance.accept(item.note, now_ms=self._clock())
            note = note_key(accepted.source, accepted.note_id)
            output = OutputRecord(self._topic, note.encode(), self._write(accepted))
        except NoteRefused as refused:
            return _Refusal(index, item, refused.violations)
        except WireError as error:
            return _Refusal(index, item, [Violation("", error.reason)])
        if sender.idempotency_key is not None:
            key = key_of(sender.client, "idempotency-key", sender.idempotency_key, str(index))
            return _Judged(index, accepted, output, key, sender.body_digest)
        key = key_of("note", note, str(accepted.revision))
        return _Judged(index, accepted, output, key, key_of(repr(_content_of(item.note))))

    async def _drop_repeated(
        self, judged: Sequence[_Judged], sender: Sender, results: dict[int, NoteResult]
    ) -> list[_Judged]:
        """Answer what was accepted before, in this request or an earlier one; return the rest."""
        request_key = _request_key(sender)
        known = await self._recall([request_key, *(note.key for note in judged)])
        if request_key in known and known[request_key].digest != sender.body_digest:
            raise IdempotencyConflict
        fresh = []
        for note in judged:
            first = known.get(note.key)
            if first is None:
                known[note.key] = _Memory(note.digest, note.accepted.accepted_at, "")
                fresh.append(note)
            elif first.digest == note.digest:
                results[note.index] = _accepted(note, "duplicate", first.accepted_at)
            else:
                results[note.index] = _conflict(note)
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


def sender_of(request: Request, client: str, body: bytes) -> Sender:
    """Who sent it, and what makes it the same request again.

    Raises:
        HttpRefusal: 422 for an Idempotency-Key that is too long.
    """
    key = request.headers.get("idempotency-key")
    if key is not None and not 0 < len(key) <= MAX_IDEMPOTENCY_KEY_CHARS:
        message = f"Idempotency-Key has 1 to {MAX_IDEMPOTENCY_KEY_CHARS} characters"
        raise HttpRefusal(422, Reason.OUT_OF_RANGE, message)
    return Sender(client, key, body_digest(body), request.headers.get(TRACEPARENT))


def _request_key(sender: Sender) -> str:
    return key_of(sender.client, "request", sender.idempotency_key or sender.body_digest)


def _accepted(note: _Judged, status: str, accepted_at: int) -> NoteResult:
    return NoteResult.model_construct(
        index=note.index,
        source=note.accepted.source,
        note_id=note.accepted.note_id,
        status=status,
        accepted_at=accepted_at,
        errors=[],
    )


def _conflict(note: _Judged) -> NoteResult:
    return NoteResult(index=note.index, source=note.accepted.source, note_id=note.accepted.note_id, status="conflict")


def _refused(refusals: Sequence[_Refusal], sender: Sender) -> Iterator[NoteResult]:
    """The results of refused notes. As far as one answer names faults, each note has its first named before any has its second."""
    left = max(0, MAX_FAULTS - len(refusals))
    for place, refusal in enumerate(refusals):
        more = min(left, len(refusal.faults) - 1)
        left -= more
        named = refusal.faults[: more + (place < MAX_FAULTS)]
        errors = [FieldError(field=fault.field, reason=fault.reason, message=fault.reason.sentence) for fault in named]
        yield NoteResult(
            index=refusal.index,
            source=sender.client,
            note_id=refusal.item.note_id,
            status="refused",
            errors=errors,
            more_errors=len(refusal.faults) - len(named),
        )
