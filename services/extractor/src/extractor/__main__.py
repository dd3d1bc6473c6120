"""``python -m extractor``: settings, bootstrap, run."""

import sys

from runtime.faust_batch import leave_now
from runtime.process import run_service

from extractor.bootstrap import bootstrap
from extractor.settings import ExtractorSettings


def serve(settings: ExtractorSettings) -> None:
    """Run one extractor until it is asked to stop."""
    code = bootstrap(settings).run()
    if code:
        leave_now(code)


if __name__ == "__main__":
    sys.exit(run_service(ExtractorSettings, serve))
