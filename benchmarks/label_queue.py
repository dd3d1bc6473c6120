"""Whether labels that the review desk's queue chooses are worth twice as many drawn at random: `python benchmarks/label_queue.py DATA`.

DATA is a folder with `train_sent` and `train_label`, one token a line and a blank line between sentences. Each draw keeps one third of
the sentences, as they lie, for judging and labels from the others. The model that serves is trained on the shipped corpus alone; the
queue orders the pool by what that model expects each sentence to teach, for a token of reading (`clinical_ner.gain`), and the first
sentences of it are labelled, in as many rounds as are given, with a training between two. Random labels come from the same pool. All are
trained as the trainer does below 500 labels: the shipped corpus, and every label three times. Exact-span micro F1.
"""

from __future__ import annotations

import argparse
import json
import random
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from clinical_ner.notes import AnnotatedNote
    from clinical_ner.tagger import Tagger

CHOSEN, RANDOM = 200, 400
WEIGHT = 3
DRAWS = 3


@dataclass(frozen=True, slots=True)
class Setting:
    """How it is measured."""

    rounds: int
    corpus_notes: int
    folds: int
    passes: int
    swap_copies: int


def fitted(corpus: Sequence[AnnotatedNote], labels: Sequence[AnnotatedNote], setting: Setting) -> Tagger:
    """A model of the shipped corpus and labels."""
    from clinical_ner.config import TrainingConfig
    from clinical_ner.train import train

    chosen = {"calibration_folds": setting.folds, "passes": setting.passes, "swap_copies": setting.swap_copies}
    config = TrainingConfig.from_dict({**TrainingConfig().to_dict(), **chosen})
    return train([*corpus, *(note for note in labels for _ in range(WEIGHT))], config).tagger()


def f1_of(tagger: Tagger, notes: Sequence[AnnotatedNote]) -> float:
    """Exact-span micro F1."""
    from clinical_ner.evaluate import score

    return float(score(notes, tagger.tag([note.text for note in notes]))["exact_span"]["micro"]["f1"])


def chosen(
    corpus: Sequence[AnnotatedNote], pool: Sequence[AnnotatedNote], first: Tagger, setting: Setting
) -> list[AnnotatedNote]:
    """The sentences that the queue gives out first."""
    labels: list[AnnotatedNote] = []
    left, tagger = list(pool), first
    for number in range(setting.rounds):
        if number:
            tagger = fitted(corpus, labels, setting)
        gains = [gain or 0.0 for gain in tagger.expected_gains([note.text for note in left])]
        order = sorted(range(len(left)), key=lambda place: (-gains[place], place))
        taken = set(order[: CHOSEN // setting.rounds])
        labels += [left[place] for place in sorted(taken)]
        left = [note for place, note in enumerate(left) if place not in taken]
    return labels


def run(data: Path, setting: Setting) -> dict[str, Any]:
    """Measure; prints a row as soon as it is known."""
    from corpus.generator import generate
    from corpus.loaders import load_pairs

    notes = load_pairs(data / "train_sent", data / "train_label")
    corpus = list(generate(20, setting.corpus_notes))
    first = fitted(corpus, (), setting)
    rows = []
    for draw in range(DRAWS):
        low, high = len(notes) * draw // DRAWS, len(notes) * (draw + 1) // DRAWS
        held, pool = notes[low:high], [*notes[:low], *notes[high:]]
        by_queue = chosen(corpus, pool, first, setting)
        at_random = random.Random(draw).sample(pool, RANDOM)
        row = {
            "draw": draw,
            "first": f1_of(first, held),
            f"queue_{CHOSEN}": f1_of(fitted(corpus, by_queue, setting), held),
            f"random_{RANDOM}": f1_of(fitted(corpus, at_random, setting), held),
            "tokens_queue": sum(len(note.text.split()) for note in by_queue),
            "tokens_random": sum(len(note.text.split()) for note in at_random),
        }
        rows.append(row)
        print(json.dumps(row), flush=True)
    means = {name: sum(float(row[name]) for row in rows) / len(rows) for name in rows[0] if name != "draw"}
    ratio = sum(float(row[f"queue_{CHOSEN}"]) / float(row[f"random_{RANDOM}"]) for row in rows) / len(rows)
    return {"sentences": len(notes), "mean": means, "paired_ratio": ratio, "rounds": setting.rounds}


def main() -> None:
    """From the command line."""
    parser = argparse.ArgumentParser(description=str(__doc__).split("\n", 1)[0])
    parser.add_argument("data", type=Path, help="folder with train_sent and train_label")
    parser.add_argument("--rounds", type=int, default=1, help="trainings between the labels, the first model included")
    parser.add_argument("--corpus-notes", type=int, default=600, help="notes of the shipped corpus")
    parser.add_argument("--folds", type=int, default=2, help="folds of calibration")
    parser.add_argument("--passes", type=int, default=12, help="passes of the descent (24 in production)")
    parser.add_argument("--swap-copies", type=int, default=0, help="swapped copies of a sentence (2 in production)")
    given = parser.parse_args()
    setting = Setting(given.rounds, given.corpus_notes, given.folds, given.passes, given.swap_copies)
    print(json.dumps(run(given.data, setting)), flush=True)


if __name__ == "__main__":
    main()
