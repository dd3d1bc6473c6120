"""The model file that services open: plain arrays and JSON in an uncompressed .npz, read without trusting any of it.

Nothing is unpickled, no size that the file claims is believed before it is compared with the bytes that are there, and
every array is bounded before native code sees it.
"""

from __future__ import annotations

import hashlib
import io
import json
import math
import zipfile
from typing import TYPE_CHECKING, Any

import numpy as np

from clinical_ner.clusters import MAX_CLUSTERINGS, WordClusters
from clinical_ner.features import ExtractorTables
from clinical_ner.native import FEATURES_VERSION, GROUPS, MAX_CONJUNCTIONS, MAX_LABELS, MAX_WINDOW, library
from clinical_ner.rescoring import LEAVES, MAX_TREES, NODES, RescorerTables, untrained
from clinical_ner.schemes import SCHEMES, role
from clinical_ner.tables import ModelTables, WeightTables

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    Arrays = dict[str, NDArray[Any]]

FORMAT = "rxtract-crf"
FORMAT_VERSION = 2
OLDER_VERSIONS = (1,)
"""Formats without clusters and rescorer, which are read as having none."""
CRFSUITE_FILE = "model.crfsuite"
CRFSUITE_SHA256 = "crfsuite_sha256"
"""Field of the metadata: the digest of CRFsuite's own file, which lies beside the tables in a model's folder."""
MAX_BYTES = 512 * 2**20
_MAX_WEIGHT = 1e4
_SEALED = "sealed"
_SEAL = b"sha256="
_HEX = 64

_PARTS: dict[str, tuple[str, int]] = {
    "masks": ("<u4", 1),
    "conjunctions": ("<i4", 2),
    "affixes": ("|u1", 1),
    "class_keys": ("<u8", 1),
    "class_starts": ("<i4", 1),
    "class_ids": ("<i4", 1),
    "class_names": ("|u1", 1),
    "transitions": ("<f8", 2),
    "feature_keys": ("<u8", 1),
    "feature_starts": ("<i4", 1),
    "feature_cells": ("<u2", 1),
    "feature_weights": ("<f8", 1),
    "pair_keys": ("<u8", 1),
    "pair_rows": ("<f8", 2),
    "known_words": ("<u8", 1),
    "known_characters": ("<u4", 1),
    "training_mentions": ("<u8", 1),
}
_NEW_PARTS: dict[str, tuple[str, int]] = {
    "cluster_keys": ("<u8", 1),
    "cluster_numbers": ("<u2", 2),
    "tree_columns": ("<i4", 2),
    "tree_thresholds": ("<f4", 2),
    "tree_masks": ("<i4", 2),
    "tree_leaves": ("<f8", 2),
    "name_keys": ("<u8", 1),
    "name_flags": ("|u1", 1),
    "rescorer_numbers": ("<f8", 1),
}
"""Parts of format 2. Without a rescorer its numbers are empty."""


class ArtifactRefused(ValueError):
    """A model file that cannot be trusted or used; the message says why in one line."""


# --- writing ---------------------------------------------------------------------------------------------------------


def dump(tables: ModelTables) -> bytes:
    """Return the file's bytes: the same tables always give the same bytes."""
    arrays = _arrays_of(tables)
    digests = {name: _sha256(array) for name, array in arrays.items()}
    metadata = dict(tables.metadata) | {"sha256": digests, _SEALED: True}
    text = json.dumps(metadata, sort_keys=True, allow_nan=False).encode()
    out = io.BytesIO()
    np.savez(out, allow_pickle=False, **arrays, metadata=np.frombuffer(text, np.uint8))
    return sealed(out.getvalue())


def sealed(archive: bytes) -> bytes:
    """Return a zip archive with the digest of all its bytes as its comment, which ends the file."""
    content = archive[:-2] + (len(_SEAL) + _HEX).to_bytes(2, "little") + _SEAL
    return content + hashlib.sha256(content).hexdigest().encode()


def _arrays_of(tables: ModelTables) -> Arrays:
    extractor, weights = tables.extractor, tables.weights
    found: dict[str, Any] = {
        "masks": extractor.masks,
        "conjunctions": extractor.conjunctions,
        "affixes": np.frombuffer(extractor.affixes, np.uint8),
        "class_keys": extractor.class_keys,
        "class_starts": extractor.class_starts,
        "class_ids": extractor.class_ids,
        "class_names": np.frombuffer(extractor.class_names, np.uint8),
        "known_words": tables.known_words,
        "known_characters": tables.known_characters,
        "training_mentions": tables.training_mentions,
    }
    for name in WeightTables.__dataclass_fields__:
        found[name] = getattr(weights, name)
    found |= {"cluster_keys": extractor.clusters.keys, "cluster_numbers": extractor.clusters.numbers}
    found |= _rescorer_arrays(tables.rescorer)
    return {name: np.ascontiguousarray(found[name], dtype) for name, (dtype, _) in (_PARTS | _NEW_PARTS).items()}


