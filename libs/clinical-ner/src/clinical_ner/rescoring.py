"""The rescorer: learns, from predictions on notes that the predicting model had not seen, which candidate spans are right.

A CRF judges a span by its words and their neighbours. The rescorer sees the span beside its rivals: what one word more or
less would be, what else the sentence holds, whether a lexicon knows the name (columns: native/rescore.h). Boosted trees of
at most eight leaves make of it a probability, which is the entity's confidence, and the best set of spans without overlaps
is chosen (weighted interval scheduling). Serving reads trees as plain arrays.
"""

from __future__ import annotations

import ctypes
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from clinical_ner.native import RescorerAddresses, code_points, library
from clinical_ner.schemes import CLASSES, span_labels
from clinical_ner.tokens import token_arrays

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from clinical_ner.notes import AnnotatedNote, Label

PROBABILITY = 1
"""The column of a candidate's probability under the CRF."""
TREES, LEAVES, NODES, MAX_TREES = 60, 8, 7, 1_000
LEAST_PROBABILITY = 0.03
"""Spans that are less likely under the CRF are no candidates."""
USUAL_THRESHOLD = 0.35
_THRESHOLDS = (0.25, 0.5)
_LEAST_ROWS, _LEAST_RIGHT = 300, 100
_NAME_BITS, _LAST_BITS, _FIRST_BITS = 0, 2, 4


@dataclass(frozen=True, slots=True)
class RescorerTables:
    """The rescorer as it travels in the artifact.

    Attributes:
        columns: Column that each node compares; shape (trees, 7).
        thresholds: A candidate above it loses the leaves that `masks` does not hold; shape (trees, 7).
        masks: Bits of leaves; shape (trees, 7).
        leaves: Log odds that each leaf adds; shape (trees, 8).
        name_keys: Sorted keys of lexicon names, of their last and of their first words; shape (keys,).
        name_flags: What each is, a bit a class (native/rescore.h); shape (keys,).
        numbers: Log odds to begin with, threshold of the choice, least probability of a candidate; shape (3,).
    """

    columns: NDArray[np.int32]
    thresholds: NDArray[np.float32]
    masks: NDArray[np.int32]
    leaves: NDArray[np.float64]
    name_keys: NDArray[np.uint64]
    name_flags: NDArray[np.uint8]
    numbers: NDArray[np.float64]

    def choosing_above(self, threshold: float) -> RescorerTables:
        """The same with another threshold."""
        return replace(self, numbers=np.array([self.numbers[0], threshold, self.numbers[2]]))


@dataclass(frozen=True, slots=True)
class Candidates:
    """The likely spans of some notes.

    Attributes:
        spans: Rows of (note, class, start, end); shape (candidates, 4).
        columns: What each looks like; shape (candidates, columns).
    """

    spans: NDArray[np.int32]
    columns: NDArray[np.float32]


def untrained(names: Mapping[Label, Sequence[str]], threshold: float = USUAL_THRESHOLD) -> RescorerTables:
    """Return a rescorer without trees: spans are chosen by their probability under the CRF."""
    keys, flags = _name_tables(names)
    nodes = (0, NODES)
    return RescorerTables(
        np.zeros(nodes, np.int32),
        np.zeros(nodes, np.float32),
        np.zeros(nodes, np.int32),
        np.zeros((0, LEAVES)),
        keys,
        flags,
        np.array([0.0, threshold, LEAST_PROBABILITY]),
    )


def with_some(names: Mapping[Label, Sequence[str]], hidden: float, seed: int) -> Mapping[Label, Sequence[str]]:
    """Return the names without a share of them, drawn by seed."""
    rng = np.random.default_rng(seed)
    return {
        label: [text for text, drawn in zip(texts, rng.random(len(texts)), strict=True) if drawn >= hidden]
        for label, texts in names.items()
    }


def rightness(candidates: Candidates, notes: Sequence[AnnotatedNote]) -> NDArray[np.bool_]:
    """Return which candidates are annotated so, label and both ends; shape (candidates,)."""
    gold = [{(CLASSES[span.label], span.start, span.end) for span in note.spans} for note in notes]
    return np.array([(c, start, end) in gold[note] for note, c, start, end in candidates.spans.tolist()], bool)


def is_enough(right: NDArray[np.bool_]) -> bool:
    """Whether so many rows teach anything."""
    return len(right) >= _LEAST_ROWS and _LEAST_RIGHT <= int(right.sum()) <= len(right) - _LEAST_RIGHT


def fitted(bare: RescorerTables, columns: NDArray[np.float32], right: NDArray[np.bool_], seed: int) -> RescorerTables:
    """Grow trees on candidates (shape (rows, columns)) and whether each was right; the same rows and seed give the same."""
    from sklearn.ensemble import HistGradientBoostingClassifier
    from threadpoolctl import threadpool_limits

    model = HistGradientBoostingClassifier(
        max_iter=TREES,
        learning_rate=0.1,
        max_leaf_nodes=LEAVES,
        min_samples_leaf=20,
        l2_regularization=5.0,
        max_features=0.5,
        early_stopping=False,
        random_state=seed,
    )
    with threadpool_limits(1):  # so few rows are no work for several threads, which would wait for each other
        model.fit(columns, right)
    grown = [_tree(stage[0].nodes) for stage in model._predictors]  # noqa: SLF001 - it has no public form
    parts = [np.stack(part) for part in zip(*grown, strict=True)]
    base = float(np.ravel(model._baseline_prediction)[0])  # noqa: SLF001 - as above
    return replace(
        bare,
        columns=parts[0],
        thresholds=parts[1],
        masks=parts[2],
        leaves=parts[3],
        numbers=np.array([base, *bare.numbers[1:]]),
    )


