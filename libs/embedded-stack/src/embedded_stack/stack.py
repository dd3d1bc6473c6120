"""The embedded stack: real servers as child processes in a folder, up together and down together."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import shutil
import tempfile
import threading
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from pathlib import Path
from typing import TYPE_CHECKING, Self

from embedded_stack import progress as steps
from embedded_stack.addresses import Addresses
from embedded_stack.cache import Cache
from embedded_stack.children import ChildProcess, end_together
from embedded_stack.components.base import Component, Site
from embedded_stack.components.kafka import Kafka
from embedded_stack.components.kafka_cluster import CLUSTER, NODES
from embedded_stack.components.mlflow_server import MlflowServer
from embedded_stack.components.redis_server import RedisServer
from embedded_stack.components.registry import SchemaRegistry
from embedded_stack.disk import STACK_NEEDS_BYTES, require_free
from embedded_stack.errors import StackError
from embedded_stack.ports import free_ports, is_free

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from types import TracebackType

ALL_COMPONENTS = ("kafka", "registry", "redis", "mlflow")
SERVERS: dict[str, type[Component]] = {one.name: one for one in (Kafka, SchemaRegistry, RedisServer, MlflowServer)}


class EmbeddedStack:
    """Kafka, schema registry, Redis and MLflow on free loopback ports.

    Use it as a context manager: leaving the block, however, ends every process that it started; so does the end of this
    Python process, kill -9 included.

    Args:
        data_dir: Its folder; None for a temporary one that is removed at the end (only with `ephemeral`).
        ephemeral: Keep nothing: the registry stays in memory, Redis writes no file, and all data lies in the folder's
            `ephemeral`, which is removed at the start and at the end. What a kept stack left in the folder is not touched.
        components: Which servers to start.
        progress: Told about every step (see `progress.Checklist` and `progress.PlainLines`).
        ports: Fixed ports by component name (`kafka`, `kafka-controller`, `registry`, `redis`, `mlflow`); the rest are free ones.
        cache: The folder of downloads, if not the user's.
        servers: What stands behind each component's name; the real ones if not given.
        brokers: Nodes of Kafka: 1, or 3 (`kafka`, `kafka-2`, `kafka-3`), each of which can be killed, paused and restarted by itself.

    Raises:
        StackError: on entering, when something cannot start; everything that was started has been ended by then.
    """

    def __init__(
        self,
        data_dir: Path | None = None,
        *,
        ephemeral: bool = False,
        components: Sequence[str] = ALL_COMPONENTS,
        progress: steps.Progress = steps.silent,
        ports: Mapping[str, int] | None = None,
        cache: Cache | None = None,
        servers: Mapping[str, type[Component]] | None = None,
        brokers: int = 1,
    ) -> None:
        self._servers = SERVERS if servers is None else servers
        if brokers not in {1, len(NODES)}:
            raise StackError(f"a stack has 1 or {len(NODES)} brokers, not {brokers}")
        if brokers > 1:
            self._servers = {**self._servers, **CLUSTER}
            components = [*components, *NODES[1:]]
        unknown = set(components) - set(self._servers)
        if unknown:
            raise StackError(f"no such component: {', '.join(sorted(unknown))}; there are {', '.join(self._servers)}")
        if data_dir is None and not ephemeral:
            raise StackError("a stack that is kept needs a data folder: give one, or ask for an ephemeral stack")
        self._given_dir = data_dir
        self._ephemeral = ephemeral
        self._wanted = tuple(components)
        self._progress = progress
        self._fixed_ports = dict(ports or {})
        self._cache = cache or Cache()
        self._components: dict[str, Component] = {}
        self._children: dict[str, ChildProcess] = {}
        self._cleanup = contextlib.ExitStack()
        self._abandoned = threading.Event()
        self.data_dir = Path()
        self.kept_dir = Path()
        """Where data belongs that goes with the servers' own: it is removed at the end when nothing is kept."""

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def addresses(self) -> Addresses:
        """Where the servers answer."""
        return Addresses(
            bootstrap_servers=self._address("kafka"),
            schema_registry_url=self._address("registry"),
            redis_url=self._address("redis"),
            mlflow_url=self._address("mlflow"),
        )

    def start(self) -> None:
        """Bring everything up; on any failure end what was started and raise."""
        try:
            self.data_dir = self._claim_folder()
            require_free(self.data_dir, STACK_NEEDS_BYTES)
            self.kept_dir, logs = self._data_folder(), self.data_dir / "logs"
            site = Site(self.kept_dir, logs, self._cache, self._ephemeral, self._choose_ports(), self._busy)
            self._components = {name: self._servers[name](site) for name in self._wanted}
            self._start_all()
        except OSError as error:
            self.stop()
            raise StackError(_os_words(error, self.data_dir)) from error
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End every child, then give the folder back. May be called twice."""
        # Nobody reads again what an ephemeral stack would write while it ends.
        end_together(list(self._children.values()), grace_s=0.0 if self._ephemeral else 10.0)
        self._cleanup.close()

    def kill(self, component: str) -> None:
        """Kill -9 a server, as a fault would."""
        self._child(component).kill()

    def pause(self, component: str) -> None:
        """Freeze a server: its connections stay open and nothing answers."""
        self._child(component).pause()

    def resume(self, component: str) -> None:
        """Let a frozen server go on."""
        self._child(component).resume()

    def restart(self, component: str) -> None:
        """End a server if it runs, start it again on the same port and data, and wait until it is healthy."""
        self._child(component).end()
        self._start_one(component)

    def pid(self, component: str) -> int:
        """The process id of a server, which is its process group's too."""
        return self._child(component).pid

    def rss_bytes(self) -> dict[str, int]:
        """Resident memory in bytes of every server with its descendants."""
        return {name: child.rss_bytes() for name, child in self._children.items()}

    def ended(self) -> dict[str, str]:
        """The servers that have ended although nobody asked them to, with one line for each."""
        return {name: child.why_ended() for name, child in self._children.items() if not child.running()}

    def failures(self) -> list[str]:
        """One line for each server that has ended although nobody asked it to."""
        return [child.why_ended() for child in self._children.values() if not child.running()]

    def _address(self, name: str) -> str:
        component = self._components.get(name)
        return component.address if component else ""

    def _child(self, name: str) -> ChildProcess:
        if name not in self._children:
            raise StackError(f"this stack has no running {name}; it has {', '.join(self._children) or 'nothing'}")
        return self._children[name]

    def _claim_folder(self) -> Path:
        if self._given_dir is None:
            folder = Path(tempfile.mkdtemp(prefix="rxtract-stack-"))
            self._cleanup.callback(shutil.rmtree, folder, ignore_errors=True)
            return folder
        folder = self._given_dir.expanduser().absolute()
        folder.mkdir(parents=True, exist_ok=True)
        self._cleanup.enter_context(_claim(folder / "lock"))
        return folder

    def _data_folder(self) -> Path:
        if not self._ephemeral:
            return self.data_dir
        folder = self.data_dir / "ephemeral"
        shutil.rmtree(folder, ignore_errors=True)
        self._cleanup.callback(shutil.rmtree, folder, ignore_errors=True)
        return folder

    def _choose_ports(self) -> dict[str, int]:
        names = [port for name in self._wanted for port in self._servers[name].port_names]
        for name, port in self._fixed_ports.items():
            if not is_free(port):
                raise StackError(
                    f"port {port}, asked for {name}, is taken by another program: end that, or give another port"
                )
        settled = {**self._ports_of_last_time(names), **self._fixed_ports}
        others = iter(set(free_ports(2 * len(names))) - set(settled.values()))
        chosen = {name: settled.get(name) or next(others) for name in names}
        (self.data_dir / "ports.json").write_text(json.dumps(chosen), encoding="utf-8")
        return chosen

    def _ports_of_last_time(self, names: Sequence[str]) -> dict[str, int]:
        """A kept stack comes back at its old addresses where they are free, so that links stay true."""
        try:
            noted = json.loads((self.data_dir / "ports.json").read_text(encoding="utf-8"))
            return {name: int(noted[name]) for name in names if name in noted and is_free(int(noted[name]))}
        except (OSError, ValueError, AttributeError, TypeError):
            return {}

    def _start_all(self) -> None:
        for component in self._components.values():
            self._progress(component.title, steps.WAITING, "")
        self._abandoned.clear()
        with ThreadPoolExecutor(len(self._components), thread_name_prefix="stack-start") as pool:
            jobs: list[Future[None]] = [pool.submit(self._start_one, name) for name in self._components]
            try:
                _, unfinished = wait(jobs, return_when=FIRST_EXCEPTION)
            except BaseException:  # Ctrl-C: the jobs must hear of it, for leaving the pool waits for them
                self._abandoned.set()
                raise
            if unfinished:
                self._abandoned.set()
        _raise_cause(jobs)

    def _start_one(self, name: str) -> None:
        component = self._components[name]
        clock = steps.Stopwatch()
        self._progress(component.title, steps.BUSY, "preparing")
        try:
            child = component.make_child()
            self._go_on()
            self._children[name] = child
            child.start()
            self._progress(component.title, steps.BUSY, "waiting until it answers")
            child.wait_until(lambda: self._go_on() and component.is_ready(), component.start_timeout_s)
            component.when_ready()
        except _Abandoned:
            self._progress(component.title, steps.FAILED, "given up")
            raise
        except (StackError, OSError) as error:
            self._progress(component.title, steps.FAILED, str(error))
            raise
        self._progress(component.title, steps.READY, f"{clock.seconds:.1f} s  {component.address}")

    def _busy(self, name: str, words: str) -> None:
        self._go_on()
        self._progress(self._components[name].title, steps.BUSY, words)

    def _go_on(self) -> bool:
        """True, unless another component has failed or the person has pressed Ctrl-C: then this start ends here."""
        if self._abandoned.is_set():
            raise _Abandoned
        return True


class _Abandoned(Exception):
    """Another component could not start, so this one need not either."""


def _raise_cause(jobs: Sequence[Future[None]]) -> None:
    """Raise the error that came first in meaning: the failure itself, never the giving up that followed it."""
    errors = [error for job in jobs if (error := job.exception()) is not None]
    for error in sorted(errors, key=lambda error: isinstance(error, _Abandoned)):
        raise error


@contextlib.contextmanager
def _claim(path: Path) -> Iterator[None]:
    """Hold the folder's lock, so that two stacks never write to one folder."""
    with path.open("a+", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            raise StackError(
                f"another stack (process {file.read().strip() or 'unknown'}) uses {path.parent}: end it, or give another folder with --data"
            ) from None
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield


def _os_words(error: OSError, folder: Path) -> str:
    """An operating-system error as one line with a remedy."""
    where = error.filename or folder
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"the disk is full at {where}: free some space, or give another folder with --data"
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return f"no permission to write {where}: give a folder of your own with --data"
    return f"{error.strerror or error}: {where}"
