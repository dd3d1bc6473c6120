"""Times as people give them on the command line."""

from __future__ import annotations

from datetime import UTC, datetime

from rxtract.errors import UserError

_DIGITS_OF_MS = 13  # from 2001 to 2286


def moment(given: str) -> int:
    """Return UTC milliseconds of a number or an ISO time; a time without a zone is UTC.

    Raises:
        UserError: it is neither.
    """
    wrong = UserError(
        f"{given!r} is no time: write one like 2026-01-31T09:00:00+05:30, or UTC milliseconds (13 digits)"
    )
    # Other scripts have digits too. Fewer are a date, or a mistake: as a time of long ago it would send all that is kept.
    if given.isascii() and given.isdigit() and len(given) == _DIGITS_OF_MS:
        return int(given)
    try:
        at = datetime.fromisoformat(given)
    except ValueError:
        raise wrong from None
    return max(0, int((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() * 1000))
