"""What a call asks for, from its query."""

from typing import Annotated, Literal

from fastapi import Query

from review_desk.domain.selection import Selection

Place = Annotated[str, Query(max_length=200)]
Reason = Literal["", "UNCERTAIN", "DRIFT", "AUDIT", "LEAD"]


def asked_selection(city: Place = "", specialty: Place = "", reason: Reason = "") -> Selection:
    """The part of the queue that is meant; all of it by default."""
    return Selection(city, specialty, reason)
