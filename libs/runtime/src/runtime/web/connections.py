"""The connections of an HTTP door: none keeps another out, be it silent, slow to ask, or slow to listen.

uvicorn waits for ever for a request's first byte, its headers and its body, and refuses everybody once enough connections do nothing.
Here each of these phases has a limit of time. And a door that is full ends the connection that has waited longest without a request:
whoever connects in order to ask is served, however many do so in order to be silent.
"""

import asyncio
import resource
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

_OTHER_FILES = 256
_LINGER_S = 3.0


class Phase(StrEnum):
    """What a connection is waited for; also the causes for which one is ended."""

    FIRST_BYTE = "first_byte"
    HEADERS = "headers"
    BODY = "body"
    ANSWER = "answer"
    KEPT = "kept"
    CROWDED = "crowded"
    BUSY = "busy"


@dataclass(frozen=True, slots=True)
class Patience:
    """Seconds that a client may take, each counted from its beginning: a byte now and then wins no time.

    Attributes:
        first_byte_s: From the connection to the first byte; in TLS also for the handshake.
        headers_s: From the first byte to the end of the headers.
        body_s: From there to the end of the body.
        answer_s: For which an answer may lie here because the client does not read it.
        kept_s: Between two requests.
    """

    first_byte_s: float = 5.0
    headers_s: float = 10.0
    body_s: float = 30.0
    answer_s: float = 30.0
    kept_s: float = 6.0

    def of(self, phase: Phase) -> float | None:
        """The limit of a phase; None for the time in which we are the ones who take long."""
        return {
            Phase.FIRST_BYTE: self.first_byte_s,
            Phase.HEADERS: self.headers_s,
            Phase.BODY: self.body_s,
            Phase.ANSWER: self.answer_s,
            Phase.KEPT: self.kept_s,
        }.get(phase)


class Crowd:
    """Who is connected, in the order in which they could be asked to leave.

    Args:
        most: Connections that may be open.
        patience: How long each may take.
        count: Called with the cause of each connection that we end.
    """

    def __init__(self, most: int, patience: Patience, count: Callable[[str], None]) -> None:
        self.most = most
        self.patience = patience
        self._count = count
        self._idle: dict[Connection, None] = {}
        self._sending: dict[Connection, None] = {}

    def place(self, connection: "Connection", phase: Phase) -> None:
        """Put a connection where its phase belongs."""
        self.leave(connection)
        if phase in {Phase.FIRST_BYTE, Phase.HEADERS, Phase.KEPT}:
            self._idle[connection] = None
        elif phase is Phase.BODY:
            self._sending[connection] = None

    def leave(self, connection: "Connection") -> None:
        """Forget a connection."""
        self._idle.pop(connection, None)
        self._sending.pop(connection, None)

    def make_room(self, newest: "Connection") -> None:
        """End connections until no more than allowed are open: those without a request first, then those that still send one."""
        while len(newest.connections) > self.most:
            others = (one for group in (self._idle, self._sending) for one in group if one is not newest)
            longest = next(others, None)
            if longest is None:
                return  # all are being answered: the newest is told that we are busy
            self.end(longest, Phase.CROWDED)

    def end(self, connection: "Connection", cause: Phase) -> None:
        """End a connection, and count it unless it was merely kept too long."""
        self.leave(connection)
        if cause is not Phase.KEPT:
            self._count(cause.value)
        connection.end(cause)


class Connection(H11Protocol):
    """uvicorn's connection with limits of time."""

    def __init__(self, crowd: Crowd, **uvicorn: Any) -> None:
        super().__init__(**uvicorn)
        self._crowd = crowd
        self._phase = Phase.BUSY
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Called by the event loop, after the handshake where there is one."""
        super().connection_made(transport)
        self._begin(Phase.FIRST_BYTE)
        self._crowd.make_room(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Called by the event loop."""
        self._stop_timer()
        self._crowd.leave(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Called by the event loop."""
        if self._phase in {Phase.FIRST_BYTE, Phase.KEPT}:
            self._begin(Phase.HEADERS)
        super().data_received(data)
        self._follow()

    def on_response_complete(self) -> None:
        """Called when an answer was handed to the transport."""
        if self._phase not in {Phase.BODY, Phase.ANSWER}:
            self._begin(Phase.KEPT)
        super().on_response_complete()
        self._follow()

    def pause_writing(self) -> None:
        """Called when the client reads too slowly."""
        super().pause_writing()
        self._begin(Phase.ANSWER)

    def resume_writing(self) -> None:
        """Called when it has read."""
        super().resume_writing()
        if self._phase is Phase.ANSWER:
            self._begin(Phase.BUSY)
            self._follow()

    def end(self, cause: Phase) -> None:
        """End the connection, with an answer where somebody waits for one."""
        self._stop_timer()
        self.connections.discard(self)  # now and not when the event loop comes to it: the newest is counted before
        asked = cause in {Phase.HEADERS, Phase.BODY} and self.conn.our_state in {h11.IDLE, h11.SEND_RESPONSE}
        if not asked or self.transport.is_closing():
            self.transport.abort()
            return
        if self.cycle is not None:
            self.cycle.disconnected = True  # what the application answers from here on goes nowhere
            self.cycle.message_event.set()
        text = b"the request did not come in time"
        headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"connection", b"close")]
        for event in (
            h11.Response(status_code=408, headers=headers, reason=b"Request Timeout"),
            h11.Data(data=text),
            h11.EndOfMessage(),
        ):
            self.transport.write(self.conn.send(event) or b"")
        self.transport.close()
        self.loop.call_later(_LINGER_S, self.transport.abort)

    def _follow(self) -> None:
        """Find the phase that the bytes so far have led to."""
        state = self.conn.their_state
        if self._phase is Phase.ANSWER:
            return
        if state is h11.SEND_BODY:
            self._change(Phase.BODY)
        elif state is h11.IDLE or self.transport.is_closing():
            if self._phase not in {Phase.FIRST_BYTE, Phase.HEADERS}:
                self._change(Phase.KEPT)
        elif not self.cycle.response_complete:
            self._change(Phase.BUSY)

    def _change(self, phase: Phase) -> None:
        if phase is not self._phase:
            self._begin(phase)

    def _begin(self, phase: Phase) -> None:
        self._stop_timer()
        self._phase = phase
        self._crowd.place(self, phase)
        seconds = self._crowd.patience.of(phase)
        if seconds is not None:
            self._timer = self.loop.call_later(seconds, self._crowd.end, self, phase)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


class Bounded:
    """An ASGI application whose door may be full: 503 and when to come again.

    Args:
        app: The application.
        is_full: Whether more connections are open than may be, although all that could be ended were.
        count: Called for each request that is refused.
    """

    def __init__(self, app: Any, is_full: Callable[[], bool], count: Callable[[], None]) -> None:
        self._app = app
        self._is_full = is_full
        self._count = count

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Pass a request on, or refuse it."""
        if self._is_full():
            self._count()
            await _refuse(send)
        else:
            await self._app(scope, receive, send)


async def _refuse(send: Any) -> None:
    body = b'{"reason":"BUSY","message":"too many requests are being answered; try again in a moment"}'
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
        (b"retry-after", b"1"),
        (b"connection", b"close"),
    ]
    await send({"type": "http.response.start", "status": 503, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def room_for(connections: int) -> int:
    """How many connections there is room for: as many as asked, unless the system allows this process fewer open files.

    As many again may be accepted before the first of them is asked to leave.
    """
    wanted = 2 * connections + _OTHER_FILES
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return connections if soft == resource.RLIM_INFINITY else max(16, min(connections, (soft - _OTHER_FILES) // 2))
