"""Bring the definitions of the resources that the chart makes for operators: ``python deploy/crds/fetch.py``.

Prometheus' and KEDA's come with their Go modules, Strimzi's from its generator on Maven. Kept in the download cache; prints the folder.
"""  # noqa: INP001

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import yaml
from embedded_stack.cache import default_cache_dir
from embedded_stack.errors import StackError
from embedded_stack.java import KAFKA_NEEDS, find_java

HERE = Path(__file__).resolve().parent
MODULES = {
    "github.com/prometheus-operator/prometheus-operator@v0.85.0": (
        "example/prometheus-operator-crd/monitoring.coreos.com_servicemonitors.yaml",
        "example/prometheus-operator-crd/monitoring.coreos.com_prometheusrules.yaml",
    ),
    "github.com/kedacore/keda/v2@v2.21.0": ("config/crd/bases/keda.sh_scaledobjects.yaml",),
}
STRIMZI = {
    "KafkaTopic": "io.strimzi.api.kafka.model.topic.KafkaTopic",
    "KafkaUser": "io.strimzi.api.kafka.model.user.KafkaUser",
}
KINDS = frozenset({"ServiceMonitor", "PrometheusRule", "ScaledObject", *STRIMZI})


class CannotFetchError(Exception):
    """A tool or a package is not to be had; one line."""


def folder() -> Path:
    """Where they are kept."""
    return default_cache_dir() / "crds"


def present() -> bool:
    """Whether all are there."""
    return all((folder() / f"{kind}.yaml").is_file() for kind in KINDS)


def definitions() -> dict[str, dict[str, Any]]:
    """Every definition by its kind, as it was fetched."""
    return {kind: yaml.safe_load((folder() / f"{kind}.yaml").read_text(encoding="utf-8")) for kind in sorted(KINDS)}


def fetch() -> None:
    """Fetch what is not there.

    Raises:
        CannotFetchError: Go, Maven or a package is missing.
    """
    if present():
        return
    folder().mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="rxtract-crds-") as place:
        for module, files in MODULES.items():
            module_info = json.loads(_run(Path(place), "go", "mod", "download", "-json", module))
            for file in files:
                _keep(Path(module_info["Dir"]) / file)
        for generated in _strimzi(Path(place)):
            _keep(generated)


def _strimzi(place: Path) -> list[Path]:
    shutil.copyfile(HERE / "pom.xml", place / "pom.xml")
    _run(place, "mvn", "-q", "-B", "dependency:copy-dependencies", "-DincludeScope=runtime", "-DoutputDirectory=lib")
    (place / "out").mkdir()
    generated = {kind: place / "out" / f"{kind}.yaml" for kind in STRIMZI}
    wanted = [f"{STRIMZI[kind]}={path}" for kind, path in generated.items()]
    _run(place, _java(), "-cp", "lib/*", "io.strimzi.crdgenerator.CrdGenerator", "--yaml", *wanted)
    return list(generated.values())


def _java() -> str:
    try:
        return str(find_java(KAFKA_NEEDS))
    except StackError as error:
        raise CannotFetchError(str(error)) from None


def _keep(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    draft = folder() / f"{yaml.safe_load(text)['spec']['names']['kind']}.draft"
    draft.write_text(text, encoding="utf-8")
    draft.replace(draft.with_suffix(".yaml"))


def _run(place: Path, *command: str) -> str:
    try:
        result = subprocess.run(
            command, cwd=place, capture_output=True, text=True, check=False, env={**os.environ, "GOFLAGS": "-mod=mod"}
        )
    except FileNotFoundError:
        raise CannotFetchError(f"no {command[0]}: install it") from None
    if result.returncode:
        output = (result.stderr or result.stdout).strip().splitlines()
        raise CannotFetchError(f"{' '.join(command[:3])}: {output[-1] if output else 'failed'}")
    return result.stdout


if __name__ == "__main__":
    try:
        fetch()
    except CannotFetchError as error:
        sys.exit(f"crds: {error}; left out: checking the chart's operator resources")
    print(folder())  # noqa: T201 - a command
