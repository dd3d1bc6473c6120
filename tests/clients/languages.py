"""The example clients as processes: what they are started with, what they are given, what they print."""

import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from embedded_stack.addresses import Addresses
from embedded_stack.services import no_proxy_env

from tests.clients import jvm

NODE = jvm.ROOT / "examples/clients/node"
PYTHON = jvm.ROOT / "examples/clients/python"
LANGUAGES = ("java", "node", "python")


class ClientFailed(Exception):
    """A client ended with an error, or its tool is missing; one line and what it printed."""


@dataclass(frozen=True)
class Language:
    """How the clients of a language are started, topic last."""

    producer: list[str]
    consumer: list[str]


def language(name: str) -> Language:
    """Make a language's clients ready: packages, classes.

    Raises:
        StackError: A jar cannot be downloaded.
        ClientFailed: A tool or its packages are missing.
    """
    ready: dict[str, Callable[[], Language]] = {"java": _java, "node": _node, "python": _python}
    return ready[name]()


def _java() -> Language:
    classpath = jvm.clients()
    return Language(jvm.command(classpath, "NoteProducer"), jvm.command(classpath, "EntityConsumer"))


def _node() -> Language:
    for tool in ("node", "npm"):
        if shutil.which(tool) is None:
            raise ClientFailed(f"no {tool}: install Node 20 or newer with npm")
    sources = sorted(path for path in NODE.iterdir() if path.is_file())
    place = jvm.kept("node-clients", sources, lambda folder: _install(sources, folder))
    return Language(["node", str(place / "producer.js")], ["node", str(place / "consumer.js")])


def _install(sources: Iterable[Path], folder: Path) -> None:
    """The packages of the lock beside the scripts."""
    for source in sources:
        shutil.copyfile(source, folder / source.name)
    words = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
    ended = subprocess.run(words, cwd=folder, capture_output=True, text=True, timeout=300, check=False)
    if ended.returncode:
        lines = ended.stderr.strip().splitlines()
        raise ClientFailed(f"npm cannot install the packages of examples/clients/node: {lines[0] if lines else ''}")


def _python() -> Language:
    return Language([sys.executable, str(PYTHON / "producer.py")], [sys.executable, str(PYTHON / "consumer.py")])


def environment(addresses: Addresses, group: str = "") -> dict[str, str]:
    """The variables that every client reads."""
    url = addresses.schema_registry_url
    own = {
        "BOOTSTRAP_SERVERS": addresses.bootstrap_servers,
        "SCHEMA_REGISTRY_URL": url,
        "REGISTRY_URL": url.replace("/ccompat/v7", "/registry/v3"),
        "GROUP_ID": group,
    }
    return {**os.environ, **no_proxy_env(), **own}


class Client:
    """One running client. What it prints on standard output is read as it comes, one JSON object a line."""

    def __init__(self, words: list[str], topic: str, environ: dict[str, str], log: Path) -> None:
        self.rows: list[dict[str, Any]] = []
        self._log = log
        with log.open("ab") as errors:
            self.process = subprocess.Popen(
                [*words, topic], env=environ, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, text=True
            )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait(30)
        self._reader.join(30)

    def _read(self) -> None:
        self.rows.extend(json.loads(line) for line in self.process.stdout)

    def give(self, row: dict[str, Any]) -> None:
        """Write a row to its standard input."""
        self.process.stdin.write(json.dumps(row) + "\n")
        self.process.stdin.flush()

    def finish(self, seconds: float) -> dict[str, Any]:
        """End its input; what it printed last.

        Raises:
            ClientFailed: It ended with an error.
        """
        self.process.stdin.close()
        code = self.process.wait(seconds)
        self._reader.join(seconds)
        if code:
            raise ClientFailed(f"exit code {code}; {self.logged()}")
        return self.rows[-1]

    def check_runs(self) -> None:
        """Hold that it has not ended.

        Raises:
            ClientFailed: It has.
        """
        if self.process.poll() is not None:
            raise ClientFailed(f"exit code {self.process.returncode}; {self.logged()}")

    def logged(self) -> str:
        """The end of what it wrote on standard error."""
        return self._log.read_text(errors="replace")[-2000:]
