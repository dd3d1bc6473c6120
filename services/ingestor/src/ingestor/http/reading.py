"""From a request to its sender and body, or the status that refuses it before a note is looked at."""

from collections.abc import Mapping

from contracts.reasons import Reason
from runtime.budget import Held
from runtime.tracing import TRACEPARENT
from starlette.requests import ClientDisconnect, Request

from ingestor.adapters.tokens import Tokens
from ingestor.http.intake import Sender, body_digest

MAX_IDEMPOTENCY_KEY_CHARS = 256


class HttpRefusal(Exception):
    """The request is answered with a status and a problem."""

    def __init__(self, status: int, reason: str, message: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason
        self.message = message
        self.headers = dict(headers or {})


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


def sender_of(request: Request, client: str, body: bytes) -> Sender:
    """Who sent it, and what makes it the same request again.

    Raises:
        HttpRefusal: 422 for an Idempotency-Key that is too long.
    """
    key = request.headers.get("idempotency-key")
    if key is not None and not 0 < len(key) <= MAX_IDEMPOTENCY_KEY_CHARS:
        message = f"Idempotency-Key has 1 to {MAX_IDEMPOTENCY_KEY_CHARS} characters"
        raise HttpRefusal(422, Reason.OUT_OF_RANGE, message)
    return Sender(client, key, body_digest(body), request.headers.get(TRACEPARENT))


def _too_large(max_body_bytes: int) -> HttpRefusal:
    return HttpRefusal(413, Reason.TOO_LARGE, f"a body has at most {max_body_bytes} bytes; split the array")
