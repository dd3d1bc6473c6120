"""Seeded streams of statistics, and a watcher to feed them to."""

from zoneinfo import ZoneInfo

import numpy as np
import pytest
from contracts.records import ModelRef, StatisticsObserved
from drift.config import DriftConfig
from drift.observation import in_order
from drift.reference import references_of
from drift.watcher import PartitionWatcher

ZONE = ZoneInfo("Asia/Kolkata")
START = 1_795_408_200_000
MODEL = ModelRef(name="rxtract-ner", version="7", serial=9)
NOTE_SD = {
    "tokens": 11.0,
    "disease_entities": 1.35,
    "treatment_entities": 1.35,
    "confidence": 0.036,
    "oov_share": 0.08,
    "unknown_char_share": 0.01,
    "disease_token_share": 0.35,
    "negated_share": 0.30,
    "uncertain_share": 0.20,
}
MEAN = {
    "tokens": 30.0,
    "disease_entities": 1.26,
    "treatment_entities": 1.26,
    "confidence": 0.966,
    "oov_share": 0.10,
    "unknown_char_share": 0.002,
    "disease_token_share": 0.55,
    "negated_share": 0.12,
    "uncertain_share": 0.05,
}


class Streams:
    """What tests build records of. Note means and sds are those of stationary real notes."""

    model = MODEL
    start = START
    zone = ZONE

    def metadata(self, block_sd=0.0):
        """A model's metadata: reference of notes that come in blocks of this sd (in oov_share's unit), or independent ones."""
        rows = {}
        for name, sd in NOTE_SD.items():
            between = block_sd * sd / NOTE_SD["oov_share"]
            within = sd / 5
            rows[name] = {
                "mean": MEAN[name],
                "sd": sd,
                "block_mean_sd": float(np.hypot(within, 0.87 * between)),
                "notes": 1e4,
            }
        return {"reference": rows}

    def watcher(self, block_sd=0.0, config=None, partition=3, find=None):
        found = references_of(self.metadata(block_sd))
        return PartitionWatcher(partition, config or DriftConfig(), find or (lambda _: found), ZONE)

    def values(self, seed, n, *, name="oov_share", block_sd=0.0, at=None, shift=0.0):
        """One value a note; in blocks of 20 to 50 notes when block_sd is given; from note `at` on shifted."""
        random = np.random.default_rng(seed)
        values = MEAN[name] + random.normal(0, NOTE_SD[name], n)
        if block_sd:
            lengths = random.integers(20, 51, n // 20 + 1)
            levels = random.normal(0, block_sd * NOTE_SD[name] / NOTE_SD["oov_share"], len(lengths))
            values += np.repeat(levels, lengths)[:n]
        if at is not None:
            values[at:] += shift
        return values

    def record(self, first, columns, *, segment="all", model=MODEL, note_partition=0, at=None, n=None):
        """The record of notes first..first+n-1; columns: name -> their values."""
        n = n or len(next(iter(columns.values())))
        return StatisticsObserved(
            segment=segment,
            model=model,
            note_partition=note_partition,
            first_offset=first,
            last_offset=first + n - 1,
            observed_at=START + 1_000 * (first + n) if at is None else at,
            n=n,
            statistics=(),
            sums=in_order(
                {name: (float(len(v)), float(np.sum(v)), float(np.sum(np.square(v)))) for name, v in columns.items()}
            ),
        )

    def records(self, columns, *, size=25, **more):
        n = len(next(iter(columns.values())))
        for first in range(0, n - size + 1, size):
            yield self.record(first, {name: v[first : first + size] for name, v in columns.items()}, **more)

    def run(self, watcher, columns, **more):
        """Feed all; gives (index of the last note, event) pairs."""
        found = []
        for offset, record in enumerate(self.records(columns, **more), start=watcher.last_offset + 1):
            found += [(record.last_offset, event) for event in watcher.apply(offset, record).detected]
        return found


@pytest.fixture
def streams():
    return Streams()
