"""Which partition a key is on, so that one note's story is read from one partition of each topic."""

from __future__ import annotations

MULTIPLIER = 0x5BD1E995
SEED = 0x9747B28C
MASK = 0xFFFFFFFF


def murmur2(data: bytes) -> int:
    """Return the 32-bit murmur2 hash as Kafka's Java client computes it (org.apache.kafka.common.utils.Utils)."""
    length = len(data)
    value = SEED ^ length
    whole = length - length % 4
    for at in range(0, whole, 4):
        word = int.from_bytes(data[at : at + 4], "little") * MULTIPLIER & MASK
        word = (word ^ word >> 24) * MULTIPLIER & MASK
        value = value * MULTIPLIER & MASK ^ word
    if length % 4:
        value = (value ^ int.from_bytes(data[whole:], "little")) * MULTIPLIER & MASK
    value = (value ^ value >> 13) * MULTIPLIER & MASK
    return value ^ value >> 15


def partition_of(key: bytes, partitions: int) -> int:
    """Return the partition that every producer of ours (and Java's default) sends `key` to."""
    return (murmur2(key) & 0x7FFFFFFF) % partitions
