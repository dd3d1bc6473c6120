"""Write a bill of materials (CycloneDX) of every image: ``make sbom``, or ``python deploy/sbom.py [--to FOLDER] [NAME ...]``.

Run where `cyclonedx-py` is on PATH. The Python packages come from the lock, with their digests; where the image is built, it is asked for all
that it holds, Debian's packages and Python itself included. Each bill says which of the two it is. What wheels carry inside (librdkafka in
confluent-kafka, OpenBLAS in numpy) has no line of its own.
"""  # noqa: INP001

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any
from urllib.parse import quote

from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).resolve().parents[1]
TARGET = ROOT / "dist/sbom"
DOCKER = os.environ.get("DOCKER", "docker").split()
REPOSITORY = os.environ.get("RXTRACT_IMAGES", "rxtract")
IMAGE = {
    "implementation_name": "cpython",
    "os_name": "posix",
    "platform_machine": "x86_64",
    "platform_python_implementation": "CPython",
    "platform_system": "Linux",
    "python_full_version": "3.11.2",
    "python_version": "3.11",
    "sys_platform": "linux",
}
"""What the image's Python says of itself; the release does not matter for any marker of ours. A lock is for every platform."""
ASK = """
import glob, importlib.metadata as m, json, platform, pathlib, sys
paths = [*sys.path, *glob.glob('/usr/local/lib/python3*/site-packages')]
read = lambda path: pathlib.Path(path).read_text() if pathlib.Path(path).exists() else ''
print(json.dumps({
    'python': platform.python_version(),
    'packages': sorted({(d.metadata['Name'], d.version) for d in m.distributions(path=paths)}),
    'os': read('/etc/os-release'),
    'dpkg': read('/var/lib/dpkg/status'),
}))
"""
"""What an image is asked, by its own Python."""
HOLDS = "rxtract:holds"
ABSENT = ("no such image", "image not known")
"""How Docker and Podman say that an image is not there; any other failure is one."""
Component = dict[str, Any]


def held(lock: str) -> str:
    """The entries of a lock that an image installs."""
    entries = re.findall(r"^[A-Za-z0-9].*(?:\n    .*)*", lock, re.MULTILINE)
    environment = {key: str(value) for key, value in default_environment().items()} | IMAGE
    kept = []
    for entry in entries:
        requirement = Requirement(re.split(r"\s+\\?\s*--hash|\s*\\?\n", entry, maxsplit=1)[0].strip())
        if requirement.marker is None or requirement.marker.evaluate(environment):
            kept.append(re.sub(r"\n    #.*", "", entry))
    return "\n".join(kept) + "\n"


def debian(status: str, release: str) -> list[Component]:
    """The installed packages of dpkg's list as components.

    Args:
        status: /var/lib/dpkg/status.
        release: /etc/os-release, which names the distribution.
    """
    told = dict(line.split("=", 1) for line in release.splitlines() if "=" in line)
    named, version_id = (told.get(key, "").strip('"') for key in ("ID", "VERSION_ID"))
    made = []
    for paragraph in status.split("\n\n"):
        fields = dict(re.findall(r"^([A-Za-z-]+): (.*)$", paragraph, re.MULTILINE))
        if fields.get("Status") == "install ok installed":
            name, version, kind = fields["Package"], fields["Version"], fields["Architecture"]
            purl = f"pkg:deb/{named}/{quote(name)}@{quote(version)}?arch={kind}&distro={named}-{version_id}"
            made.append(_component(name, version, purl))
    return made


def completed(bill: dict[str, Any], told: dict[str, Any] | None) -> dict[str, Any]:
    """A bill of a lock, with what the built image says of itself; without an image it says that it is of the lock alone."""
    components: list[Component] = list(bill.get("components", []))
    says = "the locked Python packages; the image was not there to be asked for Debian's and its own"
    if told is not None:
        listed = {(canonicalize_name(one["name"]), one.get("version")) for one in components}
        for name, version in ((canonicalize_name(name), version) for name, version in told["packages"]):
            if (name, version) not in listed:
                components.append(_component(name, version, f"pkg:pypi/{name}@{version}"))
        components.append(_component("python", told["python"], f"pkg:generic/python@{told['python']}"))
        components += debian(told["dpkg"], told["os"])
        says = f"everything that {told['image']} said it holds"
    metadata = dict(bill.get("metadata", {}))
    metadata["properties"] = [*metadata.get("properties", []), {"name": HOLDS, "value": says}]
    return {**bill, "metadata": metadata, "components": components}


