"""A trainer that stops (SIGSTOP) when its job is done and before it registers: started by the tests as a process of its own."""

import os
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from runtime.service.run import run_service
from trainer import bootstrap
from trainer.adapters.job import JobProcess
from trainer.settings import TrainerSettings

SILENCE_MS = 6_000  # the broker's floor of a session
MARK = "stops-here"


class StoppingJob(JobProcess):
    def __call__(self, folder: Path, go_on: Callable[[], bool], progress: Any) -> dict[str, Any]:
        result = super().__call__(folder, go_on, progress)
        mark = Path(os.environ["STOP_MARK"])
        if mark.exists():
            mark.unlink()  # once
            signal.pthread_kill(
                threading.get_ident(), signal.SIGSTOP
            )  # to ourselves: another thread would stop us too late
        return result


def main() -> int:
    short = {"session.timeout.ms": SILENCE_MS, "heartbeat.interval.ms": 1_500}
    bootstrap.CONSUMER_DEFAULTS = {**bootstrap.CONSUMER_DEFAULTS, **short}
    bootstrap.JobProcess = StoppingJob
    return run_service(TrainerSettings, lambda settings: bootstrap.bootstrap(settings).run())


if __name__ == "__main__":
    sys.exit(main())
