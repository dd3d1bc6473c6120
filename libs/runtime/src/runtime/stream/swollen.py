"""Batches that are small on the wire and too large once decompressed: found without decompressing them whole, and read piece by piece.

A client decompresses a batch before it hands out its first record. One whose content is larger than the process's memory kills it there,
before anything is in hand that a mark could name, and kills the next process again. So after a death (`runtime.stream.attempts`) what may have been
fetched is looked at before the client reads it: batches as the broker sends them, each decompressed into a bounded room. Up to the end of the
last one that does not fit, records are read here, by a stream that never holds more than one of them: those that are large are doomed, with
their length and digest in place of their bytes, and all others are records like any other. Behind that the client reads again.
"""

import asyncio
import contextlib
import hashlib
import io
import struct
import subprocess
import sys
import tempfile
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from typing import BinaryIO, NamedTuple, TypeVar, cast

import cramjam
from aiokafka.client import AIOKafkaClient
from aiokafka.codec import snappy_decode
from aiokafka.errors import KafkaError, NotLeaderForPartitionError, OffsetOutOfRangeError, for_code
from aiokafka.protocol.fetch import FetchRequest
from aiokafka.structs import TopicPartition
from contracts.reasons import Reason

from runtime.errors import Recoverable
from runtime.kafka.deadletter import KEPT_BYTES, VALUE_BYTES, VALUE_SHA256
from runtime.kafka.positions import Partition
from runtime.kafka.records import InputRecord, OwnRecord
from runtime.service.logs import get_logger
from runtime.service.settings import ServiceSettings
from runtime.service.tls import broker_context

SWOLLEN_BYTES = 32 << 20
"""A batch that holds more than this, which is all that a client of ours fetches ahead, is swollen."""
HELD_BYTES = 8 << 20
"""A record that is larger is doomed. What any topic of ours takes is far smaller."""

_LOOKED_AT_RECORDS = 100_000  # what a client fetches ahead at most, in records and in bytes once decompressed,
_LOOKED_AT_BYTES = 32 << 20
_FETCH_BYTES = 1 << 20  # and one more answer of the broker
_FETCH_WAIT_MS = 0  # what is not there now was not fetched by anybody
_REQUEST_MS = 10_000
_ROW_RECORDS = 500
_CHUNK_BYTES = 1 << 20
_READ_COMMITTED = 1
_WITH_REPLICA = 11  # since this version of the answer another field stands between
_HEADER = struct.Struct(">qiibIhiqqqhii")
_AFTER_LENGTH = struct.calcsize(">qi")
_CODEC, _LOG_APPEND_TIME, _TRANSACTIONAL, _CONTROL = 0x07, 0x08, 0x10, 0x20
_NONE, _GZIP, _SNAPPY, _LZ4, _ZSTD = range(5)
_MODULES = {_GZIP: "gzip", _LZ4: "lz4", _ZSTD: "zstd"}
_CHILD = (
    "import sys, cramjam; "
    "getattr(cramjam, sys.argv[1]).decompress_into(sys.stdin.buffer.read(), cramjam.File('/dev/stdout'))"
)
_MOST_TIMES = {
    _NONE: 1,
    _GZIP: 1_040,
    _SNAPPY: 22,
    _LZ4: 256,
    _ZSTD: 1 << 20,
}  # so many times its size a batch holds at most
_ABORT = b"\0\0\0\0"
_T = TypeVar("_T")
_log = get_logger(__name__)


class Batch(NamedTuple):
    """A batch as the broker stores it, its records not touched yet.

    Attributes:
        first, behind: Its first offset, and the one behind its last.
        attributes: Codec and kind.
        times: First and largest timestamp, in milliseconds.
        size: How many records it holds.
        readable: Whether its records are to be handed out: no marker, and not aborted.
        payload: The records, compressed.
    """

    first: int
    behind: int
    attributes: int
    times: tuple[int, int]
    size: int
    readable: bool
    payload: bytes

    def is_swollen(self, room: bytearray) -> bool:
        """Whether its records, decompressed, are larger than a room; the room's content is overwritten.

        A content that cannot be decompressed at all counts too: the client would stumble over it.
        """
        times = _MOST_TIMES.get(self.attributes & _CODEC)
        return (
            self.readable and times is not None and len(self.payload) * times > len(room) and self.unpack(room) is None
        )

    def unpack(self, room: bytearray) -> int | None:
        """Decompress its records into a room; returns how long they are, None when they are longer than the room or damaged."""
        codec = self.attributes & _CODEC
        try:
            if codec in _MODULES:
                return int(getattr(cramjam, _MODULES[codec]).decompress_into(self.payload, room))
            found = self.payload if codec == _NONE else snappy_decode(self.payload)
            room[: len(found)] = found
        except (cramjam.DecompressionError, ValueError):
            return None
        return len(found)

    def records(self, partition: Partition, room: bytearray) -> Iterator[OwnRecord]:
        """Its records one by one, by way of the room or, where they do not fit, of a child.

        Where the content breaks off, all offsets that are left are doomed without a value.
        """
        here = self.first
        size = self.unpack(room)
        try:
            with io.BytesIO(room[:size]) if size is not None else _unpacked_by_child(self) as stream:
                for _ in range(self.size):
                    own = _read_record(stream, self, partition)
                    here = own.record.offset + 1
                    yield own
        except (EOFError, UnicodeDecodeError):
            for offset in range(here, self.behind):
                yield OwnRecord(InputRecord(*partition, offset, self.times[1], None, None), Reason.KILLED_PROCESS)


