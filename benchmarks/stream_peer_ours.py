"""Our way: the real extractor, with a trivial tagger, or with the model in the folder that RXTRACT_BENCH_MODELS names."""

import os
import sys
from pathlib import Path
from typing import Any

from extractor.bootstrap import bootstrap
from extractor.settings import ExtractorSettings
from runtime.service.run import run_service
from stream_trivial import TrivialTagger


def serve(settings: ExtractorSettings) -> None:
    """Run until asked to stop."""
    bootstrap(settings, tagger=_tagger()).run()


def _tagger() -> Any:
    folder = os.environ.get("RXTRACT_BENCH_MODELS")
    if folder is None:
        return TrivialTagger()
    from clinical_ner.tagger import Tagger

    return Tagger.open(Path(folder) / "tables.npz")


if __name__ == "__main__":
    sys.exit(run_service(ExtractorSettings, serve))
