"""What the acts of the demo share: steps that are named when they fail, and waiting for what must happen."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, ClassVar, TypeVar

from rxtract.watching import SLICE_S

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rxtract.bringup import Running
    from rxtract.demo.screen import Screen
    from rxtract.watching import Watch

S = TypeVar("S")
T = TypeVar("T")


class DemoFailed(Exception):
    """A step of the demo that did not really happen; the message names the step."""


class Act:
    """An act on a running stack.

    Args:
        running: The stack with its services.
        screen: Where progress is shown.
    """

    patience_s: ClassVar[float] = 60.0

    def __init__(self, running: Running, screen: Screen) -> None:
        self._running = running
        self._screen = screen

    def _wait(
        self,
        watch: Watch[S],
        question: Callable[[S], bool],
        otherwise: str,
        meanwhile: Callable[[], None] = lambda: None,
    ) -> None:
        if not watch.wait(question, self.patience_s, meanwhile):
            ended = "; ".join(self._running.failures())
            raise DemoFailed(f"{otherwise} within {self.patience_s:.0f} s{f'; {ended}' if ended else ''}")

    def _ask(self, question: Callable[[], T], enough: Callable[[T], bool], otherwise: Callable[[T], str]) -> T:
        """Ask a service again until its answer is enough; `otherwise` says what was missing."""
        deadline = time.monotonic() + self.patience_s
        while not enough(answer := question()):
            if time.monotonic() > deadline:
                raise DemoFailed(f"{otherwise(answer)} after {self.patience_s:.0f} s")
            threading.Event().wait(SLICE_S)
        return answer

    @contextmanager
    def _step(self, name: str) -> Iterator[None]:
        try:
            yield
        except DemoFailed as error:
            raise DemoFailed(f"{name}: {error}") from None
        except Exception as error:
            raise DemoFailed(f"{name}: {type(error).__name__}: {error}") from error
