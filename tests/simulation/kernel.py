"""Time and tasks of a simulated world: one thread, one order of events, and that order follows from a seed.

Every task is a greenlet. It runs until it waits (for time, or for a `Signal`), and whoever is due next goes on. Nothing here sleeps: the
clock jumps. A killed process' tasks never go on: each call that they make from then on raises `Killed`, which no code of ours catches.
"""

import heapq
import itertools
import time
from asyncio import events
from collections.abc import Callable, Iterable
from typing import Any, Self

import greenlet

real_monotonic = time.monotonic
_world: list["Kernel"] = []
EPOCH_MS = 1_790_000_000_000


class Killed(BaseException):
    """The process of this task is dead."""


class StandsStillError(Exception):
    """The world did not come to its end in time."""


def virtual_monotonic() -> float:
    """What `time.monotonic` is while a world runs."""
    return _world[-1].now if _world else real_monotonic()


def install_clock() -> None:
    """Give Python the clock of the world. Called before the product is imported, since its defaults keep what they found."""
    time.monotonic = virtual_monotonic
    real_time, real_time_ns = time.time, time.time_ns
    time.time = lambda: EPOCH_MS / 1000 + _world[-1].now if _world else real_time()
    time.time_ns = lambda: EPOCH_MS * 1_000_000 + int(_world[-1].now * 1e9) if _world else real_time_ns()


class Signal:
    """Tasks wait for it; `notify` lets all of them look again."""

    __slots__ = ("waiting",)

    def __init__(self) -> None:
        self.waiting: list[Task] = []

    def notify(self) -> None:
        if self.waiting:
            waiting, self.waiting = self.waiting, []
            for task in waiting:
                task.wake()


class Process:
    """What lives and dies together.

    Attributes:
        fuse: So many calls to the outside until it dies; None: it lives on.
        in_hand: The partitions of the batch that is in a handler, or comes from one and is not sent yet.
    """

    def __init__(self, kernel: "Kernel", name: str) -> None:
        self.kernel = kernel
        self.name = name
        self.dead = False
        self.frozen = False
        self.ended = False
        self.fuse: int | None = None
        self.in_hand: set[tuple[str, int]] = set()
        self.tasks: list[Task] = []
        self.asleep: list[Task] = []
        self.on_death: list[Callable[[], None]] = []

    def spawn(self, function: Callable[[], object]) -> "Task":
        task = Task(self, function)
        self.tasks.append(task)
        self.kernel.at(0.0, task.resume)
        return task

    def step(self) -> None:
        """A call to the outside: where a process may die."""
        if self.dead:
            raise Killed
        if self.fuse is not None:
            self.fuse -= 1
            if self.fuse < 0:
                self.kill()
                raise Killed

    def kill(self) -> None:
        """As by SIGKILL. Whoever calls it from a task of this process raises `Killed` behind it."""
        if self.dead:
            return
        self.dead = True
        for act in self.on_death:
            act()
        current = greenlet.getcurrent()
        for task in self.tasks:
            if task.green is not current and task.green and not task.green.dead:
                self.kernel.unwind(task)

    def freeze(self) -> None:
        self.frozen = True

    def thaw(self) -> None:
        self.frozen = False
        asleep, self.asleep = self.asleep, []
        for task in asleep:
            self.kernel.at(0.0, task.resume)


class Task:
    """One thread of a process."""

    __slots__ = ("due", "function", "green", "process", "saved", "timer")

    def __init__(self, process: Process, function: Callable[[], object]) -> None:
        self.process = process
        self.function = function
        self.green = greenlet.greenlet(self._run, process.kernel.hub)
        self.due = False
        self.timer = 0

    def _run(self) -> None:
        try:
            self.function()
        except Killed:
            pass
        except BaseException as error:  # noqa: BLE001 - told to the world, which ends
            self.process.kernel.failed(self, error)

    def wake(self) -> None:
        """Go on soon."""
        if not self.due:
            self.due = True
            self.timer += 1
            self.process.kernel.at(0.0, self.resume)

    def resume(self) -> None:
        """Called by the kernel alone."""
        process = self.process
        if process.dead:
            return
        if process.frozen:
            process.asleep.append(self)
            return
        self.due = False
        process.kernel.current = self
        self.green.switch()
        process.kernel.current = None


