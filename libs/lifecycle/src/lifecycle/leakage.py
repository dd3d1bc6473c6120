"""Was a model trained on what judges it? Texts are compared by hash, so that a model can be asked without its data.

The hash is not keyed: it hides a text from a reader, not from somebody who guesses it whole.
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from clinical_ner.artifact import dump, load
from clinical_ner.datasets import text_key
from clinical_ner.mentions import mention_digests
from clinical_ner.train import TrainedModel

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from clinical_ner.notes import AnnotatedNote
    from numpy.typing import NDArray

TEXTS = "training_texts"
"""Field of a model's metadata: base64 of the sorted 64-bit hashes of its training texts."""
SUSPICIOUS_SHARE = 0.5


@dataclass(frozen=True, slots=True)
class Leak:
    """What of a test set a model was trained on.

    `texts` is the number of test notes among its training texts, None when the model does not say what it was trained
    on. `patients` counts groups on both sides, where the training notes are at hand. `known_names` is the share of the
    gold's entity names that it was trained on: on names held out of the shipped corpus, half is suspicious.
    """

    texts: int | None
    patients: int = 0
    known_names: float = 0.0

    @property
    def found(self) -> bool:
        """Whether the model must not be judged on this test set."""
        suspicious = self.texts is None and self.known_names >= SUSPICIOUS_SHARE
        return bool(self.texts) or self.patients > 0 or suspicious


def text_hashes(notes: Iterable[AnnotatedNote]) -> NDArray[np.uint64]:
    """Return the sorted, unique hashes of the texts, case and spaces apart; shape (texts,)."""
    keys = {text_key(note.text).encode("utf-8", "surrogatepass") for note in notes}
    hashes = sorted(int.from_bytes(hashlib.blake2b(key, digest_size=8).digest(), "little") for key in keys)
    return np.array(hashes, np.uint64)


def packed(hashes: NDArray[np.uint64]) -> str:
    """Return hashes as text for a model's metadata."""
    return base64.b64encode(hashes.astype("<u8").tobytes()).decode()


def remembering(trained: TrainedModel, notes: Iterable[AnnotatedNote]) -> TrainedModel:
    """Return the model with the hashes of its training texts in it: without them a leak shows by names alone."""
    known_texts = {TEXTS: packed(text_hashes(notes))}
    tables = load(trained.tables)
    remembered = dump(replace(tables, metadata={**tables.metadata, **known_texts}))
    return TrainedModel(trained.crfsuite, remembered, {**trained.metadata, **known_texts})


def leak(
    metadata: Mapping[str, Any],
    training_mentions: NDArray[np.uint64],
    gold: Sequence[AnnotatedNote],
    training: Iterable[AnnotatedNote] = (),
    *,
    recent: Sequence[AnnotatedNote] = (),
) -> Leak:
    """Compare what a model says of its training with the test sets; with `training` at hand compare patients too.

    Names are compared with `gold` alone: a model may know the names of recent notes, that is what a drift run is for.
    """
    names = mention_digests(gold)
    known = float(np.isin(names, training_mentions).mean()) if len(names) else 0.0
    test = [*gold, *recent]
    groups = {note.group for note in test if note.group} & {note.group for note in training if note.group}
    if TEXTS not in metadata:
        return Leak(None, len(groups), known)
    trained_on = np.frombuffer(base64.b64decode(metadata[TEXTS]), "<u8")
    return Leak(int(np.isin(text_hashes(test), trained_on).sum()), len(groups), known)
