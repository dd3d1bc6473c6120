"""The compiled decoder of one model: texts in, flat arrays out."""

from __future__ import annotations

import copy
import ctypes
import weakref
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING

import numpy as np

from clinical_ner.features import FeatureExtractor
from clinical_ner.meaning import MeaningRows, Reader, copied, joined, meaning_rows
from clinical_ner.native import Result, library
from clinical_ner.rescoring import Candidates, attach
from clinical_ner.schemes import role

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from clinical_ner.phrases import Tables
    from clinical_ner.tables import ModelTables


@dataclass(frozen=True, slots=True)
class Decoded:
    """What the decoder found in a batch.

    Attributes:
        entities: Rows of (note, class, start, end, sentence, first token, last token); shape (entities, 7).
        confidences: Exact probability of each entity's span under the CRF, or the rescorer's; shape (entities,).
        counts: Rows of (tokens, unseen words, unknown characters, characters, disease entities, treatment entities,
            disease tokens, treatment tokens); shape (notes, 8).
        read: What the notes say of these entities.
        note_scores: Rows of (mean marginal of the chosen labels, probability of the whole labelling); shape (notes, 2).
    """

    entities: NDArray[np.int32]
    confidences: NDArray[np.float64]
    counts: NDArray[np.int64]
    read: MeaningRows
    note_scores: NDArray[np.float64]


class Decoder:
    """A model in native memory, with the rules that read what it tags. Calls from several threads take turns; memory is bounded whatever the texts hold."""

    def __init__(self, tables: ModelTables) -> None:
        self._extractor = FeatureExtractor(tables.extractor)
        self._labels = list(tables.metadata["crf_labels"])
        self._lock = Lock()
        self._owner: Decoder | None = None
        self._reader = Reader()  # one of its own: what it has read belongs to the last call
        self._address = self._make(tables)
        if not self._address:
            raise ValueError("the model's tables cannot be used")
        # The finaliser's argument keeps alive what the model points to until the model is gone.
        weakref.finalize(self, _free, self._address, (self._extractor, self._reader))
        self._weighs = tables.rescorer is not None
        if tables.rescorer is not None:
            attach(self._address, tables.rescorer, tables.metadata["scheme"], self._labels)

    def _make(self, tables: ModelTables) -> int | None:
        weights = tables.weights
        roles = np.array([role(tables.metadata["scheme"], label) for label in self._labels], np.int32)
        address: int | None = library().cn_model_new(
            self._extractor.address,
            len(self._labels),
            roles.ctypes.data,
            weights.transitions.ctypes.data,
            weights.feature_keys.ctypes.data,
            weights.feature_starts.ctypes.data,
            len(weights.feature_keys),
            weights.feature_cells.ctypes.data,
            weights.feature_weights.ctypes.data,
            weights.pair_keys.ctypes.data,
            weights.pair_rows.ctypes.data,
            len(weights.pair_keys),
            tables.known_words.ctypes.data,
            len(tables.known_words),
            tables.known_characters.ctypes.data,
            len(tables.known_characters),
            int(tables.metadata["cache_words"]),
        )
        return address

    def with_rules(self, tables: Tables) -> Decoder:
        """This model, read by other rules; both may be used, and take turns.

        Raises:
            TableInvalid: Native code cannot use them.
        """
        made = copy.copy(self)
        made._reader = Reader(tables)  # noqa: SLF001 - ours
        made._owner = self  # noqa: SLF001 - the model's memory is its
        return made

    @property
    def rules_version(self) -> str:
        """The version of the rules that read what is tagged."""
        return self._reader.rules_version

    @property
    def cached_words(self) -> int:
        """How many words the cache holds now."""
        return int(library().cn_cached_words(self._address))

    def decode(self, texts: Sequence[str]) -> Decoded:
        """Tokenise and decode a batch of texts in one native call."""
        return self.decode_points(*joined(texts))

    def decode_points(self, points: NDArray[np.uint32], bounds: NDArray[np.int64]) -> Decoded:
        """The same of texts as code points, text i from bounds[i] to bounds[i + 1]."""
        result, count = Result(), len(bounds) - 1
        with self._lock:
            library().cn_model_reads(self._address, self._reader.address)
            failed = library().cn_tag(
                self._address, points.ctypes.data, bounds.ctypes.data, count, ctypes.addressof(result)
            )
            if failed:
                raise MemoryError("the decoder ran out of memory")
            return Decoded(
                copied(result.entities, np.int32, result.n_entities, 7),
                copied(result.confidences, np.float64, result.n_entities, 1)[:, 0],
                copied(result.counts, np.int64, count, 8),
                meaning_rows(library().cn_meaning_of(self._reader.address)),
                copied(result.note_scores, np.float64, count, 2),
            )

    @property
    def weighs_candidates(self) -> bool:
        """Whether the model has a rescorer, and so candidates."""
        return self._weighs

    def candidates(self, texts: Sequence[str]) -> Candidates:
        """Return all likely spans of a batch of texts, for training a rescorer; ValueError if the model has none."""
        points, bounds = joined(texts)
        spans, columns = ctypes.c_void_p(), ctypes.c_void_p()
        width = int(library().cn_rescorer_columns())
        with self._lock:
            count = library().cn_candidates(
                self._address,
                points.ctypes.data,
                bounds.ctypes.data,
                len(texts),
                ctypes.addressof(spans),
                ctypes.addressof(columns),
            )
            if count < 0:
                raise ValueError("the model has no rescorer, or no memory")
            return Candidates(
                copied(spans.value, np.int32, count, 4),
                copied(columns.value, np.float32, count, width),
            )

    def marginals(
        self, points: NDArray[np.uint32], starts: NDArray[np.int32], ends: NDArray[np.int32]
    ) -> tuple[list[str], NDArray[np.float64]]:
        """Labels and marginal probabilities (shape (tokens, labels)) of one sequence of given tokens."""
        count = len(starts)
        starts, ends = np.ascontiguousarray(starts, np.int32), np.ascontiguousarray(ends, np.int32)
        labels, marginals = np.zeros(count, np.int32), np.zeros((count, len(self._labels)))
        with self._lock:
            failed = library().cn_decode(
                self._address,
                points.ctypes.data,
                starts.ctypes.data,
                ends.ctypes.data,
                count,
                labels.ctypes.data,
                marginals.ctypes.data,
            )
        if failed:
            raise ValueError("the sequence is longer than the decoder's cache")
        return [self._labels[label] for label in labels.tolist()], marginals


def _free(address: int, needed: object) -> None:
    library().cn_model_free(address)
    del needed
