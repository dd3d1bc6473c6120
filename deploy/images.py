"""Build the image of every service and of the command line, and hold each to its rules: ``python deploy/images.py [NAME ...]``.

DOCKER names the client (default `docker`), TRACING=1 adds OpenTelemetry, POSTGRES=1 the client of a key store in PostgreSQL. Prints a Markdown table of sizes, the one of docs/deploy.md.
"""  # noqa: INP001

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
DOCKER = os.environ.get("DOCKER", "docker").split()
REPOSITORY = os.environ.get("RXTRACT_IMAGES", "rxtract")
BASE = "python:3.11-slim-bookworm"
LIMITS_MB = {"extractor": 300}
"""What an image may weigh with its base, without extras."""
EXTRAS = ("TRACING", "POSTGRES")
ABSENT = {"extractor": ("pandas", "sklearn", "scipy", "mlflow")}
"""What must not be importable in an image."""
NOT_STARTED = 2


def names() -> list[str]:
    """Every image: one for each folder of services/, and the command line's."""
    return [*sorted(path.parent.name for path in ROOT.glob("services/*/pyproject.toml")), "cli"]


def version() -> str:
    """The version of the command line's package, which is that of the chart's appVersion."""
    table = tomllib.loads((ROOT / "cli/pyproject.toml").read_text(encoding="utf-8"))
    return str(table["project"]["version"])


def docker(*arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    """Run the client; its output is captured."""
    environment = {**os.environ, "DOCKER_BUILDKIT": "1"}
    return subprocess.run([*DOCKER, *arguments], check=check, capture_output=True, text=True, cwd=ROOT, env=environment)


def build(name: str, network: str = "default") -> str:
    """Build an image and return its tag."""
    tag = f"{REPOSITORY}/{name}:{version()}"
    revision = subprocess.run(
        ["git", "rev-parse", "HEAD"], capture_output=True, text=True, cwd=ROOT, check=False
    ).stdout.strip()
    values = {"SERVICE": name, "VERSION": version(), "REVISION": revision or "unknown"}
    values |= {extra: os.environ.get(extra, "") for extra in EXTRAS}
    arguments = [word for key, value in values.items() for word in ("--build-arg", f"{key}={value}")]
    target = "cli" if name == "cli" else "service"
    result = docker("build", "--network", network, "--target", target, *arguments, "--tag", tag, ".", check=False)
    if result.returncode:
        sys.exit(f"images: {name} does not build: {why_not(result.stdout + result.stderr)}")
    return tag


def why_not(output: str) -> str:
    """What a person does about a build that failed: one line for what the machine lacks, else the end of the output."""
    if "buildx component is missing" in output:
        return f"{DOCKER[0]} builds with buildx, which is not here: install it, or name another client by DOCKER=..."
    if "Cannot connect to the Docker daemon" in output:
        return "no Docker daemon answers: start one (`dockerd`, or your system's service)"
    return f"\n{output[-4000:]}"


def faults(name: str, tag: str) -> list[str]:
    """What is wrong with an image, one line each."""
    (about,) = json.loads(docker("image", "inspect", tag).stdout)
    config: dict[str, Any] = about["Config"]
    found = []
    if config["User"] != "10001:10001":
        found.append(f"runs as {config['User'] or 'root'}")
    if name != "cli" and not config.get("Healthcheck"):
        found.append("has no HEALTHCHECK")
    if config["Labels"].get("org.opencontainers.image.title") != f"rxtract-{name}":
        found.append("has no OCI title")
    if about["Size"] > LIMITS_MB.get(name, sys.maxsize) * 1e6:
        found.append(f"weighs {about['Size'] / 1e6:.0f} MB and may weigh {LIMITS_MB[name]}")
    for module in ABSENT.get(name, ()):
        script = f"import importlib.util as u, sys; sys.exit(u.find_spec('{module}') is not None)"
        if docker("run", "--rm", tag, "python", "-c", script, check=False).returncode:
            found.append(f"holds {module}")
    return found + _start_faults(name, tag)


def _start_faults(name: str, tag: str) -> list[str]:
    """A service without settings says so and ends with code 2, on a read-only root without any right."""
    bare = ("--rm", "--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges", "--network", "none")
    if name == "cli":
        result = docker("run", *bare, tag, "--help", check=False)
        return [] if result.returncode == 0 else [f"does not start: {result.stderr[-400:]}"]
    result = docker("run", *bare, tag, check=False)
    if result.returncode == NOT_STARTED and "RXTRACT_BOOTSTRAP_SERVERS is not set" in result.stderr:
        return []
    return [f"without settings: code {result.returncode}, {result.stderr[-400:]}"]


def main() -> int:
    """Build and check what was named, or all."""
    network = os.environ.get("RXTRACT_BUILD_NETWORK", "default")
    base_mb = 0.0
    print("| Image | MB | of it above the base |\n|---|---|---|")  # noqa: T201 - a command
    wrong = []
    for name in sys.argv[1:] or names():
        tag = build(name, network)
        inspected = docker("image", "inspect", BASE, check=False)
        base_mb = base_mb or (json.loads(inspected.stdout)[0]["Size"] / 1e6 if inspected.returncode == 0 else 0.0)
        size_mb = json.loads(docker("image", "inspect", tag).stdout)[0]["Size"] / 1e6
        print(f"| {name} | {size_mb:.0f} | {size_mb - base_mb:.0f} |", flush=True)  # noqa: T201
        wrong += [f"images: {name} {fault}" for fault in faults(name, tag)]
    for line in wrong:
        print(line, file=sys.stderr)  # noqa: T201
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
