"""Reads and writes CRFsuite's binary model files.

`pycrfsuite.Tagger.info()` prints weights with six decimals, too coarse for identical marginals, so the file itself is
read. Only training does this, on files that CRFsuite has just written: services never parse one.
"""

from __future__ import annotations

import struct
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
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


def write_model(weights: CrfWeights) -> bytes:
    """Return a CRFsuite model file with these weights.

    CRFsuite itself writes the file, after one step on made-up items that give every attribute and every label a weight;
    then the weights are replaced. So the format stays CRFsuite's business.
    """
    import sklearn_crfsuite

    # Unlike values, so that no weight's gradient is zero (CRFsuite leaves out weights that are), and small ones, so that
    # the sum over all attributes stays in range.
    size = max(1, len(weights.attributes))
    items = [dict.fromkeys(weights.attributes, 2.0**place / size) for place in range(len(weights.labels))]
    with tempfile.TemporaryDirectory(prefix="rxtract-train-") as folder:
        path = Path(folder) / "model.crfsuite"
        estimator = sklearn_crfsuite.CRF(
            algorithm="lbfgs", c2=1.0, max_iterations=1, all_possible_transitions=True, model_filename=str(path)
        )
        estimator.fit([items], [weights.labels])
        return _with_weights(path.read_bytes(), weights)


def _with_weights(model: bytes, weights: CrfWeights) -> bytes:
    features, off_labels, off_attributes = _features(model)
    labels, attributes = _strings(model, off_labels), _strings(model, off_attributes)
    table = np.zeros((len(weights.attributes), len(weights.labels)))
    table[weights.state_attributes, weights.state_labels] = weights.state_weights
    label_of = np.array([weights.labels.index(label) for label in labels], np.int64)
    places = {attribute: place for place, attribute in enumerate(weights.attributes)}
    attribute_of = np.array([places[attribute] for attribute in attributes], np.int64)
    changed = features.copy()
    states, moves = changed["type"] == _STATE, changed["type"] == _TRANSITION
    _check_complete(table, int(states.sum()), weights.transitions, int(moves.sum()))
    changed["weight"][states] = table[attribute_of[changed["source"][states]], label_of[changed["target"][states]]]
    changed["weight"][moves] = weights.transitions[
        label_of[changed["source"][moves]], label_of[changed["target"][moves]]
    ]
    start = _HEADER.unpack_from(model)[7] + 12
    return model[:start] + changed.tobytes() + model[start + changed.nbytes :]


def _check_complete(
    states: NDArray[np.float64], found_states: int, transitions: NDArray[np.float64], found_transitions: int
) -> None:
    """A weight that matters must have its place in the file; with one label no weight matters."""
    if len(transitions) > 1 and (found_states != states.size or found_transitions != transitions.size):
        raise ValueError("CRFsuite left weights out of its file")


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