def _tree(nodes: Any) -> tuple[NDArray[np.int32], NDArray[np.float32], NDArray[np.int32], NDArray[np.float64]]:
    """A tree as masks: leaves numbered from the left, each node with those that remain when its threshold is passed."""
    columns, thresholds = np.zeros(NODES, np.int32), np.full(NODES, np.inf, np.float32)
    masks, values = np.full(NODES, 0xFF, np.int32), []
    used = 0

    def descend(at: int) -> int:
        """Return the bits of the leaves below a node."""
        nonlocal used
        node = nodes[at]
        if node["is_leaf"]:
            values.append(float(node["value"]))
            return 1 << (len(values) - 1)
        mine, used = used, used + 1
        left = descend(int(node["left"]))
        columns[mine], thresholds[mine] = node["feature_idx"], _not_above(float(node["num_threshold"]))
        masks[mine] = 0xFF & ~left
        return left | descend(int(node["right"]))

    descend(0)
    return columns, thresholds, masks, np.array(values + [values[-1]] * (LEAVES - len(values)))


def _not_above(value: float) -> np.float32:
    """The greatest float32 that is not above a threshold: columns are float32, so that no comparison changes."""
    near = np.float32(value)
    return np.nextafter(near, np.float32(-np.inf)) if float(near) > value else near


def judged_by(tables: RescorerTables, columns: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the probability that each candidate is right, as native code computes it; shape (candidates,)."""
    passed = columns[:, tables.columns] > tables.thresholds
    kept = np.bitwise_and.reduce(np.where(passed, tables.masks, 0xFF), axis=2)
    lowest = kept & -kept  # the first leaf that is left
    leaf = np.log2(lowest).astype(np.int64)
    odds = tables.numbers[0] + tables.leaves[np.arange(len(tables.leaves)), leaf].sum(1)
    found: NDArray[np.float64] = 1 / (1 + np.exp(-odds))
    return found


def best_f1(probabilities: NDArray[np.float64], right: NDArray[np.bool_], gold: int) -> float:
    """Return the best F1 that a threshold on probabilities reaches, overlaps apart.

    Args:
        probabilities: Of candidates, by a rescorer that had not seen them; shape (candidates,).
        right: Which are right.
        gold: How many annotated spans there are.
    """
    order = np.argsort(-probabilities, kind="stable")
    found = np.cumsum(right[order])
    return float((2 * found / (np.arange(1, len(order) + 1) + gold)).max()) if len(order) else 0.0


def best_threshold(f1: float) -> float:
    """Return half of the best F1: where probabilities are right, no other threshold does better."""
    return float(np.clip(f1 / 2, *_THRESHOLDS))


def attach(model: int, tables: RescorerTables, scheme: str, labels: Sequence[str]) -> None:
    """Give the rescorer to a model in native memory, before its first text; ValueError if it cannot be used."""
    places = np.ascontiguousarray(span_labels(scheme, labels))
    arrays = [np.ascontiguousarray(array) for array in (tables.columns, tables.masks, tables.thresholds, tables.leaves)]
    base, threshold, least = (float(number) for number in tables.numbers)
    addresses = RescorerAddresses(
        (ctypes.c_int32 * 8)(*places.ravel().tolist()),
        len(tables.columns),
        least,
        threshold,
        base,
        *(array.ctypes.data for array in arrays),
        len(tables.name_keys),
        tables.name_keys.ctypes.data,
        tables.name_flags.ctypes.data,
    )
    if library().cn_model_rescores(model, ctypes.addressof(addresses)):
        raise ValueError("the model's rescorer cannot be used")


def _name_tables(names: Mapping[Label, Sequence[str]]) -> tuple[NDArray[np.uint64], NDArray[np.uint8]]:
    flags: dict[int, int] = {}
    for label, texts in names.items():
        bit = CLASSES[label] - 1
        for text in sorted(set(texts)):
            points = code_points(text)
            tokens = token_arrays(text)
            count = len(tokens.starts)
            if not count:
                continue
            for first, end, kind in ((0, count, _NAME_BITS), (count - 1, count, _LAST_BITS), (0, 1, _FIRST_BITS)):
                starts = np.ascontiguousarray(tokens.starts[first:end], np.int32)
                ends = np.ascontiguousarray(tokens.ends[first:end], np.int32)
                key = int(
                    library().cn_phrase_key(points.ctypes.data, starts.ctypes.data, ends.ctypes.data, end - first)
                )
                flags[key] = flags.get(key, 0) | 1 << (kind + bit)
    keys = sorted(flags)
    return np.array(keys, np.uint64), np.array([flags[key] for key in keys], np.uint8)
