"""Java classes of our schemas and the Java clients: made by Avro's own compiler, compiled by Eclipse's, both pinned jars from Maven.

Eclipse's compiler runs on the Java that the stack runs on, so that nobody needs a JDK.
"""

import hashlib
import os
import subprocess
import tempfile
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from embedded_stack.cache import Cache
from embedded_stack.java import REGISTRY_NEEDS, find_java
from embedded_stack.pins import parse_lock

ROOT = Path(__file__).resolve().parents[2]
JAVA = ROOT / "examples/clients/java"
LOCK = JAVA / "jars.lock"
RECORDS = ROOT / "schemas/records"
GENERATE = Path(__file__).with_name("Generate.java")
JVM_OPTIONS = ("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-XX:-UsePerfData")
LANGUAGE = "17"
"""The oldest Java that the clients are written for."""


class JavaFailed(Exception):
    """A Java program ended with an error; its last lines."""


def jars(section: str) -> list[Path]:
    """The jars of a section of the lock (`compiler` or `clients`), downloaded when they are not here."""
    return Cache().files(parse_lock(LOCK.read_text())[section])


def command(classpath: Iterable[Path], main: str, *arguments: str) -> list[str]:
    """The command line of a Java program."""
    java = str(find_java(REGISTRY_NEEDS))
    return [java, *JVM_OPTIONS, "-cp", os.pathsep.join(map(str, classpath)), main, *arguments]


def generate(schemas: Sequence[Path], into: Path) -> Path:
    """Make the classes of these schemas as Java source in a folder, which is returned."""
    tools = jars("compiler")
    generator = kept("java-generator", [GENERATE], lambda folder: compiled([GENERATE], tools, folder))
    _run(command([generator, *tools], "Generate", str(into), *map(str, schemas)))
    return into


def compiled(sources: Iterable[Path], classpath: Sequence[Path], into: Path) -> Path:
    """Compile files, or all in folders, into a folder, which is returned.

    Raises:
        JavaFailed: They do not compile.
    """
    paths = os.pathsep.join(map(str, classpath))
    options = [
        "-source",
        LANGUAGE,
        "-target",
        LANGUAGE,
        "-proc:none",
        "-nowarn",
        "-encoding",
        "UTF-8",
        "-cp",
        paths,
        "-d",
        str(into),
    ]
    _run(command(jars("compiler"), "org.eclipse.jdt.internal.compiler.batch.Main", *options, *map(str, sources)))
    return into


def clients() -> list[Path]:
    """Compile the example clients; returns the class path to run them with."""
    schemas, sources = [RECORDS / "EntitiesExtracted.avsc"], sorted(JAVA.glob("src/main/java/*.java"))
    libraries = jars("clients")

    def build(folder: Path) -> None:
        with tempfile.TemporaryDirectory() as place:
            compiled([generate(schemas, Path(place)), *sources], libraries, folder)

    return [kept("java-clients", [*schemas, *sources], build), *libraries]


def kept(name: str, sources: Iterable[Path], build: Callable[[Path], None]) -> Path:
    """The folder that `build` fills, in the download cache until a source or the lock changes."""
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in [*sources, LOCK])).hexdigest()
    return Cache().folder(f"{name}-{digest[:12]}", build)


def _run(words: Sequence[str]) -> None:
    ended = subprocess.run(words, capture_output=True, text=True, timeout=240, check=False)
    if ended.returncode:
        raise JavaFailed((ended.stdout + ended.stderr)[-3000:])
