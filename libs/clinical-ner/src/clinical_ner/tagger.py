"""The tagger: a model file opened, texts in, entities out."""

from __future__ import annotations

import copy
from itertools import repeat
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import numpy as np

from clinical_ner.artifact import MAX_BYTES, ArtifactRefused, load
from clinical_ner.decoder import Decoded, Decoder
from clinical_ner.meaning import UNJUDGED, Assertion, Prescription, Relation, RelationType, Status, relations_of
from clinical_ner.native import word_key
from clinical_ner.notes import Label
from clinical_ner.tokens import tokenise

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from clinical_ner.rules import Rules
    from clinical_ner.tables import ModelTables

Row = TypeVar("Row", bound=tuple[Any, ...])

__all__ = ["ArtifactRefused", "Entity", "NoteStatistics", "TaggedNote", "Tagger"]

TABLES_FILE = "tables.npz"
_NEGATED, _POSSIBLE, _HYPOTHETICAL = map(list(Status).index, (Status.NEGATED, Status.POSSIBLE, Status.HYPOTHETICAL))
_LABELS = np.array([Label.DISEASE, Label.DISEASE, Label.TREATMENT], dtype=object)  # by class, 1 and 2


class Entity(NamedTuple):
    """An entity of a note: `text[start:end]` in code points; `confidence` is calibrated where the model has a curve.

    `prescription` is None for diseases, and where nothing is written.
    """

    label: Label
    start: int
    end: int
    confidence: float
    assertion: Assertion = UNJUDGED
    prescription: Prescription | None = None


class NoteStatistics(NamedTuple):
    """Counts of one note for drift statistics; `confidence` is the mean probability of its tokens' labels.

    `negated_entities` are those of status NEGATED, `uncertain_entities` those of POSSIBLE or HYPOTHETICAL.
    `oov_tokens` are tokens with a letter whose lower case is not among the training notes; `unknown_chars` are
    characters that the training notes do not hold.
    """

    tokens: int
    oov_tokens: int
    unknown_chars: int
    chars: int
    disease_entities: int
    treatment_entities: int
    disease_tokens: int
    treatment_tokens: int
    negated_entities: int
    uncertain_entities: int
    confidence: float


class TaggedNote(NamedTuple):
    """What was found in one note.

    A relation's confidence is that of its rule times those of both ends, taken as independent. `confidence` is the
    calibrated probability that all of the note's entities are right.
    """

    entities: tuple[Entity, ...]
    relations: tuple[Relation, ...]
    confidence: float
    statistics: NoteStatistics

    @property
    def pairs(self) -> tuple[tuple[int, int], ...]:
        """(treatment, disease) as indices into `entities`: the relations of type TREATS."""
        return tuple(
            (relation.treatment, relation.disease)
            for relation in self.relations
            if relation.type is RelationType.TREATS
        )


def _made(kind: type[Row], *columns: Iterable[Any]) -> Iterator[Row]:
    """Rows of one kind from columns of equal length, at half the time of calling the class."""
    return map(tuple.__new__, repeat(kind), zip(*columns, strict=True))


