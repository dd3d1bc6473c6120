"""The state of one source partition as bytes and back: plain JSON, compressed, with a digest. Never a pickle.

Whatever is not exactly what this program would have written under this configuration is refused, and the state rebuilt from the
records that Kafka still keeps: continuing from a state that means something else would alarm at other offsets.
"""

import hashlib
import json
import zlib
from datetime import tzinfo
from functools import cache
from importlib import metadata
from typing import Any

from contracts.records import ModelRef

from drift.config import DriftConfig
from drift.reference import Reference, References
from drift.segment import SegmentWatch
from drift.watcher import Counts, FindReferences, PartitionWatcher

FORMAT_VERSION = 3
MAX_STATE_BYTES = 64 << 20
"""Of the JSON; what claims more is refused unread."""

_ZLIB_LEVEL = 1  # base64 of floats hardly shrinks; time counts more


class StateRefusedError(ValueError):
    """The stored state cannot be continued; one line that says why. It is rebuilt from the source."""


def digest(plain: bytes) -> str:
    """The digest that stands beside the state: of the JSON before compression, so that packing may change."""
    return hashlib.sha256(plain).hexdigest()


def dump(watcher: PartitionWatcher) -> bytes:
    """The state's JSON: equal states give equal bytes."""
    return json.dumps(_plain(watcher), sort_keys=False, separators=(",", ":"), allow_nan=False).encode()


def pack(plain: bytes) -> bytes:
    """Compress."""
    return zlib.compress(plain, _ZLIB_LEVEL)


def unpack(packed: bytes, sha256: str) -> bytes:
    """Decompress and check.

    Raises:
        StateRefusedError: Damaged.
    """
    reader = zlib.decompressobj()
    try:
        plain = reader.decompress(packed, MAX_STATE_BYTES)
    except zlib.error:
        raise StateRefusedError("the stored state is damaged (it cannot be unpacked)") from None
    if not reader.eof or reader.unused_data or digest(plain) != sha256:
        raise StateRefusedError("the stored state is damaged (its sha256 differs)")
    return plain


def load(
    plain: bytes, partition: int, config: DriftConfig, find: FindReferences, zone: tzinfo, format_version: int
) -> PartitionWatcher:
    """Make the watcher that wrote the state. The digest was checked by `unpack`.

    Raises:
        StateRefusedError: Another format, another River, other arguments, another partition.
    """
    if format_version != FORMAT_VERSION:
        raise StateRefusedError(f"the stored state has format {format_version}, this program {FORMAT_VERSION}")
    try:
        stored = json.loads(plain)
        _check(stored, partition, config)
        return _watcher(stored, config, find, zone)
    except StateRefusedError:
        raise
    except (KeyError, TypeError, ValueError, IndexError, AttributeError, RecursionError, OverflowError):
        raise StateRefusedError("the stored state is not what this program writes") from None


def _check(stored: dict[str, Any], partition: int, config: DriftConfig) -> None:
    wanted = (
        ("format", "format_version", FORMAT_VERSION),
        ("partition", "partition", partition),
        ("version of River", "river_version", _river_version()),
        ("set of arguments", "arguments", config.to_dict()),
    )
    for what, key, value in wanted:
        if stored[key] != value:
            raise StateRefusedError(f"the stored state was made with another {what}")


@cache
def _river_version() -> str:
    return metadata.version("river")


def _plain(watcher: PartitionWatcher) -> dict[str, Any]:
    counts = watcher.counts
    return {
        "format_version": FORMAT_VERSION,
        "river_version": _river_version(),
        "partition": watcher.partition,
        "last_offset": watcher.last_offset,
        "arguments": watcher.config.to_dict(),
        "clock": watcher.clock,
        "saved": [watcher.saved_offset, watcher.saved_at],
        "model": _plain_model(watcher.model),
        "previous": _plain_model(watcher.previous),
        "left": watcher.left,
        "references": {name: list(reference) for name, reference in watcher.references.items()},
        "counts": [counts.dropped, counts.stale, counts.unjudged],
        "segments": {key: segment.to_plain() for key, segment in watcher.segments.items()},
    }


def _watcher(stored: dict[str, Any], config: DriftConfig, find: FindReferences, zone: tzinfo) -> PartitionWatcher:
    references: References = {name: Reference(*row) for name, row in stored["references"].items()}
    saved_offset, saved_at = stored["saved"]
    return PartitionWatcher(
        stored["partition"],
        config,
        find,
        zone,
        last_offset=stored["last_offset"],
        clock=stored["clock"],
        saved_offset=saved_offset,
        saved_at=saved_at,
        model=_model(stored["model"]),
        previous=_model(stored["previous"]),
        left=list(stored["left"]),
        references=references,
        segments={key: SegmentWatch.from_plain(plain, config) for key, plain in stored["segments"].items()},
        counts=Counts(*stored["counts"]),
    )


def _plain_model(model: ModelRef | None) -> list[Any] | None:
    return None if model is None else [model.name, model.version, model.serial]


def _model(plain: list[Any] | None) -> ModelRef | None:
    return None if plain is None else ModelRef(name=plain[0], version=plain[1], serial=plain[2])
