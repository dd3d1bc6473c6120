"""The FastAPI application: the API that the page and simulated validators use, and the page."""

import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Annotated, Any
from urllib.parse import quote

from contracts.identity import note_key
from contracts.records import AccessAction, Seen
from contracts.registry import RegistryUnavailable
from contracts.segments import ALL_NOTES
from fastapi import Depends, FastAPI, Query
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, RedirectResponse, Response
from pydantic import BaseModel
from redis.exceptions import RedisError
from runtime.errors import Recoverable
from runtime.service.metrics import Metrics
from runtime.service.secret_files import hash_token
from runtime.web.people import Person
from runtime.web.server import guard_pages
from starlette.exceptions import HTTPException
from starlette.requests import Request

from review_desk.desk import AS_THE_MODEL, Decision, Desk, Handed, Reviewer
from review_desk.domain.refusals import Conflict, Unsendable
from review_desk.domain.selection import Selection
from review_desk.domain.spans import SpansRefused
from review_desk.http.access import COOKIE, Access, AccessRefused
from review_desk.http.asked import asked_selection
from review_desk.http.bodies import DecisionBody, DraftBody, KeepBody, LeaseBody, Login, Strict, task_of
from review_desk.http.limits import LOGIN, BodyLimit
from review_desk.metrics import HTTP_SECONDS
from review_desk.page.pages import Pages, static_files

_MAX_HOLDING = 200
_STATIC = "/static/"


class DeskApi:
    """The endpoints: convert, and leave deciding to `Desk`. They run in threads, so that one may wait for the broker."""

    def __init__(
        self, desk: Desk, access: Access, metrics: Metrics, *, lease_s: int, session_s: int, secure_cookie: bool
    ) -> None:
        self._desk = desk
        self._access = access
        self._metrics = metrics
        self._lease_s = lease_s
        self._session_s = session_s
        self._secure_cookie = secure_cookie

    def person(self, request: Request) -> Person | None:
        """Who asks, by the headers alone."""
        return self._access.person(request)

    def login(self, body: Login) -> JSONResponse:
        """Exchange a token for a session cookie."""
        token = body.token.strip()
        person = self._access.people.by_token(token)
        if person is None:
            raise AccessRefused(401, "this token is not known: ask a lead for a new one")
        cookie = self._access.sessions.begin(hash_token(token))
        response = JSONResponse(self._access.session_of(person, self._access.sessions.csrf(cookie)))
        response.set_cookie(
            COOKIE, cookie, max_age=self._session_s, httponly=True, samesite="strict", secure=self._secure_cookie
        )
        self._access.log(self._access.as_reviewer(person), "login")
        return response

    def logout(self, request: Request) -> JSONResponse:
        """End the session in this browser."""
        self._access.log(self._access.reviewer(request), "logout")
        response = JSONResponse({"done": True})
        response.delete_cookie(COOKIE)
        return response

    def session(self, request: Request) -> JSONResponse:
        """Who asks, with the token that state-changing calls must repeat."""
        person = self._access.known(request)
        return JSONResponse(self._access.session_of(person, self._access.csrf(request)))

    def next(
        self,
        request: Request,
        segment: Annotated[str, Query(max_length=300)] = "all",
        holding: Annotated[list[str] | None, Query(max_length=_MAX_HOLDING)] = None,
        wanted: Annotated[Selection, Depends(asked_selection)] = Selection(),  # noqa: B008 - frozen
    ) -> Response:
        """Lease the next note; 204 when none waits. `holding`: keys (`source|note_id`) of notes that the page has already."""
        who = self._access.reviewer(request)
        place = wanted.segment if segment == ALL_NOTES else segment
        with self._timed("next"):
            handed = self._desk.next(who, place, holding or [], lambda entry: wanted.takes(entry.task, entry.queue))
            return self._next(request, who, handed)

    def take(self, request: Request, source: str, note_id: str, revision: int, _body: Strict) -> Response:
        """Lease a note that was found. Its newest revision is given, whatever was found."""
        who = self._access.reviewer(request)
        self._access.log(who, "take", note_key(source, note_id), revision)
        return self._next(request, who, self._desk.take(who, note_key(source, note_id)))

    def _next(self, request: Request, who: Reviewer, handed: Handed | None) -> Response:
        if handed is None:
            return Response(status_code=204)
        task = task_of(handed, self._lease_s)
        seen = [Seen.IDENTITY, Seen.TEXT]
        seen += [Seen.ENTITIES] if task["entities"] else []
        seen += [Seen.ANNOTATIONS] if task["opinions"] else []
        self._access.shown(request, AccessAction.REVIEW, handed.request, seen)
        self._access.log(who, "view", handed.entry.note, handed.entry.task.revision)
        return JSONResponse(task)

    def decision(self, request: Request, source: str, note_id: str, revision: int, body: DecisionBody) -> JSONResponse:
        """Say what is right. Answered after the broker's acknowledgement; sending it again is harmless."""
        return self._decide(request, note_key(source, note_id), revision, body.corrected(), "decision")

    def skip(self, request: Request, source: str, note_id: str, revision: int, body: LeaseBody) -> JSONResponse:
        """Leave the note; an audit note goes to another validator."""
        return self._decide(request, note_key(source, note_id), revision, body.decision("SKIPPED"), "skip")

    def unreadable(self, request: Request, source: str, note_id: str, revision: int, body: LeaseBody) -> JSONResponse:
        """Flag the note as unreadable; an audit note goes to another validator."""
        return self._decide(request, note_key(source, note_id), revision, body.decision("UNREADABLE"), "unreadable")

    def again(self, request: Request, source: str, note_id: str, revision: int, _body: Strict) -> JSONResponse:
        """Take back a note that one has decided, to decide it anew: gives the lease and the sequence of the next word."""
        who = self._access.reviewer(request)
        note = note_key(source, note_id)
        lease, sequence = self._desk.again(who, note, revision)
        self._access.log(who, "again", note, revision)
        return JSONResponse({"lease": lease, "sequence": sequence})

    def draft(self, request: Request, source: str, note_id: str, revision: int, body: DraftBody) -> JSONResponse:
        """Keep an unfinished correction, and the lease with it."""
        who = self._access.reviewer(request)
        note = note_key(source, note_id)
        draft = body.model_dump(exclude={"lease"})
        self._desk.save_draft(who, note, revision, body.lease, draft)
        self._access.log(who, "draft", note, revision)
        return JSONResponse({"saved": True})

    def keep(self, request: Request, body: KeepBody) -> JSONResponse:
        """Renew leases; tells by their keys which notes went to somebody else, were decided, or have a newer revision."""
        return JSONResponse({"lost": self._desk.keep(self._access.reviewer(request), body.held())})

    def give_back(self, request: Request, body: KeepBody) -> JSONResponse:
        """Leave notes that were fetched ahead to others."""
        self._desk.give_back(self._access.reviewer(request), body.held())
        return JSONResponse({"done": True})

    def queue(self, request: Request) -> JSONResponse:
        """The figures of the side bar."""
        return JSONResponse(self._desk.figures(self._access.reviewer(request)))

    def _decide(self, request: Request, note: str, revision: int, decision: Decision, action: str) -> JSONResponse:
        who = self._access.reviewer(request)
        with self._timed("decision"):
            annotation = self._desk.decide(who, note, revision, decision)
        self._access.log(who, action, note, revision)
        return JSONResponse({"annotation_id": annotation})

    def _timed(self, action: str) -> AbstractContextManager[None]:
        @contextmanager
        def timer():  # type: ignore[no-untyped-def]  # noqa: ANN202
            began_s = time.perf_counter()
            yield
            self._metrics.histogram(HTTP_SECONDS).labels(action).observe(time.perf_counter() - began_s)

        return timer()


