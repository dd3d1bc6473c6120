"""The labels of notes that are settled, in the forms of other tools. The writers are those of `rxtract dataset export`."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from annotations.spans import UNKNOWN, stated_of
from annotations.trust import Trust
from annotations.verdicts import Verdict, newest, settle
from clinical_ner.guideline import META_KEY
from clinical_ner.notes import AnnotatedNote, Label, Span, SpanMeaning
from contracts.identity import note_key
from contracts.records import AnnotationValidated, Entity, Sample

if TYPE_CHECKING:
    from corpus.formats.writing import Target

SHOWN_AT_ONCE = 500
_LABELS = frozenset(Label)


@dataclass(frozen=True, slots=True)
class Exported:
    """How many notes are in the file, and how many settled ones are not: sealed, or of a label that has no place in it."""

    notes: int
    left_out: int


class Exporting:
    """Writes labels to a file. Texts go through, a note at a time; only verdicts are held in memory.

    Args:
        read: Every annotation that is there now, from the beginning; asked twice.
        trust: Whose labels are held now: they are left out.
        shown: Logs that whoever asks gets these notes, by their keys, before they leave; raises `Recoverable`.
    """

    def __init__(self, read: Callable[[], Iterable[AnnotationValidated]], trust: Callable[[], Trust]) -> None:
        self._read = read
        self._trust = trust

    def write(self, target: "Target", path: Path, shown: Callable[[list[str]], None]) -> Exported:
        """Write all settled notes."""
        from corpus.formats.writing import write  # with numpy it takes longer to load than all of the desk

        chosen = self._chosen()
        settled = len(chosen)
        count = write(self._notes(chosen, shown), target, path)
        return Exported(count, settled - count)

    def _chosen(self) -> set[str]:
        """The annotation that settles each note, by its id."""
        standing: dict[str, dict[str, Verdict]] = defaultdict(dict)
        for event in self._read():
            if event.sample is not Sample.IMPORTED:
                on_note = standing[note_key(event.source, event.note_id)]
                on_note[event.annotator] = newest(on_note.get(event.annotator), Verdict.of(event))
        trust = self._trust()
        settled = (settle(verdicts.values(), trust).verdict for verdicts in standing.values())
        return {verdict.annotation_id for verdict in settled if verdict is not None and verdict.labels}

    def _notes(self, chosen: set[str], shown: Callable[[list[str]], None]) -> Iterator[AnnotatedNote]:
        left, block = set(chosen), list[AnnotatedNote]()
        for event in self._read():
            if event.annotation_id in left and is_writable(event):
                left.discard(event.annotation_id)  # at least once: a record may be there twice
                block.append(annotated(event))
            if len(block) == SHOWN_AT_ONCE:
                yield from _logged(block, shown)
                block = []
        yield from _logged(block, shown)


def _logged(block: list[AnnotatedNote], shown: Callable[[list[str]], None]) -> Iterator[AnnotatedNote]:
    if block:
        shown([note.note_id for note in block])
    yield from block


def is_writable(event: AnnotationValidated) -> bool:
    """Whether its text is here and every label has a place in the other tools' files."""
    return bool(event.text) and all(str(entity.label) in _LABELS for entity in event.entities)


def annotated(event: AnnotationValidated) -> AnnotatedNote:
    """An annotation as training and the writers know it."""
    entities = sorted(event.entities, key=lambda entity: entity.start)
    place = {entity.entity_id: number for number, entity in enumerate(entities)}
    relations = tuple(
        (str(one.type), place[one.treatment_id], place[one.disease_id])
        for one in event.relations
        if str(one.type) != UNKNOWN and one.treatment_id in place and one.disease_id in place
    )
    note = note_key(event.source, event.note_id)
    return AnnotatedNote(
        event.text,
        tuple(Span(entity.start, entity.end, Label(str(entity.label))) for entity in entities),
        tuple((treatment, disease) for kind, treatment, disease in relations if kind == "TREATS"),
        note_id=note,
        group=event.patient_ref or note,
        meta={"sample": str(event.sample), META_KEY: event.guideline_version or "none"},
        relations=relations,
        meanings=tuple(map(_meaning, entities)),
    )


def _meaning(entity: Entity) -> SpanMeaning:
    stated = stated_of(entity.assertion)
    written = entity.prescription.to_dict() if entity.prescription is not None else None
    prescription = None if written is None else {name: value for name, value in written.items() if value is not None}
    if stated is None or UNKNOWN in stated:
        return SpanMeaning(prescription=prescription)
    return SpanMeaning(stated.status, stated.time, stated.experiencer, prescription=prescription)
