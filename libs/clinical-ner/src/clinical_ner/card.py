"""The model card: what a model was trained on, how well it does, what it is for and what not; plain Markdown."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from clinical_ner.sklearn_crfsuite_check import SecondOpinion

LICENCE = (
    "Apache-2.0 (code). The model holds words of its training data, of validated notes those alone that 5 patients and 3 doctors "
    "used: it may go only where such words may go."
)
INTENDED = """\
Marks mentions of diseases and treatments in English clinical notes, so that a validation team reviews structured
entities instead of typing them. Entities carry a calibrated confidence; notes of low confidence belong before a person."""
LIMITS = """\
- It marks mentions. It does not say whether a disease is negated, suspected, of a relative or of the past.
- Text unlike its training data (other language, specialty, abbreviations) is read worse: see the unseen names above.
- A treatment pair is a rule over sentence and distance, not a statement of cause.
- No decision about a patient may rest on it without a person who has read the note."""
_SPAN_ROWS = (("all", "micro"), ("DISEASE", "DISEASE"), ("TREATMENT", "TREATMENT"))


@dataclass(frozen=True, slots=True)
class CardFacts:
    """What goes into a card. Scores are as `evaluate.score` returns them; `scored_on` says on which notes, in words."""

    name: str
    artifact_sha256: str
    metadata: Mapping[str, Any]
    training: Mapping[str, Any]
    scores: Mapping[str, Any] | None = None
    scored_on: str = ""
    intervals: Mapping[str, Any] = field(default_factory=dict)
    git_revision: str = ""
    trigger: str = "manual"
    remarks: Sequence[str] = ()
    plots: Sequence[str] = ()
    second: SecondOpinion | None = None


def model_card(facts: CardFacts) -> str:
    """Return the card as Markdown."""
    parts = [
        f"# Model card: {facts.name}",
        "## Intended use",
        INTENDED,
        "## Training data",
        _training(facts),
        "## Scores",
        _scores(facts),
        "## Limits",
        LIMITS,
        *(["## To know before use", _bullets(facts.remarks)] if facts.remarks else []),
        "## Configuration",
        _configuration(facts),
        "## Licence",
        LICENCE,
    ]
    return "\n\n".join(parts) + "\n"


def _training(facts: CardFacts) -> str:
    rows = [("data digest", f"`{facts.training.get('digest', 'unknown')}`")]
    rows += [(name, facts.training[name]) for name in ("source", "notes", "tokens") if name in facts.training]
    if versions := facts.training.get("guidelines"):
        rows.append(("annotation guideline", ", ".join(f"{one} ({count:,} notes)" for one, count in versions.items())))
    for label, found in facts.training.get("labels", {}).items():
        rows.append((f"{label} mentions", f"{found['mentions']:,} ({found['distinct']:,} different)"))
    return _table(("", ""), ((name, _number(value)) for name, value in rows))


def _scores(facts: CardFacts) -> str:
    if facts.scores is None:
        return "Not scored on held-out notes."
    scores = facts.scores
    parts = [
        f"On {facts.scored_on or 'held-out notes'} ({scores['notes']:,} notes). An entity counts when label, start and end are right."
    ]
    parts.append(_span_table(facts))
    parts.append(_other_table(scores))
    if facts.second is not None:
        parts.append(_second_opinion(facts.second))
    if scores.get("pairs"):
        pairs = scores["pairs"]
        parts.append(
            f"Treatment pairs: precision {pairs['precision']:.3f}, recall {pairs['recall']:.3f} "
            f"on {pairs['support']:,} annotated pairs."
        )
    if scores.get("calibration"):
        parts.append(_calibration(scores["calibration"]))
    if facts.plots:
        parts.append("\n".join(f"![{plot}]({plot})" for plot in facts.plots))
    return "\n\n".join(parts)


def _span_table(facts: CardFacts) -> str:
    rows = []
    for shown, name in _SPAN_ROWS:
        found = (facts.scores or {})["exact_span"][name]
        interval = facts.intervals.get(name)
        between = f"{interval['low']:.3f} to {interval['high']:.3f}" if interval else "-"
        rows.append((shown, *_figures(found), between, _number(found["support"])))
    return _table(("exact spans", "precision", "recall", "F1", "95 % of F1", "mentions"), rows)


def _second_opinion(second: SecondOpinion) -> str:
    labels = second.labels
    found = f"sklearn-crfsuite's own tagger, from the registered `model.crfsuite`, gives another label on {labels.different:,} of {labels.tokens:,} tokens."
    if second.peer is None:
        return found
    rows = [(shown, *_figures(second.peer["exact_span"][name])) for shown, name in _SPAN_ROWS]
    table = _table(("exact spans of a model that sklearn-crfsuite trained", "precision", "recall", "F1"), rows)
    return f"{found} For comparison, its tutorial's features, trained by it on the same notes:\n\n{table}"


def _other_table(scores: Mapping[str, Any]) -> str:
    rows = []
    for name, shown in (("seen", "names annotated in training"), ("unseen", "names never annotated in training")):
        if scores.get(name) is not None:
            rows.append((shown, *_figures(scores[name]), _number(scores[name]["support"])))
    for label in ("DISEASE", "TREATMENT"):
        found = scores["token"][label]
        rows.append((f"tokens, {label}", *_figures(found), _number(found["support"])))
    return _table(("", "precision", "recall", "F1", "support"), rows)


def _calibration(calibration: Mapping[str, Any]) -> str:
    rows = [
        (
            f"{row['low']:.1f} to {row['high']:.1f}",
            f"{row['confidence']:.3f}",
            f"{row['accuracy']:.3f}",
            row["entities"],
        )
        for row in calibration["bins"]
        if row["entities"]
    ]
    table = _table(("confidence", "mean", "exactly right", "entities"), rows)
    return f"Expected calibration error {calibration['ece']:.3f} over {calibration['entities']:,} entities.\n\n{table}"


def _configuration(facts: CardFacts) -> str:
    rows = [
        ("artifact sha256", f"`{facts.artifact_sha256}`"),
        ("git revision", f"`{facts.git_revision}`" if facts.git_revision else "unknown"),
        ("features version", facts.metadata.get("features_version", "unknown")),
        ("seed", facts.metadata.get("seed", "unknown")),
        ("trained because", facts.trigger),
    ]
    return f"{_table(('', ''), rows)}\n\n```json\n{_lines(facts.metadata.get('config') or {})}\n```"


def _lines(config: Mapping[str, Any], indent: str = "") -> str:
    """Return JSON with one line a field, and one a field of an object within."""
    inner = f"{indent} "
    fields = [
        f"{inner}{json.dumps(key)}: " + (_lines(value, inner) if isinstance(value, dict) else json.dumps(value))
        for key, value in sorted(config.items())
    ]
    return "{\n" + ",\n".join(fields) + f"\n{indent}}}" if fields else "{}"


def _figures(found: Mapping[str, Any]) -> tuple[str, str, str]:
    if not found["support"]:
        return ("-", "-", "-")
    return (f"{found['precision']:.3f}", f"{found['recall']:.3f}", f"{found['f1']:.3f}")


def _table(head: Sequence[str], rows: Any) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)


def _bullets(lines: Sequence[str]) -> str:
    return "\n".join(_bullet(lines))


def _bullet(lines: Sequence[str]) -> Iterator[str]:
    for line in lines:
        yield f"- {line}"


def _number(value: Any) -> str:
    return f"{value:,}" if isinstance(value, int) else str(value)
