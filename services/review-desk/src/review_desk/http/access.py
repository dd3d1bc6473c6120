"""Who asks: a bearer token, a session cookie with its CSRF token, or a trusted proxy. And the log of what was looked at."""

import hmac
from collections.abc import Sequence
from dataclasses import dataclass

from contracts.identity import note_key
from contracts.records import AccessAction, ReviewRequested, Seen
from runtime.service.logs import get_logger
from runtime.service.secret_files import hash_token
from runtime.web.access_log import AccessLog
from runtime.web.people import LEAD, VALIDATOR, People, Person
from starlette.requests import Request

from review_desk.adapters.pseudonyms import pseudonym
from review_desk.adapters.sessions import Sessions
from review_desk.desk import Reviewer

COOKIE = "rxtract_desk"
CSRF_HEADER = "X-CSRF-Token"
PROXY_SECRET_HEADER = "X-Rxtract-Proxy-Secret"  # noqa: S105 - a header's name
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_log = get_logger(__name__)


class AccessRefused(Exception):
    """The call is not allowed; status and one line for the client."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True, slots=True)
class Proxy:
    """A trusted OIDC proxy in front: it names the user, and proves itself by a secret."""

    user_header: str
    groups_header: str
    lead_group: str
    secret_hash: str

    def person(self, request: Request) -> Person | None:
        """Who the proxy says is there; None unless the proxy itself is proven."""
        name = request.headers.get(self.user_header, "") if self.user_header and self.secret_hash else ""
        sent = hash_token(request.headers.get(PROXY_SECRET_HEADER, ""))
        if not name or not hmac.compare_digest(sent, self.secret_hash.lower()):
            return None
        groups = {group.strip() for group in request.headers.get(self.groups_header, "").split(",")}
        return Person(name, LEAD if self.lead_group in groups else VALIDATOR)


@dataclass(frozen=True, slots=True)
class _Asker:
    """Who asks, and what a CSRF token of his is bound to; None for the owner of a token: no other site makes a browser send one."""

    person: Person
    session: str | None


class Access:
    """Lets people in, and logs what they are shown.

    Args:
        log: The access log.
    """

    def __init__(
        self,
        people: People,
        sessions: Sessions,
        proxy: Proxy,
        annotator_key: bytes,
        *,
        note_key: bytes,
        log: AccessLog,
    ) -> None:
        self.people = people
        self.sessions = sessions
        self._proxy = proxy
        self._annotator_key = annotator_key
        self._note_key = note_key
        self._log = log

    def person(self, request: Request) -> Person | None:
        """Who asks, without any check of what for."""
        asker = self._asker(request)
        return asker.person if asker else None

    def known(self, request: Request) -> Person:
        """Who asks.

        Raises:
            AccessRefused: 401 when unknown.
        """
        return self._known(request).person

    def session_of(self, person: Person, csrf: str) -> dict[str, str]:
        """What a page must know of its session."""
        return {
            "name": person.name,
            "role": person.role,
            "annotator": self.as_reviewer(person).annotator,
            "csrf": csrf,
        }

    def csrf(self, request: Request) -> str:
        """The CSRF token of whoever asks."""
        asker = self._asker(request)
        return self.sessions.csrf((asker.session if asker else None) or "")

    def reviewer(self, request: Request) -> Reviewer:
        """Who asks, for the desk.

        Raises:
            AccessRefused: 401 when unknown, 403 when a state-changing call by session lacks its CSRF token.
        """
        asker = self._known(request)
        session, sent = asker.session, request.headers.get(CSRF_HEADER, "")
        if request.method not in _SAFE and session is not None and not self.sessions.csrf_fits(session, sent):
            raise AccessRefused(403, f"send the page's token as {CSRF_HEADER}: load the page again")
        return self.as_reviewer(asker.person)

    def lead(self, request: Request) -> Reviewer:
        """Who asks, where only a lead may.

        Raises:
            AccessRefused: As `reviewer`, and 403 when it is no lead.
        """
        who = self.reviewer(request)
        if not who.leads:
            raise AccessRefused(403, "this is for leads: ask one of them")
        return who

    def names(self) -> dict[str, Person]:
        """Everybody in the token file, by the pseudonym that annotations carry."""
        return {self.as_reviewer(person).annotator: person for person in self.people.everybody()}

    def seen(self, request: Request, action: AccessAction, notes: Sequence[str], parts: Sequence[Seen]) -> None:
        """Log what whoever asks is about to be shown of notes, by their keys.

        Raises:
            Recoverable: It could not be logged: show nothing.
        """
        if notes:
            self._log.shown(self.known(request), action, notes, parts)

    def as_reviewer(self, person: Person) -> Reviewer:
        """A person under the pseudonym that annotations carry."""
        return Reviewer(pseudonym(self._annotator_key, person.name, "v-"), person.role == LEAD)

    def shown(self, request: Request, action: AccessAction, note: ReviewRequested, seen: Sequence[Seen]) -> None:
        """Log what whoever asks is about to be shown of a note.

        Raises:
            Recoverable: It could not be logged: show nothing.
        """
        self._log.shown(self.known(request), action, [note_key(note.source, note.note_id)], seen)

    def log(self, who: Reviewer, action: str, note: str = "", revision: int = 0) -> None:
        """One line for each view and change, for whoever follows the log; what counts is the access log. The note is named by a keyed pseudonym: no identifier in a log."""
        named = pseudonym(self._note_key, note, "n-") if note else ""
        _log.info("access", who=who.annotator, lead=who.leads, action=action, note=named, revision=revision)

    def _known(self, request: Request) -> _Asker:
        asker = self._asker(request)
        if asker is None:
            raise AccessRefused(401, "log in first: POST /api/login, or send Authorization: Bearer TOKEN")
        return asker

    def _asker(self, request: Request) -> _Asker | None:
        """By a token of ours, else by the proxy's word (which may add a bearer token of its own), else by cookie."""
        kind, _, token = request.headers.get("Authorization", "").partition(" ")
        bearer = kind.lower() == "bearer"
        owner = self.people.by_token(token.strip()) if bearer else None
        if owner is not None:
            return _Asker(owner, None)
        named = self._proxy.person(request)
        if named is not None:
            return _Asker(named, f"proxy:{named.name}")
        return None if bearer else self._by_cookie(request)

    def _by_cookie(self, request: Request) -> _Asker | None:
        cookie = request.cookies.get(COOKIE, "")
        token_hash = self.sessions.token_hash(cookie)
        person = self.people.by_hash(token_hash) if token_hash else None
        return _Asker(person, cookie) if person else None
