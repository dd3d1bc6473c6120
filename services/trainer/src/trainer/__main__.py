"""``python -m trainer``: settings, bootstrap, run."""

import sys

from runtime.process import run_service

from trainer.bootstrap import bootstrap
from trainer.settings import TrainerSettings


def serve(settings: TrainerSettings) -> None:
    """Run one trainer until it is asked to stop."""
    bootstrap(settings).run()


if __name__ == "__main__":
    sys.exit(run_service(TrainerSettings, serve))
