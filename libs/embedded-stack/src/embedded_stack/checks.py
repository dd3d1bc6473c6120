"""What `rxtract doctor` looks at on this machine. Each check says one line: fine, or what is wrong and what to do."""

from __future__ import annotations

import importlib.metadata
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
import zoneinfo
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import psutil

from embedded_stack import java, ports, probes
from embedded_stack.addresses import addresses_of, read_stack_json
from embedded_stack.cache import Cache
from embedded_stack.components.redis_server import find_redis
from embedded_stack.disk import STACK_NEEDS_BYTES, free_bytes
from embedded_stack.errors import StackError
from embedded_stack.pins import load_pins

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

OLDEST_PYTHON, NEWEST_PYTHON = (3, 11), (3, 13)
MEMORY_GOAL_BYTES = 2_500_000_000
MEMORY_LEAST_BYTES = 1_200_000_000
DEFAULT_TIMEZONE = "Asia/Kolkata"
OPTIONAL_TOOLS = {
    ("chromium", "chromium-browser", "google-chrome"): "tests of web pages in a browser",
    ("promtool",): "checks of the alert rules",
}


class Status(StrEnum):
    """How a check came out."""

    OK = "ok"
    NOTE = "note"  # something optional is missing, or might become a problem
    PROBLEM = "problem"  # something that the stack needs


@dataclass(frozen=True, slots=True)
class Finding:
    """The line of one check; `remedy` says what to do where it is not ok."""

    name: str
    status: Status
    message: str
    remedy: str = ""

    def as_dict(self) -> dict[str, str]:
        """For JSON."""
        return {"name": self.name, "status": self.status.value, "message": self.message, "remedy": self.remedy}


def examine(data_dir: Path, cache: Cache | None = None) -> Iterator[Finding]:
    """All checks, in order of what stands on what."""
    store = cache or Cache()
    checks: tuple[Callable[[], Finding], ...] = (
        check_python,
        check_java,
        check_redis,
        check_mlflow,
        lambda: check_downloads(store),
        lambda: check_disk(data_dir, store),
        check_memory,
        check_cores,
        check_loopback,
        check_ports,
        check_proxy,
        check_timezone,
    )
    for check in checks:
        yield check()
    yield from check_stack(data_dir / "stack.json")
    yield from check_tools()


def check_python() -> Finding:
    """The Python that runs this."""
    version = sys.version_info[:2]
    words = ".".join(map(str, sys.version_info[:3]))
    if OLDEST_PYTHON <= version <= NEWEST_PYTHON:
        return Finding("python", Status.OK, words)
    return Finding("python", Status.PROBLEM, f"{words} is not supported", "use Python 3.11 to 3.13")


def check_java() -> Finding:
    """A Java that runs both servers."""
    try:
        path = java.find_java(max(java.KAFKA_NEEDS, java.REGISTRY_NEEDS))
    except StackError as error:
        message, _, remedy = str(error).partition(": ")
        return Finding("java", Status.PROBLEM, message, remedy)
    return Finding("java", Status.OK, f"{java.major_version(path)} at {path}")


def check_redis() -> Finding:
    """A Redis server."""
    try:
        path = find_redis()
    except StackError as error:
        message, _, remedy = str(error).partition(": ")
        return Finding("redis", Status.PROBLEM, message, remedy)
    answer = subprocess.run([path, "--version"], capture_output=True, text=True, check=False)
    words = [word for word in answer.stdout.split() if word.startswith("v=")]
    if answer.returncode or not words:
        return Finding("redis", Status.PROBLEM, f"{path} does not run", "install your system's redis-server package")
    return Finding("redis", Status.OK, f"{words[0].removeprefix('v=')} at {path}")


def check_mlflow() -> Finding:
    """The MLflow that would serve."""
    try:
        return Finding("mlflow", Status.OK, importlib.metadata.version("mlflow"))
    except importlib.metadata.PackageNotFoundError:
        return Finding("mlflow", Status.PROBLEM, "not installed", "run make setup")


def check_downloads(cache: Cache) -> Finding:
    """The cache of downloads: there, and every byte as pinned."""
    pins = [pin for section in load_pins().values() for pin in section]
    missing = [pin for pin in pins if not cache.path_of(pin).exists()]
    damaged = cache.verify([pin for pin in pins if pin not in missing])
    if damaged:
        message, _, remedy = damaged[0].partition(": ")
        more = f" (and {len(damaged) - 1} more)" if len(damaged) > 1 else ""
        return Finding("downloads", Status.PROBLEM, message + more, remedy)
    if missing:
        size = sum(pin.size_bytes for pin in missing) / 1e6
        message = f"{len(missing)} of {len(pins)} files are not in {cache.root} yet"
        return Finding("downloads", Status.NOTE, message, f"the first start downloads them, {size:.0f} MB")
    return Finding("downloads", Status.OK, f"{len(pins)} files intact in {cache.root}")


def check_disk(data_dir: Path, cache: Cache) -> Finding:
    """Room for the data and, before the first start, for the downloads."""
    empty = not (cache.root / "files").exists()
    wanted = {data_dir.absolute(): STACK_NEEDS_BYTES, cache.root: 1_000_000_000 if empty else 50_000_000}
    for folder, need in wanted.items():
        free = free_bytes(folder)
        if free < need:
            message = f"{free / 1e6:.0f} MB free at {folder}, {need / 1e6:.0f} MB needed"
            return Finding("disk", Status.PROBLEM, message, "free some space, or use --data and RXTRACT_CACHE_DIR")
    return Finding("disk", Status.OK, f"{free_bytes(data_dir.absolute()) / 1e9:.0f} GB free")