class Tagger:
    """A model ready to tag. May be shared between threads: calls take turns in native code, outside Python's lock."""

    def __init__(self, tables: ModelTables) -> None:
        self.metadata: Mapping[str, Any] = MappingProxyType(dict(tables.metadata))
        self.training_mentions: NDArray[np.uint64] = tables.training_mentions
        self._known_words: NDArray[np.uint64] = tables.known_words
        try:
            self.decoder = Decoder(tables)
        except ValueError as error:
            raise ArtifactRefused("the model file cannot be used: its tables contradict each other") from error
        curves = tables.metadata["calibration"]["curves"]
        self._curves = {name: (np.array(c["raw"]), np.array(c["calibrated"])) for name, c in curves.items()}

    @classmethod
    def open(cls, source: str | Path | bytes, sha256: str | None = None) -> Tagger:
        """Open a model file: its path, its folder, or its bytes.

        Args:
            source: `tables.npz`, the folder that holds it, or its content.
            sha256: The digest it must have; None to trust the source.

        Raises:
            ArtifactRefused: The file is missing, damaged, not the expected one, or of another version.
        """
        return cls(load(source if isinstance(source, bytes) else _read_file(Path(source)), sha256))

    @property
    def rules_version(self) -> str:
        """The version of the rules behind assertions, relations and prescriptions."""
        return self.decoder.rules_version

    def with_rules(self, rules: Rules) -> Tagger:
        """The same model with other rules than the shipped ones; this one stays as it is.

        Raises:
            TableInvalid: Native code cannot use them.
        """
        made = copy.copy(self)
        made.decoder = self.decoder.with_rules(rules.tables)
        return made

    def tag(self, texts: Sequence[str]) -> list[TaggedNote]:
        """Find the entities of each text; any string is legal input."""
        if not texts:
            return []
        found = self.decoder.decode(texts)
        sure = self._confidences(found)
        entities = self._entities(found, sure)
        edges = np.arange(len(texts) + 1)
        firsts = np.searchsorted(found.entities[:, 0], edges)
        bounds = firsts.tolist()
        rows = found.meanings.relation_rows
        first = firsts[rows[:, 0]]
        relations = relations_of(rows, sure[first + rows[:, 1]] * sure[first + rows[:, 2]])
        relation_bounds = np.searchsorted(rows[:, 0], edges).tolist()
        confidences = self._calibrated("note", found.note_scores[:, 1]).tolist()
        means = np.minimum(found.note_scores[:, 0], 1.0).tolist()
        statistics = _made(NoteStatistics, *found.counts.T.tolist(), *_stated(found), means)
        # No Python frame is spent on a note: that would cost as much as decoding it.
        mine = map(entities.__getitem__, map(slice, bounds, bounds[1:]))
        related = map(relations.__getitem__, map(slice, relation_bounds, relation_bounds[1:]))
        return list(_made(TaggedNote, mine, related, confidences, statistics))

    def unknown_words(self, text: str) -> list[str]:
        """Return the tokens of a text, as written, that no training note held. Slow beside `tag`: for few notes."""
        tokens = [token.text for token in tokenise(text)]
        keys = np.array([word_key(token) for token in tokens], np.uint64)
        known = np.isin(keys, self._known_words) if len(keys) else keys.astype(bool)
        return [token for token, is_known in zip(tokens, known.tolist(), strict=True) if not is_known]

    def _confidences(self, found: Decoded) -> NDArray[np.float64]:
        first, second = (self._calibrated(label, found.confidences) for label in (Label.DISEASE, Label.TREATMENT))
        return np.where(found.entities[:, 1] == 1, first, second)

    def _entities(self, found: Decoded, confidences: NDArray[np.float64]) -> tuple[Entity, ...]:
        starts, ends = found.entities[:, 2:4].T.tolist()
        labels = _LABELS[found.entities[:, 1]].tolist()
        read = found.meanings
        return tuple(_made(Entity, labels, starts, ends, confidences.tolist(), read.assertions, read.prescriptions))

    def _calibrated(self, name: str, raw: NDArray[np.float64]) -> NDArray[np.float64]:
        curve = self._curves.get(name)
        return np.interp(raw, *curve) if curve else np.clip(raw, 0.0, 1.0)


def _stated(found: Decoded) -> tuple[list[int], list[int]]:
    """How many entities of each note are negated, and uncertain."""
    notes, statuses = found.entities[:, 0], found.meanings.statuses
    negated = notes[statuses == _NEGATED]
    uncertain = notes[(statuses == _POSSIBLE) | (statuses == _HYPOTHETICAL)]
    size = len(found.counts)
    return np.bincount(negated, minlength=size).tolist(), np.bincount(uncertain, minlength=size).tolist()


def _read_file(path: Path) -> bytes:
    path = path / TABLES_FILE if path.is_dir() else path
    try:
        if path.stat().st_size > MAX_BYTES:
            raise ArtifactRefused(f"the model file {path} is larger than {MAX_BYTES // 2**20} MB")
        return path.read_bytes()
    except OSError as error:
        raise ArtifactRefused(f"the model file {path} cannot be read: {error.strerror}") from error
