"""Run the review desk: ``python -m review_desk``. Settings come from the environment, see `review_desk.settings`."""

from runtime.service.run import run_service

from review_desk.settings import ReviewDeskSettings

if __name__ == "__main__":
    raise SystemExit(run_service(ReviewDeskSettings, "review_desk.bootstrap"))
