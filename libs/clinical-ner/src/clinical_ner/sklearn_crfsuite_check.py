"""What sklearn-crfsuite itself says: its tagger on a registered file, and a model that it trains on the same notes.

Services serve our own decoder, and training runs on our own optimiser (docs/decisions/decoder.md). So before a version is
registered, the library that both stand for tags the gold notes from the file that is registered, and trains the model of its own
tutorial on the same notes, which stands in the card for comparison.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from clinical_ner.artifact import CRFSUITE_FILE, load
from clinical_ner.crf import BAG_MARK
from clinical_ner.evaluate import score
from clinical_ner.features import FeatureExtractor
from clinical_ner.notes import Label, Span
from clinical_ner.predictions import Prediction
from clinical_ner.sequences import all_sequences
from clinical_ner.tagger import TABLES_FILE, Tagger
from clinical_ner.tokens import token_arrays

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from clinical_ner.notes import AnnotatedNote
    from clinical_ner.sequences import TokenSequence

SCHEME = "bio"
ITERATIONS = 50


@dataclass(frozen=True, slots=True)
class LabelComparison:
    """Labels of two taggers on the same tokens.

    Attributes:
        tokens: Compared.
        different: Of them, those with two different labels.
    """

    tokens: int
    different: int


@dataclass(frozen=True, slots=True)
class SecondOpinion:
    """What sklearn-crfsuite says beside a model, for its card.

    Attributes:
        labels: Its own tagger's labels from the model's file, compared with ours.
        peer: Scores of `PeerModel` on the notes that judge, as `evaluate.score` returns them; None where none was trained.
    """

    labels: LabelComparison
    peer: Mapping[str, Any] | None = None


def second_opinion(
    folder: Path, notes: Sequence[AnnotatedNote], training: Sequence[AnnotatedNote] = ()
) -> SecondOpinion:
    """Ask sklearn-crfsuite on the notes that judge a model.

    Args:
        folder: Of the saved model.
        notes: That judge.
        training: That the model was trained on; without any no peer is trained.

    Raises:
        ArtifactRefused: The tables are damaged.
    """
    labels = compare_labels(folder, notes)
    return SecondOpinion(labels, score(notes, PeerModel(training).predict(notes)) if training else None)


def compare_labels(folder: Path, notes: Sequence[AnnotatedNote]) -> LabelComparison:
    """Tag notes by sklearn-crfsuite's own tagger and by our decoder, each from its file in `folder`, and compare every label.

    Compared are the CRF's best labels, before a rescorer or calibration. Sentences are those that training cuts.

    Args:
        folder: With `model.crfsuite` and `tables.npz`, as `TrainedModel.save` writes them.
        notes: Whose texts are tagged.

    Raises:
        ArtifactRefused: The tables are damaged.
    """
    import sklearn_crfsuite

    tables = load((folder / TABLES_FILE).read_bytes())
    extractor, bag_value = FeatureExtractor(tables.extractor), float(tables.metadata["config"]["bag_value"])
    decoder = Tagger(tables).decoder
    estimator = sklearn_crfsuite.CRF(model_filename=str(folder / CRFSUITE_FILE))
    tokens = different = 0
    for sentence in all_sequences(notes, tables.metadata["scheme"]):
        given = (sentence.points, sentence.starts, sentence.ends)
        theirs = estimator.predict_single(_items(extractor.attributes(*given), bag_value))
        ours, _ = decoder.marginals(*given)
        tokens += len(ours)
        different += sum(one != other for one, other in zip(ours, theirs, strict=True))
    return LabelComparison(tokens, different)


def _items(attributes: Sequence[Sequence[str]], bag_value: float) -> list[dict[str, float]]:
    """CRFsuite's items. Attributes that the model's file does not know count for nothing there."""
    return [{name: bag_value if name[0] == BAG_MARK else 1.0 for name in token} for token in attributes]


class LabelsDiffer(ValueError):
    """A model that must not be registered; the message is one line."""


def need_same_labels(folder: Path, notes: Sequence[AnnotatedNote]) -> None:
    """Compare labels before a model is registered (`compare_labels`).

    Raises:
        LabelsDiffer: Another label on some token.
        ArtifactRefused: The tables are damaged.
    """
    found = compare_labels(folder, notes)
    if found.different:
        raise LabelsDiffer(
            f"sklearn-crfsuite's own tagger gives another label on {found.different:,} of {found.tokens:,} tokens: not registered"
        )


class PeerModel:
    """A CRF that sklearn-crfsuite trained on the features of its own tutorial: words, their ends and shapes, and both neighbours.

    Args:
        notes: To train on.
        iterations: Of L-BFGS at most.
    """

    def __init__(self, notes: Sequence[AnnotatedNote], iterations: int = ITERATIONS) -> None:
        import sklearn_crfsuite

        sentences = all_sequences(notes, SCHEME)
        self._crf = sklearn_crfsuite.CRF(algorithm="lbfgs", c1=0.1, c2=0.1, max_iterations=iterations)
        self._crf.fit([list(_features(_words(each))) for each in sentences], [each.labels for each in sentences])

    def predict(self, notes: Sequence[AnnotatedNote]) -> list[Prediction]:
        """The entities of notes, without confidences."""
        return [Prediction(tuple(self._spans(note.text))) for note in notes]

    def _spans(self, text: str) -> Iterator[Span]:
        arrays = token_arrays(text)
        starts, ends = arrays.starts.tolist(), arrays.ends.tolist()
        words = [text[start:end] for start, end in zip(starts, ends, strict=True)]
        labels = self._crf.predict_single(list(_features(words))) if words else []
        yield from _spans_of(labels, starts, ends)


def _words(sentence: TokenSequence) -> list[str]:
    bounds = zip(sentence.starts.tolist(), sentence.ends.tolist(), strict=True)
    return ["".join(map(chr, sentence.points[start:end])) for start, end in bounds]


def _features(words: Sequence[str]) -> Iterator[dict[str, Any]]:
    for place, word in enumerate(words):
        features: dict[str, Any] = {"bias": 1.0, "word[-3:]": word[-3:], "word[-2:]": word[-2:], **_shape("", word)}
        features["word.isdigit()"] = word.isdigit()
        for offset, edge in ((-1, "BOS"), (1, "EOS")):
            if 0 <= place + offset < len(words):
                features |= _shape(f"{offset:+d}:", words[place + offset])
            else:
                features[edge] = True
        yield features


def _shape(prefix: str, word: str) -> dict[str, Any]:
    return {
        f"{prefix}word.lower()": word.lower(),
        f"{prefix}word.istitle()": word.istitle(),
        f"{prefix}word.isupper()": word.isupper(),
    }


def _spans_of(labels: Sequence[str], starts: Sequence[int], ends: Sequence[int]) -> Iterator[Span]:
    """Spans of labels such as DISEASE.begin, DISEASE.in; one that begins with "in" begins all the same."""
    open_at, open_label = -1, ""
    for place, label in enumerate([*labels, ""]):
        name, _, part = label.partition(".")
        if open_label and (part != "in" or name != open_label):
            yield Span(starts[open_at], ends[place - 1], Label(open_label))
            open_label = ""
        if part and not open_label:
            open_at, open_label = place, name
