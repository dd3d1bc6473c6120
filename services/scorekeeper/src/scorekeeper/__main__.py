"""Run the scorekeeper: ``python -m scorekeeper``. Settings come from the environment, see `scorekeeper.settings`."""

from runtime.process import run_service

from scorekeeper.settings import ScorekeeperSettings


def serve(settings: ScorekeeperSettings) -> None:
    """Serve. Its libraries are imported only now: a wrong setting is told without waiting for them."""
    from scorekeeper import server

    server.serve(settings)


if __name__ == "__main__":
    raise SystemExit(run_service(ScorekeeperSettings, serve))
