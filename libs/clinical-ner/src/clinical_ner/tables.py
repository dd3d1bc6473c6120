"""The plain tables that serving opens: weights by feature key, made from a trained CRF."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from clinical_ner.native import NO_SLOT

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from clinical_ner.crfsuite_file import CrfWeights
    from clinical_ner.features import ExtractorTables, FeatureExtractor
    from clinical_ner.rescoring import RescorerTables


@dataclass(frozen=True, slots=True)
class WeightTables:
    """Weights by key of the feature string.

    Attributes:
        transitions: From label (row) to label (column); shape (labels, labels).
        feature_keys: Sorted keys of word features; shape (features,).
        feature_starts: Feature i has the entries feature_starts[i]:feature_starts[i + 1]; shape (features + 1,).
        feature_cells: Per entry, slot * labels + label; slot is offset + window, or 2 * window + 1 for the bag.
        feature_weights: Per entry, its weight.
        pair_keys: Sorted keys of conjunctions; shape (pairs,).
        pair_rows: Their weights by member and label; shape (pairs, members * labels).
    """

    transitions: NDArray[np.float64]
    feature_keys: NDArray[np.uint64]
    feature_starts: NDArray[np.int32]
    feature_cells: NDArray[np.uint16]
    feature_weights: NDArray[np.float64]
    pair_keys: NDArray[np.uint64]
    pair_rows: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class ModelTables:
    """All that a tagger is made of.

    Attributes:
        metadata: Plain data: versions, configuration, labels, calibration, reference statistics, canary notes.
        known_words: Sorted keys of the lower-cased words of the training notes.
        known_characters: Sorted code points of the training notes.
        training_mentions: Sorted hashes of the annotated mentions (`mentions.mention_digests`).
        rescorer: Chooses among all likely spans; None: the spans of the best labelling are the entities.
    """

    metadata: Mapping[str, Any]
    extractor: ExtractorTables
    weights: WeightTables
    known_words: NDArray[np.uint64]
    known_characters: NDArray[np.uint32]
    training_mentions: NDArray[np.uint64]
    rescorer: RescorerTables | None = None


def weight_tables(weights: CrfWeights, extractor: FeatureExtractor, bag_value: float) -> WeightTables:
    """Arrange a CRF's weights by feature key.

    Args:
        weights: The CRF, trained on this extractor's attributes; ValueError if it was not.
        extractor: What makes the keys.
        bag_value: The value that the bag's attributes had in training: their weights are stored multiplied by it.
    """
    keys, slots = extractor.keys(weights.attributes)
    if (slots == NO_SLOT).any():
        raise ValueError("the model holds attributes that this extractor does not make")
    named = np.rec.fromarrays([keys, slots])
    if len(np.unique(named)) != len(named):
        raise ValueError("two features share a key: change the seed of the feature hash")
    used = weights.state_weights != 0
    attributes, labels = weights.state_attributes[used], weights.state_labels[used]
    values = weights.state_weights[used]
    words = slots[attributes] >= 0
    values[slots[attributes] == 2 * extractor.tables.window + 1] *= bag_value
    word_tables = _word_tables(
        keys[attributes[words]], slots[attributes[words]], labels[words], values[words], len(weights.labels)
    )
    n_labels = len(weights.labels)
    cells = (-1 - slots[attributes[~words]]) * n_labels + labels[~words]
    pair_tables = _pair_tables(keys[attributes[~words]], cells, values[~words], extractor.max_members * n_labels)
    return WeightTables(weights.transitions, *word_tables, *pair_tables)


def _word_tables(
    keys: NDArray[np.uint64],
    slots: NDArray[np.int32],
    labels: NDArray[np.int64],
    values: NDArray[np.float64],
    n_labels: int,
) -> tuple[NDArray[np.uint64], NDArray[np.int32], NDArray[np.uint16], NDArray[np.float64]]:
    cells = (slots * n_labels + labels).astype(np.uint16)
    order = np.lexsort((cells, keys))
    unique, firsts = np.unique(keys[order], return_index=True)
    starts = np.append(firsts, len(keys)).astype(np.int32)
    return unique, starts, cells[order], values[order]


def _pair_tables(
    keys: NDArray[np.uint64], cells: NDArray[np.int64], values: NDArray[np.float64], width: int
) -> tuple[NDArray[np.uint64], NDArray[np.float64]]:
    unique, places = np.unique(keys, return_inverse=True)
    rows = np.zeros((len(unique), width))
    rows[places, cells] = values
    return unique, rows
