"""What a receiver's answer means, and when an outcome is given up."""

from enum import StrEnum
from typing import NamedTuple

MOST_CREDIT = 10
"""So many outcomes in a row may be given up without one being taken: more is no fault of theirs, and they wait."""
_GONE, _BUSY, _LATER = 410, 429, 503


class Result(StrEnum):
    """Of one try."""

    DELIVERED = "delivered"
    FAILED = "failed"
    AWAY = "away"
    GONE = "gone"


class Answer(NamedTuple):
    """What came of one try.

    Attributes:
        result: What it means.
        words: The status, or what went wrong in one word: for the log and the dead letter.
        retry_after_s: Seconds for which the receiver wants to be left alone; 0: it did not say.
    """

    result: Result
    words: str
    retry_after_s: float = 0.0


def answer_of(status: int, retry_after: str = "") -> Answer:
    """Judge a status. 2xx is taken. A redirect is never followed, so the address is wrong for all: it waits until it is mended.

    >>> [answer_of(status).result.value for status in (204, 302, 410, 429, 500, 400)]
    ['delivered', 'away', 'gone', 'away', 'failed', 'failed']
    """
    words = str(status)
    if 200 <= status < 300:
        return Answer(Result.DELIVERED, words)
    if status == _GONE:
        return Answer(Result.GONE, words)
    if status in {_BUSY, _LATER}:
        return Answer(
            Result.AWAY, words, float(retry_after) if retry_after.isdecimal() and len(retry_after) < 7 else 0.0
        )
    return Answer(Result.AWAY if 300 <= status < 400 else Result.FAILED, words)


class Patience:
    """Decides when an outcome is given up: after so many tries, and only while the receiver takes others.

    A receiver that takes nothing at all is broken, not the outcomes: after a few of them the others wait for it, as long as Kafka keeps
    them. Every outcome that is taken earns the right to give one up.

    Args:
        tries: How often each is tried at least.
    """

    def __init__(self, tries: int) -> None:
        self._tries = tries
        self._credit = MOST_CREDIT

    def taken(self) -> None:
        """The receiver took one."""
        self._credit = min(self._credit + 1, MOST_CREDIT)

    def gives_up(self, failures: int) -> bool:
        """Whether one that has failed so often is given up now."""
        if failures < self._tries or self._credit == 0:
            return False
        self._credit -= 1
        return True
