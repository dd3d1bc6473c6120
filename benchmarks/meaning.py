"""What the rules cost in native code beside the tagging, on notes with given entities.

Two ways take turns: with the prescription attributes and without, so that the attributes cost the difference. Times are
CPU microseconds a note, the best of several rounds.
"""

from __future__ import annotations

import ctypes
import json
import platform
import time
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from clinical_ner.notes import AnnotatedNote

SEED = 7
NOTES = 3_000
ROUNDS = 30
STYLES = ("abstract", "prescription", "mixed")


def run() -> dict[str, Any]:
    """Measure the styles of the shipped corpus; rows of texts, tokens, entities and microseconds a note."""
    from corpus.generator import generate

    rows = [measure(style, list(generate(SEED, NOTES, style=style))) for style in STYLES]
    return {"machine": f"{platform.machine()}, {platform.system()}, Python {platform.python_version()}", "rows": rows}


def measure(name: str, notes: Sequence[AnnotatedNote]) -> dict[str, Any]:
    """Best microseconds a note of assertions with relations (cutting the text included), and of attributes."""
    from clinical_ner.meaning import Reader, joined
    from clinical_ner.native import MeaningResult, library

    reader, result = Reader(), MeaningResult()
    points, bounds = joined([note.text for note in notes])
    spans = [(note, span) for note in notes for span in note.spans]
    rows = np.array(
        [(0, 1 if span.label == "DISEASE" else 2, span.start, span.end, 0, 0, 0) for _, span in spans], np.int32
    )
    span_bounds = np.zeros(len(notes) + 1, np.int64)
    np.cumsum([len(note.spans) for note in notes], out=span_bounds[1:])
    best = {True: float("inf"), False: float("inf")}
    for turn in range(2 * ROUNDS):
        prescribes = turn % 2 == 0
        library().cn_reader_prescribes(reader.address, prescribes)
        began = time.process_time()
        library().cn_read(
            reader.address,
            points.ctypes.data,
            bounds.ctypes.data,
            len(notes),
            rows.ctypes.data,
            span_bounds.ctypes.data,
            ctypes.addressof(result),
        )
        best[prescribes] = min(best[prescribes], (time.process_time() - began) / len(notes) * 1e6)
    return {
        "texts": name,
        "tokens": round(sum(len(note.text.split()) for note in notes) / len(notes), 1),
        "entities": round(len(spans) / len(notes), 1),
        "assertions_and_relations_us": round(best[False], 2),
        "attributes_us": round(best[True] - best[False], 2),
    }


if __name__ == "__main__":
    print(json.dumps(run(), indent=1))
