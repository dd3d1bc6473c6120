"""An HTTP server that is asked to stop: it goes on answering while load balancers look away, and only then closes."""

import socket
import threading
import time

import httpx
import pytest
from runtime.service.health import Liveness, Readiness
from runtime.web.server import HTTP, HttpServer, listen

DRAIN_S = 60.0


async def app(scope, receive, send) -> None:
    assert scope["type"] == "http"
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"ok"})


class Rig:
    def __init__(self) -> None:
        self.now_s = 0.0
        self.stop = threading.Event()
        self.readiness = Readiness(HTTP)
        self.listening = listen("127.0.0.1", 0, "PORT", None, backlog=10)
        self.url = f"http://127.0.0.1:{self.listening.getsockname()[1]}"
        server = HttpServer(app, self.stop, Liveness(), self.readiness, drain_s=DRAIN_S, clock=lambda: self.now_s)
        self.thread = threading.Thread(target=server.run, args=([self.listening],), daemon=True)

    def until(self, holds, seconds: float = 20.0) -> None:
        deadline = time.monotonic() + seconds
        while not holds():
            assert time.monotonic() < deadline, "waited in vain"
            threading.Event().wait(0.01)


@pytest.fixture
def rig():
    rig = Rig()
    rig.thread.start()
    rig.until(lambda: rig.readiness.ready)
    yield rig
    rig.stop.set()
    rig.now_s += 10 * DRAIN_S
    rig.thread.join(20)
    assert not rig.thread.is_alive()


def test_it_goes_on_answering_but_says_that_it_is_not_ready(rig):
    with httpx.Client() as kept:
        assert "connection" not in kept.get(rig.url).headers
        rig.stop.set()
        rig.until(lambda: not rig.readiness.ready)
        rig.now_s += DRAIN_S - 1
        answer = kept.get(rig.url)  # on the connection of before, which is told to look elsewhere
        assert (answer.status_code, answer.headers["connection"]) == (200, "close")
    assert httpx.get(rig.url).status_code == 200  # somebody new, whom the load balancer still sends here
    assert rig.readiness.missing == {HTTP: "stopping"}
    rig.now_s += 2
    rig.thread.join(20)
    assert not rig.thread.is_alive()
    with pytest.raises(OSError, match="refused"):
        socket.create_connection(("127.0.0.1", int(rig.url.rpartition(":")[2])), timeout=5)
