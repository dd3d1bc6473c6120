"""Run the review desk: ``python -m review_desk``. Settings come from the environment, see `review_desk.settings`."""

from runtime.process import run_service

from review_desk.settings import ReviewDeskSettings


def serve(settings: ReviewDeskSettings) -> None:
    """Serve the page. Its libraries are imported only now: a wrong setting is told without waiting for them."""
    from review_desk import server

    server.serve(settings)


if __name__ == "__main__":
    raise SystemExit(run_service(ReviewDeskSettings, serve))
