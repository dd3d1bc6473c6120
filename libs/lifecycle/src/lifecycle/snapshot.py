"""The three data sets of a run: what trains, frozen gold, and the recent notes that judge a drift run."""

from __future__ import annotations

from collections.abc import Mapping  # noqa: TC003 - a dataclass keeps its annotations resolvable
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from clinical_ner.dataset_duplicates import leakage
from clinical_ner.datasets import digest, text_key
from clinical_ner.notes import AnnotatedNote, Label
from corpus.generator import generate
from corpus.lexicon import Vocabulary
from corpus.support import SHIPPED_NOTES, SHIPPED_SEED

from lifecycle.roles import Role

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lifecycle.collection import Collection


class CorpusConfigError(ValueError):
    """A choice of shipped notes that cannot be used; the message names the field."""


@dataclass(frozen=True, slots=True)
class CorpusConfig:
    """Which shipped synthetic notes take part; the gold ones hold names that the training ones do not."""

    seed: int = SHIPPED_SEED
    notes: int = SHIPPED_NOTES
    gold_seed: int = 21
    gold_notes: int = 1_200

    def __post_init__(self) -> None:
        """Refuse what no model could be made or judged by; CorpusConfigError names the field."""
        for name in ("seed", "gold_seed"):
            _need_at_least(0, name, getattr(self, name))
        for name in ("notes", "gold_notes"):
            _need_at_least(1, name, getattr(self, name))

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> CorpusConfig:
        """Read plain data; missing fields take their defaults, unknown ones are refused by name.

        Raises:
            CorpusConfigError: It cannot be used.
        """
        if unknown := sorted(set(data) - {entry.name for entry in fields(cls)}):
            raise CorpusConfigError(f"{unknown[0]}: there is no such field")
        return cls(**data)


def _need_at_least(least: int, name: str, value: object) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise CorpusConfigError(f"{name}: a whole number of at least {least}")


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The data sets of a run.

    `training` begins with the `shipped` notes of the shipped corpus. `gold` begins with the `shipped_gold` notes that every model was ever judged on. `training` holds each annotation
    `weight` times. `recent_of` says for each segment that was asked for where its notes lie in `recent`. `dropped` counts
    annotations that were too near a note of the other side.
    """

    training: tuple[AnnotatedNote, ...]
    gold: tuple[AnnotatedNote, ...]
    recent: tuple[AnnotatedNote, ...]
    shipped_gold: int
    annotated: int
    weight: int
    dropped: int
    recent_of: Mapping[str, tuple[int, ...]]
    shipped: int = 0

    @property
    def background(self) -> tuple[AnnotatedNote, ...]:
        """The shipped notes among those that train."""
        return self.training[: self.shipped]

    @property
    def taught(self) -> tuple[AnnotatedNote, ...]:
        """The annotations that train, each once."""
        return self.training[self.shipped : self.shipped + self.annotated]

    @property
    def digest(self) -> str:
        """Version of what trains."""
        return digest(self.training)

    def datasets(self) -> list[dict[str, Any]]:
        """Return name, digest, context and counts of each data set; no texts."""
        parts = (("train", self.training, "training"), ("recent", self.recent, "evaluation"))
        return [_described(*part) for part in (*parts, ("gold", self.gold, "evaluation"))]


def snapshot(
    collection: Collection, corpus: CorpusConfig, weight: int = 3, segments: Sequence[str] = (), since: int = 0
) -> Snapshot:
    """Put the shipped corpus and the collected notes together.

    `recent` is of `segments` alone where some are named, and of labels from `since` on.
    """
    gold_shipped = generate(corpus.gold_seed, corpus.gold_notes, vocabulary=Vocabulary.HELDOUT)
    judged = {text_key(note.text) for note in gold_shipped}
    shipped = [
        n for n in generate(corpus.seed, corpus.notes, vocabulary=Vocabulary.TRAIN) if text_key(n.text) not in judged
    ]
    mine, gold, recent = (
        collection.of(Role.TRAIN),
        collection.of(Role.GOLD),
        collection.of(Role.RECENT, *segments, since=since),
    )
    taught = _apart(mine, gold_shipped)
    gold_new, recent_new = _apart(gold, shipped), _apart(recent, shipped)
    dropped = len(mine) + len(gold) + len(recent) - len(taught) - len(gold_new) - len(recent_new)
    return Snapshot(
        (*shipped, *taught * weight),
        (*gold_shipped, *gold_new),
        tuple(recent_new),
        len(gold_shipped),
        len(taught),
        weight,
        dropped,
        {segment: _places(recent_new, collection.of(Role.RECENT, segment)) for segment in segments},
        len(shipped),
    )


def _places(notes: Sequence[AnnotatedNote], wanted: Sequence[AnnotatedNote]) -> tuple[int, ...]:
    identities = {id(note) for note in wanted}
    return tuple(place for place, note in enumerate(notes) if id(note) in identities)


def _apart(notes: Sequence[AnnotatedNote], others: Sequence[AnnotatedNote]) -> list[AnnotatedNote]:
    """Return the notes that are no duplicates, exact or near, of any of `others`."""
    if not notes:
        return []
    alike = {pair.second for pair in leakage(others, notes)}
    return [note for index, note in enumerate(notes) if index not in alike]


def _described(name: str, notes: Sequence[AnnotatedNote], context: str) -> dict[str, Any]:
    mentions = {str(label): sum(span.label is label for note in notes for span in note.spans) for label in Label}
    return {"name": name, "digest": digest(notes), "context": context, "notes": len(notes), "mentions": mentions}
