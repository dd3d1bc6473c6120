"""A door through which clients send notes over HTTP: who asks, how much he may ask for, and his body.

What is refused here is refused with a status and a problem before a note is looked at.
"""

import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from contracts.reasons import Reason
from contracts.wire import MAX_RECORD_BYTES
from pydantic import Field
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

from runtime.service.metrics import HTTP_BYTES, HTTP_REQUESTS, HTTP_SECONDS, HTTP_THROTTLED, Metrics
from runtime.service.settings import SECRET, HttpSettings
from runtime.web.budget import ByteBudget, Held, OverBudget, Rates
from runtime.web.client_tokens import Tokens
from runtime.web.json_body import BadJson

_LIMITS = {
    "notes_per_s": "this client sends more notes a second than it may",
    "bytes_per_s": "this client sends more bytes a second than it may",
    "bytes_in_flight": "too many bytes are being sent at once",
    "queue": "too much is waiting for the broker",
}


class ClientDoorSettings(HttpSettings):
    """The settings of a service to which clients send notes over HTTP."""

    http_host: str = Field("127.0.0.1", description="address of the HTTP door")
    http_port: int = Field(0, ge=0, le=65535, description="port of the HTTP door; 0 takes any free one")
    http_port_file: Path | None = Field(None, description="where the actual port of the HTTP door is written")
    http_tokens: str = Field(
        "",
        description="clients and their hashed tokens: name:sha256,name:sha256; a name has 1 to 40 of a-z, 0-9 and -",
        json_schema_extra=SECRET,
    )
    http_tokens_file: Path | None = Field(
        None,
        description="file with one name:sha256 a line, read again when it changes; a wrong line costs itself alone",
        json_schema_extra=SECRET,
    )
    http_max_body_bytes: int = Field(MAX_RECORD_BYTES, gt=0, description="largest body, 1 MiB")
    http_max_notes: int = Field(500, gt=0, description="most notes in one array")
    http_bytes_in_flight: int = Field(
        64 * 1024 * 1024,
        gt=0,
        description="most bytes of bodies in hand at once, from their first to their answer, 64 MiB",
    )
    http_client_bytes_in_flight: int = Field(
        16 * 1024 * 1024, gt=0, description="most of these of one client, 16 MiB; never less than one body"
    )
    http_client_notes_per_s: float = Field(
        5_000.0, gt=0, description="notes a second of one client, ten seconds' worth at once; beyond it 429"
    )
    http_client_bytes_per_s: float = Field(
        20.0 * 1024 * 1024, gt=0, description="bytes a second of one client, ten seconds' worth at once; beyond it 429"
    )
    http_retry_after_s: int = Field(5, gt=0, description="seconds that a 503 asks clients to wait")
    max_note_chars: int = Field(1_048_576, gt=0, description="most characters in a text")
    max_note_tokens: int = Field(99_999, gt=0, description="most words and signs in a text")


