"""Who may see identities: a person of the review desk, by his token. Counts need no login; which note is behind one does."""

import base64
import binascii
import hashlib
import hmac
import secrets
from collections.abc import Sequence

from contracts.records import AccessAction, Seen
from runtime.web.access_log import AccessLog
from runtime.web.people import People, Person
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
        self._forms_key = secrets.token_bytes(32)

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
        self.logged(person, AccessAction.EXAMPLES, notes, [Seen.IDENTITY])

    def logged(self, person: Person, action: AccessAction, notes: Sequence[str], seen: Sequence[Seen]) -> None:
        """Log what a person is about to be shown, or to do.

        Raises:
            Recoverable: It could not be logged: show nothing, do nothing.
        """
        assert self._log is not None  # noqa: S101 - nobody came in
        self._log.shown(person, action, notes, seen)

    def proof(self, person: Person) -> str:
        """What a form of ours holds, so that no other site makes this person's browser send one: it sends the login by itself."""
        return hmac.new(self._forms_key, f"{person.name}:{person.role}".encode(), hashlib.sha256).hexdigest()

    def proves(self, person: Person, sent: str) -> bool:
        """Whether a form is one that we gave this person."""
        return hmac.compare_digest(self.proof(person).encode(), sent.encode())


def _password(sent: str) -> str:
    try:
        return base64.b64decode(sent, validate=True).decode().partition(":")[2]
    except (binascii.Error, UnicodeDecodeError):
        return ""
