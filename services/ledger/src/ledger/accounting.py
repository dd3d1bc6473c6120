"""What each record means for the account. A batch is read whole before any of it counts, so that a registry that is away changes nothing."""

from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from itertools import groupby
from operator import itemgetter

from runtime.service.clock import now_ms

from ledger.adapters.book import ACCEPTED, SUBMITTED, Book, Place
from ledger.adapters.schemas import Schemas
from ledger.domain.identity import HEADER_BYTES, Layout, Unread, place_identity, schema_id_of
from ledger.domain.records import Record, header, number

ORIGIN_HEADER = "rxtract.submitted"
"""Of an accepted note that came by Kafka: partition:offset of the submitted record."""
REPLAYED = "rxtract.replayed"
LETTER_TOPIC = "__streams.errors.topic"
LETTER_PARTITION = "__streams.errors.partition"
LETTER_OFFSET = "__streams.errors.offset"
_AGAIN = "REEXTRACT"
_topic_of = itemgetter(0)


class TopicKind(StrEnum):
    """What a topic is to the ledger."""

    SUBMITTED = "submitted"
    ACCEPTED = "accepted"
    EFFECTS = "effects"
    SUBMITTED_LETTERS = "submitted letters"
    ACCEPTED_LETTERS = "accepted letters"


class Accounting:
    """Takes records of any topic into the book, in the order in which they are given.

    Args:
        book: The account.
        schemas: How records are read.
        roles: What each topic is, by full name.
        on_unread: Called with the topic of an effect or a dead letter that names nothing.
        clock: UTC milliseconds.
    """

    def __init__(
        self,
        book: Book,
        schemas: Schemas,
        roles: Mapping[str, TopicKind],
        on_unread: Callable[[str], None] = lambda _: None,
        *,
        clock: Callable[[], int] = now_ms,
    ) -> None:
        self._book = book
        self._schemas = schemas
        self._roles = roles
        self._topic_of = {role: topic for topic, role in roles.items()}
        self._on_unread = on_unread
        self._clock = clock
        self._layouts: dict[bytes, Layout] = {}

    def __call__(self, records: Sequence[Record]) -> None:
        """Take a batch.

        Raises:
            RegistryUnavailable: Nothing of it was taken.
        """
        runs = [(topic, list(run)) for topic, run in groupby(records, _topic_of)]
        named = [self._names(run) for _, run in runs]
        now = self._clock()
        for (topic, run), names in zip(runs, named, strict=True):
            role = self._roles[topic]
            if role is TopicKind.EFFECTS:
                self._answered(topic, names)
            elif role is TopicKind.SUBMITTED:
                self._submitted(run, names, now)
            elif role is TopicKind.ACCEPTED:
                self._accepted_all(run, names, now)
            else:
                for record, identity in zip(run, names, strict=True):
                    self._refused(record, identity, now)

    def _answered(self, topic: str, names: Sequence[bytes | None]) -> None:
        self._book.answer_all(names)
        for _ in range(names.count(None)):
            self._on_unread(topic)

    def _submitted(self, records: Sequence[Record], names: Sequence[bytes | None], now: int) -> None:
        places = [(SUBMITTED, partition, offset) for _, partition, offset, _, _, _ in records]
        identities = [identity or place_identity(*place) for identity, place in zip(names, places, strict=True)]
        self._book.submit_all(identities, places, [record.at_ms for record in records], now)

    def _accepted_all(self, records: Sequence[Record], names: Sequence[bytes | None], now: int) -> None:
        move_at_once = self._book.move_at_once
        for record, identity in zip(records, names, strict=True):
            _, partition, offset, at_ms, _, headers = record
            if identity is not None and len(headers) == 1 and headers[0][0] == ORIGIN_HEADER:  # nearly always
                origin = _origin(headers[0][1])
                if origin is not None and move_at_once(identity, origin, (ACCEPTED, partition, offset), at_ms):
                    continue
            self._accepted(record, identity, now)

    def _accepted(self, record: Record, identity: bytes | None, now: int) -> None:
        place = (ACCEPTED, record.partition, record.offset)
        named = identity or place_identity(*place)
        headers = record.headers
        alone = len(headers) == 1 and headers[0][0] == ORIGIN_HEADER
        if alone or header(record, REPLAYED) is None:  # a replay is a note that somebody sends once more
            origin = _origin(headers[0][1] if alone else header(record, ORIGIN_HEADER))
            if self._book.move(named, origin, place, record.at_ms):
                return
            if origin is not None and self._has_read(origin):
                return  # the ingestor wrote it again after a crash: its submission has moved on already
            if origin is None and self._is_again(record.value):
                return  # its note was answered long ago; who sends such ones counts them
        self._book.submit(named, place, record.at_ms, now)

    def _is_again(self, value: bytes | None) -> bool:
        layout = self._layouts.get(value[:HEADER_BYTES]) if value else None
        return value is not None and layout is not None and layout.origin(value) == _AGAIN

    def _has_read(self, place: Place) -> bool:
        where = (self._topic_of[TopicKind.SUBMITTED], place[1])
        return self._book.begun.get(where, 0) <= place[2] < self._book.positions.get(where, 0)

    def _refused(self, letter: Record, identity: bytes | None, now: int) -> None:
        of = TopicKind.SUBMITTED if self._roles[letter.topic] is TopicKind.SUBMITTED_LETTERS else TopicKind.ACCEPTED
        partition, offset = number(header(letter, LETTER_PARTITION)), number(header(letter, LETTER_OFFSET))
        if header(letter, LETTER_TOPIC) != self._topic_of[of].encode() or partition is None or offset is None:
            self._on_unread(letter.topic)
        elif partition < 0:
            self._book.refuse_at_once(letter.at_ms, now)  # refused at the HTTP door: it never lay on a topic
        elif of is TopicKind.SUBMITTED:
            self._book.refuse((SUBMITTED, partition, offset))
        else:
            self._book.refuse((ACCEPTED, partition, offset), identity)

    def _names(self, records: Sequence[Record]) -> list[bytes | None]:
        """The identities of records of one topic, which are nearly always of one writer."""
        values = [record.value for record in records]
        first = values[0]
        layout = None if not first else self._layouts.get(first[:HEADER_BYTES]) or self._learn(first)
        if first is None or layout is None:
            return [self._read(value) for value in values]
        return layout.identities(values, first[:HEADER_BYTES], self._read)

    def _read(self, value: bytes | None) -> bytes | None:
        """The identity of a record; None where it names no note."""
        if not value:
            return None
        layout = self._layouts.get(value[:HEADER_BYTES]) or self._learn(value)
        if layout is None:
            return None
        try:
            return layout.identity(value)
        except Unread:
            return None

    def _learn(self, value: bytes) -> Layout | None:
        schema_id = schema_id_of(value)
        layout = None if schema_id is None else self._schemas.layout(schema_id)
        if layout is not None:
            self._layouts[value[:HEADER_BYTES]] = layout
        return layout


def _origin(value: bytes | None) -> Place | None:
    """The place of the submitted record that an accepted one names."""
    partition, _, offset = (value or b"").partition(b":")
    if not (partition.isdigit() and offset.isdigit()):
        return None
    return SUBMITTED, int(partition), int(offset)
