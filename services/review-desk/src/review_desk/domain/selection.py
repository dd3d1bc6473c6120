"""Which notes a person asks for, and which are kept for others. No text: that is looked for elsewhere."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from contracts.segments import segments_of

from review_desk.domain.tasks import Queue, Task


@dataclass(frozen=True, slots=True)
class Selection:
    """A part of the queue.

    Attributes:
        reason: UNCERTAIN, DRIFT or AUDIT as the sample of the note, or LEAD: two validators disagree. "" takes all, as do city and specialty.
    """

    city: str = ""
    specialty: str = ""
    reason: str = ""

    @property
    def segment(self) -> str:
        """The segment that holds all of it."""
        return segment_named(self.city, self.specialty)

    def takes(self, task: Task, queue: Queue | None) -> bool:
        """Whether a note that waits here belongs to it."""
        if (self.city and task.city != self.city) or (self.specialty and task.specialty != self.specialty):
            return False
        if self.reason == "LEAD":
            return queue is Queue.LEAD
        return not self.reason or (task.sample == self.reason and queue is not Queue.LEAD)


def is_for(annotator: str, task: Task, reserved: Mapping[str, Collection[str]]) -> bool:
    """Whether no segment of the note is kept for others alone."""
    return all(annotator in reserved[segment] for segment in task.segments if segment in reserved)


def segment_named(city: str, specialty: str) -> str:
    """The segment of a city, a specialty or both, as the queue names it; `all` of neither.

    >>> segment_named("Pune", "")
    'city=Pune'
    """
    everything, of_city, of_specialty, of_both = segments_of(city, specialty)
    if city and specialty:
        return of_both
    return of_city if city else of_specialty if specialty else everything
