"""Connections that say nothing, say it slowly or do not listen end in time, and keep nobody waiting meanwhile."""

import asyncio
import http.client
import resource
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest
from runtime.service.health import HealthServer, Liveness, Readiness
from runtime.service.metrics import CONNECTIONS_CLOSED, DOOR_METRICS, HTTP_BUSY, Metrics
from runtime.web.connections import Patience, room_for
from runtime.web.server import HTTP, HttpServer, listen

HEAD = b"POST / HTTP/1.1\r\nHost: x\r\n"
SOON = Patience(first_byte_s=0.3, headers_s=0.3, body_s=0.3, answer_s=0.3, kept_s=0.3)
NEVER = Patience(600, 600, 600, 600, 600)
WAIT_S = 20.0
LARGE = b"x" * 20_000_000


class Rig:
    """A door whose application reads the whole body, then answers, or waits until it may."""

    def __init__(self, patience: Patience, most: int = 100, answer: bytes = b"ok") -> None:
        self.stop, self.metrics, self.may_answer = threading.Event(), Metrics(DOOR_METRICS), threading.Event()
        self.may_answer.set()
        self.answer, self.asked, self.waiting = answer, 0, ThreadPoolExecutor(100)
        self.listening = listen("127.0.0.1", 0, "PORT", None, backlog=100)
        self.port = self.listening.getsockname()[1]
        self.readiness = Readiness(HTTP)
        self.server = HttpServer(
            self.app,
            self.stop,
            Liveness(),
            self.readiness,
            drain_s=0,
            limit_concurrency=most,
            patience=patience,
            metrics=self.metrics,
        )
        self.thread = threading.Thread(target=self.server.run, args=([self.listening],), daemon=True)
        self.thread.start()
        self.until(lambda: self.readiness.ready)

    async def app(self, scope, receive, send) -> None:
        more = True
        while more:
            message = await receive()
            more = message.get("more_body", False)
        self.asked += 1
        await asyncio.get_running_loop().run_in_executor(self.waiting, self.may_answer.wait)
        size = str(len(self.answer)).encode()
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", size)]})
        await send({"type": "http.response.body", "body": self.answer})

    def connect(self, sent: bytes = b"") -> socket.socket:
        made = socket.create_connection(("127.0.0.1", self.port), timeout=WAIT_S)
        made.sendall(sent)
        return made

    def ask(self) -> int:
        client = http.client.HTTPConnection("127.0.0.1", self.port, timeout=WAIT_S)
        client.request("POST", "/", b"{}")
        return client.getresponse().status

    def closed(self, cause: str) -> float:
        return self.metrics.registry.get_sample_value(CONNECTIONS_CLOSED.name, {"cause": cause}) or 0.0

    @staticmethod
    def until(holds) -> None:
        deadline = time.monotonic() + WAIT_S
        while not holds():
            assert time.monotonic() < deadline, "waited in vain"
            threading.Event().wait(0.01)

    def open(self) -> int:
        return len(self.server.server_state.connections)

    def end(self) -> None:
        self.may_answer.set()
        self.stop.set()
        self.thread.join(WAIT_S)
        assert not self.thread.is_alive()


@pytest.fixture
def rigs():
    made: list[Rig] = []

    def make(*args, **more) -> Rig:
        made.append(Rig(*args, **more))
        return made[-1]

    yield make
    for rig in made:
        rig.end()


def all_of(connection: socket.socket) -> bytes:
    found = b""
    try:
        while chunk := connection.recv(65_536):
            found += chunk
    except ConnectionResetError:
        pass
    return found


@pytest.mark.parametrize(
    ("sent", "cause", "answer"),
    [
        (b"", "first_byte", b""),
        (b"P", "headers", b"HTTP/1.1 408"),
        (HEAD, "headers", b"HTTP/1.1 408"),
        (HEAD + b"Content-Length: 10\r\n\r\n", "body", b"HTTP/1.1 408"),
        (HEAD + b"Content-Length: 10\r\n\r\n12345", "body", b"HTTP/1.1 408"),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n", "body", b"HTTP/1.1 408"),
    ],
)
def test_what_does_not_come_is_not_waited_for(rigs, sent, cause, answer):
    rig = rigs(SOON)
    assert all_of(rig.connect(sent)).startswith(answer)
    assert rig.closed(cause) == 1
    rig.until(lambda: rig.open() == 0)


