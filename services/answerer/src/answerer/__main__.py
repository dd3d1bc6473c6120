"""Run the answerer: ``python -m answerer``. Settings come from the environment, see `answerer.settings`."""

from runtime.process import run_service

from answerer.settings import AnswererSettings


def serve(settings: AnswererSettings) -> None:
    """Serve the door. Its libraries are imported only now: a wrong setting is told without waiting for them."""
    from answerer import server

    server.serve(settings)


if __name__ == "__main__":
    raise SystemExit(run_service(AnswererSettings, serve))
