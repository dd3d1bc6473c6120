"""The FastAPI application: POST /v1/notes, and a page that explains it."""

import time
from collections.abc import Callable
from typing import Any

from fastapi import FastAPI
from fastapi.responses import HTMLResponse, JSONResponse, Response
from runtime.errors import DeliveryFailed, ProducerBroken, Recoverable, Rejected
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
    throttled,
    with_token_scheme,
)
from runtime.web.client_tokens import Tokens
from runtime.web.json_body import BadJson
from sealing import KeyStoreAway
from starlette.requests import Request

from ingestor.http.bodies import NOTE_EXAMPLE, NoteBody, NoteResult, Problem, Results, parse_body
from ingestor.http.intake import IdempotencyConflict, Intake, sender_of
from ingestor.http.page import page

DESCRIPTION = """Send clinical notes, one object or an array.

* Nothing is accepted before Kafka has acknowledged it: 202 means stored.
* An array may be taken in part: 202 all notes accepted, 207 some, 422 none. Each note has its own result, in order. Refused notes are
  answered here with their reasons and kept as dead letters; correct and send them again.
* Your token stands for a source; a note is known by its source and note_id, so another source's ids never meet yours.
* Sending again is harmless. The same note (your source, note_id and revision, or the same Idempotency-Key) with the same content answers the first
  result for a day; with other content it is a conflict (409).
"""

ANSWERS: dict[int | str, dict[str, Any]] = {
    202: {"model": Results, "description": "All notes are stored."},
    207: {"model": Results, "description": "Some notes are stored, others refused or in conflict; see each result."},
    401: {"model": Problem, "description": "No valid token."},
    408: {"model": Problem, "description": "The body did not come in time."},
    409: {
        "model": Results | Problem,
        "description": "Other content was accepted under this identity or Idempotency-Key; nothing was stored.",
    },
    413: {"model": Problem, "description": "The body is larger than 1 MiB."},
    415: {"model": Problem, "description": "Not JSON, or compressed."},
    422: {
        "model": Results | Problem,
        "description": "No note is legal; reasons per field. Or the body is not JSON, or too deep.",
    },
    429: {
        "model": Problem,
        "description": "Too many notes or bytes of this client, a second or at once, or too much is waiting. "
        "Try again after Retry-After seconds.",
    },
    503: {
        "model": Problem,
        "description": "The broker did not acknowledge, or all clients together send too much at once. "
        "Try again after Retry-After seconds.",
    },
}


class NotesApi:
    """The endpoint: converts, and leaves deciding to `Intake`."""

    def __init__(
        self,
        intake: Intake,
        tokens: Tokens,
        metrics: Metrics,
        *,
        allowance: Allowance,
        max_body_bytes: int,
        max_notes: int,
        retry_after_s: int,
        on_broken: Callable[[ProducerBroken], None],
    ) -> None:
        self._intake = intake
        self._tokens = tokens
        self._metrics = metrics
        self._allowance = allowance
        self._max_body_bytes = max_body_bytes
        self._max_notes = max_notes
        self._on_broken = on_broken
        self._retry_after = {"Retry-After": str(retry_after_s)}

    async def post_notes(self, request: Request) -> Response:
        """Take notes."""
        started_s = time.monotonic()
        client = ""
        try:
            client = authenticate(request, self._tokens)
            response = await self._answer(request, client)
        except REFUSALS as error:
            response = refused(self._metrics, client, error)
        except IdempotencyConflict:
            response = problem(HttpRefusal(409, "CONFLICT", "this Idempotency-Key was used with another body"))
        except Rejected:
            response = throttled(self._metrics, client, "queue", 1, status=429)
        except KeyStoreAway:
            message = "the key store does not answer, and nothing is taken in clear; send the same again soon"
            response = problem(HttpRefusal(503, "KEYS_AWAY", message, self._retry_after))
        except Recoverable:
            message = "the ingestor is starting; try again soon"
            response = problem(HttpRefusal(503, "STARTING", message, self._retry_after))
        except ProducerBroken as broken:
            self._on_broken(broken)
            message = (
                "this replica cannot write to Kafka any more and ends; send the same again, duplicates are harmless"
            )
            response = problem(HttpRefusal(503, "BROKER_AWAY", message, self._retry_after))
        except DeliveryFailed:
            message = "Kafka did not acknowledge in time; send the same again, duplicates are harmless"
            response = problem(HttpRefusal(503, "BROKER_AWAY", message, self._retry_after))
        count_answer(self._metrics, response, started_s)
        return response

    async def _answer(self, request: Request, client: str) -> Response:
        async with taken_in(request, client, self._allowance, self._max_body_bytes) as body:
            return await self._take(request, client, body)

    async def _take(self, request: Request, client: str, body: bytes) -> Response:
        sender = sender_of(request, client, body)
        try:
            items = parse_body(body, self._max_notes, client)
        except BadJson as bad:
            await self._intake.keep_unreadable(body, bad.reason, sender)
            raise
        self._allowance.notes.use(client, len(items))
        self._metrics.histogram(HTTP_NOTES).observe(len(items))
        results = await self._intake.take(items, sender)
        content = Results.model_construct(results=results).model_dump_json().encode()
        return Response(content, status_of(results), media_type="application/json")


def status_of(results: list[NoteResult]) -> int:
    """202 when all notes are stored, 207 when some are, else 409 when all are in conflict and 422 otherwise."""
    stored = sum(result.status in {"accepted", "duplicate"} for result in results)
    if stored == len(results):
        return 202
    if stored:
        return 207
    return 409 if all(result.status == "conflict" for result in results) else 422


class _App(FastAPI):
    """FastAPI, whose document names the clients' tokens."""

    def openapi(self) -> dict[str, Any]:
        return with_token_scheme(super().openapi())


def make_app(api: NotesApi, max_notes: int) -> FastAPI:
    """The application around an endpoint."""
    app = _App(
        title="Rxtract ingestor",
        version="1",
        description=DESCRIPTION,
        docs_url=None,  # the stock pages load scripts from elsewhere; ours works without a network
        redoc_url=None,
        openapi_url="/openapi.json",
    )
    app.add_api_route(
        "/v1/notes",
        api.post_notes,
        methods=["POST"],
        status_code=202,
        responses=ANSWERS,
        summary="Take one note or an array of notes",
        openapi_extra=_request_docs(max_notes),
        response_class=JSONResponse,
    )
    app.add_api_route("/docs", lambda: HTMLResponse(page(app.openapi())), include_in_schema=False)
    return app


def _request_docs(max_notes: int) -> dict[str, Any]:
    note = NoteBody.model_json_schema()
    several = {"type": "array", "items": note, "minItems": 1, "maxItems": max_notes}
    examples = {
        "one": {"summary": "One note", "value": NOTE_EXAMPLE},
        "several": {"summary": "Two notes", "value": [NOTE_EXAMPLE, {**NOTE_EXAMPLE, "note_id": "N-2026-000002"}]},
    }
    content = {"application/json": {"schema": {"oneOf": [note, several]}, "examples": examples}}
    key = {
        "name": "Idempotency-Key",
        "in": "header",
        "required": False,
        "schema": {"type": "string", "minLength": 1, "maxLength": 256},
        "description": "Makes a request repeatable as a whole; without it each note is known by note_id and revision.",
    }
    return {
        "requestBody": {"required": True, "content": content},
        "parameters": [key],
        "security": [{"token": []}],
    }
