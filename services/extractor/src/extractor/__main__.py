"""Run the extractor: ``python -m extractor``. Settings come from the environment, see `extractor.settings`."""

from runtime.service.run import run_service

from extractor.settings import ExtractorSettings

if __name__ == "__main__":
    raise SystemExit(run_service(ExtractorSettings, "extractor.bootstrap"))
