"""Run the ingestor: ``python -m ingestor``. Settings come from the environment, see `ingestor.settings`."""

from runtime.process import run_service

from ingestor.settings import IngestorSettings


def serve(settings: IngestorSettings) -> None:
    """Serve both doors. Their libraries are imported only now: a wrong setting is told without waiting for them."""
    from ingestor import server

    server.serve(settings)


if __name__ == "__main__":
    raise SystemExit(run_service(IngestorSettings, serve))
