"""A process that reads notes leaves no core dump, nor does what it starts."""

import os
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
SERVICES = sorted(path.parent.name for path in ROOT.glob("services/*/src/*/__main__.py"))
AWAY = {
    "RXTRACT_BOOTSTRAP_SERVERS": "127.0.0.1:1",
    "RXTRACT_SCHEMA_REGISTRY_URL": "http://127.0.0.1:1",
    "RXTRACT_REDIS_URL": "redis://127.0.0.1:1/0",
    "RXTRACT_MLFLOW_URL": "http://127.0.0.1:1",
}
KEYS = ("PSEUDONYM_KEY_FILE", "ROLES_KEY_FILE", "DESK_KEY_FILE", "DESK_TOKENS_FILE")


DUMPING = ("/bin/sh", "-c", 'ulimit -S -c "$(ulimit -H -c)"; exec "$@"', "sh", sys.executable)
"""Python, as on a machine that keeps core dumps."""


def core_limit(pid: int) -> list[str]:
    """Soft and hard limit, as the kernel has them."""
    lines = Path(f"/proc/{pid}/limits").read_text(encoding="ascii").splitlines()
    return next(line for line in lines if line.startswith("Max core file size")).split()[4:6]


@contextmanager
def started(module: str, folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A service that waits for servers that are away."""
    (folder / "key").write_bytes(b"k" * 32)
    clean = {name: value for name, value in os.environ.items() if not name.startswith("RXTRACT_")}
    keys = {f"RXTRACT_{name}": str(folder / "key") for name in KEYS}
    port_file = folder / "port"
    health = {"RXTRACT_HEALTH_PORT_FILE": str(port_file), "HOME": str(folder)}
    with (folder / "log").open("wb") as log:
        child = subprocess.Popen(
            [*DUMPING, "-m", module],
            env=clean | AWAY | keys | health,
            stdout=log,
            stderr=log,
        )
    try:
        deadline = time.monotonic() + 60
        while not port_file.exists():
            assert child.poll() is None, (folder / "log").read_text(encoding="utf-8")
            assert time.monotonic() < deadline, "it did not start"
            time.sleep(0.05)
        yield child
    finally:
        child.kill()
        child.wait()


@pytest.mark.parametrize("module", ["ingestor", "extractor", "trainer"])
def test_a_started_service_may_leave_none(module: str, tmp_path: Path) -> None:
    if resource.getrlimit(resource.RLIMIT_CORE)[1] == 0:
        pytest.skip("this machine keeps no core dumps, whoever asks")
    with started(module, tmp_path) as child:
        assert core_limit(child.pid) == ["0", "0"]


def test_every_service_goes_through_the_start_that_forbids_them() -> None:
    assert len(SERVICES) == 10
    for module in SERVICES:
        (main,) = ROOT.glob(f"services/*/src/{module}/__main__.py")
        assert "run_service(" in main.read_text(encoding="utf-8")


PROCESSES = {
    "a service": "import runtime.service.run as p, runtime.service.settings as s; p.run_service(s.ServiceSettings, print)",
    "the contract job": "import runtime.service.contract as c; c.main(['nothing'])",
    "the training job": "import lifecycle.job_process as j; j.main(['/nowhere'])",
    "the command line": "import sys, rxtract.app as a; sys.argv[1:] = ['doctor', '--no-such-option']\n"
    "try: a.run()\nexcept SystemExit: pass",
}


@pytest.mark.slow
@pytest.mark.parametrize("name", PROCESSES)
def test_a_process_takes_itself_out_of_what_may_be_dumped(name: str) -> None:
    """A limit alone is not asked where the kernel hands dumps to a program."""
    ask = "\nimport ctypes, resource\nprint('dumpable', ctypes.CDLL(None).prctl(3, 0, 0, 0, 0), *resource.getrlimit(4))"
    ended = subprocess.run(
        [*DUMPING, "-c", PROCESSES[name] + ask],
        capture_output=True,
        text=True,
        check=True,
    )
    assert ended.stdout.splitlines()[-1] == "dumpable 0 0 0"