def lacking(bill: dict[str, Any], told: dict[str, Any]) -> list[str]:
    """What a lock's bill names, and the image built of it does not hold in that version: it was built of another lock."""
    there = {(canonicalize_name(name), Version(version)) for name, version in told["packages"]}
    named = [(canonicalize_name(one["name"]), one["version"]) for one in bill.get("components", [])]
    return sorted(f"{name} {version}" for name, version in named if (name, Version(version)) not in there)


def _component(name: str, version: str, purl: str) -> Component:
    return {"type": "library", "bom-ref": purl, "name": name, "version": version, "purl": purl}


def asked(name: str) -> dict[str, Any] | None:
    """What a built image says of itself; None where it or Docker's command is not there.

    Raises:
        SystemExit: It may be there and could not be asked.
    """
    table = tomllib.loads((ROOT / "cli/pyproject.toml").read_text(encoding="utf-8"))
    image = f"{REPOSITORY}/{name}:{table['project']['version']}"
    # No --pull: an image of somebody else under that name would be another one.
    command = [*DOCKER, "run", "--rm", "--pull=never", "--network=none", "--entrypoint=python", image, "-c", ASK]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return None
    if answer.returncode == 0:
        return {"image": image, **json.loads(answer.stdout)}
    said = " ".join(answer.stderr.split())
    if any(absent in said.lower() for absent in ABSENT):
        return None
    sys.exit(
        f"sbom: {image} could not be asked: {said or f'code {answer.returncode}'} (DOCKER=none: bills of the locks alone)"
    )


def locked(name: str, project: Path) -> dict[str, Any]:
    """The bill of a lock."""
    command = [
        "cyclonedx-py",
        "requirements",
        "--output-reproducible",
        "--of",
        "JSON",
        "--pyproject",
        str(project),
        "-",
    ]
    lock = held((ROOT / f"requirements/{name}.txt").read_text(encoding="utf-8"))
    quiet = {**os.environ, "PYTHONWARNINGS": "ignore"}
    result = subprocess.run(command, input=lock, text=True, check=True, env=quiet, stdout=subprocess.PIPE)
    made: dict[str, Any] = json.loads(result.stdout)
    return made


def faults(bill: str) -> str:
    """What CycloneDX's own schema finds wrong; empty: nothing."""
    from cyclonedx.schema import SchemaVersion
    from cyclonedx.validation.json import JsonStrictValidator

    return str(JsonStrictValidator(SchemaVersion.V1_6).validate_str(bill) or "")


def main() -> int:
    """Write one file for each image."""
    projects = {path.parent.name: path for path in sorted(ROOT.glob("services/*/pyproject.toml"))}
    projects["cli"] = ROOT / "cli/pyproject.toml"
    parser = argparse.ArgumentParser(description="Bills of materials of the images.")
    parser.add_argument("--to", type=Path, default=TARGET)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(projects)}; none: all")
    options = parser.parse_args()
    if unknown := set(options.names) - set(projects):
        parser.error(f"no image {', '.join(sorted(unknown))}")
    options.to.mkdir(parents=True, exist_ok=True)
    for name in options.names or projects:
        bill, told = locked(name, projects[name]), asked(name)
        if told is not None and (absent := lacking(bill, told)):
            sys.exit(f"sbom: {told['image']} is of another lock, it lacks {', '.join(absent)}: run make images")
        made = completed(bill, told)
        text = json.dumps(made, indent=2) + "\n"
        if wrong := faults(text):
            sys.exit(f"sbom: {name}: not valid CycloneDX: {wrong}")
        (options.to / f"{name}.cdx.json").write_text(text, encoding="utf-8")
        holds = made["metadata"]["properties"][-1]["value"]
        print(f"{name}.cdx.json: {len(made['components'])} components: {holds}")  # noqa: T201 - a command
    return 0


if __name__ == "__main__":
    sys.exit(main())
