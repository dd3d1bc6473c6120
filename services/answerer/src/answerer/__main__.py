"""Run the answerer: ``python -m answerer``. Settings come from the environment, see `answerer.settings`."""

from runtime.service.run import run_service

from answerer.settings import AnswererSettings

if __name__ == "__main__":
    raise SystemExit(run_service(AnswererSettings, "answerer.bootstrap"))
