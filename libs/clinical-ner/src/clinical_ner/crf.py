"""Fits one CRF to notes, with their mentions swapped, and returns its weights."""

from __future__ import annotations

import random
import tempfile
from collections import Counter
from dataclasses import replace
from functools import partial
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from clinical_ner.config import DESCENT
from clinical_ner.crfsuite_file import CrfWeights, read_weights
from clinical_ner.sequences import all_sequences, token_sequences
from clinical_ner.standing import Standing
from clinical_ner.support import NO_BACKGROUND, Background
from clinical_ner.swap import mention_pools, swapped
from clinical_ner.table_trainer import NOTHING_BARRED, TableTrainer, Turns, fit_tables

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from clinical_ner.config import TrainingConfig
    from clinical_ner.features import FeatureExtractor
    from clinical_ner.notes import AnnotatedNote, Label
    from clinical_ner.sequences import TokenSequence

    Progress = Callable[[str, int, int], None]

BIAS_ATTRIBUTE = "0 b"
BAG_MARK = "~"


def fit(
    notes: Sequence[AnnotatedNote],
    extractor: FeatureExtractor,
    config: TrainingConfig,
    seed: int,
    lexicon: Mapping[Label, Sequence[str]] | None = None,
    report: Callable[[int], None] | None = None,
    background: Background = NO_BACKGROUND,
) -> CrfWeights:
    """Train on notes and their swapped copies; `report` is told each iteration's number.

    Stochastic descent, which alone weighs a `background`, and L-BFGS without an L1 penalty runs over word tables (`clinical_ner.table_trainer`): the same objective as CRFsuite's
    in a fraction of the time. All else is CRFsuite's own training. What would spell a word that may not stand is not learnt.
    """
    if config.algorithm == DESCENT:
        return biased(_descended(notes, extractor, config, seed, lexicon, report, background), config.label_bias)
    spread = with_swaps(notes, config.swap_copies, seed, lexicon)
    sequences, barred = all_sequences(spread, config.scheme), Standing(spread).barred()
    if config.algorithm == "lbfgs" and not config.c1 and not config.by_crfsuite:
        weights = fit_tables(sequences, extractor, config, report, barred)
    else:
        weights = read_weights(fit_by_crfsuite(sequences, extractor, config, report, barred))
    return biased(weights, config.label_bias)


