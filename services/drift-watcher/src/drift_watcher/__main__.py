"""``python -m drift_watcher``: settings, bootstrap, run."""

import sys

from runtime.faust_batch import leave_now
from runtime.process import run_service

from drift_watcher.bootstrap import bootstrap
from drift_watcher.settings import DriftWatcherSettings


def serve(settings: DriftWatcherSettings) -> None:
    """Run one drift-watcher until it is asked to stop."""
    code = bootstrap(settings).run()
    if code:
        leave_now(code)


if __name__ == "__main__":
    sys.exit(run_service(DriftWatcherSettings, serve))
