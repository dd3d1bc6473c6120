"""The FastAPI application: POST /v1/extract, a page that explains it, and a page on which a note is tried."""

import json
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import anyio
from fastapi import FastAPI
from fastapi.responses import JSONResponse, Response
from runtime.budget import OverBudget
from runtime.client_door import Allowance, HttpRefusal, authenticate, check_headers, come_later, problem, read_body
from runtime.client_tokens import Tokens
from runtime.http_server import PAGE_HEADERS
from runtime.json_body import BadJson, elements_of, parse_json
from runtime.metrics import HTTP_NOTES, HTTP_REQUESTS, HTTP_SECONDS, Metrics
from serving.models import NoModelError
from starlette.requests import Request
from starlette.staticfiles import StaticFiles

from answerer.handler import Answers
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
        except OverBudget as over:
            response = come_later(self._metrics, client, over)
        except HttpRefusal as refusal:
            response = problem(refusal)
        except BadJson as bad:
            response = problem(HttpRefusal(422, bad.reason, str(bad)))
        except NoModelError:
            message = "no model is loaded yet; try again soon"
            response = problem(HttpRefusal(503, "STARTING", message, self._retry_after))
        self._metrics.counter(HTTP_REQUESTS).labels(str(response.status_code)).inc()
        self._metrics.histogram(HTTP_SECONDS).observe(time.monotonic() - started_s)
        return response

    async def _answer(self, request: Request, client: str) -> Response:
        check_headers(request, self._max_body_bytes)
        self._allowance.check(client)
        with self._allowance.in_flight.hold(client) as held:
            body = await read_body(request, self._max_body_bytes, held)
            self._allowance.bytes.use(client, len(body))
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
    """FastAPI, whose document names how clients prove who they are: our check of it stands before FastAPI's own."""

    is_open = False

    def openapi(self) -> dict[str, Any]:
        document = super().openapi()
        if not self.is_open:
            token = {"type": "http", "scheme": "bearer", "description": "The token of your client: Bearer TOKEN"}
            document.setdefault("components", {})["securitySchemes"] = {"token": token}
        return document


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

    @app.middleware("http")
    async def guarded(request: Request, call: Callable[[Request], Awaitable[Response]]) -> Response:
        response = await call(request)
        response.headers.update(PAGE_HEADERS)
        if request.url.path.startswith(_STATIC):
            response.headers["Cache-Control"] = "no-cache"  # kept, and asked for by its ETag
        return response

    return app
