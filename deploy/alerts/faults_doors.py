"""Who comes to the HTTP doors, and what lets them in."""  # noqa: INP001

from __future__ import annotations

import base64
import contextlib
import json
import socket
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import httpx
from catalogue import fault
from confluent_kafka.admin import AdminClient
from contracts.apply import apply_topics
from contracts.topics import ACCESS_LOGGED, load_topics
from world import until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from world import World

CROWD = 2_600


@fault("a line of the token file is misspelt", "TokenLinesRefused")
def _typo(world: World) -> Iterator[None]:
    file = world.running.data_dir / "secrets/tokens"
    right = file.read_text()
    file.write_text(right + "clinic-without-a-hash\n")
    yield
    file.write_text(right)


@fault("the desk's token file is deleted", "TokenFileAway")
def _deleted(world: World) -> Iterator[None]:
    file = world.running.data_dir / "secrets/desk.tokens"
    right = file.read_text()
    file.unlink()
    yield
    file.write_text(right)


@fault("a client begins forty bodies at once and sends none of them", "ClientThrottled")
def _greedy(world: World) -> Iterator[None]:
    known = world.running.addresses
    door = urlsplit(str(known.ingest_url))
    head = (
        "POST /v1/notes HTTP/1.1\r\nHost: door\r\nContent-Type: application/json\r\n"
        f"Authorization: Bearer {known.ingest_token}\r\nContent-Length: 1000000\r\n\r\n"
    ).encode()

    def begin() -> None:
        with contextlib.ExitStack() as begun, contextlib.suppress(OSError):
            for _ in range(40):
                one = socket.create_connection((str(door.hostname), int(door.port or 80)), timeout=10)
                begun.enter_context(one).sendall(head)

    with world.meanwhile(begin, 0.2):
        yield


@fault("2,600 connections that ask nothing, again and again", "DoorCrowded")
def _crowd(world: World) -> Iterator[None]:
    door = urlsplit(str(world.running.addresses.ingest_url))

    def crowd() -> None:
        with contextlib.ExitStack() as idle, contextlib.suppress(OSError):
            for _ in range(CROWD):
                idle.enter_context(socket.create_connection((str(door.hostname), int(door.port or 80)), timeout=10))

    with world.meanwhile(crowd, 0.1):
        yield


@fault(
    "a receiver of webhooks answers 500 to everything, and the file of endpoints holds a slip",
    "WebhookWaits",
    "WebhookGivenUp",
    "WebhookFile",
)
def _webhooks(world: World) -> Iterator[None]:
    file = world.running.data_dir / "webhooks.json"
    source = world.running.addresses.ingest_source
    secret = f"whsec_{base64.b64encode(b'k' * 32).decode()}"

    def write(url: str) -> None:
        draft = file.with_suffix(".draft")
        draft.write_text(json.dumps({source: {"url": url, "secrets": [secret]}}), encoding="utf-8")
        draft.replace(file)

    with _receiver(500) as broken, _receiver(204) as mended:
        write(broken)
        world.start(
            "notifier",
            "notifier",
            RXTRACT_WEBHOOKS_FILE=str(file),
            RXTRACT_WEBHOOK_TRIES="1",
            RXTRACT_WEBHOOK_PAUSE_S="1",
        )
        write("http://clinic.example.org/")
        yield
        write(mended)
        until(
            lambda: world.ever('rxtract_webhook_tries_total{result="delivered"}', time.time()), 60, "nothing delivered"
        )
        world.end("notifier")


@contextlib.contextmanager
def _receiver(status: int) -> Iterator[str]:
    """A receiver that always answers the same; its address."""

    class Door(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Nobody reads it."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Door) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}/"
        server.shutdown()


@fault("the topic of the access log is deleted while somebody looks at notes", "AccessNotLogged")
def _unlogged(world: World) -> Iterator[None]:
    known = world.running.addresses
    servers = {"bootstrap.servers": known.bootstrap_servers}
    somebody = {"Authorization": f"Bearer {known.desk_token}"}
    admin = AdminClient(servers)  # kept: what it was asked ends with it
    admin.delete_topics([ACCESS_LOGGED])[ACCESS_LOGGED].result(30)

    def look() -> None:
        with contextlib.suppress(httpx.HTTPError):
            httpx.get(f"{known.score_url}/examples/notes", headers=somebody, timeout=20)

    with world.meanwhile(look, 0.2):
        yield
    apply_topics(servers, [load_topics()[ACCESS_LOGGED]])
