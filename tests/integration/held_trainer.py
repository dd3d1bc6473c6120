"""A trainer whose jobs go on for as long as a file is there, or until they are told to stop: started by the tests as a process."""

import os
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

MOST_S = 600.0


class HeldJob(JobProcess):
    def __call__(self, folder: Path, go_on: Callable[[], bool], progress: Any) -> dict[str, Any]:
        mark, until_s = Path(os.environ["HOLD_MARK"]), time.monotonic() + MOST_S
        while mark.exists() and time.monotonic() < until_s:
            mark.with_suffix(".held").touch()
            if not go_on():
                raise JobAbandonedError("ended by the loop")
            time.sleep(0.1)  # what the work is, not a wait for something
        return super().__call__(folder, go_on, progress)


def main() -> int:
    bootstrap.JobProcess = HeldJob
    return run_service(TrainerSettings, lambda settings: bootstrap.bootstrap(settings).run())


if __name__ == "__main__":
    sys.exit(main())
