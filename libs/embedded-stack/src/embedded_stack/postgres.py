"""A PostgreSQL server for tests and trials: its own folder, a free port, ended by its id."""

from __future__ import annotations

import os
import pwd
import secrets
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from embedded_stack import ports
from embedded_stack.children import ChildProcess
from embedded_stack.errors import StackError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType
    from typing import Self

DEBIAN = Path("/usr/lib/postgresql")
ADMIN = "admin"
START_TIMEOUT_S = 90.0
END_TIMEOUT_S = 20.0


class PostgresServer:
    """A real server; with `fsync`, and with a password for who asks.

    PostgreSQL refuses to run as root: as root it is run as the user `postgres`, or `nobody` where there is none.

    Args:
        options: Settings of the server by name.
        certificate: Key and certificates (PEM) of a server that takes nobody without TLS; empty: it speaks none.

    Raises:
        StackError: No PostgreSQL is installed; the line says how it is.
    """

    def __init__(self, options: Mapping[str, str] | None = None, certificate: bytes = b"") -> None:
        self._bin = find_postgres()
        self._options = dict(options or {})
        self._certificate = certificate
        self.folder = Path(tempfile.mkdtemp(prefix="rxtract-postgres-"))
        self.data = self.folder / "data"
        self.port = ports.free_ports(1)[0]
        self.password = secrets.token_hex(8)
        self._child: ChildProcess | None = None

    def url(self, user: str = ADMIN, password: str | None = None, database: str = "postgres") -> str:
        """The address of one of its databases."""
        return f"postgresql://{user}:{password or self.password}@{ports.LOOPBACK}:{self.port}/{database}"

    def __enter__(self) -> Self:
        """Make its folder and start it."""
        self._initialise()
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End it and delete its folder; nothing of it has to be written back."""
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def start(self) -> None:
        """Start it (again), and wait until it answers."""
        options = {
            "listen_addresses": ports.LOOPBACK,
            "port": str(self.port),
            "unix_socket_directories": "",
        } | self._options
        words = [word for name, value in options.items() for word in ("-c", f"{name}={value}")]
        argv = [*_as_user(), str(self._bin / "postgres"), "-D", str(self.data), *words]
        self._child = ChildProcess("PostgreSQL", argv, self.folder / "server.log", {"LC_ALL": "C"}, self.folder)
        self._child.start()
        self._child.wait_until(self._answers, START_TIMEOUT_S)

    def end(self) -> None:
        """End it in good order: who is connected is cut off."""
        if self._child is None or not self._child.running():
            return
        self.resume()
        os.kill(self._child.pid, signal.SIGINT)
        try:
            psutil.Process(self._child.pid).wait(END_TIMEOUT_S)
        except psutil.TimeoutExpired:
            pass
        except psutil.NoSuchProcess:
            pass
        self._child.end()

    def kill(self) -> None:
        """Let it and all its processes die at once, as by a power cut of this program."""
        for process in self._processes():
            process.kill()
        if self._child is not None:
            self._child.kill()

    def pause(self) -> None:
        """Stop all its processes in their tracks: connections stay open, nothing is answered."""
        for process in self._processes():
            process.suspend()

    def resume(self) -> None:
        """Let it go on after `pause`."""
        for process in self._processes():
            process.resume()

    def _processes(self) -> list[psutil.Process]:
        if self._child is None or not self._child.running():
            return []
        leader = psutil.Process(self._child.pid)
        return [leader, *leader.children(recursive=True)]

    def _answers(self) -> bool:
        done = subprocess.run(
            [self._bin / "pg_isready", "-q", "-h", ports.LOOPBACK, "-p", str(self.port)], check=False, timeout=30
        )
        return done.returncode == 0

    def _speak_tls(self) -> list[Path]:
        if not self._certificate:
            return []
        pem, rules = self.folder / "server.pem", self.folder / "who.conf"
        pem.write_bytes(self._certificate)
        pem.chmod(0o600)
        rules.write_text("hostssl all all all scram-sha-256\n", encoding="ascii")
        named = {"ssl_cert_file": pem, "ssl_key_file": pem, "hba_file": rules}
        self._options |= {"ssl": "on"} | {name: str(path) for name, path in named.items()}
        return [pem, rules]

    def _initialise(self) -> None:
        words = self.folder / "password"
        words.write_text(self.password, encoding="ascii")
        own = [self.folder, words, *self._speak_tls()]
        owner = _owner()
        if owner is not None:
            for path in own:
                os.chown(path, owner.pw_uid, owner.pw_gid)
        done = subprocess.run(
            [*_as_user(), str(self._bin / "initdb"), "-D", str(self.data), "-U", ADMIN, "--pwfile", str(words), "-A", "scram-sha-256", "-E", "UTF8", "--locale=C", "--no-sync"],
            capture_output=True, text=True, check=False, cwd=self.folder,
        )  # fmt: skip
        words.unlink()
        if done.returncode:
            raise StackError(f"initdb failed: {(done.stderr.strip().splitlines() or ['it says nothing'])[-1]}")


def find_postgres() -> Path:
    """The folder of PostgreSQL's programs: Debian's newest, else that of PATH.

    Raises:
        StackError: There is none.
    """
    versions = [path.parent for path in DEBIAN.glob("*/bin/initdb")]
    if versions:
        return max(versions, key=lambda path: int(path.parent.name))
    found = shutil.which("initdb")
    if found is None:
        raise StackError("no PostgreSQL: run 'make tools' (installs it), or install your system's postgresql package")
    return Path(found).resolve().parent


def _owner() -> pwd.struct_passwd | None:
    """Who the server runs as; None: as we do."""
    if os.getuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise StackError("PostgreSQL refuses to run as root, and there is no user postgres or nobody to run it as")


def _as_user() -> list[str]:
    owner = _owner()
    if owner is None:
        return []
    return ["setpriv", f"--reuid={owner.pw_uid}", f"--regid={owner.pw_gid}", "--clear-groups"]
