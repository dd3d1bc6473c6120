"""Our way: the real extractor, with a trivial tagger instead of a model. Settings come from the environment, as in production."""

import sys

from extractor.bootstrap import bootstrap
from extractor.settings import ExtractorSettings
from runtime.process import run_service
from stream_trivial import TrivialTagger


def serve(settings: ExtractorSettings) -> None:
    """Run until asked to stop."""
    bootstrap(settings, tagger=TrivialTagger()).run()


if __name__ == "__main__":
    sys.exit(run_service(ExtractorSettings, serve))
