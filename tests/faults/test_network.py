"""Kafka through a proxy of ours: latency, cut connections, a silent network and none. Nothing that was acknowledged is lost."""

from __future__ import annotations

import socket
import time
from typing import TYPE_CHECKING, Any

import pytest
from embedded_stack import EmbeddedStack, ports
from embedded_stack.components.kafka import Kafka
from embedded_stack.stack import SERVERS
from extractor_rig import Rig, until
from line_rig import GOAL_S, Line, flows_again, slowest, wait
from proxy import Proxy

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = [pytest.mark.stack, pytest.mark.slow, pytest.mark.timeout(300)]


class FarKafka(Kafka):
    """Has one more listener, whose clients are told to come by the proxy's port."""

    port_names = ("kafka", "kafka-controller", "kafka-far", "kafka-proxy")

    def _properties(self, log_dir: Path) -> str:
        lines = dict(line.split("=", 1) for line in super()._properties(log_dir).splitlines())
        lines |= {
            "listeners": f"{lines['listeners']},FAR://{ports.LOOPBACK}:{self.port('kafka-far')}",
            "advertised.listeners": f"{lines['advertised.listeners']},FAR://{ports.LOOPBACK}:{self.port('kafka-proxy')}",
            "listener.security.protocol.map": f"{lines['listener.security.protocol.map']},FAR:PLAINTEXT",
            "inter.broker.listener.name": "PLAINTEXT",
        }
        return "".join(f"{key}={value}\n" for key, value in lines.items())


@pytest.fixture(scope="module")
def far(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedStack]:
    servers = {**SERVERS, "kafka": FarKafka}
    wanted = ("kafka", "registry", "redis")
    with EmbeddedStack(tmp_path_factory.mktemp("far"), ephemeral=True, components=wanted, servers=servers) as stack:
        yield stack


@pytest.fixture
def proxy(far: EmbeddedStack) -> Iterator[Proxy]:
    kafka = far._components["kafka"]
    with Proxy(kafka.port("kafka-proxy"), kafka.port("kafka-far")) as between:
        yield between


@pytest.fixture
def line(far: EmbeddedStack, proxy: Proxy, topic_prefix: str, tmp_path: Path) -> Iterator[Line]:
    rig = Rig(far.addresses, topic_prefix, tmp_path)  # the oracle sees the broker itself
    line = Line(rig, f"{ports.LOOPBACK}:{far._components['kafka'].port('kafka-proxy')}")
    try:
        yield line
    finally:
        line.close()


def test_latency_cuts_and_a_silent_network_lose_nothing(line: Line, proxy: Proxy, record_property: Any) -> None:
    extractor = line.start()
    assert proxy.connections >= 4, "the services do not come by the proxy"
    took, cut = [], 0
    with line.notes(60, 5) as sender:
        flows_again(line, sender, time.monotonic())
        proxy.latency_s = 0.2  # each way
        took.append(flows_again(line, sender, time.monotonic()))
        for _ in range(5):
            cut += proxy.cut()
            wait(1)
        took.append(flows_again(line, sender, time.monotonic()))
        proxy.latency_s = 0.0
        proxy.silent = True  # connections stand and nothing passes
        wait(5)
        proxy.silent = False
        took.append(flows_again(line, sender, time.monotonic()))
        proxy.closed = True
        cut += proxy.cut()
        wait(3)
        proxy.closed = False
        took.append(flows_again(line, sender, time.monotonic()))
    figures = line.settled(sender)
    assert cut >= 10
    assert extractor.child.poll() is None
    assert line.ingestor.running()
    assert max(took) <= GOAL_S, took
    said = f"400 ms there and back, {cut} connections cut, silent 5 s, gone 3 s"
    record_property("figure", f"{said}: {figures}; flows again {slowest(took)}")


def is_over(connection: socket.socket) -> bool:
    try:
        return connection.recv(1) == b""
    except ConnectionResetError:
        return True


@pytest.mark.timeout(60)
def test_the_proxy_is_slow_cuts_and_refuses() -> None:
    """The judge itself."""
    listener = socket.create_server((ports.LOOPBACK, 0))
    (port,) = ports.free_ports(1)
    with listener, Proxy(port, listener.getsockname()[1]) as between:
        between.latency_s = 0.3
        client = socket.create_connection((ports.LOOPBACK, port), timeout=10)
        server, _ = listener.accept()
        sent_s = time.monotonic()
        client.sendall(b"asked")
        assert server.recv(16) == b"asked"
        assert time.monotonic() - sent_s >= 0.3
        assert between.cut() == 1
        assert is_over(client)
        between.closed = True
        again = socket.create_connection((ports.LOOPBACK, port), timeout=10)
        assert is_over(again)
        until(lambda: between.connections == 2, 5, "both to be counted")
