"""An extractor whose tagger misbehaves on request: started by the fault tests as a process of its own."""

import argparse
import os
import signal
import sys
import time
from collections.abc import Sequence
from typing import NamedTuple

from extractor.bootstrap import bootstrap
from extractor.settings import ExtractorSettings
from runtime.service.run import run_service


class Assertion(NamedTuple):
    status: str = "PRESENT"
    time: str = "CURRENT"
    experiencer: str = "PATIENT"
    cue_start: int = -1
    cue_end: int = -1


class Entity(NamedTuple):
    label: str
    start: int
    end: int
    confidence: float
    assertion: Assertion = Assertion()
    prescription: None = None


class Numbers(NamedTuple):
    tokens: int = 10
    oov_tokens: int = 1
    chars: int = 50
    unknown_chars: int = 0
    disease_entities: int = 1
    treatment_entities: int = 0
    disease_tokens: int = 1
    treatment_tokens: int = 0
    negated_entities: int = 0
    uncertain_entities: int = 0
    confidence: float = 0.9


class Tagged(NamedTuple):
    entities: tuple[Entity, ...]
    confidence: float
    relations: tuple[()] = ()
    statistics: Numbers = Numbers()


class BrokenNoteError(Exception):
    """What the tagger raises on a marked note."""


class FaultyTagger:
    """Calls the first word a disease; is slow, raises, hangs or is unsure where it is told to."""

    rules_version = "none"

    def __init__(self, note_ms: float, hang_s: float) -> None:
        self._note_s = note_ms / 1000
        self._hang_s = hang_s

    def tag(self, texts: Sequence[str]) -> list[Tagged]:
        time.sleep(self._note_s * len(texts))
        return [self._tag(text) for text in texts]

    def _tag(self, text: str) -> Tagged:
        if "BREAKS" in text:
            raise BrokenNoteError
        if "KILLS" in text:
            os.kill(os.getpid(), signal.SIGSEGV)
        if "HANGS" in text:
            time.sleep(self._hang_s)
        confidence = 0.1 if "UNSURE" in text else 0.9
        end = len(text) if text.find(" ") <= 0 else text.find(" ")
        return Tagged((Entity("DISEASE", 0, end, confidence),), confidence)


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--note-ms", type=float, default=0.0)
    parser.add_argument("--hang-s", type=float, default=0.0)
    options = parser.parse_args()

    def serve(settings: ExtractorSettings) -> None:
        bootstrap(settings, tagger=FaultyTagger(options.note_ms, options.hang_s)).run()

    return run_service(ExtractorSettings, serve)


if __name__ == "__main__":
    sys.exit(main())
