"""The report that goes with a trained model: card, scores and plots in one folder, the same for CLI, trainer and demo."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from clinical_ner.bootstrap import f1_intervals
from clinical_ner.card import CardFacts, model_card
from clinical_ner.dataset_description import describe
from clinical_ner.evaluate import score
from clinical_ner.plots import reliability_plot
from clinical_ner.tagger import Tagger

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from clinical_ner.notes import AnnotatedNote
    from clinical_ner.predictions import Prediction
    from clinical_ner.sklearn_crfsuite_check import SecondOpinion

CARD = "model_card.md"
RELIABILITY = "reliability.png"
SCORES = "scores.json"


@dataclass(frozen=True, slots=True)
class Judgement:
    """How a model (or its like) did on notes that it had not seen; `scored_on` says which, in words."""

    scores: Mapping[str, Any]
    intervals: Mapping[str, Any] = field(default_factory=dict)
    scored_on: str = ""


def judge(
    notes: Sequence[AnnotatedNote],
    predicted: Sequence[Prediction],
    training_mentions: Iterable[int] | NDArray[np.uint64] | None,
    scored_on: str,
) -> Judgement:
    """Score predictions, with 95 % intervals of the exact-span F1."""
    intervals = {name: asdict(interval) for name, interval in f1_intervals(notes, predicted).items()}
    return Judgement(score(notes, predicted, training_mentions), intervals, scored_on)


def write_report(
    folder: Path,
    *,
    name: str,
    model: Path,
    sha256: str,
    training: Sequence[AnnotatedNote],
    source: str = "",
    judgement: Judgement | None = None,
    git_revision: str = "",
    trigger: str = "manual",
    second: SecondOpinion | None = None,
) -> str:
    """Write card, scores and plots of the model saved in `model` into `folder`; return the card (Markdown).

    Raises:
        ArtifactRefused: The saved model does not have the digest `sha256`, or is damaged.
    """
    folder.mkdir(parents=True, exist_ok=True)
    plots = []
    if judgement is not None:
        text = json.dumps({**judgement.scores, "intervals": judgement.intervals}, indent=1) + "\n"
        (folder / SCORES).write_text(text, encoding="utf-8")
        calibration = judgement.scores.get("calibration")
        if calibration and calibration["entities"]:
            reliability_plot(calibration, folder / RELIABILITY)
            plots.append(RELIABILITY)
    described = describe(training)
    card = model_card(
        CardFacts(
            name=name,
            artifact_sha256=sha256,
            metadata=Tagger.open(model / "tables.npz", sha256=sha256).metadata,
            training={**described, "source": source} if source else described,
            scores=judgement.scores if judgement else None,
            scored_on=judgement.scored_on if judgement else "",
            intervals=judgement.intervals if judgement else {},
            git_revision=git_revision,
            trigger=trigger,
            remarks=described["remarks"],
            plots=plots,
            second=second,
        )
    )
    (folder / CARD).write_text(card, encoding="utf-8")
    return card
