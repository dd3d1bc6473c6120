"""Fits one CRF by CRFsuite (through sklearn-crfsuite) on notes, and returns the bytes of its model file."""

from __future__ import annotations

import random
import tempfile
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clinical_ner.crfsuite_file import add_bias
from clinical_ner.sequences import all_sequences
from clinical_ner.swap import mention_pools, swapped

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from clinical_ner.config import TrainingConfig
    from clinical_ner.features import FeatureExtractor
    from clinical_ner.notes import AnnotatedNote, Label

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
) -> bytes:
    """Train on notes and their swapped copies; `report` is told each iteration's number."""
    import pycrfsuite
    import sklearn_crfsuite

    sequences = all_sequences(with_swaps(notes, config.swap_copies, seed, lexicon), config.scheme)
    attributes = [extractor.attributes(each.points, each.starts, each.ends) for each in sequences]
    kept = frequent(attributes, config.min_frequency)
    items = [pycrfsuite.ItemSequence(valued(sequence, kept, config.bag_value)) for sequence in attributes]
    del attributes, kept
    with tempfile.TemporaryDirectory(prefix="rxtract-train-") as folder:
        path = Path(folder) / "model.crfsuite"
        estimator = sklearn_crfsuite.CRF(
            **_parameters(config), model_filename=str(path), trainer_cls=_trainer(pycrfsuite.Trainer, report)
        )
        estimator.fit(items, [each.labels for each in sequences])
        model = path.read_bytes()
    return add_bias(model, BIAS_ATTRIBUTE, config.label_bias) if config.label_bias else model


def with_swaps(
    notes: Sequence[AnnotatedNote], copies: int, seed: int, lexicon: Mapping[Label, Sequence[str]] | None = None
) -> list[AnnotatedNote]:
    """Return the notes, then `copies` swapped versions of those that hold a mention."""
    rng = random.Random(seed)
    pools = mention_pools(notes, rng, lexicon)
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
