"""Run the drift-watcher: ``python -m drift_watcher``. Settings come from the environment, see `drift_watcher.settings`."""

from runtime.service.run import run_service

from drift_watcher.settings import DriftWatcherSettings

if __name__ == "__main__":
    raise SystemExit(run_service(DriftWatcherSettings, "drift_watcher.bootstrap"))
