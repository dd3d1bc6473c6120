"""Run the ingestor: ``python -m ingestor``. Settings come from the environment, see `ingestor.settings`."""

from runtime.service.run import run_service

from ingestor.settings import IngestorSettings

if __name__ == "__main__":
    raise SystemExit(run_service(IngestorSettings, "ingestor.bootstrap"))