def _rescorer_arrays(rescorer: RescorerTables | None) -> dict[str, Any]:
    tables = rescorer or untrained({})
    return {
        "tree_columns": tables.columns,
        "tree_thresholds": tables.thresholds,
        "tree_masks": tables.masks,
        "tree_leaves": tables.leaves,
        "name_keys": tables.name_keys,
        "name_flags": tables.name_flags,
        "rescorer_numbers": tables.numbers if rescorer else [],
    }


def _sha256(array: NDArray[Any]) -> str:
    return hashlib.sha256(array.tobytes()).hexdigest()


# --- reading ---------------------------------------------------------------------------------------------------------


def load(data: bytes, sha256: str | None = None) -> ModelTables:
    """Check and read a file's bytes; ArtifactRefused for whatever is wrong with them, MemoryError when there is none left."""
    if sha256 is not None and hashlib.sha256(data).hexdigest() != sha256.lower():
        raise ArtifactRefused("the model file is not the one that was registered (its sha256 differs): fetch it again")
    try:
        return _read(data)
    except (ArtifactRefused, MemoryError):  # no memory is no fault of the file: it may be opened later
        raise
    except Exception as error:
        # zipfile, numpy's header and json each have their own errors for damage, and no two agree.
        raise ArtifactRefused("the model file is damaged: fetch it again, or train anew") from error


def _read(data: bytes) -> ModelTables:
    if len(data) > MAX_BYTES:
        raise ArtifactRefused(f"the model file is larger than {MAX_BYTES // 2**20} MB")
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        metadata = json.loads(_part(archive, "metadata", "|u1", 1).tobytes())
        _check_versions(metadata)
        _check_seal(data, metadata)
        parts = _PARTS | (_NEW_PARTS if metadata["format_version"] == FORMAT_VERSION else {})
        arrays = {name: _part(archive, name, dtype, rank) for name, (dtype, rank) in parts.items()}
    for name, array in arrays.items():
        if metadata["sha256"].get(name) != _sha256(array):
            raise ArtifactRefused(f"the model file is damaged in its part {name}: fetch it again")
    if metadata["format_version"] in OLDER_VERSIONS:
        arrays |= _none_of_the_new(arrays)
    _check(arrays, metadata)
    return _tables(arrays, metadata)


def _check_seal(data: bytes, metadata: Mapping[str, Any]) -> None:
    """Refuse a file of which any byte differs; files from before there was a seal have the digests of their parts alone."""
    if not metadata.get(_SEALED):
        return
    content, digest = data[:-_HEX], data[-_HEX:]
    if not content.endswith(_SEAL) or hashlib.sha256(content).hexdigest().encode() != digest:
        raise ArtifactRefused("the model file is damaged: fetch it again, or train anew")


def check_beside(folder: Path, metadata: Mapping[str, Any]) -> None:
    """Refuse a model's folder whose CRFsuite file is missing or is another model's."""
    expected, path = metadata.get(CRFSUITE_SHA256), folder / CRFSUITE_FILE
    if expected is None:
        return
    if not path.is_file():
        raise ArtifactRefused(f"{folder} holds no {CRFSUITE_FILE}: copy the whole folder, or name its tables.npz alone")
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != expected:
        raise ArtifactRefused(f"{path} is not of the model beside it (its sha256 differs): copy the whole folder again")


def _none_of_the_new(arrays: Arrays) -> Arrays:
    none = {"cluster_keys": [], "cluster_numbers": np.zeros((0, 0)), **_rescorer_arrays(None)}
    made: Arrays = {name: np.ascontiguousarray(none[name], dtype) for name, (dtype, _) in _NEW_PARTS.items()}
    unseen = np.zeros(max(0, len(GROUPS) - len(arrays["masks"])), arrays["masks"].dtype)
    return {**made, "masks": np.append(arrays["masks"], unseen)}  # groups that came later, seen nowhere


