"""The feature extractor: compiled tables of what is seen, and the attribute strings that training reads.

The features themselves are made in native/features.c, for training and for serving alike.
"""

from __future__ import annotations

import ctypes
import weakref
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from clinical_ner.clusters import NO_CLUSTERS, WordClusters
from clinical_ner.morphology import AFFIXES
from clinical_ner.native import GROUPS, library, word_key
from clinical_ner.word_classes import built_in_classes

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from clinical_ner.config import TrainingConfig


@dataclass(frozen=True, slots=True)
class ExtractorTables:
    """What the extractor is made of, as it travels in the artifact.

    Attributes:
        window: The farthest offset.
        masks: Per feature group, bit (offset + window) set where the group is seen; shape (groups,).
        conjunctions: Rows of (group, offset, group, offset); shape (conjunctions, 4).
        affixes: Lines "S suffix class" or "P prefix class".
        class_keys: Keys of words that have classes; shape (words,).
        class_starts: Word i has the classes class_ids[class_starts[i]:class_starts[i + 1]]; shape (words + 1,).
        class_ids: Positions in `class_names`.
        class_names: One class name a line.
        clusters: Clusters of words from unlabelled text.
    """

    window: int
    masks: NDArray[np.uint32]
    conjunctions: NDArray[np.int32]
    affixes: bytes
    class_keys: NDArray[np.uint64]
    class_starts: NDArray[np.int32]
    class_ids: NDArray[np.int32]
    class_names: bytes
    clusters: WordClusters = NO_CLUSTERS


def extractor_tables(
    config: TrainingConfig,
    word_classes: Mapping[str, Sequence[str]] | None = None,
    clusters: WordClusters = NO_CLUSTERS,
) -> ExtractorTables:
    """Turn a configuration into tables; `word_classes` (lower-case word to class names) joins the built-in ones."""
    window = config.window
    masks = np.zeros(len(GROUPS), np.uint32)
    for name, offsets in config.groups.items():
        for offset in offsets:
            masks[GROUPS.index(name)] |= np.uint32(1 << (offset + window))
    if config.bag_value:
        masks[GROUPS.index("bag")] = np.uint32(1 << (2 * window + 1))
    rows = [
        (GROUPS.index(pair.left_group), pair.left_offset, GROUPS.index(pair.right_group), pair.right_offset)
        for pair in config.conjunctions
    ]
    keys, starts, ids, names = _class_tables(word_classes or {})
    affixes = "\n".join(f"{kind} {letters} {name}" for kind, letters, name in AFFIXES).encode("ascii")
    conjunctions = np.array(rows, np.int32).reshape(-1, 4)
    return ExtractorTables(window, masks, conjunctions, affixes, keys, starts, ids, names, clusters)


def _class_tables(
    word_classes: Mapping[str, Sequence[str]],
) -> tuple[NDArray[np.uint64], NDArray[np.int32], NDArray[np.int32], bytes]:
    merged: dict[int, list[str]] = {}
    for source in (built_in_classes(), word_classes):
        for word, classes in source.items():
            merged.setdefault(word_key(word), []).extend(classes)
    names = sorted({name for classes in merged.values() for name in classes})
    places = {name: place for place, name in enumerate(names)}
    starts, ids = [0], []
    for key in sorted(merged):
        ids.extend(sorted({places[name] for name in merged[key]}))
        starts.append(len(ids))
    blob = "\n".join("_".join(name.split()) for name in names).encode()
    return np.array(sorted(merged), np.uint64), np.array(starts, np.int32), np.array(ids, np.int32), blob


class FeatureExtractor:
    """The compiled extractor; ValueError if its tables cannot be used."""

    def __init__(self, tables: ExtractorTables) -> None:
        self.tables = tables
        native = library()
        self.address: int | None = native.cn_extractor_new(
            tables.window,
            tables.masks.ctypes.data,
            tables.conjunctions.ctypes.data,
            len(tables.conjunctions),
            tables.affixes,
            len(tables.affixes),
            tables.class_keys.ctypes.data,
            len(tables.class_keys),
            tables.class_starts.ctypes.data,
            tables.class_ids.ctypes.data,
            tables.class_names,
            len(tables.class_names),
        )
        if not self.address:
            raise ValueError("the feature tables cannot be used")
        weakref.finalize(self, native.cn_extractor_free, self.address)
        self._add_clusters(tables.clusters)

    def _add_clusters(self, clusters: WordClusters) -> None:
        keys, numbers = np.ascontiguousarray(clusters.keys), np.ascontiguousarray(clusters.numbers, np.uint16)
        failed = library().cn_extractor_clusters(
            self.address, keys.ctypes.data, len(keys), numbers.ctypes.data, numbers.shape[1]
        )
        if failed:
            raise ValueError("the word clusters cannot be used")

    @property
    def max_members(self) -> int:
        """How many conjunctions share one row of weights at most."""
        return int(library().cn_max_members(self.address))

    def attributes(
        self, points: NDArray[np.uint32], starts: NDArray[np.int32], ends: NDArray[np.int32]
    ) -> list[list[str]]:
        """Return the attribute strings of each token of one sequence, in the order CRFsuite is given them."""
        out = ctypes.c_void_p()
        starts, ends = np.ascontiguousarray(starts), np.ascontiguousarray(ends)
        size = library().cn_attributes(
            self.address,
            points.ctypes.data,
            starts.ctypes.data,
            ends.ctypes.data,
            len(starts),
            ctypes.addressof(out),
        )
        if size < 0:
            raise MemoryError("no memory for the attributes")
        blob = ctypes.string_at(out.value or 0, size).decode() if size else ""
        return _split(blob)

    def keys(self, attributes: Sequence[str]) -> tuple[NDArray[np.uint64], NDArray[np.int32]]:
        """Return each attribute's key and slot (see native/clinical_ner.h)."""
        blob = "".join(f"{attribute}\n" for attribute in attributes).encode()
        keys, slots = np.zeros(len(attributes), np.uint64), np.zeros(len(attributes), np.int32)
        library().cn_attribute_keys(self.address, blob, len(blob), keys.ctypes.data, slots.ctypes.data, len(attributes))
        return keys, slots


def _split(blob: str) -> list[list[str]]:
    """Tokens end with an empty line; a token may have no attribute at all."""
    tokens: list[list[str]] = [[]]
    for line in blob.split("\n")[:-1]:
        if line:
            tokens[-1].append(line)
        else:
            tokens.append([])
    return tokens[:-1]
