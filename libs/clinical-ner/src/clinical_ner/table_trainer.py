"""L-BFGS training over word tables: CRFsuite's objective without computing a word's features once per token."""

from __future__ import annotations

import ctypes
import weakref
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from clinical_ner.crfsuite_file import CrfWeights
from clinical_ner.native import DescentSettings, library
from clinical_ner.schemes import allowed_transitions

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from clinical_ner.config import TrainingConfig
    from clinical_ner.features import FeatureExtractor
    from clinical_ner.sequences import TokenSequence

_PERIOD, _DELTA = 10, 1e-5
"""Stop when the loss fell by less than this share over so many iterations (CRFsuite's defaults)."""
_DELAY = 100.0
"""Passes that the first steps of a descent are as short as if they had been made."""
_SHORT, _MOST_TIMES = 1_000, 4

NOTHING_BARRED = np.array([], np.uint64)


class TableTrainer:
    """The training objective of labelled sequences, in native memory.

    Args:
        sequences: What is learnt from.
        extractor: Makes the features.
        config: How.
        barred: Keys of words as written (`Standing.barred`): a feature that they alone have is not learnt.
    """

    def __init__(
        self,
        sequences: Sequence[TokenSequence],
        extractor: FeatureExtractor,
        config: TrainingConfig,
        barred: NDArray[np.uint64] = NOTHING_BARRED,
    ) -> None:
        native = library()
        self.labels = sorted({label for each in sequences for label in each.labels})
        self._extractor = extractor
        self._address = native.cn_trainer_new(extractor.address, len(self.labels), config.bag_value)
        if not self._address:
            raise MemoryError("no memory to train")
        weakref.finalize(self, native.cn_trainer_free, self._address)
        places = {label: place for place, label in enumerate(self.labels)}
        self._sequences = sum(1 for each in sequences if each.labels)  # those without a token are not kept
        for each in sequences:
            self._add(each, np.array([places[label] for label in each.labels], np.int32))
        if len(barred) and native.cn_trainer_bar(self._address, barred.ctypes.data, len(barred)):
            raise MemoryError("no memory to train")
        found = native.cn_trainer_prepare(
            self._address, config.min_frequency, config.c2, config.all_states, config.all_transitions
        )
        if found < 0:
            raise MemoryError("no memory to train")
        self.n_weights = (int(found) + len(self.labels)) * len(self.labels)

    def _add(self, sequence: TokenSequence, labels: NDArray[np.int32]) -> None:
        starts, ends = np.ascontiguousarray(sequence.starts), np.ascontiguousarray(sequence.ends)
        _check(sequence, starts, ends)
        failed = library().cn_trainer_add(
            self._address,
            sequence.points.ctypes.data,
            starts.ctypes.data,
            ends.ctypes.data,
            labels.ctypes.data,
            len(labels),
        )
        if failed:
            raise MemoryError("no memory to train")

    def loss(self, weights: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        """Return the objective at weights of shape (n_weights,), and its gradient of the same shape."""
        if weights.shape != (self.n_weights,) or weights.dtype != np.float64 or not weights.flags.c_contiguous:
            raise ValueError(f"weights must be {self.n_weights} doubles side by side")
        gradient = np.empty(self.n_weights)
        value = library().cn_trainer_loss(self._address, weights.ctypes.data, gradient.ctypes.data)
        return float(value), gradient

    def run(self, iterations: int, report: Callable[[int], None] | None = None) -> float:
        """Iterate until the loss hardly falls any more; return it."""
        losses: list[float] = []
        value = ctypes.c_double()
        for number in range(1, iterations + 1):
            moved = library().cn_trainer_iterate(self._address, ctypes.addressof(value))
            if moved < 0:
                raise MemoryError("no memory to train")
            losses.append(value.value)
            if report is not None:
                report(number)
            if not moved or (number > _PERIOD and losses[-1 - _PERIOD] - losses[-1] < _DELTA * abs(losses[-1])):
                break
        return losses[-1]

    def descend(
        self,
        config: TrainingConfig,
        seed: int,
        order: Turns,
        report: Callable[[int], None] | None = None,
    ) -> float:
        """Make `config.passes` passes of averaged stochastic gradient descent; return the loss of the last one.

        Over few sequences each pass is made several times: one step is short.
        """
        native = library()
        times = min(max(_SHORT // max(1, self._sequences), 1), _MOST_TIMES)
        settings = DescentSettings(
            config.passes * times * 2 // 5, order.variants_count, config.c2, _DELAY, config.feature_dropout, seed + 1
        )
        allowed = np.ascontiguousarray(allowed_transitions(config.scheme, self.labels))
        weights, variants = np.ascontiguousarray(order.weights), np.ascontiguousarray(order.variants)
        if len(weights) != self._sequences or len(variants) != self._sequences:
            raise ValueError("one weight and one variant a sequence")
        if native.cn_trainer_descend(
            self._address,
            ctypes.addressof(settings),
            weights.ctypes.data,
            variants.ctypes.data,
            allowed.ctypes.data,
        ):
            raise MemoryError("no memory to train")
        loss = ctypes.c_double()
        for number in range(1, config.passes + 1):
            for _ in range(times):
                native.cn_trainer_pass(self._address, ctypes.addressof(loss))
            if report is not None:
                report(number)
        native.cn_trainer_settle(self._address)
        return loss.value

    def attributes(self) -> list[str]:
        """Return the attribute strings in the order of the weights."""
        out = ctypes.c_void_p()
        size = library().cn_trainer_attributes(self._address, self._extractor.address, ctypes.addressof(out))
        return ctypes.string_at(out.value or 0, size).decode().split("\n")[:-1] if size > 0 else []

    def weights(self) -> CrfWeights:
        """Return the weights found, with their attribute strings."""
        attributes, count = self.attributes(), len(self.labels)
        found = np.frombuffer(ctypes.string_at(library().cn_trainer_weights(self._address), 8 * self.n_weights))
        states = len(attributes) * count
        return CrfWeights(
            self.labels,
            attributes,
            found[states:].reshape(count, count),
            np.repeat(np.arange(len(attributes)), count),
            np.tile(np.arange(count), len(attributes)),
            found[:states],
        )


@dataclass(frozen=True, slots=True)
class Turns:
    """How much each sequence counts, and when.

    Attributes:
        weights: Of each sequence that has a token; shape (sequences,).
        variants: -1 for those of every pass, else v for those of every `variants_count`-th pass; shape (sequences,).
        variants_count: How many variants take turns, at least 1.
    """

    weights: NDArray[np.float32]
    variants: NDArray[np.int32]
    variants_count: int


def _check(sequence: TokenSequence, starts: NDArray[np.int32], ends: NDArray[np.int32]) -> None:
    """The native side reads these addresses unseen: ValueError for what would lead it outside the text."""
    types = (sequence.points.dtype.name, starts.dtype.name, ends.dtype.name)
    if types != ("uint32", "int32", "int32") or not len(sequence.labels) == len(starts) == len(ends):
        raise ValueError("a sequence's offsets and labels do not belong together")
    if len(starts) and not (starts.min() >= 0 and (ends > starts).all() and ends.max() <= len(sequence.points)):
        raise ValueError("a sequence has a token outside its text")


def fit_tables(
    sequences: Sequence[TokenSequence],
    extractor: FeatureExtractor,
    config: TrainingConfig,
    report: Callable[[int], None] | None = None,
    barred: NDArray[np.uint64] = NOTHING_BARRED,
) -> CrfWeights:
    """Train on sequences; `report` is told each iteration's number. For `barred` see `TableTrainer`."""
    trainer = TableTrainer(sequences, extractor, config, barred)
    trainer.run(config.max_iterations, report)
    return trainer.weights()
