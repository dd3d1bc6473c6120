"""What is counted of a patient when nothing else is asked for: what the note says is there, now, and the patient's own.

Entities of events from before assertions, and those of which nothing was judged, are UNKNOWN: nobody counts them as present.
The view `facts` of `outcomes.questions` says the same of a row.
"""

from contracts.records import AssertionStatus, AssertionTime, Entity, Experiencer


def is_fact(entity: Entity) -> bool:
    """Whether an entity counts as one that the patient has, or is given, now."""
    found = entity.assertion
    return (
        found is not None
        and found.status is AssertionStatus.PRESENT
        and found.time is AssertionTime.CURRENT
        and found.experiencer is Experiencer.PATIENT
    )
