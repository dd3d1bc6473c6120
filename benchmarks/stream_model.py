"""Kafka to Kafka with a real model: ours beside the usual way, in one run. Called by ``rxtract bench stream``."""

import os
import shutil
import statistics
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from clinical_ner.config import TrainingConfig
from clinical_ner.train import train
from decode import SEED, NotebookWay, corpus_notes, cut_texts, training_notes
from stream import Addresses, Bench, Way, _script

TEXTS = 2_000
TOKENS = 25
GOALS = {"ratio_to_usual_way": 35.0, "cpu_ratio_to_usual_way": 45.0}
WAYS = (
    Way("ours", 120_000, _script("stream_peer_ours.py")),
    Way("usual_way", 8_000, _script("stream_peer_usual.py")),
)


def run(addresses: Addresses, *, rounds: int, scale: float, say: Callable[[str], None]) -> dict[str, Any]:
    """Return notes_per_s of both ways with 25-token notes, and the ratios to the usual way by rate and by processor time, with their goals."""
    with tempfile.TemporaryDirectory(prefix="rxtract-bench-models-") as folder:
        say("training both models on the same synthetic notes")
        _train_into(Path(folder))
        os.environ["RXTRACT_BENCH_MODELS"] = folder
        try:
            return _measure(addresses, rounds, scale, say)
        finally:
            del os.environ["RXTRACT_BENCH_MODELS"]


def _measure(addresses: Addresses, rounds: int, scale: float, say: Callable[[str], None]) -> dict[str, Any]:
    words = " ".join(note.text for note in corpus_notes(SEED + 1, TEXTS)).split()
    bench = Bench(addresses, say)
    bench.fill(int(max(way.notes for way in WAYS) * scale), cut_texts(words, TOKENS, 0.0, 0))
    rates: dict[str, list[float]] = {way.name: [] for way in WAYS}
    costs: dict[str, list[float]] = {way.name: [] for way in WAYS}
    for number in range(rounds):
        for way in WAYS:
            rate, cpu_us = bench.measure(way, int(way.notes * scale))
            rates[way.name].append(rate)
            costs[way.name].append(cpu_us)
            say(f"round {number + 1}: real model, {way.name}: {rate:,.0f} notes/s, {cpu_us:.1f} us of CPU a note")
    medians = {name: statistics.median(measured) for name, measured in rates.items()}
    spent = {name: statistics.median(measured) for name, measured in costs.items()}
    return {
        "real_model_notes_per_s": {name: round(rate) for name, rate in medians.items()},
        "real_model_cpu_us_per_note": {name: round(cpu_us, 1) for name, cpu_us in spent.items()},
        "ratio_to_usual_way": round(medians["ours"] / medians["usual_way"], 2),
        "cpu_ratio_to_usual_way": round(spent["usual_way"] / spent["ours"], 2),
        "usual_way_goals": GOALS,
    }


def _train_into(folder: Path) -> None:
    notes = training_notes()
    train(notes, TrainingConfig(calibration_folds=0, averaged_fits=1), seed=SEED).save(folder)
    notebook = NotebookWay(notes)
    shutil.copyfile(notebook.crf.modelfile.name, folder / "notebook.crfsuite")
