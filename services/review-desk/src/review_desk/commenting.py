"""What validators wrote to the lead, read from the topic of annotations."""

from collections.abc import Callable
from dataclasses import dataclass

from contracts.records import AnnotationValidated

from review_desk.adapters.comments import CommentPlaces


@dataclass(frozen=True, slots=True)
class Comment:
    """What an annotator wrote about a note, at `at` (UTC milliseconds)."""

    source: str
    note_id: str
    annotator: str
    at: int
    words: str


def newest_comments(
    places: CommentPlaces, read: Callable[[int, int], AnnotationValidated | None], count: int
) -> list[Comment]:
    """The newest comments; what has left the topic is left out."""
    events = [read(place.partition, place.offset) for place in places.newest(count)]
    return [
        Comment(event.source, event.note_id, event.annotator, event.annotated_at, event.comment)
        for event in events
        if event is not None and event.comment
    ]
