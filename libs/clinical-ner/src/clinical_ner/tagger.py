"""The tagger: a model file opened, texts in, entities out."""

from __future__ import annotations

import copy
from itertools import repeat
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import numpy as np

from clinical_ner.artifact import MAX_BYTES, ArtifactRefused, check_beside, load
from clinical_ner.decoder import Decoded, Decoder
from clinical_ner.gain import expected_gains
from clinical_ner.meaning import (
    UNJUDGED,
    Assertion,
    MeaningRows,
    Prescription,
    PrescriptionColumns,
    Relation,
    RelationType,
    Status,
    meanings,
    prescription_columns,
    relation_confidences,
    relations_of,
)
from clinical_ner.native import word_key
from clinical_ner.notes import Label
from clinical_ner.tokens import tokenise

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from clinical_ner.rules import Rules
    from clinical_ner.tables import ModelTables

Row = TypeVar("Row", bound=tuple[Any, ...])

__all__ = ["ArtifactRefused", "Entity", "NoteStatistics", "TaggedColumns", "TaggedNote", "Tagger"]

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


class TaggedColumns(NamedTuple):
    """What was found in a batch, as arrays: what `TaggedNote` says, without an object for a note.

    Attributes:
        bounds: The entities of note i are those from bounds[i] to before bounds[i + 1]; shape (notes + 1,).
        notes: Note of each entity; shape (entities,), as the next four.
        labels: 1 DISEASE, 2 TREATMENT.
        starts: First code point in the note's text.
        ends: The one after the last.
        confidences: Calibrated.
        assertions: Places in `Status`, `Time` and `Experiencer`, then cue_start and cue_end; shape (5, entities).
        relation_bounds: As `bounds`, of relations.
        relations: Type as its place in `RelationType`, then treatment and disease as places among the note's entities; shape
            (3, relations).
        relation_confidences: Shape (relations,).
        note_confidences: Calibrated probability that all of a note's entities are right; shape (notes,).
        numbers: The columns of `NoteStatistics` but the last; shape (10, notes).
        mean_confidences: The last; shape (notes,).
        read: From which `prescriptions` are made.
    """

    bounds: NDArray[np.int64]
    notes: NDArray[np.int64]
    labels: NDArray[np.int64]
    starts: NDArray[np.int64]
    ends: NDArray[np.int64]
    confidences: NDArray[np.float64]
    assertions: NDArray[np.int64]
    relation_bounds: NDArray[np.int64]
    relations: NDArray[np.int64]
    relation_confidences: NDArray[np.float64]
    note_confidences: NDArray[np.float64]
    numbers: NDArray[np.int64]
    mean_confidences: NDArray[np.float64]
    read: MeaningRows

    def prescriptions(self) -> PrescriptionColumns:
        """How the entities are taken."""
        return prescription_columns(self.read)


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
        found = cls(load(source if isinstance(source, bytes) else _read_file(Path(source)), sha256))
        if not isinstance(source, bytes) and Path(source).is_dir():
            check_beside(Path(source), found.metadata)
        return found

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
        """Find the entities of each text; any string is valid input."""
        if not texts:
            return []
        found = self.decoder.decode(texts)
        columns = self._columns(found)
        entities = self._entities(found, columns.confidences)
        bounds, relation_bounds = columns.bounds.tolist(), columns.relation_bounds.tolist()
        rows = found.read.relations
        first = columns.bounds[rows[:, 0]]
        relations = relations_of(
            rows, columns.confidences[first + rows[:, 1]] * columns.confidences[first + rows[:, 2]]
        )
        statistics = _made(NoteStatistics, *columns.numbers.tolist(), columns.mean_confidences.tolist())
        # No Python frame is spent on a note: that would cost as much as decoding it.
        mine = map(entities.__getitem__, map(slice, bounds, bounds[1:]))
        related = map(relations.__getitem__, map(slice, relation_bounds, relation_bounds[1:]))
        return list(_made(TaggedNote, mine, related, columns.note_confidences.tolist(), statistics))

    def tag_columns(self, points: NDArray[np.uint32], bounds: NDArray[np.int64]) -> TaggedColumns:
        """Find the entities of texts given as code points, text i from bounds[i] to bounds[i + 1].

        The same native call as `tag`, of one text or of many; only what is made of its answer differs.
        """
        return self._columns(self.decoder.decode_points(points, bounds))

    def _columns(self, found: Decoded) -> TaggedColumns:
        edges = np.arange(len(found.counts) + 1)
        rows = found.read.relations
        sure = self._confidences(found)
        notes, labels, starts, ends = np.ascontiguousarray(found.entities[:, :4].T, np.int64)
        bounds = np.searchsorted(notes, edges).astype(np.int64)
        first = bounds[rows[:, 0]]
        return TaggedColumns(
            bounds=bounds,
            notes=notes,
            labels=labels,
            starts=starts,
            ends=ends,
            confidences=sure,
            assertions=np.ascontiguousarray(found.read.assertions.T, np.int64),
            relation_bounds=np.searchsorted(rows[:, 0], edges).astype(np.int64),
            relations=np.ascontiguousarray(rows.T[[3, 1, 2]], np.int64),
            relation_confidences=relation_confidences(rows, sure[first + rows[:, 1]] * sure[first + rows[:, 2]]),
            note_confidences=self._calibrated("note", found.note_scores[:, 1]),
            numbers=np.concatenate([found.counts.T, _stated(found)]),
            mean_confidences=np.minimum(found.note_scores[:, 0], 1.0),
            read=found.read,
        )

    def expected_gains(self, texts: Sequence[str]) -> list[float | None]:
        """What looking at each text is expected to teach, for a token of reading (`clinical_ner.gain`). For few texts."""
        return expected_gains(self.decoder, texts)

    def unknown_words(self, text: str) -> list[str]:
        """Return the tokens of a text, as written, that no training note held. Slow beside `tag`: for few notes."""
        tokens = [token.text for token in tokenise(text)]
        keys = np.array([word_key(token) for token in tokens], np.uint64)
        known = np.isin(keys, self._known_words) if len(keys) else keys.astype(bool)
        return [token for token, is_known in zip(tokens, known.tolist(), strict=True) if not is_known]

    def _confidences(self, found: Decoded) -> NDArray[np.float64]:
        if not self._curves:
            return self._calibrated("", found.confidences)
        first, second = (self._calibrated(label, found.confidences) for label in (Label.DISEASE, Label.TREATMENT))
        return np.where(found.entities[:, 1] == 1, first, second)

    def _entities(self, found: Decoded, confidences: NDArray[np.float64]) -> tuple[Entity, ...]:
        starts, ends = found.entities[:, 2:4].T.tolist()
        labels = _LABELS[found.entities[:, 1]].tolist()
        read = meanings(found.read)
        return tuple(_made(Entity, labels, starts, ends, confidences.tolist(), read.assertions, read.prescriptions))

    def _calibrated(self, name: str, raw: NDArray[np.float64]) -> NDArray[np.float64]:
        curve = self._curves.get(name)
        return np.interp(raw, *curve) if curve else np.minimum(np.maximum(raw, 0.0), 1.0)


def _stated(found: Decoded) -> NDArray[np.int64]:
    """How many entities of each note are negated, and uncertain; shape (2, notes)."""
    notes, statuses = found.entities[:, 0], found.read.assertions[:, 0]
    negated = notes[statuses == _NEGATED]
    uncertain = notes[(statuses == _POSSIBLE) | (statuses == _HYPOTHETICAL)]
    size = len(found.counts)
    return np.stack([np.bincount(negated, minlength=size), np.bincount(uncertain, minlength=size)]).astype(np.int64)


def _read_file(path: Path) -> bytes:
    path = path / TABLES_FILE if path.is_dir() else path
    try:
        if path.stat().st_size > MAX_BYTES:
            raise ArtifactRefused(f"the model file {path} is larger than {MAX_BYTES // 2**20} MB")
        return path.read_bytes()
    except OSError as error:
        raise ArtifactRefused(f"the model file {path} cannot be read: {error.strerror}") from error
