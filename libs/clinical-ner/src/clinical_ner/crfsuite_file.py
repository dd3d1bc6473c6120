"""Reads and adjusts CRFsuite's binary model files.

`pycrfsuite.Tagger.info()` prints weights with six decimals, too coarse for identical marginals, so the file itself is
read. Only training does this, on files that CRFsuite has just written: services never parse one.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

_HEADER = struct.Struct("<4sI4sIIIIIIIII")  # magic, size, type, version, 3 counts, 5 offsets
_FEATURE = np.dtype([("type", "<u4"), ("source", "<u4"), ("target", "<u4"), ("weight", "<f8")])
_STATE, _TRANSITION = 0, 1


@dataclass(frozen=True, slots=True)
class CrfWeights:
    """The weights of a linear-chain CRF.

    Attributes:
        labels: Label names by id.
        attributes: Attribute strings by id.
        transitions: From label (row) to label (column); shape (labels, labels).
        state_attributes: Attribute id of each state weight; shape (weights,).
        state_labels: Its label id.
        state_weights: Its weight.
    """

    labels: list[str]
    attributes: list[str]
    transitions: NDArray[np.float64]
    state_attributes: NDArray[np.int64]
    state_labels: NDArray[np.int64]
    state_weights: NDArray[np.float64]


def read_weights(model: bytes) -> CrfWeights:
    """Read the bytes of a model file; ValueError if they are no CRFsuite model."""
    features, off_labels, off_attributes = _features(model)
    labels, attributes = _strings(model, off_labels), _strings(model, off_attributes)
    transitions = np.zeros((len(labels), len(labels)))
    moves = features[features["type"] == _TRANSITION]
    transitions[moves["source"], moves["target"]] = moves["weight"]
    states = features[features["type"] == _STATE]
    return CrfWeights(
        labels,
        attributes,
        transitions,
        states["source"].astype(np.int64),
        states["target"].astype(np.int64),
        states["weight"].copy(),
    )


def add_bias(model: bytes, attribute: str, bias: Mapping[str, float]) -> bytes:
    """Return the model with `bias` (by label) added to the weights of an attribute that every token has.

    A label without such a weight in the file is an error: the file's features cannot be added to.
    """
    features, off_labels, off_attributes = _features(model)
    labels, attributes = _strings(model, off_labels), _strings(model, off_attributes)
    changed = features.copy()
    for label, amount in bias.items():
        if label not in labels:
            continue
        at = (
            (changed["type"] == _STATE)
            & (changed["source"] == attributes.index(attribute))
            & (changed["target"] == labels.index(label))
        )
        if not at.any():
            raise ValueError(f"the model has no weight of {attribute!r} for {label}")
        changed["weight"][at] += amount
    start = _HEADER.unpack_from(model)[7] + 12
    return model[:start] + changed.tobytes() + model[start + changed.nbytes :]


def _features(model: bytes) -> tuple[NDArray[np.void], int, int]:
    if len(model) < _HEADER.size or model[:4] != b"lCRF":
        raise ValueError("not a CRFsuite model file")
    off_features, off_labels, off_attributes = _HEADER.unpack_from(model)[7:10]
    if model[off_features : off_features + 4] != b"FEAT":
        raise ValueError("not a CRFsuite model file: no features")
    (count,) = struct.unpack_from("<I", model, off_features + 8)
    return np.frombuffer(model, _FEATURE, count, off_features + 12), off_labels, off_attributes


def _strings(model: bytes, offset: int) -> list[str]:
    """Keys of a constant quark database by id, from its backward table."""
    if model[offset : offset + 4] != b"CQDB":
        raise ValueError("not a CRFsuite model file: no dictionary")
    size, table = struct.unpack_from("<II", model, offset + 16)
    entries = np.frombuffer(model, "<u4", size, offset + table)
    keys = []
    for entry in entries.tolist():
        _, length = struct.unpack_from("<iI", model, offset + entry)
        start = offset + entry + 8
        keys.append(model[start : start + length - 1].decode())
    return keys