class SwollenReader:
    """Looks at what a client may have fetched, and reads what no client should.

    Args:
        settings: How Kafka is reached.
        swollen_bytes: What a batch may hold.
    """

    def __init__(self, settings: ServiceSettings, swollen_bytes: int = SWOLLEN_BYTES) -> None:
        self._settings = settings
        self._swollen_bytes = swollen_bytes

    def look(self, starts: Mapping[Partition, int]) -> dict[Partition, int]:
        """Look at what lies behind these offsets, as far as a client fetches ahead.

        Args:
            starts: Where each partition is read on.

        Returns:
            For each partition with a swollen batch: the offset behind the last one.

        Raises:
            Recoverable: The broker gave no answer.
        """
        room = bytearray(self._swollen_bytes)

        async def look(client: AIOKafkaClient) -> dict[Partition, int]:
            found = {at: await _last_swollen(client, at, start, room) for at, start in starts.items()}
            return {at: behind for at, behind in found.items() if behind is not None}

        found = self._run(look) if starts else {}
        for (topic, number), behind in found.items():
            _log.error("a batch is too large once decompressed", topic=topic, partition=number, behind=behind)
        return found

    def behind(self, partition: Partition, offset: int) -> int:
        """Where a client cannot decompress what stands at an offset: the offset behind that batch, and behind any swollen one that follows.

        Raises:
            Recoverable: The broker gave no answer.
        """
        room = bytearray(self._swollen_bytes)

        async def look(client: AIOKafkaClient) -> int:
            batches = await _fetch(client, partition, offset)
            if not batches:
                raise Recoverable(f"nothing comes of {partition[0]}[{partition[1]}] where a batch was seen")
            first = next((batch for batch in batches if batch.readable), batches[-1]).behind
            return await _last_swollen(client, partition, first, room) or first

        behind = self._run(look)
        _log.error("a batch cannot be decompressed", topic=partition[0], partition=partition[1], behind=behind)
        return behind

    def rows(self, partition: Partition, offset: int, until: int) -> Iterator[Sequence[OwnRecord]]:
        """The records from an offset up to another, in order, a bounded row at a time.

        Raises:
            Recoverable: The broker gave no answer: go on behind the last record that was given.
        """
        room = bytearray(self._swollen_bytes)
        row: list[OwnRecord] = []
        size = 0
        while offset < until:
            batches = self._run(lambda client, at=offset: _fetch(client, partition, at))  # type: ignore[misc]
            if not batches:
                raise Recoverable(f"nothing comes of {partition[0]}[{partition[1]}] where a batch was seen")
            for batch in batches:
                if batch.first >= until:
                    break
                for own in batch.records(partition, room) if batch.readable else ():
                    if own.record.offset < offset:
                        continue
                    row.append(own)
                    size += len(own.record.value or b"")
                    if len(row) >= _ROW_RECORDS or size >= HELD_BYTES:
                        yield row
                        row, size = [], 0
                offset = max(offset, batch.behind)
        if row:
            yield row

    def _run(self, work: Callable[[AIOKafkaClient], Coroutine[None, None, _T]]) -> _T:
        async def run() -> _T:
            settings = self._settings
            password = settings.sasl_password
            client = AIOKafkaClient(
                bootstrap_servers=settings.bootstrap_servers.split(","),
                client_id=settings.client_id,
                request_timeout_ms=_REQUEST_MS,
                security_protocol=settings.security_protocol,
                ssl_context=broker_context(settings),
                sasl_mechanism=settings.sasl_mechanism or "PLAIN",
                sasl_plain_username=settings.sasl_username,
                sasl_plain_password=None if password is None else password.get_secret_value(),
            )
            try:
                await client.bootstrap()
                return await work(client)
            finally:
                await client.close()

        try:
            return asyncio.run(run())
        except KafkaError as error:
            raise Recoverable(f"Kafka did not answer ({type(error).__name__})") from None


async def _last_swollen(client: AIOKafkaClient, partition: Partition, offset: int, room: bytearray) -> int | None:
    found, records, size, last = None, 0, 0, False
    while batches := await _fetch(client, partition, offset):
        for batch in batches:
            if batch.is_swollen(room):  # it will be passed, and what a client fetches ahead begins anew behind it
                found, records, size, last = batch.behind, 0, 0, False
            records += batch.size
            size += len(batch.payload)
        offset = batches[-1].behind
        if last:
            break
        last = records >= _LOOKED_AT_RECORDS or size >= _LOOKED_AT_BYTES
    return found


