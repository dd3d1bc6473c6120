"""What the tests of compose and of the cluster share: a transcript, sending notes, and seeing their entities as somebody outside does."""  # noqa: INP001

from __future__ import annotations

import itertools
import os
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Self

import httpx
from confluent_kafka import OFFSET_BEGINNING, Consumer, TopicPartition
from contracts import topics
from contracts.records import EntitiesExtracted
from contracts.registry import ConfluentRegistry
from contracts.wire import Deserializer
from corpus import simulate as synthetic
from rxtract.platform_notes import as_submitted

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).resolve().parents[1]
SERVICES = sorted(path.parent.name for path in ROOT.glob("services/*/pyproject.toml"))
DELIVERED_S = 90.0
PAUSE_S = 15.0
"""Longest pause between entities that scaling under load may make."""
KNOCKS_A_SECOND = 3.0
"""Fewer accepted ones prove nothing of a door that closes for a moment; two busy cores manage about 10."""
_STARTED = time.monotonic()
_LINES: list[str] = []


class Failed(Exception):
    """The stack did not do what it must."""


def say(line: str) -> None:
    """Print a line with the seconds since the start, and keep it for the transcript."""
    stamped = f"{time.monotonic() - _STARTED:6.1f} s  {line}"
    print(stamped, flush=True)  # noqa: T201 - a command
    _LINES.append(stamped)


def run(*command: str, check: bool = True, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a command; its output is shown only if it fails."""
    env = {**os.environ, **environment}
    result = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT, env=env)
    if check and result.returncode:
        raise Failed(f"{' '.join(command)} ended with {result.returncode}:\n{(result.stdout + result.stderr)[-3000:]}")
    return result


class Entities:
    """Counts the notes whose entities have come out, as somebody outside sees them."""

    def __init__(self, kafka: str, registry_url: str) -> None:
        registry = ConfluentRegistry(registry_url)
        self._decode = Deserializer.for_topic(EntitiesExtracted, registry, topics.ENTITIES_EXTRACTED)
        self._consumer = Consumer(
            {"bootstrap.servers": kafka, "group.id": "live-test", "enable.auto.commit": False, "log_level": 0}
        )
        known = self._consumer.list_topics(topics.ENTITIES_EXTRACTED, timeout=10).topics[topics.ENTITIES_EXTRACTED]
        parts = [TopicPartition(topics.ENTITIES_EXTRACTED, number, OFFSET_BEGINNING) for number in known.partitions]
        self._consumer.assign(parts)
        self.notes: set[tuple[str, str]] = set()
        self.found = 0
        self._written_ms: list[int] = []

    def wait_for(self, count: int) -> None:
        """Read until that many notes were seen."""
        deadline = time.monotonic() + DELIVERED_S
        while len(self.notes) < count:
            if time.monotonic() > deadline:
                raise Failed(f"of {count} notes {len(self.notes)} came out within {DELIVERED_S:.0f} s")
            for message in self._consumer.consume(500, timeout=1):
                if message.error() is None:
                    self._written_ms.append(message.timestamp()[1])
                    event = self._decode(message.value())
                    if (note := (event.source, event.note_id)) not in self.notes:
                        self.notes.add(note)
                        self.found += len(event.entities)

    def longest_pause_s(self, since_ms: int) -> float:
        """The longest time between two entity events that Kafka took since then."""
        written = sorted(moment for moment in self._written_ms if moment >= since_ms)
        return max((later - earlier for earlier, later in itertools.pairwise(written)), default=0) / 1_000


class Knocks:
    """A client that opens a new connection for each note, as those behind a load balancer do, and counts what was refused.

    The command line keeps its connections and tries again, so that it cannot see a door that closes too early.
    """

    def __init__(self, url: str, token: str, pause_s: float = 0.05) -> None:
        self._url, self._headers, self._pause_s = f"{url}/v1/notes", {"Authorization": f"Bearer {token}"}, pause_s
        self.accepted = 0
        self.refused: list[str] = []
        self.lasted_s = 0.0
        self._died: Exception | None = None
        self._begun = 0.0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._begun = time.monotonic()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self.lasted_s = time.monotonic() - self._begun
        self._thread.join()

    def check(self) -> None:
        """Hold what was seen to its word.

        Raises:
            Failed: The door refused, the client died, or it knocked too seldom to say anything.
        """
        if self._died is not None:
            raise Failed(
                f"the client of new connections died: {type(self._died).__name__}: {self._died}"
            ) from self._died
        if self.refused:
            raise Failed(f"the HTTP door refused: {', '.join(sorted(set(self.refused)))}")
        if self.accepted < KNOCKS_A_SECOND * self.lasted_s:
            raise Failed(
                f"only {self.accepted} notes by connections of their own in {self.lasted_s:.0f} s, "
                f"fewer than {KNOCKS_A_SECOND:.0f} a second: they say nothing of the door"
            )

    def _run(self) -> None:
        try:
            self._go_on()
        except Exception as error:  # noqa: BLE001 - a thread's exception is lost else; `check` raises it
            self._died = error

    def _go_on(self) -> None:
        first = as_submitted(next(iter(synthetic(1, 1)))).to_dict()
        # The token says the source.
        note = {name: value for name, value in first.items() if value is not None and name != "source"}
        for number in itertools.count():
            if self._stop.wait(self._pause_s):
                return
            self._knock({**note, "note_id": f"knock-{time.time_ns()}-{number}"})

    def _knock(self, note: dict[str, object]) -> None:
        try:
            answer = httpx.post(self._url, json=note, headers=self._headers, timeout=15)
        except httpx.HTTPError as error:
            self.refused.append(type(error).__name__)
            return
        if answer.status_code == httpx.codes.ACCEPTED:
            self.accepted += 1
        else:
            self.refused.append(str(answer.status_code))


def simulate(count: int, rate: int, **environment: str) -> subprocess.Popen[bytes]:
    """Start sending synthetic notes by HTTP with the command line of this checkout."""
    command = [sys.executable, "-m", "rxtract", "simulate", "--notes", str(count), "--rate", str(rate)]
    variables = {f"RXTRACT_{name.upper()}": value for name, value in environment.items()}
    return subprocess.Popen(command, env={**os.environ, **variables}, cwd=ROOT, stdout=subprocess.DEVNULL)


def finish(sender: subprocess.Popen[bytes]) -> None:
    """Wait until all was sent."""
    if sender.wait(DELIVERED_S * 4):
        raise Failed("the command line could not send")


def until(holds: Callable[[], bool], within_s: float, otherwise: str) -> None:
    """Wait for something to hold."""
    deadline = time.monotonic() + within_s
    while not holds():
        if time.monotonic() > deadline:
            raise Failed(otherwise)
        time.sleep(2)


def write_transcript(path: Path, title: str, about: str) -> None:
    """Keep what was said, as a page."""
    path.parent.mkdir(parents=True, exist_ok=True)
    head = f"# {title}\n\nPrinted on {datetime.now(UTC):%Y-%m-%d}, on two cores that other work shared. {about}\n\n"
    path.write_text(head + "```text\n" + "\n".join(_LINES) + "\n```\n", encoding="utf-8")
