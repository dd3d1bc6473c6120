"""Bring docker-compose.yml up for real, send notes, see their entities, scale, look at the metrics, take it down: ``make compose-test``.

Images that cannot be pulled are built as stand-ins (see deploy/stand_ins). What passes is written to docs/transcripts/compose.md.
"""  # noqa: INP001

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from confluent_kafka import OFFSET_BEGINNING, Consumer, TopicPartition
from contracts import topics
from contracts.records import EntitiesExtracted
from contracts.registry import ConfluentRegistry
from contracts.wire import Deserializer

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).resolve().parents[1]
PROJECT = "rxtract-test"
COMPOSE = ["docker", "compose", "--project-name", PROJECT]
TRANSCRIPT = ROOT / "docs/transcripts/compose.md"
KAFKA, REGISTRY = "127.0.0.1:9094", "http://127.0.0.1:8082/apis/ccompat/v7"
PROMETHEUS, HTTP_DOOR = "http://127.0.0.1:9090", "http://127.0.0.1:8080"
SERVICES = sorted(path.parent.name for path in ROOT.glob("services/*/pyproject.toml"))
UP_S = 900
MANY = 3_000
SCRAPED_S = 60.0
DELIVERED_S = 60.0
ALERT_S = 300.0
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


def compose(*arguments: str, check: bool = True) -> str:
    """Run docker compose on our project."""
    return run(*COMPOSE, *arguments, check=check).stdout


def up(*arguments: str) -> float:
    """`docker compose up --wait`; returns its seconds."""
    begun = time.monotonic()
    compose("up", "--detach", "--no-build", "--wait", "--wait-timeout", str(UP_S), *arguments)
    return time.monotonic() - begun


class Entities:
    """Counts the notes whose entities have come out, as somebody outside sees them."""

    def __init__(self) -> None:
        registry = ConfluentRegistry(REGISTRY)
        self._decode = Deserializer.for_topic(EntitiesExtracted, registry, topics.ENTITIES_EXTRACTED)
        self._consumer = Consumer(
            {"bootstrap.servers": KAFKA, "group.id": "compose-test", "enable.auto.commit": False, "log_level": 0}
        )
        known = self._consumer.list_topics(topics.ENTITIES_EXTRACTED, timeout=10).topics[topics.ENTITIES_EXTRACTED]
        parts = [TopicPartition(topics.ENTITIES_EXTRACTED, number, OFFSET_BEGINNING) for number in known.partitions]
        self._consumer.assign(parts)
        self.notes: set[str] = set()
        self.found = 0

    def wait_for(self, count: int) -> None:
        """Read until that many notes were seen."""
        deadline = time.monotonic() + DELIVERED_S
        while len(self.notes) < count:
            if time.monotonic() > deadline:
                raise Failed(f"of {count} notes {len(self.notes)} came out within {DELIVERED_S:.0f} s")
            for message in self._consumer.consume(500, timeout=1):
                if message.error() is None:
                    event = self._decode(message.value())
                    if event.note_id not in self.notes:
                        self.notes.add(event.note_id)
                        self.found += len(event.entities)


def simulate(count: int, token: str, rate: int = 0, seed: int | None = None) -> subprocess.Popen[bytes]:
    """Start sending synthetic notes by HTTP with the command line of this checkout."""
    command = [sys.executable, "-m", "rxtract", "simulate", "--notes", str(count), "--rate", str(rate)]
    command += [] if seed is None else ["--seed", str(seed)]
    environment = {**os.environ, "RXTRACT_INGEST_URL": HTTP_DOOR, "RXTRACT_INGEST_TOKEN": token}
    return subprocess.Popen(command, env=environment, cwd=ROOT, stdout=subprocess.DEVNULL)


def query(expression: str) -> list[dict[str, Any]]:
    """Ask Prometheus."""
    url = f"{PROMETHEUS}/api/v1/query?{urllib.parse.urlencode({'query': expression})}"
    with urllib.request.urlopen(url, timeout=10) as answer:  # noqa: S310 - our own address
        found: list[dict[str, Any]] = json.load(answer)["data"]["result"]
        return found


def prepare() -> None:
    """Images of ours, then stand-ins, then the compose file itself."""
    run(sys.executable, "deploy/images.py")
    say(f"images built and checked: {', '.join([*SERVICES, 'cli'])}")
    said = run(sys.executable, "deploy/stand_ins/build.py").stdout.strip()
    for line in said.splitlines() or ["stand-ins: none needed, or built before"]:
        say(line)
    compose("config", "--quiet")
    say("docker compose config: valid")


def main_job() -> tuple[Entities, str]:
    """From nothing to entities."""
    seconds = up()
    say(f"docker compose up --wait: everything healthy, the first model trained, {seconds:.0f} s from nothing")
    up("--no-recreate", "prometheus", "alertmanager")
    token = compose("exec", "-T", "ingestor", "cat", "/etc/rxtract/http-client.token").strip()
    entities = Entities()
    for _ in range(2):  # the second time they are repeats
        if simulate(200, token, seed=7).wait(DELIVERED_S):
            raise Failed("the command line could not send")
    entities.wait_for(200)
    say(f"200 notes by HTTP, sent twice: 200 came out with {entities.found} entities")
    return entities, token


