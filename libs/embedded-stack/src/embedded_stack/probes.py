"""Questions to a server that may not be up yet."""

from __future__ import annotations

import socket
import urllib.error
import urllib.parse
import urllib.request


def http_ok(url: str, timeout_s: float = 2.0) -> bool:
    """Whether GET answers 2xx. Proxies of the environment are not asked: all our servers are on this machine."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=timeout_s) as response:
            return bool(200 <= response.status < 300)
    except (OSError, ValueError, urllib.error.URLError):
        return False


def kafka_answers(bootstrap_servers: str, timeout_s: float = 2.0) -> bool:
    """Whether a broker answers a metadata request and has itself in the answer."""
    return bool(kafka_brokers(bootstrap_servers, timeout_s))


def kafka_brokers(bootstrap_servers: str, timeout_s: float = 2.0) -> frozenset[int]:
    """The ids of the brokers that live, as the one that is asked knows; none when it does not answer."""
    from confluent_kafka import KafkaException
    from confluent_kafka.admin import AdminClient

    client = AdminClient(
        {"bootstrap.servers": bootstrap_servers, "log_level": 0, "socket.connection.setup.timeout.ms": 1000}
    )
    try:
        return frozenset(client.list_topics(timeout=timeout_s).brokers)
    except KafkaException:
        return frozenset()


def redis_answers(url: str, timeout_s: float = 2.0) -> bool:
    """Whether Redis answers PING. Asked by hand: importing a client takes longer than Redis takes to start."""
    parts = urllib.parse.urlsplit(url)
    try:
        with socket.create_connection((parts.hostname, parts.port), timeout=timeout_s) as connection:
            connection.sendall(b"PING\r\n")
            return connection.recv(16).startswith(b"+PONG")
    except OSError:
        return False


def http_answers(url: str, timeout_s: float = 2.0) -> bool:
    """Whether a web server answers GET at all, whatever the status."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        opener.open(url, timeout=timeout_s).close()
    except urllib.error.HTTPError:
        return True
    except (OSError, ValueError):
        return False
    return True
