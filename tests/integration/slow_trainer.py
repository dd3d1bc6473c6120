"""A trainer whose jobs take longer than its group lets a member be silent: started by the tests as a process of its own."""

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from runtime.service.run import run_service
from trainer import bootstrap
from trainer.adapters.job import JobProcess
from trainer.domain.job_runs import JobAbandonedError
from trainer.settings import TrainerSettings

MAX_SILENCE_S = 6.0  # the broker's floor of a session
JOB_S = 15.0


class SlowJob(JobProcess):
    def __call__(self, folder: Path, go_on: Callable[[], bool], progress: Any) -> dict[str, Any]:
        until_s = time.monotonic() + JOB_S
        while time.monotonic() < until_s:
            if not go_on():
                raise JobAbandonedError("the work is not ours any more")
            time.sleep(0.2)  # what the work is, not a wait for something
        return super().__call__(folder, go_on, progress)


def main() -> int:
    silence_ms = int(MAX_SILENCE_S * 1000)
    short = {"max.poll.interval.ms": silence_ms, "session.timeout.ms": silence_ms, "heartbeat.interval.ms": 2_000}
    bootstrap.CONSUMER_DEFAULTS = {**bootstrap.CONSUMER_DEFAULTS, **short}
    bootstrap.JobProcess = SlowJob
    return run_service(TrainerSettings, lambda settings: bootstrap.bootstrap(settings).run())


if __name__ == "__main__":
    sys.exit(main())
