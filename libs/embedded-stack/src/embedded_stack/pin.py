"""Writes `downloads.lock` anew: `python -m embedded_stack.pin > libs/embedded-stack/src/embedded_stack/downloads.lock`.

Change a version below, run it, read the difference, commit it. Nothing else downloads without a pin.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from embedded_stack.cache import sha256_of
from embedded_stack.pins import Pin

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

KAFKA = ("org.apache.kafka", "kafka_2.13", "4.4.0")
# Kafka's own package leaves the choice of a logging back end to its scripts, which we do not use.
KAFKA_LOGGING = ("org.apache.logging.log4j", "log4j-slf4j-impl", "2.25.5")
REGISTRY = ("io.apicurio", "apicurio-registry-app", "3.3.3")
HEADER = """\
# Every file that the stack downloads, pinned: Maven coordinate (group:artifact:version:packaging[:classifier]), size in
# bytes, SHA-256. A file with another digest is refused. Written by `python -m embedded_stack.pin`; see its help.
"""


def main() -> None:
    """Resolve the dependencies afresh and print the lock file."""
    with tempfile.TemporaryDirectory() as folder:
        lines = [
            HEADER,
            "[kafka]",
            *map(_line, _kafka(Path(folder))),
            "",
            "[registry]",
            *map(_line, _registry(Path(folder))),
        ]
    sys.stdout.write("\n".join(lines) + "\n")


def _line(pin: Pin) -> str:
    return f"{pin.coordinate} {pin.size_bytes} {pin.sha256}"


def _kafka(folder: Path) -> list[Pin]:
    from jgo.maven import MavenContext

    context = MavenContext(repo_cache=folder)
    pins: set[Pin] = set()
    for group, artifact, version in (KAFKA, KAFKA_LOGGING):
        root = context.create_dependency(f"{group}:{artifact}:{version}")
        inputs, others = context.resolver.resolve([root])
        wanted = [*inputs, *(others if artifact == KAFKA[1] else [])]
        pins.update(_pins(one.artifact for one in wanted))
    return sorted(pins, key=lambda pin: pin.coordinate)


def _registry(folder: Path) -> list[Pin]:
    from jgo.maven import MavenContext

    group, artifact, version = REGISTRY
    component = MavenContext(repo_cache=folder, timeout=60).project(group, artifact).at_version(version)
    return list(_pins([component.artifact("all", "tar.gz")]))


def _pins(artifacts: Iterable[Any]) -> Iterator[Pin]:
    for one in artifacts:
        path = Path(one.resolve())
        size = path.stat().st_size
        yield Pin(one.groupId, one.artifactId, one.version, one.packaging, one.classifier, size, sha256_of(path))


if __name__ == "__main__":
    main()