class DeskPage:
    """The page and the login: who is not known is led to the door."""

    def __init__(self, desk: Desk, access: Access, pages: Pages) -> None:
        self._desk = desk
        self._access = access
        self._pages = pages

    def desk(self, request: Request) -> Response:
        """The page."""
        person = self._access.person(request)
        if person is None:
            return RedirectResponse("/login", 303)
        annotator = self._access.as_reviewer(person).annotator
        csrf = self._access.csrf(request)
        return self._pages.desk(name=person.name, role=person.role, annotator=annotator, csrf=csrf)

    def training(self, request: Request) -> Response:
        """The page on synthetic notes with known answers."""
        person = self._access.person(request)
        if person is None:
            return RedirectResponse("/login?to=/training", 303)
        annotator = "training-" + self._access.as_reviewer(person).annotator
        csrf = self._access.csrf(request)
        return self._pages.desk(name=person.name, role=person.role, annotator=annotator, csrf=csrf, base="/training")

    def lead(self, request: Request) -> Response:
        """The page of leads; others are led back to the desk."""
        person = self._access.person(request)
        if person is None:
            return RedirectResponse("/login?to=/lead", 303)
        if not self._access.as_reviewer(person).leads:
            return RedirectResponse("/", 303)
        return self._pages.lead(name=person.name, csrf=self._access.csrf(request))

    def note(
        self, request: Request, source: str, note_id: str, of: Annotated[str, Query(max_length=100)] = ""
    ) -> Response:
        """One note to look at: where links lead, of the control page, of refused decisions, and of labels that wait for a lead (`of`: whose)."""
        person = self._access.person(request)
        if person is None:
            here = f"/notes?source={quote(source, safe='')}&note_id={quote(note_id, safe='')}"
            return RedirectResponse("/login?to=" + quote(here, safe=""), 303)
        who = self._access.as_reviewer(person)
        note = note_key(source, note_id)
        looked = self._desk.look(who, note, of)
        if looked is not None:
            marks = Seen.ENTITIES if looked.shown_by == AS_THE_MODEL else Seen.ANNOTATIONS
            seen = [Seen.IDENTITY, Seen.TEXT, *([marks] if looked.spans else [])]
            self._access.shown(request, AccessAction.LOOK, looked.request, seen)
        self._access.log(who, "look", note, looked.request.revision if looked else 0)
        return self._pages.note(source, note_id, looked)

    def login(self) -> Response:
        """The door."""
        return self._pages.login()


