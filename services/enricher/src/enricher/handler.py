"""Records in, records out: entity events to their codes, and codes of older tables to those of ours.

A record is coded by the mentions that stand in it and by nothing else, so that reading it again gives the same bytes again.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from contracts.identity import note_key
from contracts.records import EntitiesCoded, EntitiesExtracted, EntityLabel, FhirDocumentMade
from contracts.wire import WireError
from runtime.kafka.deadletter import DeadLetterBudget, dead_letter, header
from runtime.kafka.records import InputRecord, OutputRecord
from runtime.service.metrics import Metrics

from enricher.documents import Documents
from enricher.domain.coding import NoteCoder, count
from enricher.metrics import MENTIONS, NEWER_SERIAL, RECODED

STAGE = "enricher"
TABLE_SERIAL = "rxtract.table-serial"
"""The header that says by which tables a record was coded, so that most need not be decoded to know."""
RECODED_FROM = "rxtract.recoded-from"
"""The header of a record that was made of one of older tables: their serial. It is not coded anew itself, the other one is."""


@dataclass(frozen=True, slots=True)
class Codecs:
    """How records become bytes and back."""

    extracted: Callable[[bytes | None], EntitiesExtracted]
    coded: Callable[[bytes | None], EntitiesCoded]
    write: Callable[[EntitiesCoded], bytes]
    write_document: Callable[[FhirDocumentMade], bytes] | None = None
    """None: no documents are asked for."""


class Publishing:
    """Makes records of codes, and counts.

    Args:
        coder: The tables.
        write: To bytes.
        topic: Full name of the topic of codes.
        metrics: Built from `enricher.metrics.METRICS`.
    """

    def __init__(self, coder: NoteCoder, write: Callable[[EntitiesCoded], bytes], topic: str, metrics: Metrics) -> None:
        self.serial = coder.serial
        self._coder = coder
        self._write = write
        self._topic = topic
        self._mentions = metrics.counter(MENTIONS)
        self._counted: Counter[tuple[EntityLabel, str]] = Counter()
        self._serial_header = (TABLE_SERIAL, str(coder.serial).encode())

    def coded(self, event: EntitiesExtracted | EntitiesCoded) -> EntitiesCoded:
        """Return an event's codes."""
        return self._coder.coded(event)

    def record(self, made: EntitiesCoded, recoded_from: int | None = None) -> OutputRecord:
        """Return the record of codes.

        Raises:
            WireError: It would be too large.
        """
        value = self._write(made)
        count(made, self._counted)
        headers = [self._serial_header]
        if recoded_from is not None:
            headers.append((RECODED_FROM, str(recoded_from).encode()))
        return OutputRecord(self._topic, note_key(made.source, made.note_id).encode(), value, tuple(headers))

    def tell(self) -> None:
        """Show what was counted since the last time: once a batch, since a metric costs as much as a mention."""
        for (label, result), mentions in self._counted.items():
            self._mentions.labels(label.value, result).inc(mentions)
        self._counted.clear()


class CodingHandler:
    """The handler of ``entities.extracted.v1``.

    Args:
        read: From bytes to an event.
        publishing: Makes the records.
        budget: Stops us when too many records are refused: they are our own, so it is we who are wrong.
        documents: Makes FHIR documents; None: none are asked for.
    """

    def __init__(
        self,
        read: Callable[[bytes | None], EntitiesExtracted],
        publishing: Publishing,
        budget: DeadLetterBudget,
        documents: Documents | None = None,
    ) -> None:
        self._read = read
        self._publishing = publishing
        self._budget = budget
        self._documents = documents

    def __call__(self, records: Sequence[InputRecord]) -> Sequence[OutputRecord]:
        """For each input, in order, its codes and perhaps its documents, or a dead letter.

        An event whose documents cannot be made has its codes all the same, and a dead letter beside them.

        Raises:
            BudgetExceeded: Too many records were refused.
        """
        outputs: list[OutputRecord] = []
        dead = [self._handle(record, outputs) for record in records]
        self._budget.count_all(dead)
        self._publishing.tell()
        if self._documents is not None:
            self._documents.tell()
        return outputs

    def _handle(self, record: InputRecord, outputs: list[OutputRecord]) -> bool:
        """Add what comes of a record, and return whether it is refused."""
        origin = source = None
        try:
            event = self._read(record.value)
            origin, source = event.origin, event.source
            coded = self._publishing.coded(event)
            outputs.append(self._publishing.record(coded))
            if self._documents is not None:
                outputs += self._documents.of(event, coded)
        except WireError as error:
            outputs.append(
                dead_letter(record, error.reason, STAGE, schema_id=error.schema_id, origin=origin, source=source)
            )
            return True
        return False


class RecodingHandler:
    """The handler of ``entities.coded.v1``: what older tables coded is coded anew, at a bounded rate.

    What was coded anew already is passed over, as are records of our own tables and of newer ones; so each event is coded once by each
    set of tables, also where a replica of before writes beside us.

    Args:
        read: From bytes to a record of codes.
        publishing: Makes the records.
        pace: Called with the number of records that are to be written next; returns when they may be.
        metrics: Built from `enricher.metrics.METRICS`.
        budget: Stops us when too many records are refused.
    """

    def __init__(
        self,
        read: Callable[[bytes | None], EntitiesCoded],
        publishing: Publishing,
        pace: Callable[[int], object],
        *,
        metrics: Metrics,
        budget: DeadLetterBudget,
    ) -> None:
        self._read = read
        self._publishing = publishing
        self._pace = pace
        self._recoded = metrics.counter(RECODED)
        self._newest = metrics.gauge(NEWER_SERIAL)
        self._newest_serial = publishing.serial
        self._newest.set(publishing.serial)
        self._budget = budget

    def __call__(self, records: Sequence[InputRecord]) -> Sequence[OutputRecord]:
        """One output for each input that is to be coded anew or cannot be read.

        Raises:
            BudgetExceeded: Too many records were refused.
        """
        outputs: list[OutputRecord] = []
        dead: list[bool] = []
        coded = 0
        for record in records:
            if self._is_done(record):
                continue
            try:
                event = self._read(record.value)
                if event.table_serial < self._publishing.serial:
                    outputs.append(self._publishing.record(self._publishing.coded(event), event.table_serial))
                    coded += 1
                dead.append(False)
            except WireError as error:
                dead.append(True)
                outputs.append(dead_letter(record, error.reason, STAGE, schema_id=error.schema_id))
        self._budget.count_all(dead)
        self._publishing.tell()
        self._recoded.inc(coded)
        if outputs:
            self._pace(len(outputs))
        return outputs

    def _is_done(self, record: InputRecord) -> bool:
        """Whether its headers say that there is nothing to do."""
        if not record.headers:
            return False
        serial = _number(header(record.headers, TABLE_SERIAL))
        if serial > self._newest_serial:
            self._newest_serial = serial
            self._newest.set(serial)
        return serial >= self._publishing.serial or header(record.headers, RECODED_FROM) is not None


def _number(value: bytes | None) -> int:
    return int(value) if value is not None and value.isdigit() and len(value) < 20 else 0
