"""The FastAPI application: POST /v1/extract, a page that explains it, and a page on which a note is tried."""

import json
import time
from collections.abc import Sequence
from typing import Any

import anyio
from fastapi import FastAPI
from fastapi.responses import JSONResponse, Response
from runtime.service.metrics import HTTP_NOTES, Metrics
from runtime.web.client_door import (
    REFUSALS,
    Allowance,
    HttpRefusal,
    authenticate,
    count_answer,
    problem,
    refused,
    taken_in,
    with_token_scheme,
)
from runtime.web.client_tokens import Tokens
from runtime.web.json_body import elements_of, parse_json
from runtime.web.server import guard_pages
from serving.models import NoModelError
from starlette.requests import Request
from starlette.staticfiles import StaticFiles

from answerer.answers import Answers
from answerer.http.bodies import ANSWERS, DESCRIPTION, request_docs
from answerer.page.pages import STATIC, Pages

OPEN_CLIENT = "open"
"""The client's name where no token is asked for."""
MAX_KEYS_OF_A_NOTE = 8
_AT_ONCE = 2
"""Requests that are tagged at once: calls take turns in native code, and one more prepares its text meanwhile."""
_STATIC = "/static"


class ExtractApi:
    """The endpoint: converts, and leaves the rest to `Answers`.

    Args:
        answers: Tags.
        tokens: Of the clients; None: everybody may ask.
        metrics: Counts.
        allowance: What a client may ask for.
        max_body_bytes: Of one request.
        max_notes: Of one request.
        retry_after_s: What clients are told while there is no model.
    """

    def __init__(
        self,
        answers: Answers,
        tokens: Tokens | None,
        metrics: Metrics,
        *,
        allowance: Allowance,
        max_body_bytes: int,
        max_notes: int,
        retry_after_s: int,
    ) -> None:
        self._answers = answers
        self._tokens = tokens
        self._metrics = metrics
        self._allowance = allowance
        self._max_body_bytes = max_body_bytes
        self._max_notes = max_notes
        self._retry_after = {"Retry-After": str(retry_after_s)}
        self._turns: anyio.CapacityLimiter | None = None

    async def post_extract(self, request: Request) -> Response:
        """Answer notes."""
        started_s = time.monotonic()
        client = OPEN_CLIENT
        try:
            if self._tokens is not None:
                client = authenticate(request, self._tokens)
            response = await self._answer(request, client)
        except REFUSALS as error:
            response = refused(self._metrics, client, error)
        except NoModelError:
            message = "no model is loaded yet; try again soon"
            response = problem(HttpRefusal(503, "STARTING", message, self._retry_after))
        count_answer(self._metrics, response, started_s)
        return response

    async def _answer(self, request: Request, client: str) -> Response:
        async with taken_in(request, client, self._allowance, self._max_body_bytes) as body:
            content = parse_json(body, MAX_KEYS_OF_A_NOTE * self._max_notes)
            elements = elements_of(content, self._max_notes)
            self._allowance.notes.use(client, len(elements))
            self._metrics.histogram(HTTP_NOTES).observe(len(elements))
            # In a thread, so that a long note keeps no other request waiting.
            status, answer = await anyio.to_thread.run_sync(
                self._find, elements, client, isinstance(content, list), limiter=self._limiter()
            )
        return Response(answer, status, media_type="application/json")

    def _find(self, elements: Sequence[object], client: str, in_array: bool) -> tuple[int, bytes]:  # noqa: FBT001
        found = self._answers(elements, client)
        content = found if in_array else found[0]
        return status_of(found), json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()

    def _limiter(self) -> anyio.CapacityLimiter:
        if self._turns is None:  # it belongs to the server's event loop, which does not run yet when we are made
            self._turns = anyio.CapacityLimiter(_AT_ONCE)
        return self._turns


def status_of(found: Sequence[dict[str, Any]]) -> int:
    """200 when all notes are answered, 207 when some are, 422 when none is."""
    refused = sum("errors" in one for one in found)
    if not refused:
        return 200
    return 422 if refused == len(found) else 207


class _App(FastAPI):
    """FastAPI, whose document names the clients' tokens where they are asked for."""

    is_open = False

    def openapi(self) -> dict[str, Any]:
        document = super().openapi()
        return document if self.is_open else with_token_scheme(document)


def make_app(api: ExtractApi, pages: Pages, max_notes: int) -> FastAPI:
    """The application around an endpoint and its pages."""
    app = _App(
        title="Rxtract answerer",
        version="1",
        description=DESCRIPTION,
        docs_url=None,
        redoc_url=None,
        openapi_url="/openapi.json",
    )
    app.is_open = pages.is_open
    app.add_api_route(
        "/v1/extract",
        api.post_extract,
        methods=["POST"],
        responses=ANSWERS,
        summary="Say what one note or an array of notes says",
        openapi_extra=request_docs(max_notes, is_open=pages.is_open),
        response_class=JSONResponse,
    )
    app.add_api_route("/", pages.page, methods=["GET"], include_in_schema=False)
    app.add_api_route("/docs", lambda: pages.docs(app.openapi()), methods=["GET"], include_in_schema=False)
    app.mount(_STATIC, StaticFiles(directory=STATIC))
    guard_pages(app, static=_STATIC)
    return app