class HttpRefusal(Exception):
    """The request is answered with a status and a problem."""

    def __init__(self, status: int, reason: str, message: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason
        self.message = message
        self.headers = dict(headers or {})


@dataclass(frozen=True, slots=True)
class Allowance:
    """What a client may ask for."""

    in_flight: ByteBudget
    notes: Rates
    bytes: Rates

    @classmethod
    def of(cls, settings: ClientDoorSettings, metrics: Metrics) -> Self:
        """As the settings say; the bytes in hand are measured."""
        each = max(settings.http_client_bytes_in_flight, settings.http_max_body_bytes)
        in_flight = ByteBudget(settings.http_bytes_in_flight, each, settings.http_retry_after_s)
        metrics.gauge(HTTP_BYTES).set_function(lambda: in_flight.held)
        return cls(
            in_flight,
            Rates("notes_per_s", settings.http_client_notes_per_s),
            Rates("bytes_per_s", settings.http_client_bytes_per_s),
        )

    def check(self, client: str) -> None:
        """Let a client in, or raise OverBudget."""
        self.notes.check(client)
        self.bytes.check(client)


@asynccontextmanager
async def taken_in(request: Request, client: str, allowance: Allowance, max_body_bytes: int) -> AsyncIterator[bytes]:
    """The body of a client's request; its bytes count as in hand until the block ends.

    Raises:
        HttpRefusal: 408, 413 or 415.
        OverBudget: The client asks for more than it may, or too many bytes are in hand.
    """
    check_headers(request, max_body_bytes)
    allowance.check(client)
    with allowance.in_flight.hold(client) as held:
        body = await read_body(request, max_body_bytes, held)
        allowance.bytes.use(client, len(body))
        yield body


REFUSALS = (OverBudget, HttpRefusal, BadJson)
"""What `refused` answers."""


def refused(metrics: Metrics, client: str, error: OverBudget | HttpRefusal | BadJson) -> JSONResponse:
    """The answer to a request that is refused before a note of it is looked at."""
    if isinstance(error, OverBudget):
        return come_later(metrics, client, error)
    if isinstance(error, BadJson):
        error = HttpRefusal(422, error.reason, str(error))
    return problem(error)


def count_answer(metrics: Metrics, response: Response, started_s: float) -> None:
    """Count an answer by its status, and the time since its request began (monotonic seconds)."""
    metrics.counter(HTTP_REQUESTS).labels(str(response.status_code)).inc()
    metrics.histogram(HTTP_SECONDS).observe(time.monotonic() - started_s)


def with_token_scheme(document: dict[str, Any]) -> dict[str, Any]:
    """An OpenAPI document that names how clients prove who they are: our check of it stands before the framework's own."""
    token = {"type": "http", "scheme": "bearer", "description": "The token of your client: Bearer TOKEN"}
    document.setdefault("components", {})["securitySchemes"] = {"token": token}
    return document


def problem(refusal: HttpRefusal) -> JSONResponse:
    """The answer to a request that is refused as a whole."""
    content = {"reason": refusal.reason, "message": refusal.message}
    return JSONResponse(content, refusal.status, headers=refusal.headers)


def come_later(metrics: Metrics, client: str, over: OverBudget) -> JSONResponse:
    """The answer to a client that asks for more than it may: 429, or 503 where all together do."""
    return throttled(metrics, client, over.limit, over.retry_after_s, status=429 if over.is_theirs else 503)


def throttled(metrics: Metrics, client: str, limit: str, retry_after_s: int, *, status: int) -> JSONResponse:
    """As `come_later`, for a limit by its name."""
    metrics.counter(HTTP_THROTTLED).labels(client, limit).inc()
    message = f"{_LIMITS[limit]}; send the same again after Retry-After seconds"
    return problem(HttpRefusal(status, "BUSY", message, {"Retry-After": str(retry_after_s)}))


def authenticate(request: Request, tokens: Tokens) -> str:
    """The name of the client.

    Raises:
        HttpRefusal: 401.
    """
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    client = tokens.client_of(token.strip()) if scheme.lower() == "bearer" else None
    if client is None:
        headers = {"WWW-Authenticate": 'Bearer realm="rxtract"'}
        raise HttpRefusal(401, "UNAUTHENTICATED", "send a valid token as `Authorization: Bearer TOKEN`", headers)
    return client


def check_headers(request: Request, max_body_bytes: int) -> None:
    """Refuse by headers alone, before a byte of the body is read.

    Raises:
        HttpRefusal: 413 or 415.
    """
    encoding = request.headers.get("content-encoding", "identity").strip().lower()
    if encoding not in {"", "identity"}:
        raise HttpRefusal(415, "CONTENT_ENCODING", "send the body uncompressed, without Content-Encoding")
    content_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if content_type != "application/json":
        raise HttpRefusal(415, "CONTENT_TYPE", "send JSON with `Content-Type: application/json`")
    length = request.headers.get("content-length", "")
    if length.isdigit() and (len(length) > 18 or int(length) > max_body_bytes):
        raise _too_large(max_body_bytes)


async def read_body(request: Request, max_body_bytes: int, held: Held) -> bytes:
    """The body, never more than allowed; the server ends the wait for one that does not come.

    Raises:
        HttpRefusal: 413, or 408 when it did not come.
        OverBudget: Too many bytes are in hand.
    """
    length = request.headers.get("content-length", "")
    held.reach(int(length) if length.isdigit() else 0)  # before it is sent: what will not be taken need not be
    chunks: list[bytes] = []
    size = 0
    try:
        async for chunk in request.stream():
            size += len(chunk)
            if size > max_body_bytes:
                raise _too_large(max_body_bytes)
            held.reach(size)
            chunks.append(chunk)
    except ClientDisconnect:
        raise HttpRefusal(408, "BODY_NOT_RECEIVED", "the body did not come in time") from None
    return b"".join(chunks)


def _too_large(max_body_bytes: int) -> HttpRefusal:
    return HttpRefusal(413, Reason.TOO_LARGE, f"a body has at most {max_body_bytes} bytes; split the array")
