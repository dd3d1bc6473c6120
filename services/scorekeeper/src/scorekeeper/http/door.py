"""Who may see identities: a person of the review desk, by his token. Counts need no login; which note is behind one does."""

import base64
import binascii
from collections.abc import Sequence

from contracts.records import AccessAction, Seen
from runtime.access_log import AccessLog
from runtime.people import People, Person
from starlette.requests import Request

ASK = {"WWW-Authenticate": 'Basic realm="Rxtract: your token of the review desk as password", charset="UTF-8"'}


class Door:
    """Lets people in, and logs what they are shown.

    A browser asks for name and password by itself; the token is the password, and the name does not count. Programs send it as bearer.

    Args:
        people: Of the review desk.
        log: The access log; None: nobody can come in.
    """

    def __init__(self, people: People, log: AccessLog | None) -> None:
        self._people = people
        self._log = log

    def __bool__(self) -> bool:
        """Whether anybody could come in."""
        return self._log is not None and len(self._people) > 0

    def person(self, request: Request) -> Person | None:
        """Who asks; None when unknown."""
        kind, _, sent = request.headers.get("Authorization", "").partition(" ")
        token = _password(sent) if kind.lower() == "basic" else sent.strip() if kind.lower() == "bearer" else ""
        return self._people.by_token(token) if token else None

    def shown(self, person: Person, notes: Sequence[str]) -> None:
        """Log that a person is about to be shown which notes are behind a number.

        Raises:
            Recoverable: It could not be logged: show nothing.
        """
        assert self._log is not None  # noqa: S101 - nobody came in
        self._log.shown(person, AccessAction.EXAMPLES, notes, [Seen.IDENTITY])


def _password(sent: str) -> str:
    try:
        return base64.b64decode(sent, validate=True).decode().partition(":")[2]
    except (binascii.Error, UnicodeDecodeError):
        return ""
