"""An ingestor that is killed by some notes: started by the fault tests as a process of its own."""

import os
import signal
import sys
from collections.abc import Sequence

from ingestor import bootstrap
from ingestor.handler import SubmittedNotes
from ingestor.settings import IngestorSettings
from runtime.kafka.records import InputRecord, OutputRecord
from runtime.service.run import run_service


class Deadly(SubmittedNotes):
    """As a fault in native code would: no exception, no end in good order."""

    def __call__(self, records: Sequence[InputRecord]) -> Sequence[OutputRecord]:
        if any(b"KILLS" in (record.value or b"") for record in records):
            os.kill(os.getpid(), signal.SIGSEGV)
        return super().__call__(records)


def serve(settings: IngestorSettings) -> None:
    """Serve both doors."""
    bootstrap.SubmittedNotes = Deadly  # type: ignore[misc]
    bootstrap.serve(settings)


if __name__ == "__main__":
    sys.exit(run_service(IngestorSettings, serve))