class Problem(BaseModel):
    """Why a call was refused, in one line."""

    error: str


_PROBLEMS: dict[int | str, dict[str, Any]] = {
    400: {"model": Problem, "description": "no JSON, or none that can be read"},
    401: {"model": Problem, "description": "nobody is known by this session or token"},
    403: {"model": Problem, "description": "not for this role, or without the page's token"},
    404: {"model": Problem, "description": "no such note, or none that may be looked at"},
    409: {"model": Problem, "description": "the lease is over, or somebody was quicker"},
    413: {"model": Problem, "description": "too large"},
    422: {"model": Problem, "description": "a field that is not as it should be, named by its place"},
    503: {"model": Problem, "description": "a server does not answer: try again"},
}


def make_app(api: DeskApi, page: DeskPage, rooms: Sequence[Callable[[FastAPI], None]] = ()) -> FastAPI:
    """The application; each of the rooms adds its routes."""
    app = FastAPI(title="Rxtract review desk", docs_url=None, redoc_url=None, responses=_PROBLEMS)
    app.add_api_route("/", page.desk, methods=["GET"], include_in_schema=False)
    app.add_api_route("/training", page.training, methods=["GET"], include_in_schema=False)
    app.add_api_route("/lead", page.lead, methods=["GET"], include_in_schema=False)
    # An id may be anything, slashes included; `..` is no place in a path, but it is one in a query.
    app.add_api_route("/notes", page.note, methods=["GET"], include_in_schema=False)
    app.add_api_route("/notes/{source}/{note_id:path}", page.note, methods=["GET"], include_in_schema=False)
    app.add_api_route("/login", page.login, methods=["GET"], include_in_schema=False)
    app.mount(_STATIC.rstrip("/"), static_files())
    task = "/api/tasks/{source}/{note_id:path}/{revision:int}"
    app.add_api_route("/api/session", api.session, methods=["GET"])
    app.add_api_route(LOGIN, api.login, methods=["POST"])
    app.add_api_route("/api/logout", api.logout, methods=["POST"])
    app.add_api_route("/api/next", api.next, methods=["GET"], responses={204: {"description": "no note waits"}})
    app.add_api_route("/api/queue", api.queue, methods=["GET"])
    app.add_api_route("/api/keep", api.keep, methods=["POST"])
    app.add_api_route("/api/give-back", api.give_back, methods=["POST"])
    app.add_api_route(f"{task}/decision", api.decision, methods=["POST"])
    app.add_api_route(f"{task}/skip", api.skip, methods=["POST"])
    app.add_api_route(f"{task}/unreadable", api.unreadable, methods=["POST"])
    app.add_api_route(f"{task}/take", api.take, methods=["POST"])
    app.add_api_route(f"{task}/again", api.again, methods=["POST"])
    app.add_api_route(f"{task}/draft", api.draft, methods=["PUT"])
    for add_routes in rooms:
        add_routes(app)
    _guard(app, api.person)
    return app


def _guard(app: FastAPI, person: Callable[[Request], Person | None]) -> None:
    app.add_exception_handler(AccessRefused, lambda _, e: _problem(getattr(e, "status", 403), str(e)))
    app.add_exception_handler(Conflict, lambda _, e: _problem(409, str(e)))
    app.add_exception_handler(Unsendable, lambda _, e: _problem(413 if getattr(e, "too_large", False) else 422, str(e)))
    app.add_exception_handler(SpansRefused, lambda _, e: _problem(422, str(e)))
    app.add_exception_handler(RequestValidationError, lambda _, e: _problem(422, _places(e)))
    app.add_exception_handler(HTTPException, lambda _, e: _problem(getattr(e, "status_code", 404), _detail(e)))
    app.add_exception_handler(Recoverable, lambda _, e: _problem(503, str(e)))
    for error, name in ((RedisError, "Redis"), (RegistryUnavailable, "the schema registry")):
        app.add_exception_handler(error, _silent(name))

    app.add_middleware(BodyLimit, person=person)
    guard_pages(app, static=_STATIC)


def _problem(status: int, message: str) -> JSONResponse:
    headers = {"Retry-After": "1"} if status == 503 else None
    return JSONResponse({"error": message}, status, headers)


def _silent(name: str) -> Callable[[Request, Exception], JSONResponse]:
    return lambda _, _error: _problem(503, f"{name} does not answer; try again in a moment")


def _detail(error: Any) -> str:
    return str(error.detail)


def _places(error: Any) -> str:
    """Which fields are wrong; never what they hold."""
    return "; ".join(f"{'.'.join(map(str, e['loc'][1:]))}: {e['type']}" for e in error.errors())[:500]