def check_memory() -> Finding:
    """Memory that is free for the stack."""
    free = psutil.virtual_memory().available
    words = f"{free / 1e9:.1f} GB free"
    if free >= MEMORY_GOAL_BYTES:
        return Finding("memory", Status.OK, words)
    status = Status.NOTE if free >= MEMORY_LEAST_BYTES else Status.PROBLEM
    return Finding("memory", status, words, "close other programs: everything together takes up to 2.5 GB")


def check_cores() -> Finding:
    """Processors that we may use."""
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if count >= 2:
        return Finding("cores", Status.OK, str(count))
    return Finding("cores", Status.NOTE, str(count), "it will work, slowly: starts take about a minute")


def check_loopback() -> Finding:
    """That programs on this machine reach each other at 127.0.0.1."""
    try:
        with socket.socket() as listener:
            listener.bind((ports.LOOPBACK, 0))
            listener.listen()
            reached = ports.accepts_connections(listener.getsockname()[1])
    except OSError as error:
        return Finding(
            "loopback", Status.PROBLEM, f"127.0.0.1 cannot be used: {error.strerror}", "bring the loopback interface up"
        )
    if not reached:
        return Finding(
            "loopback", Status.PROBLEM, "127.0.0.1 does not connect", "check the firewall's rules for loopback"
        )
    return Finding("loopback", Status.OK, "127.0.0.1 connects")


def check_ports() -> Finding:
    """Free ports for all servers and services at once."""
    try:
        ports.free_ports(20)
    except OSError as error:
        return Finding(
            "ports", Status.PROBLEM, f"no 20 free ports: {error.strerror}", "close programs that hold many connections"
        )
    return Finding("ports", Status.OK, "20 free ones found")


def check_proxy() -> Finding:
    """A proxy that clients would ask for servers on this machine."""
    if urllib.request.getproxies().get("http") and not urllib.request.proxy_bypass(ports.LOOPBACK):
        message = "http_proxy is set and does not spare this machine"
        return Finding("proxy", Status.PROBLEM, message, "run export no_proxy=127.0.0.1,localhost")
    return Finding("proxy", Status.OK, "none stands before 127.0.0.1")


def check_timezone() -> Finding:
    """The zone that decides what "today" is, and a clock that is not far off."""
    name = os.environ.get("RXTRACT_TIMEZONE") or DEFAULT_TIMEZONE
    try:
        zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        return Finding(
            "time", Status.PROBLEM, f"no time zone {name}", "set RXTRACT_TIMEZONE to one such as Asia/Kolkata"
        )
    if time.gmtime().tm_year < 2025:
        return Finding("time", Status.PROBLEM, "the clock is years behind", "set the clock: records carry its time")
    return Finding("time", Status.OK, f"zone {name}, clock {time.strftime('%Y-%m-%d %H:%M', time.gmtime())} UTC")


def check_stack(path: Path) -> Iterator[Finding]:
    """A running stack's addresses, each asked."""
    if not path.exists():
        yield Finding("stack", Status.OK, f"none runs at {path.parent}")
        return
    try:
        document = read_stack_json(path)
    except (OSError, ValueError) as error:
        yield Finding(
            "stack",
            Status.PROBLEM,
            f"{path} cannot be read ({type(error).__name__})",
            f"delete {path}, then rxtract up",
        )
        return
    for name, answers, address in _questions(document):
        if answers():
            yield Finding(f"stack: {name}", Status.OK, f"answers at {address}")
        else:
            remedy = f"look at {path.parent / 'logs'}, or start it again with rxtract up --data {path.parent}"
            yield Finding(f"stack: {name}", Status.PROBLEM, f"no answer at {address}", remedy)


def _questions(document: dict[str, Any]) -> Iterator[tuple[str, Callable[[], bool], str]]:
    known = addresses_of(document)
    if known.bootstrap_servers:
        yield "kafka", lambda: probes.kafka_answers(known.bootstrap_servers), known.bootstrap_servers
    if known.schema_registry_url:
        yield "registry", lambda: probes.http_ok(f"{known.schema_registry_url}/subjects"), known.schema_registry_url
    if known.redis_url:
        yield "redis", lambda: probes.redis_answers(known.redis_url), known.redis_url
    if known.mlflow_url:
        yield "mlflow", lambda: probes.http_ok(f"{known.mlflow_url}/health"), known.mlflow_url
    if document.get("ingest_url"):
        url = str(document["ingest_url"])
        yield "ingest", lambda: probes.http_answers(url), url
    for service, url in dict(document.get("metrics") or {}).items():
        yield str(service), lambda url=url: probes.http_ok(str(url)), str(url)  # type: ignore[misc]


def check_tools() -> Iterator[Finding]:
    """Programs that only some tests want."""
    for names, use in OPTIONAL_TOOLS.items():
        found = next((path for name in names if (path := shutil.which(name))), None)
        if found:
            yield Finding(names[0], Status.OK, found)
        else:
            yield Finding(
                names[0],
                Status.NOTE,
                f"not found, optional; without it these are left out: {use}",
                "install it if you want them",
            )
