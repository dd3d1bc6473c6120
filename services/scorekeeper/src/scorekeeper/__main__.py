"""Run the scorekeeper: ``python -m scorekeeper``. Settings come from the environment, see `scorekeeper.settings`."""

from runtime.service.run import run_service

from scorekeeper.settings import ScorekeeperSettings

if __name__ == "__main__":
    raise SystemExit(run_service(ScorekeeperSettings, "scorekeeper.bootstrap"))
