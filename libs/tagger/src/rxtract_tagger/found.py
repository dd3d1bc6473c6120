"""What was found in notes, as a data scientist holds it: objects, rows, tables, colour in a notebook."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, overload

from clinical_ner.html import STYLE, note_html, page
from clinical_ner.meaning import Prescription
from clinical_ner.objects import entity_id, entity_objects, relation_objects

from rxtract_tagger.note_files import BadRow

if TYPE_CHECKING:
    import pandas as pd
    from clinical_ner.meaning import Assertion, Relation
    from clinical_ner.notes import Label
    from clinical_ner.tagger import Entity

    from rxtract_tagger.note_files import RowId

SHOWN_NOTES = 20
"""How many notes a notebook shows."""

_ASSERTION = ("status", "time", "experiencer", "cue_start", "cue_end")
ENTITY_COLUMNS = ("id", "entity_id", "label", "text", "start", "end", "confidence", *_ASSERTION, *Prescription._fields)
_TYPES = {
    **dict.fromkeys(("start", "end", "cue_start", "cue_end"), "int64"),
    **dict.fromkeys(("frequency", "period", "duration"), "Int64"),
    "confidence": "float64",
    "as_needed": "boolean",
}
RELATION_COLUMNS = ("id", "type", "treatment", "disease", "treatment_id", "disease_id", "confidence")


@dataclass(frozen=True, slots=True)
class Found:
    """One entity of a note: `text` stands at `start` to `end`, in Unicode code points.

    Attributes:
        entity_id: e1, e2, and so on, in the order of the text.
        label: DISEASE or TREATMENT.
        text: As the doctor wrote it.
        start: First code point.
        end: The one after the last.
        confidence: Calibrated probability that label and span are right.
        assertion: Status, time, experiencer, and where the words stand that decided (-1: none).
        prescription: How a treatment is taken; None where nothing is written, and for diseases.
    """

    entity_id: str
    label: Label
    text: str
    start: int
    end: int
    confidence: float
    assertion: Assertion
    prescription: Prescription | None


@dataclass(frozen=True, slots=True)
class FoundNote(Sequence[Found]):
    """A note with what was found in it; iterating gives its entities.

    Attributes:
        id: As given, or its place, from 1 on.
        text: What was read; offsets count its code points.
        entities: As the model gives them.
        relations: Between them, by their places in `entities`.
        confidence: Calibrated probability that all entities are right; None where they came with the note.
    """

    id: RowId
    text: str
    entities: Sequence[Entity]
    relations: Sequence[Relation]
    confidence: float | None

    @overload
    def __getitem__(self, place: int) -> Found: ...
    @overload
    def __getitem__(self, place: slice) -> list[Found]: ...
    def __getitem__(self, place: int | slice) -> Found | list[Found]:
        """Return an entity by its place, or some of them."""
        return self._founds()[place]

    def __len__(self) -> int:
        """Return how many entities were found."""
        return len(self.entities)

    def __iter__(self) -> Iterator[Found]:
        """Go through the entities in the order of the text."""
        return iter(self._founds())

    def to_dict(self) -> dict[str, Any]:
        """Return the row that `rxtract extract --file F --json` writes: id, entities, relations."""
        return {
            "id": self.id,
            "entities": entity_objects(self.text, self.entities),
            "relations": relation_objects(self.text, self.entities, self.relations),
        }

    def to_pandas(self) -> pd.DataFrame:
        """Return one row an entity, as `FoundNotes.to_pandas`."""
        return FoundNotes([self]).to_pandas()

    def relations_to_pandas(self) -> pd.DataFrame:
        """Return one row a relation, as `FoundNotes.relations_to_pandas`."""
        return FoundNotes([self]).relations_to_pandas()

    def to_html(self) -> str:
        """Return a whole page with the note in colour."""
        return FoundNotes([self]).to_html()

    def _founds(self) -> list[Found]:
        return [
            Found(
                entity_id(place),
                entity.label,
                self.text[entity.start : entity.end],
                *entity[1:4],
                entity.assertion,
                entity.prescription,
            )
            for place, entity in enumerate(self.entities)
        ]

    def _repr_html_(self) -> str:
        return STYLE + note_html(self.text, self.entities)


class FoundNotes(Sequence[FoundNote]):
    """Notes in the order they were given; iterating leaves out the rows that could not be used.

    Args:
        items: Notes, and in their places rows that could not be used.
    """

    def __init__(self, items: Sequence[FoundNote | BadRow]) -> None:
        self._items = items
        self._notes = [one for one in items if isinstance(one, FoundNote)]

    @property
    def errors(self) -> list[BadRow]:
        """The rows that could not be used: which (`row_id`), and why (`error`)."""
        return [one for one in self._items if isinstance(one, BadRow)]

    @overload
    def __getitem__(self, place: int) -> FoundNote: ...
    @overload
    def __getitem__(self, place: slice) -> FoundNotes: ...
    def __getitem__(self, place: int | slice) -> FoundNote | FoundNotes:
        """Return a note by its place, or some of them."""
        return FoundNotes(self._notes[place]) if isinstance(place, slice) else self._notes[place]

    def __len__(self) -> int:
        """Return how many notes were read."""
        return len(self._notes)

    def to_dicts(self) -> list[dict[str, Any]]:
        """Return the rows that `rxtract extract --file F --json` writes, with {id, error} for those that could not be used."""
        return [
            one.to_dict() if isinstance(one, FoundNote) else {"id": one.row_id, "error": one.error}
            for one in self._items
        ]

    def to_pandas(self) -> pd.DataFrame:
        """Return one row an entity: `ENTITY_COLUMNS`. Needs pandas."""
        return _frame([row for note in self._notes for row in _entity_rows(note)], ENTITY_COLUMNS)

    def relations_to_pandas(self) -> pd.DataFrame:
        """Return one row a relation: `RELATION_COLUMNS`. Needs pandas."""
        rows = [{"id": note["id"], **one} for note in map(FoundNote.to_dict, self._notes) for one in note["relations"]]
        return _frame(rows, RELATION_COLUMNS)

    def to_html(self) -> str:
        """Return a whole page with every note in colour; it asks nobody on the internet."""
        return page([(str(note.id), note.text, note.entities) for note in self._notes])

    def _repr_html_(self) -> str:
        more = len(self) - SHOWN_NOTES
        parts = [note_html(note.text, note.entities) for note in self._notes[:SHOWN_NOTES]]
        return STYLE + "<hr>".join(parts) + (f"<p>and {more:,} more</p>" if more > 0 else "")


def _entity_rows(note: FoundNote) -> Iterator[dict[str, Any]]:
    for one in note.to_dict()["entities"]:
        said, taken = one.pop("assertion"), one.pop("prescription")
        assertion = {name: value if isinstance(value, int) else str(value) for name, value in said.items()}
        yield {"id": note.id, **one, **assertion, **(taken or {})}


def _frame(rows: list[dict[str, Any]], columns: Sequence[str]) -> pd.DataFrame:
    import pandas as pd

    frame = pd.DataFrame(rows, columns=list(columns))
    return frame.astype({name: kind for name, kind in _TYPES.items() if name in columns})