@pytest.mark.parametrize("head", [HEAD, HEAD + b"Content-Length: 100000\r\n\r\n"])
def test_a_byte_now_and_then_wins_no_time(rigs, head):
    rig = rigs(Patience(headers_s=0.5, body_s=0.5))
    slow = rig.connect(head)
    began_s = time.monotonic()
    with suppress(OSError):
        while time.monotonic() - began_s < WAIT_S:
            slow.sendall(b"a")
            threading.Event().wait(0.05)
    assert time.monotonic() - began_s < WAIT_S
    assert rig.closed("headers") + rig.closed("body") == 1


def test_an_answer_that_nobody_reads_is_not_kept(rigs):
    rig = rigs(SOON, answer=LARGE)
    deaf = rig.connect(HEAD + b"Content-Length: 0\r\n\r\n")
    rig.until(lambda: rig.closed("answer") == 1)
    assert len(all_of(deaf)) < len(LARGE)


def test_a_slow_reader_gets_his_answer_whole(rigs):
    rig = rigs(Patience(answer_s=5), answer=LARGE)
    reader = rig.connect(HEAD + b"Content-Length: 0\r\nConnection: close\r\n\r\n")
    threading.Event().wait(0.3)
    assert len(all_of(reader)) > len(LARGE)


def test_time_that_we_take_is_not_the_clients(rigs):
    rig = rigs(SOON)
    rig.may_answer.clear()
    waiting = rig.connect(HEAD + b"Content-Length: 2\r\nConnection: close\r\n\r\n{}")
    threading.Event().wait(1.0)
    rig.may_answer.set()
    assert all_of(waiting).startswith(b"HTTP/1.1 200")


def test_a_kept_connection_asks_again_and_ends_quietly(rigs):
    rig = rigs(SOON)
    kept = http.client.HTTPConnection("127.0.0.1", rig.port, timeout=WAIT_S)
    for _ in range(3):
        kept.request("POST", "/", b"{}")
        assert kept.getresponse().read() == b"ok"
    assert kept.sock is not None
    assert all_of(kept.sock) == b""
    assert [rig.closed(cause) for cause in ("first_byte", "headers", "body", "answer", "kept")] == [0, 0, 0, 0, 0]


@pytest.mark.parametrize("sent", [b"", b"P", HEAD + b"Content-Length: 10\r\n\r\n1"])
def test_a_full_door_lets_in_whoever_asks(rigs, sent):
    rig = rigs(NEVER, most=50)
    idle = [rig.connect(sent) for _ in range(300)]
    rig.until(lambda: rig.closed("crowded") >= 249)
    began_s = time.monotonic()
    assert [rig.ask() for _ in range(20)] == [200] * 20
    assert time.monotonic() - began_s < 10
    assert rig.open() <= 50
    assert len(idle) == 300


def test_a_connection_that_is_being_answered_makes_no_room(rigs):
    rig = rigs(NEVER, most=20)
    rig.may_answer.clear()
    asked = [rig.connect(HEAD + b"Content-Length: 2\r\nConnection: close\r\n\r\n{}") for _ in range(20)]
    rig.until(lambda: rig.asked == 20)
    refused = rig.connect(HEAD + b"Content-Length: 2\r\n\r\n{}")
    answer = all_of(refused)
    assert answer.startswith(b"HTTP/1.1 503")
    assert b"retry-after: 1" in answer
    assert rig.metrics.registry.get_sample_value(HTTP_BUSY.name) == 1
    rig.may_answer.set()
    assert all(all_of(one).startswith(b"HTTP/1.1 200") for one in asked)
    assert rig.ask() == 200


def test_there_is_room_for_what_the_system_allows():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (300, hard))
        assert room_for(100) == 100
        assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] >= 456
        assert room_for(10_000_000) < hard
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_probes_are_answered_beside_many_who_ask_nothing():
    with HealthServer(0) as server:
        idle = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(200)]
        began_s = time.monotonic()
        for method in ("GET", "HEAD"):
            client = http.client.HTTPConnection("127.0.0.1", server.port, timeout=WAIT_S)
            client.request(method, "/live")
            assert client.getresponse().status == 200
        assert time.monotonic() - began_s < 10
        threads = sum("process_request_thread" in one.name for one in threading.enumerate())
        assert threads <= 40
        assert len(idle) == 200


def test_head_of_metrics_is_200_without_a_body():
    with HealthServer(0, registry=Metrics().registry) as server:
        client = http.client.HTTPConnection("127.0.0.1", server.port, timeout=WAIT_S)
        client.request("HEAD", "/metrics")
        answer = client.getresponse()
        assert (answer.status, answer.read()) == (200, b"")
