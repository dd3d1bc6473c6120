"""Who may see identities: a person of the review desk, by his token. Counts need no login; which note is behind one does."""

import base64
import binascii

from runtime.logs import get_logger
from runtime.people import People, Person
from starlette.requests import Request

_log = get_logger(__name__)
ASK = {"WWW-Authenticate": 'Basic realm="Rxtract: your token of the review desk as password", charset="UTF-8"'}


class Door:
    """Lets people in, and keeps the access log.

    A browser asks for name and password by itself; the token is the password, and the name does not count. Programs send it as bearer.
    """

    def __init__(self, people: People) -> None:
        self._people = people

    def __bool__(self) -> bool:
        """Whether anybody could come in."""
        return len(self._people) > 0

    def person(self, request: Request) -> Person | None:
        """Who asks; None when unknown."""
        kind, _, sent = request.headers.get("Authorization", "").partition(" ")
        token = _password(sent) if kind.lower() == "basic" else sent.strip() if kind.lower() == "bearer" else ""
        return self._people.by_token(token) if token else None

    def log(self, person: Person, kind: str) -> None:
        """One line for each look at identities; by role, not by name."""
        _log.info("access", role=person.role, action="examples", kind=kind)


def _password(sent: str) -> str:
    try:
        return base64.b64decode(sent, validate=True).decode().partition(":")[2]
    except (binascii.Error, UnicodeDecodeError):
        return ""
