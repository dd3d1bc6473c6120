"""HAPI FHIR's validator as the referee: pinned jars from Maven, one Java process for many Bundles."""

import copy
import hashlib
import json
import subprocess
import tempfile
from pathlib import Path

from embedded_stack.cache import Cache
from embedded_stack.pins import parse_lock

from tests.clients import jvm

HERE = Path(__file__).parent
LOCK, PROGRAM = HERE / "jars.lock", HERE / "Validate.java"
ERRORS = frozenset(("error", "fatal"))
LONGEST_S = 3_600


def jars() -> list[Path]:
    """The validator's jars, downloaded when they are not here."""
    return Cache().files(parse_lock(LOCK.read_text())["validator"])


def judge(bundles, profiles: Path | None = None, timeout_s: float = LONGEST_S) -> list[list[dict[str, str]]]:
    """What HAPI says of each Bundle, as {severity, place, message}: of base R4, or with the profiles in a folder.

    Raises:
        JavaFailed: It could not judge.
    """
    with tempfile.TemporaryDirectory() as folder:
        rows = Path(folder) / "bundles.ndjson"
        lines = [json.dumps(one if profiles else without_profiles(one), ensure_ascii=False) for one in bundles]
        rows.write_text("\n".join(lines), encoding="utf-8")
        words = jvm.command([_program(), *jars()], "Validate", str(rows), *([str(profiles)] if profiles else []))
        ended = subprocess.run(words, capture_output=True, text=True, timeout=timeout_s, check=False)
    if ended.returncode:
        raise jvm.JavaFailed(ended.stderr[-3000:])
    said = [json.loads(line) for line in ended.stdout.splitlines()]
    assert len(said) == len(lines), "one line for each Bundle"
    return said


def errors(said) -> list[str]:
    """The errors among what HAPI says of one Bundle, as lines."""
    return [f"{one['place']}: {one['message']}" for one in said if one["severity"] in ERRORS]


def without_profiles(bundle):
    """The Bundle without what it says to follow: base R4 knows none of it, and a Bundle of an unknown profile is an error."""
    bundle = copy.deepcopy(bundle)
    for resource in [bundle, *(one.get("resource") for one in bundle.get("entry", ()) if isinstance(one, dict))]:
        meta = resource.get("meta") if isinstance(resource, dict) else None
        if isinstance(meta, dict) and meta.pop("profile", None) and not meta:
            del resource["meta"]
    return bundle


def _program() -> Path:
    """The folder with the compiled program, made once for its source and jars."""
    digest = hashlib.sha256(PROGRAM.read_bytes() + LOCK.read_bytes()).hexdigest()
    return Cache().folder(f"fhir-validate-{digest[:12]}", lambda into: jvm.compiled([PROGRAM], jars(), into))
