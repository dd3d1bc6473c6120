"""The usual way of NER on a stream: stock Faust, one event at a time, sklearn_crfsuite predict and predict_marginals on dict features.

The CRF is a notebook's, trained by `stream_model.py` on the notes that ours is trained on, and lies in the folder that RXTRACT_BENCH_MODELS names.
"""

import asyncio
import logging
import os
import re
from collections.abc import Sequence
from pathlib import Path

import sklearn_crfsuite
from decode import NotebookWay, spans_of
from stream_peer_faust import run
from stream_trivial import TrivialEntity, TrivialNote, TrivialNumbers, TrivialTagger
from stream_work import Task, Work


class NotebookTagger:
    """A notebook's CRF in the shape that the shared work asks for. It knows no rules."""

    rules_version = TrivialTagger.rules_version

    def __init__(self, path: Path) -> None:
        self._crf = sklearn_crfsuite.CRF(model_filename=str(path))

    def tag(self, texts: Sequence[str]) -> list[TrivialNote]:
        """Tag texts, one after the other."""
        return [self._tag(text) for text in texts]

    def _tag(self, text: str) -> TrivialNote:
        places = [match.span() for match in re.finditer(r"\S+", text)]
        words = [text[start:end] for start, end in places]
        features = [NotebookWay.word_features(words, at) for at in range(len(words))]
        [labels], [marginals] = self._crf.predict([features]), self._crf.predict_marginals([features])
        found = spans_of(labels, [row[label] for row, label in zip(marginals, labels, strict=True)])
        entities = tuple(
            TrivialEntity(label.partition(".")[0], places[first][0], places[last - 1][1], confidence)
            for label, first, last, confidence in found
        )
        numbers = TrivialNumbers(len(words), 0, len(text), 0, 0, 0, 0, 0, 0, 0, 0.9)
        return TrivialNote(entities, (), 0.9, numbers)


if __name__ == "__main__":
    logging.basicConfig(level=logging.WARNING)
    given = Task.from_arguments()
    tagger = NotebookTagger(Path(os.environ["RXTRACT_BENCH_MODELS"]) / "notebook.crfsuite")
    asyncio.run(run(given, Work(given, tagger)))
