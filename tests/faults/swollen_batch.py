"""One compressed batch: a record of zeros that is small on the wire between two good ones; and a memory that it does not fit in."""

import resource
from collections.abc import Sequence

import psutil
from confluent_kafka import Producer

MIB = 1 << 20
BOMB_BYTES = 160 * MIB
ROOM_BYTES = 130 * MIB
"""A process may grow by so much: what all else needs, and not the bomb."""


def send_batch(
    servers: str, topic: str, codec: str, rows: Sequence[tuple[str, bytes]], bomb_key: str, partition: int = 0
) -> None:
    """Write the first of the rows, the bomb, and the others, as one batch."""
    config = {
        "bootstrap.servers": servers,
        "compression.type": codec,
        "compression.level": 1,
        "message.max.bytes": 1_000_000_000,
        "batch.size": 1_000_000_000,
        "linger.ms": 3_000,
    }
    producer = Producer(config)
    errors: list[object] = []
    (key, value), *others = rows
    for one, content in ((key, value), (bomb_key, bytes(BOMB_BYTES)), *others):
        producer.produce(
            topic,
            content,
            one,
            partition=partition,
            headers={"sent-by": one},
            on_delivery=lambda error, _: errors.append(error.name() if error else None),
        )
    assert producer.flush(120) == 0
    assert errors == [None] * (1 + len(rows))


def bound_memory(pid: int) -> int:
    """Bound a running process; returns the bound for those that follow it, in bytes of address space."""
    process = psutil.Process(pid)
    most = process.memory_info().vms + ROOM_BYTES
    process.rlimit(resource.RLIMIT_AS, (most, most))
    return most


def bounded(command: Sequence[str], most_bytes: int) -> tuple[str, ...]:
    """The same command, within the bound from its beginning."""
    return ("sh", "-c", f'ulimit -v {most_bytes // 1024}; exec "$@"', "sh", *command)
