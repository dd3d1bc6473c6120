"""A job's folder holds notes in clear, so an erasure ends the job: it begins anew without the patient's."""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, TypeVar

from runtime.errors import Recoverable
from sealing import KeyStore

from trainer.domain.job_runs import JobAbandonedError, Progress, RunJob

TEXTS = ("annotations.jsonl", "live.jsonl")
"""The files of a job's folder that hold notes."""
T = TypeVar("T")


class ErasureWatch:
    """Knows whether anybody was erased since a job's material was read.

    Args:
        store: The key store; None where nothing is sealed, and so nobody is erased.
    """

    def __init__(self, store: KeyStore | None) -> None:
        self._store = store
        self._seen = 0

    def from_here(self, material: Callable[[], Iterable[T]]) -> Callable[[], Iterator[T]]:
        """The same material; erasures count from when it begins to be read."""

        def read() -> Iterator[T]:
            self._seen = self._count()
            yield from material()

        return read

    def happened(self) -> bool:
        """Whether anybody was erased since. Raises KeyStoreAway."""
        return self._count() != self._seen

    def _count(self) -> int:
        return 0 if self._store is None else len(self._store.erasures())


def forgetting(run_job: RunJob, watch: ErasureWatch) -> RunJob:
    """Run jobs whose texts go as soon as the job has ended, and which an erasure ends."""

    def run(folder: Path, go_on: Callable[[], bool], progress: Progress) -> dict[str, Any]:
        try:
            result = run_job(folder, lambda: go_on() and not watch.happened(), progress)
        except JobAbandonedError:
            if watch.happened():
                raise Recoverable("a patient was erased while the job ran: it begins anew without") from None
            raise
        finally:
            for name in TEXTS:
                (folder / name).unlink(missing_ok=True)
        if watch.happened():
            raise Recoverable("a patient was erased while the job ran: it begins anew without")
        return result

    return run
