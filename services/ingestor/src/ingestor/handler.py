"""The Kafka door: submitted notes in, accepted notes or dead letters out. Never stops on bad input."""

from collections.abc import Callable, Sequence

from contracts.identity import note_key
from contracts.reasons import Reason
from contracts.records import NoteAccepted, NoteSubmitted
from contracts.wire import WireError
from runtime.kafka.deadletter import REASON, dead_letter, header
from runtime.kafka.records import Headers, InputRecord, OutputRecord
from runtime.service.clock import now_ms
from runtime.service.metrics import Metrics
from sealing.letters import SealLetter, in_clear

from ingestor.domain.acceptance import Acceptance, NoteRefused
from ingestor.metrics import NOTES_ACCEPTED, NOTES_REFUSED

STAGE = "ingestor"
DOOR = "kafka"
SUBMITTED_AT = "rxtract.submitted"
"""The header of an accepted note that says which submitted record it was made of: partition:offset. A note that came by HTTP has none."""


class SubmittedNotes:
    """The handler of ``notes.submitted.v1``.

    Args:
        read: From bytes to a submitted note; raises WireError, or RegistryUnavailable to be waited out.
        write: From an accepted note to bytes.
        prepare: Told of a batch's accepted notes before the first of them is written.
        seal_letter: Seals what is refused.
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
        *,
        metrics: Metrics,
        prepare: Callable[[Sequence[NoteAccepted]], None] = lambda _: None,
        seal_letter: SealLetter = in_clear,
        clock: Callable[[], int] = now_ms,
    ) -> None:
        self._read = read
        self._write = write
        self._acceptance = acceptance
        self._topic = topic
        self._metrics = metrics
        self._prepare = prepare
        self._seal_letter = seal_letter
        self._clock = clock

    def __call__(self, records: Sequence[InputRecord]) -> Sequence[OutputRecord]:
        """One output for each input, in order."""
        accepted_at = self._clock()
        judged = [self._judge(record, accepted_at) for record in records]
        self._prepare([note for note in judged if isinstance(note, NoteAccepted)])
        outputs = [
            self._written(record, note) if isinstance(note, NoteAccepted) else note
            for record, note in zip(records, judged, strict=True)
        ]
        self._count(outputs)
        return outputs

    def _judge(self, record: InputRecord, accepted_at: int) -> NoteAccepted | OutputRecord:
        """The accepted note, or the dead letter of what is none."""
        note = None
        try:
            note = self._read(record.value)
            return self._acceptance.accept(note, now_ms=accepted_at)
        except NoteRefused as refused:
            return self._letter(record, refused.violations[0].reason, note)
        except WireError as error:
            return self._letter(record, error.reason, note, error.schema_id)

    def _letter(
        self, record: InputRecord, reason: Reason, note: NoteSubmitted | None, schema_id: int | None = None
    ) -> OutputRecord:
        origin, source = (None, None) if note is None else (note.origin, note.source)
        letter = dead_letter(record, reason, STAGE, schema_id=schema_id, origin=origin, source=source)
        return self._seal_letter(letter, self._acceptance.patient_of(note))

    def _written(self, record: InputRecord, note: NoteAccepted) -> OutputRecord:
        try:
            value = self._write(note)
        except WireError as error:
            letter = dead_letter(
                record, error.reason, STAGE, schema_id=error.schema_id, origin=note.origin, source=note.source
            )
            return self._seal_letter(letter, note.patient_ref)
        return OutputRecord(self._topic, note_key(note.source, note.note_id).encode(), value, _origin(record))

    def _count(self, outputs: Sequence[OutputRecord]) -> None:
        refused = [output for output in outputs if output.topic != self._topic]
        self._metrics.counter(NOTES_ACCEPTED).labels(DOOR, DOOR).inc(len(outputs) - len(refused))
        for output in refused:
            reason = (header(output.headers, REASON) or b"").decode()
            self._metrics.counter(NOTES_REFUSED).labels(DOOR, DOOR, reason).inc()


def _origin(record: InputRecord) -> Headers:
    return ((SUBMITTED_AT, f"{record.partition}:{record.offset}".encode()),)