async def _fetch(client: AIOKafkaClient, partition: Partition, offset: int) -> list[Batch]:
    """The batches at an offset, at least one unless nothing that can be read is there.

    Raises:
        KafkaError: The broker refuses, or does not answer.
    """
    topic, number = partition
    await client._wait_on_metadata(topic)  # noqa: SLF001 - as aiokafka's own fetcher and producer do
    leader = client.cluster.leader_for_partition(TopicPartition(topic, number))
    if leader is None or leader < 0:
        raise NotLeaderForPartitionError
    asked = [(topic, [(number, offset, _FETCH_BYTES)])]
    answer = await client.send(
        leader, FetchRequest(_FETCH_WAIT_MS, 1, _FETCH_BYTES, _READ_COMMITTED, asked, rack_id="")
    )
    [(_, [(_, code, _, *rest)])] = answer.topics
    if code == OffsetOutOfRangeError.errno:
        return []  # `runtime.kafka.positions` decides what that means
    if code:
        raise for_code(code)
    aborted = rest[2] if answer.API_VERSION >= _WITH_REPLICA else rest[-2]
    return list(_batches(rest[-1], offset, aborted))


def _batches(content: bytes, offset: int, aborted: Sequence[tuple[int, int]] | None) -> Iterator[Batch]:
    """Cut what the broker sent into batches; the last may be cut off, and is left out then."""
    begins = sorted(aborted or (), key=lambda one: one[1])
    dropped: set[int] = set()
    at = 0
    while at + _HEADER.size <= len(content):
        first, length, _, _, _, attributes, delta, first_ms, last_ms, producer, _, _, count = _HEADER.unpack_from(
            content, at
        )
        end = at + _AFTER_LENGTH + length
        if end > len(content):
            return
        payload = content[at + _HEADER.size : end]
        at = end
        while begins and begins[0][1] <= first:
            dropped.add(begins.pop(0)[0])
        if attributes & _CONTROL and _ABORT in payload[:12]:
            dropped.discard(producer)
        readable = not attributes & _CONTROL and not (attributes & _TRANSACTIONAL and producer in dropped)
        if first + delta >= offset:
            yield Batch(first, first + delta + 1, attributes, (first_ms, last_ms), count, readable, payload)


# -- one record after another


@contextlib.contextmanager
def _unpacked_by_child(batch: Batch) -> Iterator[BinaryIO]:
    """The records of a batch as a stream that a child decompresses, so that they are never here as a whole. One that dies ends the stream."""
    with tempfile.TemporaryFile() as packed:
        packed.write(batch.payload)
        packed.seek(0)
        command = [sys.executable, "-I", "-c", _CHILD, _MODULES.get(batch.attributes & _CODEC, "")]
        child = subprocess.Popen(command, stdin=packed, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        stream = cast("BinaryIO", child.stdout)
        try:
            yield stream
        finally:
            child.kill()
            stream.close()
            child.wait()


def _read_record(stream: BinaryIO, batch: Batch, partition: Partition) -> OwnRecord:
    """The next record; of a large one only what fits.

    Raises:
        EOFError: The stream ends before the record does.
    """
    length = _varint(stream)
    large = length > HELD_BYTES
    room = KEPT_BYTES if large else length
    _take(stream, 1, 1)  # attributes, which Kafka has no use for yet
    moment = batch.times[0] + _varint(stream)
    offset = batch.first + _varint(stream)
    key = _take(stream, _varint(stream), room)
    value_bytes, digest = _varint(stream), hashlib.sha256()
    value = _take(stream, value_bytes, HELD_BYTES, digest.update if large else None)
    headers: list[tuple[str, bytes | None]] = []
    for _ in range(_varint(stream)):
        name = _take(stream, _varint(stream), room)
        content_bytes = _varint(stream)
        content = _take(stream, content_bytes, room)
        room -= len(name or b"") + max(0, content_bytes)
        if name is not None and room >= 0:
            headers.append((name.decode(), content))
    if batch.attributes & _LOG_APPEND_TIME:
        moment = batch.times[1]
    if large:
        value = None
        headers += [(VALUE_BYTES, b"%d" % max(0, value_bytes)), (VALUE_SHA256, digest.hexdigest().encode())]
    record = InputRecord(*partition, offset, moment, key, value, tuple(headers))
    return OwnRecord(record, Reason.TOO_LARGE if large else None)


def _take(stream: BinaryIO, size: int, most: int, seen: Callable[[bytes], None] | None = None) -> bytes | None:
    """So many bytes, or None where they are more than may be held (or null): they are passed, in pieces."""
    if 0 <= size <= most and seen is None:
        found = stream.read(size)
        if len(found) < size:
            raise EOFError
        return found
    while size > 0:
        piece = stream.read(min(size, _CHUNK_BYTES))
        if not piece:
            raise EOFError
        if seen is not None:
            seen(piece)
        size -= len(piece)
    return None


def _varint(stream: BinaryIO) -> int:
    """A number as Kafka writes it in a record: zigzag, seven bits a byte."""
    value = shift = 0
    while True:
        byte = stream.read(1)
        if not byte:
            raise EOFError
        value |= (byte[0] & 0x7F) << shift
        if byte[0] < 0x80:
            return value >> 1 ^ -(value & 1)
        shift += 7
