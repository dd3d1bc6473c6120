"""The FastAPI application: the control page, its live updates, and the same numbers for programs."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import Annotated, Literal

from fastapi import Depends, FastAPI, Query
from fastapi.responses import HTMLResponse, JSONResponse, Response, StreamingResponse
from fastapi.staticfiles import StaticFiles
from runtime.errors import Recoverable
from runtime.service.clock import now_ms
from runtime.web.server import guard_pages
from starlette.requests import Request

from scorekeeper.adapters.letters import Letters
from scorekeeper.domain.board import Board
from scorekeeper.domain.figures import kpis_of, look, quality_of
from scorekeeper.http.door import ASK, Door
from scorekeeper.http.fhir import FhirApi
from scorekeeper.http.letters import LettersApi
from scorekeeper.http.notes import NotesApi
from scorekeeper.http.page import Page, Scope

STATIC = Path(__file__).parent / "static"
_TELL_EVERY_S = 1.0
_HEARTBEAT_S = 15.0
MOST_WATCHING = 100
"""Pages that are told of changes: half of the connections that the door has."""

Name = Annotated[str, Query(max_length=200)]
Window = Annotated[Literal["today", "week"], Query()]
Rate = Annotated[float | None, Query(ge=0, le=1e6)]


def scope_of(
    window: Window = "week",
    city: Name = "",
    version: Name = "",
    entry: Rate = None,
    validator: Rate = None,
    machine: Rate = None,
) -> Scope:
    """What an address asks to look at, and with which rates."""
    return Scope(window, city, version, entry, validator, machine)


class ScoreApi:
    """The endpoints: convert, and leave counting to the board. Those that compute run in threads."""

    def __init__(self, page: Page, door: Door, board: Board, stop: threading.Event) -> None:
        self._page = page
        self._door = door
        self._board = board
        self._stop = stop
        self._watching = 0

    def index(self, scope: Annotated[Scope, Depends(scope_of)]) -> HTMLResponse:
        """The control page."""
        return HTMLResponse(self._page.whole(scope, now_ms()))

    def numbers(self, scope: Annotated[Scope, Depends(scope_of)]) -> HTMLResponse:
        """The part of the page that changes."""
        return HTMLResponse(self._page.numbers(scope, now_ms()))

    def examples(
        self, request: Request, kind: str, window: Window = "week", city: Name = "", version: Name = ""
    ) -> Response:
        """Where a number comes from: identities, no texts, for people of the review desk alone."""
        if not self._door:
            return HTMLResponse(self._page.closed("Nobody may look: RXTRACT_SCORE_TOKENS_FILE is not set."), 403)
        person = self._door.person(request)
        if person is None:
            words = "Log in with any name and your token of the review desk as password."
            return HTMLResponse(self._page.closed(words), 401, ASK)
        try:
            shows = partial(self._door.shown, person)
            found = self._page.examples(kind, Scope(window, city, version), now_ms(), shows)
        except Recoverable as error:
            return HTMLResponse(self._page.closed(str(error)), 503, {"Retry-After": "1"})
        return JSONResponse({"error": "no such examples"}, 404) if found is None else HTMLResponse(found)

    def kpis(self, scope: Annotated[Scope, Depends(scope_of)]) -> JSONResponse:
        """Every KPI."""
        if not self._board.whole:
            return _not_yet()
        assumed = scope.assumed(self._board.assumptions)
        with self._board.lock:
            found = look(self._board, now_ms(), scope.window, scope.city, scope.version, assumed=assumed)
            return JSONResponse(kpis_of(found, assumed))

    def quality(self) -> JSONResponse:
        """Live quality."""
        if not self._board.whole:
            return _not_yet()
        with self._board.lock:
            return JSONResponse(quality_of(self._board, now_ms()))

    async def events(self) -> Response:
        """Server-sent events: one whenever the numbers have changed, at most once a second. No login, so not for everybody at once."""
        if self._watching >= MOST_WATCHING:
            message = "as many pages as may be are told of changes: this one shows them when it is loaded again"
            return JSONResponse({"error": message}, 503, {"Retry-After": "30"})
        return StreamingResponse(self._watched(), media_type="text/event-stream")

    async def _watched(self) -> AsyncIterator[str]:
        self._watching += 1
        try:
            async for change in self._changes():
                yield change
        finally:
            self._watching -= 1

    async def _changes(self) -> AsyncIterator[str]:
        known: tuple[int, bool] | None = None
        known_at_s = time.monotonic()
        while not self._stop.is_set():
            now = (self._board.folded.changes, self._board.whole)
            if now != known:
                known, known_at_s = now, time.monotonic()
                yield f"event: changed\ndata: {now[0]}\n\n"
            elif time.monotonic() - known_at_s > _HEARTBEAT_S:
                known_at_s = time.monotonic()
                yield ": still here\n\n"  # so that a proxy keeps the connection, and we notice one that is gone
            await asyncio.sleep(_TELL_EVERY_S)


def make_app(
    page: Page,
    door: Door,
    board: Board,
    stop: threading.Event,
    *,
    notes: NotesApi | None = None,
    letters: Letters | None = None,
) -> FastAPI:
    """The application."""
    api = ScoreApi(page, door, board, stop)
    app = FastAPI(title="Rxtract control page", docs_url=None, redoc_url=None, openapi_url=None)
    app.add_api_route("/", api.index, methods=["GET"], response_model=None)
    app.add_api_route("/numbers", api.numbers, methods=["GET"], response_model=None)
    app.add_api_route("/examples/{kind}", api.examples, methods=["GET"], response_model=None)
    app.add_api_route("/events", api.events, methods=["GET"], response_model=None)
    app.add_api_route("/api/kpis", api.kpis, methods=["GET"], response_model=None)
    app.add_api_route("/api/quality", api.quality, methods=["GET"], response_model=None)
    if notes is not None:
        # First: the other route would take what follows a note's id as part of it.
        fhir = FhirApi(notes)
        app.add_api_route("/v1/notes/{source}/{note_id:path}/fhir", fhir.get, methods=["GET"], response_model=None)
        app.add_api_route("/v1/notes/{source}/{note_id:path}", notes.get, methods=["GET"], response_model=None)
    if letters is not None:
        post = LettersApi(page, door, letters)
        app.add_api_route("/letters", post.index, methods=["GET"], response_model=None)
        app.add_api_route("/letters/replay", post.replay, methods=["POST"], response_model=None)
        app.add_api_route("/letters/{topic}/{partition}/{offset}", post.show, methods=["GET"], response_model=None)
    app.mount("/static", StaticFiles(directory=STATIC))
    guard_pages(app)
    return app


def _not_yet() -> JSONResponse:
    """Half a number is worse than none."""
    message = "the scorekeeper is still reading the topics: ask again in a moment"
    return JSONResponse({"error": message}, 503, {"Retry-After": "1"})
