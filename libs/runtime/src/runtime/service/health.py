"""What the outside may ask a service: alive, ready, metrics, who are you. Served from its own thread.

Liveness means that the main loop still turns. A broker that is down does not make a process unhealthy: a restart would not mend it.
"""

import json
import os
import socket
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from contracts.whole_file import write_whole
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

from runtime.service.logs import get_logger
from runtime.service.metrics import READY, START, Metrics

if TYPE_CHECKING:
    from runtime.service.settings import ServiceSettings

_log = get_logger(__name__)
_QUESTION_S = 10.0
_MOST_QUESTIONS = 32
"""Connections, and so threads, at once: probes and scrapes need two or three."""


class Liveness:
    """Alive while it was ticked within ``max_age_s``. The main loop ticks; anything that hangs it makes the age grow."""

    def __init__(self, max_age_s: float = 45.0, clock: Callable[[], float] = time.monotonic) -> None:
        self._max_age_s = max_age_s
        self._clock = clock
        self._ticked_at_s = clock()

    def tick(self) -> None:
        """Say that the main loop turned."""
        self._ticked_at_s = self._clock()

    @property
    def age_s(self) -> float:
        """Seconds since the last tick."""
        return self._clock() - self._ticked_at_s

    @property
    def alive(self) -> bool:
        """Whether the last tick is young enough."""
        return self.age_s <= self._max_age_s


class AllAlive:
    """Alive while every one of several loops is."""

    def __init__(self, *parts: Liveness) -> None:
        self._parts = parts

    @property
    def age_s(self) -> float:
        """Seconds since the last tick of the slowest."""
        return max(part.age_s for part in self._parts)

    @property
    def alive(self) -> bool:
        """Whether all are."""
        return all(part.alive for part in self._parts)


def process_age_s() -> float:
    """Seconds since this process began, the interpreter's own start included where the system tells it (Linux)."""
    try:
        ticks = int(Path("/proc/self/stat").read_text(encoding="ascii").rpartition(")")[2].split()[_START_TICKS])
        up_s = float(Path("/proc/uptime").read_text(encoding="ascii").split()[0])
        return max(0.0, up_s - ticks / os.sysconf("SC_CLK_TCK"))
    except (OSError, ValueError, IndexError):
        return time.monotonic() - _LOADED_AT_S


_START_TICKS = (
    19  # of what stands behind the name in /proc/self/stat: clock ticks from boot to the start of the process
)
_LOADED_AT_S = time.monotonic()


class Readiness:
    """Ready when every named condition holds. Conditions that were named at the start do not hold until they are set.

    Args:
        conditions: Their names.
        age_s: Seconds since the process began.

    Attributes:
        started_s: How old the process was when all conditions first held; 0 until then.
    """

    def __init__(self, *conditions: str, age_s: Callable[[], float] = process_age_s) -> None:
        self._lock = threading.Lock()
        self._missing: dict[str, str] = dict.fromkeys(conditions, "starting")
        self._age_s = age_s
        self.started_s = 0.0

    def meet(self, condition: str) -> None:
        """Say that a condition holds."""
        with self._lock:
            self._missing.pop(condition, None)
            if not self._missing and not self.started_s:
                self.started_s = self._age_s()

    def miss(self, condition: str, why: str) -> None:
        """Say that a condition does not hold, and why in a few words."""
        with self._lock:
            self._missing[condition] = why

    @property
    def missing(self) -> Mapping[str, str]:
        """Conditions that do not hold, with the reason of each."""
        with self._lock:
            return dict(self._missing)

    @property
    def ready(self) -> bool:
        """Whether all conditions hold."""
        return not self.missing


Page = Callable[[str, bool], tuple[int, Mapping[str, Any]]]
"""From the query, and whether the question came from this machine, to status and plain data."""


def _no_info() -> Mapping[str, Any]:
    return {}


class _Listener(ThreadingHTTPServer):
    """One thread for each question, and few of them: who asks has seconds, and many who ask nothing keep no probe waiting.

    Whoever asks and goes away before the answer is no event: a scrape has a time limit.
    """

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], handler: type[BaseHTTPRequestHandler]) -> None:
        super().__init__(address, handler)
        self._open: dict[socket.socket, float] = {}
        self._changing = threading.Lock()

    def process_request(self, request: Any, client_address: Any) -> None:
        """Called with each new connection; the oldest makes room for it."""
        with self._changing:
            self._open[request] = time.monotonic()
            crowded = list(self._open)[:-_MOST_QUESTIONS]
        self._end(crowded)
        super().process_request(request, client_address)

    def service_actions(self) -> None:
        """Called twice a second, and with each connection."""
        long_ago_s = time.monotonic() - _QUESTION_S
        with self._changing:
            late = [request for request, began_s in self._open.items() if began_s < long_ago_s]
        self._end(late)

    def shutdown_request(self, request: Any) -> None:
        """Called at a question's end, in its thread."""
        with self._changing:
            self._open.pop(request, None)
        super().shutdown_request(request)

    @staticmethod
    def _end(requests: Sequence[socket.socket]) -> None:
        for request in requests:
            with suppress(OSError):  # its thread was quicker
                request.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: object, client_address: object) -> None:  # noqa: ARG002 - upstream's signature
        """Called within the exception; upstream prints it to stderr, past the log."""
        error = sys.exception()
        if not isinstance(error, OSError):
            _log.error("a question to the health server failed", error=type(error).__name__)