def _part(archive: zipfile.ZipFile, name: str, dtype: str, rank: int) -> NDArray[Any]:
    """One array, whose claimed size must be the size of the bytes that follow its header."""
    info = archive.getinfo(f"{name}.npy")
    if info.compress_type != zipfile.ZIP_STORED or info.file_size > MAX_BYTES:
        raise ArtifactRefused("the model file is packed in a way that this program does not write")
    raw = archive.read(info)
    stream = io.BytesIO(raw)
    if np.lib.format.read_magic(stream) != (1, 0):
        raise ArtifactRefused("the model file holds an array of an unknown version")
    try:
        shape, fortran, found = np.lib.format.read_array_header_1_0(stream)
    except MemoryError:  # how Python's parser says that a header is nested too deeply; numpy bounds its length
        raise ArtifactRefused(f"the model file's part {name} is damaged") from None
    if fortran or found.str != dtype or len(shape) != rank or min(shape) < 0:
        raise ArtifactRefused(f"the model file's part {name} is of the wrong kind")
    if math.prod(shape) * found.itemsize != len(raw) - stream.tell():
        raise ArtifactRefused(f"the model file's part {name} is of the wrong size")
    return np.frombuffer(raw, found, offset=stream.tell()).reshape(shape)


def _check_versions(metadata: Mapping[str, Any]) -> None:
    if metadata.get("format") != FORMAT or metadata.get("format_version") not in {FORMAT_VERSION, *OLDER_VERSIONS}:
        raise ArtifactRefused(f"not a model file of this program (format {FORMAT} {FORMAT_VERSION} or older expected)")
    if metadata.get("features_version") != FEATURES_VERSION:
        raise ArtifactRefused(
            f"the model was trained on features version {metadata.get('features_version')}, "
            f"this program has {FEATURES_VERSION}: train it anew"
        )


def _check(arrays: Arrays, metadata: Mapping[str, Any]) -> None:
    labels = metadata["crf_labels"]
    _require(metadata["scheme"] in SCHEMES, "its label scheme is unknown")
    _require(0 < len(labels) <= MAX_LABELS and len(set(labels)) == len(labels), "its list of labels")
    for label in labels:
        try:
            role(metadata["scheme"], label)
        except ValueError as error:
            raise ArtifactRefused(f"the model file cannot be used: {error}") from error
    _check_extractor(arrays, metadata["window"])
    _check_weights(arrays, len(labels), metadata["window"])
    _check_clusters(arrays)
    _check_rescorer(arrays)
    _check_calibration(metadata["calibration"])
    _require(2_000 <= metadata["cache_words"] <= 1_000_000, "its cache size")
    _require(bool((arrays["known_characters"] < 0x110000).all()), "its characters")


def _require(holds: bool, what: str) -> None:  # noqa: FBT001 - a condition is what it takes
    if not holds:
        raise ArtifactRefused(f"the model file cannot be used: {what} is out of bounds")


def _check_extractor(arrays: Arrays, window: Any) -> None:
    _require(isinstance(window, int) and 0 <= window <= MAX_WINDOW, "its window")
    masks, pairs = arrays["masks"], arrays["conjunctions"]
    _require(masks.shape == (len(GROUPS),), "its feature groups")
    limits = [1 << (2 * window + (2 if name == "bag" else 1)) for name in GROUPS]
    _require(bool((masks < np.array(limits)).all()), "its feature groups")
    _require(pairs.shape[1] == 4 and len(pairs) <= MAX_CONJUNCTIONS, "its conjunctions")
    groups, offsets = pairs[:, (0, 2)], pairs[:, (1, 3)]
    _require(bool(((groups >= 0) & (groups < GROUPS.index("bag"))).all()), "its conjunctions")
    _require(bool((np.abs(offsets) <= window).all()), "its conjunctions")
    _require(_is_index(arrays["class_starts"], len(arrays["class_keys"]), len(arrays["class_ids"])), "its word classes")
    names = len([line for line in arrays["class_names"].tobytes().split(b"\n") if line])
    ids = arrays["class_ids"]
    _require(bool(((ids >= 0) & (ids < names)).all()), "its word classes")


