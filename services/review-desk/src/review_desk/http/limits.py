"""Bodies that are too large: refused by the length that they say, and by counting where they say none."""

from fastapi.responses import JSONResponse
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

MAX_BODY_BYTES = 1024 * 1024
TOO_LARGE = "the body is larger than 1 MiB"


class BodyLimit:
    """Reads no body further than allowed: it is read before anybody asks who sends it.

    The framework's own limit answers in plain text, which the page takes for the word of something else than the desk.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        length = Headers(scope=scope).get("Content-Length", "0") if scope["type"] == "http" else "0"
        if not length.isdigit() or int(length) > MAX_BODY_BYTES:
            await JSONResponse({"error": TOO_LARGE}, 413)(scope, receive, send)
        else:
            await self._app(scope, _counted(receive), send)


def _counted(receive: Receive) -> Receive:
    taken = 0

    async def counted() -> Message:
        nonlocal taken
        message = await receive()
        taken += len(message.get("body", b""))
        if taken > MAX_BODY_BYTES:
            raise HTTPException(413, TOO_LARGE)
        return message

    return counted
