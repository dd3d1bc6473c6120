"""Writes the lock of the jars of HAPI's validator: `python -m tests.fhir.pin > tests/fhir/jars.lock`. Needs mvn.

What a validation of R4 never loads (databases, XSLT, RDF, diagrams, HTTP clients) is left out: 90 MB instead of 150.
"""

import re
import subprocess
import sys
import tempfile
from pathlib import Path

from embedded_stack.cache import sha256_of
from embedded_stack.pins import Pin

HAPI = "8.6.5"
WANTED = ("hapi-fhir-validation", "hapi-fhir-structures-r4", "hapi-fhir-validation-resources-r4", "hapi-fhir-caching-caffeine")  # fmt: skip
NEVER_LOADED = (
    "sqlite-jdbc plantuml-mit jena-.* libthrift protobuf-java RoaringBitmap Saxon-HE xmlsec titanium-.* ognl javassist opentelemetry-.* httpc.* "
    "attoparser unbescape xmlresolver jakarta.* collection jcl-over-slf4j commons-logging xpp3 error_prone_annotations checker-qual j2objc-annotations "
    "listenablefuture jackson-datatype-jsr310 commons-csv commonmark.* commons-collections4 org.hl7.fhir.dstu2016may commons-codec"
).split()
POM = """\
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion><groupId>rxtract</groupId><artifactId>fhir</artifactId><version>1</version>
  <dependencies>{dependencies}</dependencies>
</project>
"""
DEPENDENCY = "<dependency><groupId>ca.uhn.hapi.fhir</groupId><artifactId>{name}</artifactId><version>{version}</version></dependency>"
HEADER = """\
# Every jar of HAPI's validator for FHIR R4, pinned: Maven coordinate, size in bytes, SHA-256. Written by
# `python -m tests.fhir.pin`; see its help.
"""
LISTED = re.compile(r"^ +([\w.-]+):([\w.-]+):jar:([\w.-]+):(?:compile|runtime):(/\S+\.jar)", re.MULTILINE)


def main() -> None:
    """Resolve the dependencies afresh and print the lock file."""
    with tempfile.TemporaryDirectory() as folder:
        pom, told = Path(folder) / "pom.xml", Path(folder) / "list.txt"
        dependencies = "".join(DEPENDENCY.format(name=name, version=HAPI) for name in WANTED)
        pom.write_text(POM.format(dependencies=dependencies))
        options = ["-DincludeScope=runtime", "-DoutputAbsoluteArtifactFilename=true", f"-DoutputFile={told}"]
        subprocess.run(["mvn", "-q", "-B", "-f", str(pom), "dependency:list", *options], check=True, stdout=sys.stderr)
        found = LISTED.findall(told.read_text())
    never = re.compile("|".join(NEVER_LOADED))
    pins = [
        Pin(group, artifact, version, "jar", "", Path(path).stat().st_size, sha256_of(Path(path)))
        for group, artifact, version, path in found
        if not never.fullmatch(artifact)
    ]
    lines = [f"{pin.coordinate} {pin.size_bytes} {pin.sha256}" for pin in sorted(pins, key=lambda pin: pin.coordinate)]
    sys.stdout.write("\n".join([HEADER, "[validator]", *lines, ""]))


if __name__ == "__main__":
    main()
