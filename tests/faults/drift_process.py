"""A drift-watcher whose references are given: started by the fault tests as a process of its own, without MLflow."""

import sys

from drift.reference import Reference
from drift_watcher.bootstrap import bootstrap
from drift_watcher.settings import DriftWatcherSettings
from runtime.service.run import run_service

REFERENCES = {"oov_share": Reference(0.10, 0.016), "confidence": Reference(0.966, 0.0072)}


def serve(settings: DriftWatcherSettings) -> None:
    bootstrap(settings, find=lambda _: REFERENCES).run()


if __name__ == "__main__":
    sys.exit(run_service(DriftWatcherSettings, serve))