def _descended(
    notes: Sequence[AnnotatedNote],
    extractor: FeatureExtractor,
    config: TrainingConfig,
    seed: int,
    lexicon: Mapping[Label, Sequence[str]] | None,
    report: Callable[[int], None] | None,
    background: Background,
) -> CrfWeights:
    swaps = with_swaps(notes, config.swap_copies, seed, lexicon)[len(notes) :]
    parts = [(note, 1.0, -1) for note in notes]
    each = max(1, len(swaps) // max(1, config.swap_copies))
    parts += [(note, 1.0, place // each) for place, note in enumerate(swaps)]
    parts += [(note, background.weight, -1) for note in background.notes]
    rows = [
        (sequence, weight, variant)
        for note, weight, variant in parts
        for sequence in token_sequences(note, config.scheme)
        if sequence.labels
    ]
    sequences, weights, variants = zip(*rows, strict=True)
    barred = Standing([note for note, _, _ in parts]).barred()
    trainer = TableTrainer(sequences, extractor, config, barred)
    turns = Turns(np.array(weights, np.float32), np.array(variants, np.int32), max(1, config.swap_copies))
    trainer.descend(config, seed, turns, report)
    return trainer.weights()


def fit_averaged(
    notes: Sequence[AnnotatedNote],
    extractor: FeatureExtractor,
    config: TrainingConfig,
    seed: int,
    lexicon: Mapping[Label, Sequence[str]] | None = None,
    report: Callable[[int, int], None] | None = None,
    background: Background = NO_BACKGROUND,
) -> CrfWeights:
    """Train `config.averaged_fits` times with different swaps and average the weights; `report` gets (fit, iteration)."""
    fits = config.averaged_fits if config.swap_copies else 1  # without swaps all fits would be the same
    return averaged(
        [
            fit(
                notes,
                extractor,
                config,
                seed + number,
                lexicon,
                partial(report, number) if report else None,
                background,
            )
            for number in range(fits)
        ]
    )


def averaged(fits: Sequence[CrfWeights]) -> CrfWeights:
    """Return the mean of the weights; an attribute that a fit does not know counts as zero there."""
    first = fits[0]
    if len(fits) == 1:
        return first
    labels = sorted({label for each in fits for label in each.labels})
    places = {
        attribute: place for place, attribute in enumerate(dict.fromkeys(chain(*(each.attributes for each in fits))))
    }
    states = np.zeros((len(places), len(labels)))
    transitions = np.zeros((len(labels), len(labels)))
    for each in fits:
        label_of = np.array([labels.index(label) for label in each.labels], np.int64)
        attribute_of = np.array([places[attribute] for attribute in each.attributes], np.int64)
        rows, columns = attribute_of[each.state_attributes], label_of[each.state_labels]
        np.add.at(states, (rows, columns), each.state_weights / len(fits))
        transitions[np.ix_(label_of, label_of)] += each.transitions / len(fits)
    rows, columns = np.nonzero(states)
    return CrfWeights(labels, list(places), transitions, rows, columns, states[rows, columns])


def biased(weights: CrfWeights, bias: Mapping[str, float]) -> CrfWeights:
    """Return the weights with an amount added to the score of some labels at every token."""
    added = [(label, amount) for label, amount in bias.items() if label in weights.labels and amount]
    if not added or BIAS_ATTRIBUTE not in weights.attributes:
        return weights
    place = weights.attributes.index(BIAS_ATTRIBUTE)
    rest = ~(
        (weights.state_attributes == place) & np.isin(weights.state_labels, [weights.labels.index(a) for a, _ in added])
    )
    old = dict(zip(weights.state_labels[~rest].tolist(), weights.state_weights[~rest].tolist(), strict=True))
    labels = [weights.labels.index(label) for label, _ in added]
    amounts = [old.get(number, 0.0) + amount for number, (_, amount) in zip(labels, added, strict=True)]
    return replace(
        weights,
        state_attributes=np.append(weights.state_attributes[rest], [place] * len(labels)),
        state_labels=np.append(weights.state_labels[rest], labels),
        state_weights=np.append(weights.state_weights[rest], amounts),
    )


def fit_by_crfsuite(
    sequences: Sequence[TokenSequence],
    extractor: FeatureExtractor,
    config: TrainingConfig,
    report: Callable[[int], None] | None = None,
    barred: NDArray[np.uint64] = NOTHING_BARRED,
) -> bytes:
    """Train by CRFsuite on attribute strings."""
    import pycrfsuite
    import sklearn_crfsuite

    attributes = [extractor.attributes(each.points, each.starts, each.ends) for each in sequences]
    kept = frequent(attributes, config.min_frequency)
    if len(barred):
        kept &= set(TableTrainer(sequences, extractor, config, barred).attributes())
    items = [pycrfsuite.ItemSequence(valued(sequence, kept, config.bag_value)) for sequence in attributes]
    del attributes, kept
    with tempfile.TemporaryDirectory(prefix="rxtract-train-") as folder:
        path = Path(folder) / "model.crfsuite"
        estimator = sklearn_crfsuite.CRF(
            **_parameters(config), model_filename=str(path), trainer_cls=_trainer(pycrfsuite.Trainer, report)
        )
        estimator.fit(items, [each.labels for each in sequences])
        return path.read_bytes()


def with_swaps(
    notes: Sequence[AnnotatedNote], copies: int, seed: int, lexicon: Mapping[Label, Sequence[str]] | None = None
) -> list[AnnotatedNote]:
    """Return the notes, then `copies` swapped versions of those that hold a mention."""
    rng = random.Random(seed)
    pools = mention_pools(notes, rng, lexicon, Standing(notes))
    swaps = [swapped(note, pools, rng) for _ in range(copies) for note in notes if note.spans]
    return [*notes, *swaps]


def frequent(sequences: Sequence[Sequence[Sequence[str]]], minimum: float) -> set[str]:
    """Attributes of at least `minimum` tokens (of the bag: sentences): rarer ones teach nothing and double the model."""
    counts: Counter[str] = Counter()
    for sequence in sequences:
        for token in sequence:
            counts.update(attribute for attribute in token if attribute[0] != BAG_MARK)
        if sequence:
            counts.update(attribute for attribute in sequence[0] if attribute[0] == BAG_MARK)
    return {attribute for attribute, count in counts.items() if count >= minimum}


def valued(sequence: Sequence[Sequence[str]], kept: set[str], bag_value: float) -> list[dict[str, float]]:
    """CRFsuite's items: attributes with their values, 1 but for the bag's."""
    return [
        {attribute: bag_value if attribute[0] == BAG_MARK else 1.0 for attribute in token if attribute in kept}
        for token in sequence
    ]


def _parameters(config: TrainingConfig) -> dict[str, Any]:
    """CRFsuite's parameters; only those that the algorithm knows."""
    common: dict[str, Any] = {
        "algorithm": config.algorithm,
        "max_iterations": config.max_iterations,
        "all_possible_states": config.all_states,
        "all_possible_transitions": config.all_transitions,
    }
    penalties = {"lbfgs": {"c1": config.c1, "c2": config.c2}, "l2sgd": {"c2": config.c2}}
    return {**common, **penalties.get(config.algorithm, {})}


def _trainer(base: type[Any], report: Callable[[int], None] | None) -> type[Any]:
    """A CRFsuite trainer that tells `report` of each iteration."""

    class ReportingTrainer(base):  # type: ignore[misc]
        def message(self, message: str) -> None:
            if self.logparser.feed(message) == "iteration" and report is not None:
                report(int(self.logparser.last_iteration["num"]))

    return ReportingTrainer