class HealthServer:
    """GET /live, /ready, /metrics and /info on its own daemon thread.

    Args:
        port: 0 takes any free one; `port` tells which.
        host: Address to listen on.
        port_file: Where the actual port is written, for whoever started us with port 0.
        parts: Doors that serve while another does not: /ready/NAME asks for these conditions alone.
        info: Called for each /info; gives plain data such as the model's version.
        pages: More paths: each is called with the query and whether the question came from this machine, and gives status and plain data.
    """

    def __init__(
        self,
        port: int = 0,
        *,
        host: str = "127.0.0.1",
        liveness: Liveness | AllAlive | None = None,
        readiness: Readiness | None = None,
        registry: CollectorRegistry | None = None,
        info: Callable[[], Mapping[str, Any]] = _no_info,
        port_file: Path | None = None,
        parts: Mapping[str, frozenset[str]] | None = None,
        pages: Mapping[str, Page] | None = None,
    ) -> None:
        self.liveness = liveness or Liveness()
        self.readiness = readiness or Readiness()
        self._registry = registry
        self._parts = dict(parts or {})
        self._pages = dict(pages or {})
        self._info = info
        self._server = _Listener((host, port), self._request_handler())
        self._thread = threading.Thread(target=self._server.serve_forever, name="health", daemon=True)
        if port_file is not None:
            write_port(port_file, self.port)

    @classmethod
    def of(
        cls,
        settings: "ServiceSettings",
        *,
        liveness: Liveness | AllAlive,
        readiness: Readiness,
        metrics: Metrics,
        info: Callable[[], Mapping[str, Any]],
        parts: Mapping[str, frozenset[str]] | None = None,
        pages: Mapping[str, Page] | None = None,
    ) -> Self:
        """The health server of a service, where its settings say; its metrics tell its readiness too."""
        metrics.gauge(READY).set_function(lambda: float(readiness.ready))
        metrics.gauge(START).set_function(lambda: readiness.started_s)
        return cls(
            settings.health_port,
            host=settings.health_host,
            port_file=settings.health_port_file,
            liveness=liveness,
            readiness=readiness,
            registry=metrics.registry,
            info=info,
            parts=parts,
            pages=pages,
        )

    @property
    def port(self) -> int:
        """The port it really listens on."""
        return int(self._server.server_address[1])

    def start(self) -> Self:
        """Begin to answer."""
        self._thread.start()
        return self

    def close(self) -> None:
        """Stop answering and free the port."""
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join(timeout=5)
        self._server.server_close()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.close()

    def answer(self, path: str, *, from_here: bool = False) -> tuple[int, str, bytes]:
        """The status, content type and body for a path.

        Args:
            path: With its query.
            from_here: Whether the question came over the loopback address.
        """
        asked, _, query = path.partition("?")
        page = self._pages.get(asked)
        return self._answer(asked) if page is None else _json(*page(query, from_here))

    def _answer(self, asked: str) -> tuple[int, str, bytes]:
        match asked:
            case "/live":
                live = self.liveness.alive
                return _json(200 if live else 503, {"alive": live, "tick_age_s": round(self.liveness.age_s, 3)})
            case "/ready":
                return _ready(self.readiness.missing)
            case _ if (part := self._parts.get(asked.removeprefix("/ready/"))) is not None and asked != "/ready/":
                return _ready({name: why for name, why in self.readiness.missing.items() if name in part})
            case "/metrics":
                body = generate_latest(self._registry) if self._registry is not None else b""
                return 200, CONTENT_TYPE_LATEST, body
            case "/info":
                return _json(200, self._info())
            case _:
                return _json(404, {"paths": ["/live", "/ready", "/metrics", "/info", *self._pages]})

    def _request_handler(self) -> type[BaseHTTPRequestHandler]:
        server = self

        class Request(BaseHTTPRequestHandler):
            timeout = _QUESTION_S

            def do_GET(self) -> None:
                self.wfile.write(self._head())

            def do_HEAD(self) -> None:
                self._head()

            def _head(self) -> bytes:
                from_here = ip_address(self.client_address[0]).is_loopback
                status, content_type, body = server.answer(self.path, from_here=from_here)
                self.send_response(status)
                self.send_header("Content-Type", content_type)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                return body

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
                """Probes are not worth a line."""

        return Request


def _ready(missing: Mapping[str, str]) -> tuple[int, str, bytes]:
    return _json(503 if missing else 200, {"ready": not missing, "missing": missing})


def write_port(path: Path, port: int) -> None:
    """Write a port number so that a reader never sees half of it."""
    write_whole(path, f"{port}\n")


def _json(status: int, body: Mapping[str, Any]) -> tuple[int, str, bytes]:
    return status, "application/json", json.dumps(body, default=str).encode() + b"\n"