class Kernel:
    """The clock and what is due."""

    def __init__(self) -> None:
        self.now = 0.0
        self.hub = greenlet.getcurrent()
        self.current: Task | None = None
        self.error: BaseException | None = None
        self.error_task: Task | None = None
        self._due: list[tuple[float, int, Callable[..., None], Any]] = []
        self._numbers = itertools.count()
        self.turns = 0

    def __enter__(self) -> Self:
        _world.append(self)
        return self

    def __exit__(self, *_: object) -> None:
        _world.remove(self)

    def at(self, delay_s: float, act: Callable[..., None], *arguments: Any) -> None:
        """Do something later."""
        heapq.heappush(self._due, (self.now + delay_s, next(self._numbers), act, arguments))

    def run(self, done: Callable[[], bool], limit_s: float, check_every: int = 20) -> bool:
        """Let time pass until something holds; False: the limit came first."""
        due = self._due
        while due:
            at_s, _, act, arguments = heapq.heappop(due)
            if at_s > limit_s:
                heapq.heappush(due, (at_s, next(self._numbers), act, arguments))
                self.now = limit_s
                return False
            self.now = at_s
            act(*arguments)
            if self.error is not None:
                raise self.error
            self.turns += 1
            if self.turns % check_every == 0 and done():
                return True
        return done()

    def failed(self, task: Task, error: BaseException) -> None:
        self.error, self.error_task = error, task

    def unwind(self, task: Task) -> None:
        """Let a dead task's frames end; every call of theirs raises `Killed`."""
        before, self.current = self.current, None
        task.green.parent = greenlet.getcurrent()
        task.green.throw(Killed)
        self.current = before

    # -- called from within a task

    def wait(self, timeout_s: float, signals: Iterable[Signal] = ()) -> None:
        """Wait until one of these is notified, or the time is over; whoever waits looks for itself which."""
        task = self.current
        if task is None or task.process.dead:  # None: it is being unwound
            raise Killed
        signals = list(signals)
        for signal in signals:
            signal.waiting.append(task)
        task.timer += 1
        if timeout_s < float("inf"):
            self.at(max(0.0, timeout_s), self._elapsed, task, task.timer)
        loop = events._get_running_loop()
        if loop is not None:
            events._set_running_loop(None)
        self.hub.switch()
        if loop is not None:
            events._set_running_loop(loop)
        if task.process.dead:
            raise Killed
        for signal in signals:
            if task in signal.waiting:
                signal.waiting.remove(task)

    def _elapsed(self, task: Task, timer: int) -> None:
        if task.timer == timer and not task.due:
            task.wake()


class SimEvent:
    """`threading.Event` for tasks."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self._signal = Signal()
        self._set = False

    def is_set(self) -> bool:
        return self._set

    def set(self) -> None:
        self._set = True
        self._signal.notify()

    def clear(self) -> None:
        self._set = False

    def wait(self, timeout: float | None = None) -> bool:
        until_s = self._kernel.now + (float("inf") if timeout is None else timeout)
        while not self._set and self._kernel.now < until_s:
            self._kernel.wait(until_s - self._kernel.now, (self._signal,))
        return self._set


class SimFuture:
    """`concurrent.futures.Future` for tasks."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self.signal = Signal()
        self._done = False
        self._result: Any = None
        self._error: BaseException | None = None

    def done(self) -> bool:
        return self._done

    def exception(self) -> BaseException | None:
        return self._error

    def result(self) -> Any:
        while not self._done:
            self._kernel.wait(float("inf"), (self.signal,))
        if self._error is not None:
            raise self._error
        return self._result

    def finish(self, result: Any, error: BaseException | None) -> None:
        self._result, self._error, self._done = result, error, True
        self.signal.notify()


class SimExecutor:
    """`ThreadPoolExecutor(1)` for tasks: what is submitted runs beside its caller, one after the other."""

    def __init__(self, *_: object, **__: object) -> None:
        self._kernel = _world[-1]
        task = self._kernel.current
        assert task is not None
        self._process = task.process
        self._last: SimFuture | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._last is not None and not self._process.dead:
            while not self._last.done():
                self._kernel.wait(float("inf"), (self._last.signal,))

    def submit(self, function: Callable[..., Any], *arguments: Any, **named: Any) -> SimFuture:
        future, before = SimFuture(self._kernel), self._last
        self._last = future

        def run() -> None:
            while before is not None and not before.done():
                self._kernel.wait(float("inf"), (before.signal,))
            try:
                result = function(*arguments, **named)
            except Killed:
                raise
            except BaseException as error:  # noqa: BLE001 - as a pool does
                future.finish(None, error)
            else:
                future.finish(result, None)

        self._process.spawn(run)
        return future


def sim_wait(futures: Iterable[SimFuture], timeout: float | None = None) -> None:
    """`concurrent.futures.wait` for one future."""
    (future,) = futures
    kernel = _world[-1]
    until_s = kernel.now + (float("inf") if timeout is None else timeout)
    while not future.done() and kernel.now < until_s:
        kernel.wait(until_s - kernel.now, (future.signal,))
