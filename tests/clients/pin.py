"""Writes the lock of the jars that the Java clients' tests use: `python -m tests.clients.pin > examples/clients/java/jars.lock`.

What the clients run with is what Maven takes for their pom.xml, so that the tests run what somebody who copies it runs. Needs mvn.
"""

import re
import subprocess
import sys
import tempfile
from pathlib import Path

from embedded_stack.cache import sha256_of
from embedded_stack.pins import Pin

from tests.clients.jvm import JAVA

POM = JAVA / "pom.xml"
ECJ = "3.46.100"
COMPILER_POM = """\
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion><groupId>rxtract</groupId><artifactId>compiler</artifactId><version>1</version>
  <dependencies>
    <dependency><groupId>org.apache.avro</groupId><artifactId>avro-compiler</artifactId><version>{avro}</version></dependency>
    <dependency><groupId>org.eclipse.jdt</groupId><artifactId>ecj</artifactId><version>{ecj}</version></dependency>
  </dependencies>
</project>
"""
HEADER = """\
# Every jar that the tests of the Java clients use, pinned: Maven coordinate, size in bytes, SHA-256. Written by
# `python -m tests.clients.pin`; see its help.
"""
LISTED = re.compile(r"^ +([\w.-]+):([\w.-]+):jar:([\w.-]+):(?:compile|runtime):(/\S+\.jar)", re.MULTILINE)


def main() -> None:
    """Resolve the dependencies afresh and print the lock file."""
    (avro,) = set(re.findall(r"<artifactId>avro[\w-]*</artifactId>\s*<version>([\w.]+)<", POM.read_text()))
    with tempfile.TemporaryDirectory() as folder:
        compiler = Path(folder) / "pom.xml"
        compiler.write_text(COMPILER_POM.format(avro=avro, ecj=ECJ))
        sections = {"compiler": _jars(compiler, Path(folder)), "clients": _jars(POM, Path(folder))}
    blocks = ["\n".join([f"[{name}]", *lines, ""]) for name, lines in sections.items()]
    sys.stdout.write("\n".join([HEADER, *blocks]))


def _jars(pom: Path, folder: Path) -> list[str]:
    told = folder / "list.txt"
    options = ["-DincludeScope=runtime", "-DoutputAbsoluteArtifactFilename=true", f"-DoutputFile={told}"]
    subprocess.run(["mvn", "-q", "-B", "-f", str(pom), "dependency:list", *options], check=True, stdout=sys.stderr)
    pins = [
        Pin(group, artifact, version, "jar", "", Path(path).stat().st_size, sha256_of(Path(path)))
        for group, artifact, version, path in LISTED.findall(told.read_text())
    ]
    return [f"{pin.coordinate} {pin.size_bytes} {pin.sha256}" for pin in sorted(pins, key=lambda pin: pin.coordinate)]


if __name__ == "__main__":
    main()
