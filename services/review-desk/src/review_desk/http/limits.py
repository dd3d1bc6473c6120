"""Bodies that are too large, or of nobody that we know: refused before they are read."""

from collections.abc import Callable

from fastapi.responses import JSONResponse
from runtime.web.budget import ByteBudget, Held, OverBudget
from runtime.web.people import Person
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

MAX_BODY_BYTES = 1024 * 1024
MAX_LOGIN_BYTES = 16 * 1024
TOO_LARGE = "the body is larger than 1 MiB"
LOGIN = "/api/login"
BYTES_IN_FLIGHT = 64 * 1024 * 1024
BYTES_IN_FLIGHT_EACH = 16 * 1024 * 1024
_UNREAD = frozenset({"GET", "HEAD", "OPTIONS"})


class BodyLimit:
    """Reads no body further than allowed, and none of somebody unknown: the framework reads it before it asks who sends it.

    The framework's own limit answers in plain text, which the page takes for the word of something else than the desk.

    Args:
        app: The application.
        person: Who asks; None when unknown.
    """

    def __init__(self, app: ASGIApp, person: Callable[[Request], Person | None]) -> None:
        self._app = app
        self._person = person
        self._budget = ByteBudget(BYTES_IN_FLIGHT, BYTES_IN_FLIGHT_EACH)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        if scope["type"] != "http" or scope["method"] in _UNREAD:
            await self._app(scope, receive, send)
            return
        person, login = self._person(Request(scope)), scope["path"] == LOGIN
        if person is None and not login:
            await JSONResponse({"error": "log in first"}, 401)(scope, receive, send)
            return
        most = MAX_LOGIN_BYTES if login else MAX_BODY_BYTES
        length = Headers(scope=scope).get("Content-Length", "0")
        if not length.isdigit() or len(length) > 18 or int(length) > most:
            await JSONResponse({"error": TOO_LARGE}, 413)(scope, receive, send)
            return
        with self._budget.hold(person.name if person else LOGIN) as held:
            await self._app(scope, _counted(receive, most, held), send)


def _counted(receive: Receive, most: int, held: Held) -> Receive:
    taken = 0

    async def counted() -> Message:
        nonlocal taken
        message = await receive()
        taken += len(message.get("body", b""))
        if taken > most:
            raise HTTPException(413, TOO_LARGE)
        try:
            held.reach(taken)
        except OverBudget:
            raise HTTPException(503, "too much is being sent; try again in a moment") from None
        return message

    return counted
