"""The HTTP server with its limits; `runtime.web.door` puts it and what works beside it into a service."""

import asyncio
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, cast

import uvicorn
from starlette.applications import Starlette
from starlette.middleware.base import BaseHTTPMiddleware, RequestResponseEndpoint
from starlette.requests import Request
from starlette.responses import Response

from runtime.errors import SettingsError
from runtime.service.health import Liveness, Readiness, write_port
from runtime.service.metrics import CONNECTIONS_CLOSED, DOOR_METRICS, HTTP_BUSY, Metrics
from runtime.service.settings import HttpSettings
from runtime.service.tls import DoorTls
from runtime.web.connections import Bounded, Connection, Crowd, Patience, room_for

HTTP = "http"
"""The readiness condition that the server listens."""
PAGE_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}
"""Headers of every answer of our pages: nothing but our own files runs, and nothing is kept or framed."""

_GRACE_S = 10
_RENEW_TICKS = 50
"""Ticks between two looks at the certificate: five seconds."""


def guard_pages(app: Starlette, static: str | None = None) -> None:
    """Put `PAGE_HEADERS` on every answer; files below `static` are kept by the browser, and asked for by their ETag."""

    async def guarded(request: Request, call: RequestResponseEndpoint) -> Response:
        response = await call(request)
        response.headers.update(PAGE_HEADERS)
        if static is not None and request.url.path.startswith(static):
            response.headers["Cache-Control"] = "no-cache"
        return response

    app.add_middleware(BaseHTTPMiddleware, dispatch=guarded)


class HttpServer(uvicorn.Server):
    """uvicorn, stopped by our own event instead of its signal handlers.

    Whoever is asked to stop is still in the lists of load balancers for some seconds. So it first says that it is not ready, asks clients
    on kept connections to look elsewhere, and goes on answering; only then does it close its port.

    Args:
        app: ASGI application.
        stop: Ends the server.
        liveness: Ticked ten times a second.
        readiness: Told when the server listens, and when it is about to close.
        drain_s: How long it goes on answering after it was asked to stop.
        clock: Monotonic seconds.
        limit_concurrency: Connections that may be open, and requests that may be answered at once.
        patience: How long clients may take.
        tls: Certificate and key; None: plaintext.
        metrics: Count what was refused and ended; built of `DOOR_METRICS` among others.
        more: More of uvicorn's settings.
    """

    def __init__(
        self,
        app: Any,
        stop: threading.Event,
        liveness: Liveness,
        readiness: Readiness,
        *,
        drain_s: float,
        clock: Callable[[], float] = time.monotonic,
        limit_concurrency: int = 500,
        patience: Patience | None = None,
        tls: DoorTls | None = None,
        metrics: Metrics | None = None,
        **more: Any,
    ) -> None:
        counted = metrics or Metrics(DOOR_METRICS)
        most = room_for(limit_concurrency)
        closed = counted.counter(CONNECTIONS_CLOSED)
        self._patience = patience or Patience()
        crowd = Crowd(most, self._patience, lambda cause: closed.labels(cause).inc())
        super().__init__(
            uvicorn.Config(
                Bounded(app, lambda: len(self.server_state.connections) > most, counted.counter(HTTP_BUSY).inc),
                http=partial(Connection, crowd),  # type: ignore[arg-type]  # called with uvicorn's own arguments
                log_config=None,
                access_log=False,
                server_header=False,
                lifespan="off",
                timeout_graceful_shutdown=_GRACE_S,
                backlog=most,
                **more,
            )
        )
        self._tls = tls
        self._stop = stop
        self._liveness = liveness
        self._readiness = readiness
        self._drain_s = drain_s
        self._clock = clock
        self._closes_at_s: float | None = None

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals to us."""
        yield

    async def on_tick(self, counter: int) -> bool:
        """Called ten times a second; true ends the server."""
        self._liveness.tick()
        if self._tls is not None and counter % _RENEW_TICKS == 0:
            self._tls.renew()
        if self._stop.is_set() and self._closes_at_s is None:
            self._begin_to_drain()
        closes = self._closes_at_s is not None and self._clock() >= self._closes_at_s
        return await super().on_tick(counter) or closes

    def _begin_to_drain(self) -> None:
        self._closes_at_s = self._clock() + self._drain_s
        self._readiness.miss(HTTP, "stopping")
        close = (b"connection", b"close")
        self.config.encoded_headers.append(close)  # what upstream's tick makes the default headers of, once a second
        self.server_state.default_headers = [*self.server_state.default_headers, close]

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to listen: as upstream does, but for the handshake's limit of time."""
        handshake_s = self._patience.first_byte_s if self._tls else None
        context = self._tls.context if self._tls else None
        make = partial(
            cast("Callable[..., asyncio.Protocol]", self.config.http_protocol_class),
            config=self.config,
            server_state=self.server_state,
            app_state=self.lifespan.state,
        )
        loop = asyncio.get_running_loop()
        self.servers = [
            await loop.create_server(
                make, sock=one, ssl=context, backlog=self.config.backlog, ssl_handshake_timeout=handshake_s
            )
            for one in sockets or ()
        ]
        self.started = True
        self._readiness.meet(HTTP)


def door_limits(settings: HttpSettings, metrics: Metrics) -> dict[str, Any]:
    """What the settings say of a door, for `HttpServer`.

    Raises:
        SettingsError: A certificate without a key, a key without a certificate, or files that cannot be used.
    """
    certificate, key = settings.http_tls_certificate_file, settings.http_tls_key_file
    if (certificate is None) != (key is None):
        missing = "KEY" if key is None else "CERTIFICATE"
        raise SettingsError(f"RXTRACT_HTTP_TLS_{missing}_FILE is not set: TLS needs a certificate and its key")
    return {
        "drain_s": settings.http_drain_s,
        "patience": Patience(settings.http_first_byte_s, settings.http_headers_s, settings.http_body_s),
        "tls": DoorTls(certificate, key) if certificate is not None and key is not None else None,
        "metrics": metrics,
    }


def listen(host: str, port: int, variable: str, port_file: Path | None, *, backlog: int) -> socket.socket:
    """Take a port before anything else is started.

    Args:
        host: Address.
        port: 0 takes any free one.
        variable: Environment variable that named the port, for the error.
        port_file: Where the actual port is written.
        backlog: Connections that may wait to be accepted.

    Raises:
        SettingsError: The port is taken or not ours to take.
    """
    try:
        listening = socket.create_server((host, port), backlog=backlog)
    except OSError as error:
        raise SettingsError(
            f"{variable} {port} cannot be used on {host} ({error.strerror}): choose another, or 0 for any free one"
        ) from None
    # Inherited by each connection. asyncio sets it only where a socket names its protocol, and one made for us does not: an answer's
    # body would wait 40 ms for the client to acknowledge its headers.
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if port_file is not None:
        write_port(port_file, listening.getsockname()[1])
    return listening