def _check_weights(arrays: Arrays, n_labels: int, window: int) -> None:
    entries = len(arrays["feature_weights"])
    _require(arrays["transitions"].shape == (n_labels, n_labels), "its transitions")
    members = _most_members(arrays["conjunctions"])
    _require(arrays["pair_rows"].shape == (len(arrays["pair_keys"]), members * n_labels), "its conjunction weights")
    _require(len(arrays["feature_cells"]) == entries, "its feature weights")
    _require(_is_index(arrays["feature_starts"], len(arrays["feature_keys"]), entries), "its feature index")
    cells = arrays["feature_cells"]
    _require(not entries or int(cells.max()) < (2 * window + 2) * n_labels, "its feature cells")
    for name in ("transitions", "feature_weights", "pair_rows"):
        _require(bool((np.abs(arrays[name]) <= _MAX_WEIGHT).all()), f"its {name}")


def _most_members(conjunctions: NDArray[Any]) -> int:
    """Conjunctions that differ only by a shift share a row of weights: the most of them that share one."""
    bases = [(left, right, to - at) for left, at, right, to in conjunctions.tolist()]
    return max((bases.count(base) for base in bases), default=0)


def _is_index(starts: NDArray[Any], count: int, entries: int) -> bool:
    return (
        len(starts) == count + 1
        and int(starts[0]) == 0
        and int(starts[-1]) == entries
        and bool((np.diff(starts) >= 0).all())
    )


def _check_clusters(arrays: Arrays) -> None:
    words, clusterings = arrays["cluster_numbers"].shape
    _require(words == len(arrays["cluster_keys"]) and clusterings <= MAX_CLUSTERINGS, "its word clusters")


def _check_rescorer(arrays: Arrays) -> None:
    numbers, trees = arrays["rescorer_numbers"], len(arrays["tree_columns"])
    _require(trees <= MAX_TREES and len(arrays["name_keys"]) == len(arrays["name_flags"]), "its rescorer")
    for name in ("tree_columns", "tree_thresholds", "tree_masks"):
        _require(arrays[name].shape == (trees, NODES), "its rescorer")
    columns, masks, leaves = arrays["tree_columns"], arrays["tree_masks"], arrays["tree_leaves"]
    _require(leaves.shape == (trees, LEAVES) and bool((np.abs(leaves) <= _MAX_WEIGHT).all()), "its rescorer")
    _require(bool(((columns >= 0) & (columns < library().cn_rescorer_columns())).all()), "its rescorer")
    _require(
        bool(((masks >= 0) & (masks <= 0xFF)).all() and not np.isnan(arrays["tree_thresholds"]).any()), "its rescorer"
    )
    if len(numbers):
        _require(len(numbers) == 3 and abs(numbers[0]) <= _MAX_WEIGHT, "its rescorer")
        _require(bool(((numbers[1:] > 0) & (numbers[1:] < 1)).all()), "its rescorer")
    else:
        _require(trees == 0, "its rescorer")


def _check_calibration(calibration: Mapping[str, Any]) -> None:
    for curve in calibration["curves"].values():
        raw, calibrated = np.array(curve["raw"], float), np.array(curve["calibrated"], float)
        _require(raw.shape == calibrated.shape and raw.ndim == 1 and 2 <= len(raw) <= 200, "its calibration")
        _require(bool((np.diff(raw) > 0).all()), "its calibration")
        both = np.concatenate([raw, calibrated])
        _require(bool(((both >= 0) & (both <= 1)).all()), "its calibration")
    if kind := calibration.get("kind"):
        usable = isinstance(kind["name"], str) and isinstance(kind["notes"], int) and 0 <= kind["limit"] <= 1
        _require(usable, "its calibration")


def _tables(arrays: Arrays, metadata: Mapping[str, Any]) -> ModelTables:
    extractor = ExtractorTables(
        metadata["window"],
        arrays["masks"],
        arrays["conjunctions"],
        arrays["affixes"].tobytes(),
        arrays["class_keys"],
        arrays["class_starts"],
        arrays["class_ids"],
        arrays["class_names"].tobytes(),
        WordClusters(arrays["cluster_keys"], arrays["cluster_numbers"]),
    )
    weights = WeightTables(**{name: arrays[name] for name in WeightTables.__dataclass_fields__})
    known = (arrays["known_words"], arrays["known_characters"], arrays["training_mentions"])
    return ModelTables(metadata, extractor, weights, *known, _rescorer(arrays))


def _rescorer(arrays: Arrays) -> RescorerTables | None:
    if not len(arrays["rescorer_numbers"]):
        return None
    return RescorerTables(
        arrays["tree_columns"],
        arrays["tree_thresholds"],
        arrays["tree_masks"],
        arrays["tree_leaves"],
        arrays["name_keys"],
        arrays["name_flags"],
        arrays["rescorer_numbers"],
    )
