"""What the projection keeps beside the queue: the guideline, reservations, comments, and where names were marked."""

from collections.abc import Sequence
from typing import Any

from annotations.spans import span_of
from clinical_ner.guideline import Guideline
from contracts.identity import note_key
from contracts.records import AnnotationValidated, DeskChange, DeskChanged, ReviewRequested, Sample
from runtime.kafka.records import InputRecord

from review_desk.adapters.code_changes import CodeChanges
from review_desk.adapters.comments import CommentPlace, CommentPlaces
from review_desk.adapters.deciders import Deciders
from review_desk.adapters.guidelines import Edit, Guidelines
from review_desk.adapters.names import Names
from review_desk.adapters.places import Places
from review_desk.adapters.reservations import Reservations
from review_desk.adapters.store import Store

_OF_CODES = frozenset({DeskChange.CODE_PROPOSED, DeskChange.CODE_ACCEPTED, DeskChange.CODE_REFUSED})


class Beside:
    """Applies decoded records; the same ones twice end in the same place."""

    def __init__(self, store: Store, names_key: bytes) -> None:
        self._guidelines = Guidelines(store)
        self._reservations = Reservations(store)
        self._comments = CommentPlaces(store)
        self._codes = CodeChanges(store)
        self._names = Names(store, names_key)
        self._places = Places(store)
        self._people = Deciders(store)

    def __call__(self, decoded: Sequence[tuple[InputRecord, Any]]) -> None:
        """Apply a batch; what is of no use here is passed over."""
        self._places.put(
            (event.segment.city, event.segment.specialty) for _, event in decoded if isinstance(event, ReviewRequested)
        )
        for record, event in decoded:
            if isinstance(event, DeskChanged):
                self.change(event)
            elif _is_ours(event):
                self._annotation(record, event)
        self._people.put({event.annotator for _, event in decoded if _is_ours(event)})

    def change(self, event: DeskChanged) -> None:
        """Apply what a lead changed."""
        if event.kind is DeskChange.GUIDELINE_EDITED and event.guideline_version and event.text:
            guideline = Guideline(event.guideline_version, event.text)
            self._guidelines.put(Edit(guideline, event.changed_by, event.changed_at))
        elif event.kind in {DeskChange.RESERVED, DeskChange.RELEASED} and event.segment:
            annotators = event.annotators if event.kind is DeskChange.RESERVED else ()
            self._reservations.put(event.segment, annotators, event.changed_at)
        elif event.kind in _OF_CODES and event.mention and event.code:
            self._codes.put(event)

    def _annotation(self, record: InputRecord, event: AnnotationValidated) -> None:
        note = note_key(event.source, event.note_id)
        if event.comment:
            place = CommentPlace(note, event.annotator, record.partition, record.offset)
            self._comments.put(place, event.annotated_at)
        elif event.sequence > 1:
            self._comments.drop(note, event.annotator)
        if event.entities:
            marked = [(entity.text, span_of(entity)) for entity in event.entities]
            self._names.put(note, event.annotator, event.annotated_at, marked)


def _is_ours(event: Any) -> bool:
    """Whether a person decided it here; labels that were imported are nobody's."""
    return isinstance(event, AnnotationValidated) and event.sample != Sample.IMPORTED
