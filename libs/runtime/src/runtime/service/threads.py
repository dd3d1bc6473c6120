"""Work beside a process's main work, whose end is the process's end."""

import threading
from collections.abc import Callable

from runtime.errors import Stopped


class OtherThread:
    """Work in its own thread. Its end, whatever the reason, stops the process.

    Args:
        name: Of the thread.
        work: Returns when asked to stop.
        stop: Set at its end.
    """

    def __init__(self, name: str, work: Callable[[], None], stop: threading.Event) -> None:
        self._work = work
        self._stop = stop
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._run, name=name)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def finish(self) -> None:
        """Wait for the end, and raise what ended it."""
        self._thread.join()
        if self._error is not None:
            raise self._error

    def _run(self) -> None:
        try:
            self._work()
        except Stopped:
            pass
        except Exception as error:  # noqa: BLE001 - raised again by `finish`, in the main thread
            self._error = error
        finally:
            self._stop.set()