def scaling(entities: Entities, token: str) -> None:
    """One extractor, three, one, under load."""
    seconds = up("--no-recreate", "--scale", "extractor=3")
    say(f"extractors 1 to 3: healthy after {seconds:.0f} s")
    sender = simulate(MANY, token, rate=300)
    time.sleep(4)
    compose("up", "--detach", "--no-build", "--no-recreate", "--scale", "extractor=1")
    say("extractors 3 to 1 while notes flow")
    if sender.wait(DELIVERED_S):
        raise Failed("the command line could not send")
    entities.wait_for(200 + MANY)
    say(f"{MANY} more notes sent meanwhile: all came out, none lost")


def metrics() -> None:
    """Prometheus reads every service, no rule is broken, and the alerts that fire are named."""
    deadline = time.monotonic() + SCRAPED_S
    while not all(query(f'up{{job="{name}"}} == 1') for name in SERVICES):
        if time.monotonic() > deadline:
            raise Failed(f"Prometheus does not read all of {', '.join(SERVICES)}")
        time.sleep(2)
    say(f"Prometheus reads {', '.join(SERVICES)}")
    time.sleep(45)  # three scrapes, so that rates have something to go by
    if firing():
        raise Failed(f"alerts fire on a sound stack: {', '.join(sorted(firing()))}")
    say("no alert fires")
    for page in sorted((ROOT / "deploy/grafana/dashboards").glob("*.json")):
        panels = [panel for panel in json.loads(page.read_text(encoding="utf-8"))["panels"] if panel.get("targets")]
        empty = [panel["title"] for panel in panels if not any(query(_plain(t["expr"])) for t in panel["targets"])]
        shown = f"; without data here: {', '.join(empty)}" if empty else ""
        say(f"dashboard {page.stem}: {len(panels) - len(empty)} of {len(panels)} panels have data{shown}")


def firing() -> set[str]:
    """The names of the alerts that fire now."""
    return {one["metric"]["alertname"] for one in query('ALERTS{alertstate="firing"}')}


def real_fault() -> None:
    """A process that hangs pages; when it goes on, the alert clears."""
    compose("pause", "trainer")
    begun = time.monotonic()
    _until(lambda: "RxtractServiceDown" in firing(), ALERT_S, "RxtractServiceDown does not fire")
    say(f"trainer paused: RxtractServiceDown fires after {time.monotonic() - begun:.0f} s")
    compose("unpause", "trainer")
    begun = time.monotonic()
    _until(lambda: "RxtractServiceDown" not in firing(), ALERT_S, "RxtractServiceDown does not clear")
    say(f"trainer goes on: it clears after {time.monotonic() - begun:.0f} s")


def _until(holds: Callable[[], bool], within_s: float, otherwise: str) -> None:
    deadline = time.monotonic() + within_s
    while not holds():
        if time.monotonic() > deadline:
            raise Failed(otherwise)
        time.sleep(3)


def _plain(expression: str) -> str:
    """An expression as Grafana would send it, with its variables filled in."""
    return expression.replace("$__rate_interval", "1m").replace("$job", ".*")


def bad_input() -> None:
    """A wrong value is one line and a code, not a crash loop without a reason."""
    wrong = ("RXTRACT_LOG_LEVEL=LOUD", "RXTRACT_PSEUDONYM_KEY_FILE=/nowhere")
    for setting in wrong:
        result = run(*COMPOSE, "run", "--rm", "--no-deps", "-e", setting, "ingestor", check=False)
        line = next((one for one in result.stderr.splitlines() if one.startswith("ingestor: ")), "")
        if result.returncode != 2 or setting.partition("=")[0] not in line:
            raise Failed(f"{setting} gave code {result.returncode}: {result.stderr[-500:]}")
        say(f"{setting}: exit code 2, {line}")


def down() -> None:
    """Take everything away and see that nothing is left."""
    compose("--profile", "*", "down", "--volumes", "--remove-orphans", "--timeout", "30")
    mark = f"label=com.docker.compose.project={PROJECT}"
    left = [run("docker", *kind, "--quiet", "--filter", mark).stdout for kind in (("ps", "--all"), ("volume", "ls"))]
    if any(left):
        raise Failed("containers or volumes are left")
    say("docker compose down --volumes: nothing left")


def main() -> int:
    """All of it; whatever happens, the stack goes down."""
    try:
        prepare()
        try:
            entities, token = main_job()
            scaling(entities, token)
            metrics()
            real_fault()
            bad_input()
        except Failed:
            print(compose("ps", "--all", check=False), compose("logs", "--tail", "15", check=False))  # noqa: T201
            raise
        finally:
            down()
    except Failed as error:
        print(f"compose-test: {error}", file=sys.stderr)  # noqa: T201
        return 1
    TRANSCRIPT.parent.mkdir(parents=True, exist_ok=True)
    head = f"""# docker compose, really brought up

What `make compose-test` printed on {datetime.now(UTC):%Y-%m-%d}, on two cores. Images of others were stand-ins where they are named below:
the same programs, packed by us, because no image registry could be reached. Grafana's server cannot be had there; its panels' queries were
asked of Prometheus instead.

```text
"""
    TRANSCRIPT.write_text(head + "\n".join(_LINES) + "\n```\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
