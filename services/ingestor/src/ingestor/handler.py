"""The Kafka door: submitted notes in, accepted notes or dead letters out. Never stops on bad input."""

import time
from collections.abc import Callable, Sequence

from contracts.identity import note_key
from contracts.records import NoteAccepted, NoteSubmitted
from contracts.wire import WireError
from runtime.deadletter import REASON, dead_letter, header
from runtime.metrics import Metrics
from runtime.records import Headers, InputRecord, OutputRecord

from ingestor.domain.acceptance import Acceptance, Refused
from ingestor.metrics import NOTES_ACCEPTED, NOTES_REFUSED

STAGE = "ingestor"
DOOR = "kafka"
SUBMITTED_AT = "rxtract.submitted"
"""The header of an accepted note that says which submitted record it was made of: partition:offset. A note that came by HTTP has none."""


def now_ms() -> int:
    """UTC milliseconds."""
    return time.time_ns() // 1_000_000


class SubmittedNotes:
    """The handler of ``notes.submitted.v1``.

    Args:
        read: From bytes to a submitted note; raises WireError, or RegistryUnavailable to be waited out.
        write: From an accepted note to bytes.
        acceptance: The judge, the same as at the HTTP door.
        topic: Full name of the topic of accepted notes.
        metrics: Counts by reason.
        clock: UTC milliseconds.
    """

    def __init__(
        self,
        read: Callable[[bytes | None], NoteSubmitted],
        write: Callable[[NoteAccepted], bytes],
        acceptance: Acceptance,
        topic: str,
        metrics: Metrics,
        clock: Callable[[], int] = now_ms,
    ) -> None:
        self._read = read
        self._write = write
        self._acceptance = acceptance
        self._topic = topic
        self._metrics = metrics
        self._clock = clock

    def __call__(self, records: Sequence[InputRecord]) -> Sequence[OutputRecord]:
        """One output for each input, in order."""
        accepted_at = self._clock()
        outputs = [self._handle(record, accepted_at) for record in records]
        self._count(outputs)
        return outputs

    def _handle(self, record: InputRecord, accepted_at: int) -> OutputRecord:
        origin = source = None
        try:
            note = self._read(record.value)
            origin, source = note.origin, note.source
            accepted = self._acceptance.accept(note, now_ms=accepted_at)
            key = note_key(accepted.source, accepted.note_id).encode()
            return OutputRecord(self._topic, key, self._write(accepted), _origin(record))
        except Refused as refused:
            return dead_letter(record, refused.violations[0].reason, STAGE, origin=origin, source=source)
        except WireError as error:
            return dead_letter(record, error.reason, STAGE, schema_id=error.schema_id, origin=origin, source=source)

    def _count(self, outputs: Sequence[OutputRecord]) -> None:
        refused = [output for output in outputs if output.topic != self._topic]
        self._metrics.counter(NOTES_ACCEPTED).labels(DOOR, DOOR).inc(len(outputs) - len(refused))
        for output in refused:
            reason = (header(output.headers, REASON) or b"").decode()
            self._metrics.counter(NOTES_REFUSED).labels(DOOR, DOOR, reason).inc()


def _origin(record: InputRecord) -> Headers:
    return ((SUBMITTED_AT, f"{record.partition}:{record.offset}".encode()),)
