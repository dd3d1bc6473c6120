"""Run the notifier: ``python -m notifier``. Settings come from the environment, see `notifier.settings`."""

from runtime.service.run import run_service

from notifier.settings import NotifierSettings

if __name__ == "__main__":
    raise SystemExit(run_service(NotifierSettings, "notifier.bootstrap"))
