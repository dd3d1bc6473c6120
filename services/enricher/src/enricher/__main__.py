"""Run the enricher: ``python -m enricher``. Settings come from the environment, see `enricher.settings`."""

from runtime.service.run import run_service

from enricher.settings import EnricherSettings

if __name__ == "__main__":
    raise SystemExit(run_service(EnricherSettings, "enricher.bootstrap"))
