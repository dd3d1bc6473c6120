"""Scores as tables for people."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.table import Table

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rich.console import Console

LABELS = ("DISEASE", "TREATMENT")


def print_scores(console: Console, scores: Mapping[str, Any]) -> None:
    """Print what `evaluate.score` returned."""
    table = Table(title=f"Scores on {scores['notes']:,} notes", title_justify="left")
    table.add_column("")
    for name in ("precision", "recall", "F1", "support"):
        table.add_column(name, justify="right")
    spans = scores["exact_span"]
    table.add_row("exact spans, all", *_cells(spans["micro"]), style="bold")
    for label in LABELS:
        table.add_row(f"exact spans, {label}", *_cells(spans[label]))
    for name, shown in (("seen", "names seen in training"), ("unseen", "names not seen in training")):
        if scores.get(name) is not None:
            table.add_row(shown, *_cells(scores[name]))
    for label in LABELS:
        table.add_row(f"tokens, {label}", *_cells(scores["token"][label]), style="dim")
    if scores.get("pairs"):
        table.add_row("treatment pairs", *_cells(scores["pairs"]))
    console.print(table)
    weighted = scores["token"]["weighted_f1_with_o"]
    console.print(f"token F1 weighted with O {weighted:.3f} (predicting nothing scores high on this one)", style="dim")
    if scores.get("calibration"):
        console.print(f"expected calibration error of entity confidence {scores['calibration']['ece']:.3f}")


_SHARES = {
    "status": "statuses right",
    "time": "times right",
    "experiencer": "experiencers right",
    "assertion": "entities with all three right",
    "relations": "notes with all relations right",
    "attributes": "prescription attributes right",
    "prescription_lines": "notes with all attributes right",
    "daily_units": "directions with the right units a day",
}


def print_meaning(console: Console, scores: Mapping[str, Any]) -> None:
    """Print what `meaning_evaluation.score_meaning` and `score_own_entities` returned."""
    meaning = scores["meaning"]
    title = f"What {scores['notes']:,} notes say, annotated entities given (rules {scores['rules_version']})"
    table = Table(title=title, title_justify="left")
    table.add_column("")
    for name in ("precision", "recall", "F1", "support"):
        table.add_column(name, justify="right")
    for group, classes in meaning["classes"].items():
        for name, found in classes.items():
            table.add_row(f"{group} {name}", *_cells(found))
    if meaning["classes"]:
        console.print(table)
    for name, words in _SHARES.items():
        if name in meaning["shares"]:
            one = meaning["shares"][name]
            console.print(f"{words} {one['share']:.3f} of {one['of']:,}")
    if "treats_wrong" in meaning:
        console.print(f"wrong relations of type TREATS: {meaning['treats_wrong']:,}")
    for name, one in scores.get("own_entities", {}).items():
        figure = f"{one['count']:,}" if "count" in one else f"{one['share']:.3f}"
        console.print(f"with the model's own entities, {name.replace('_', ' ')}: {figure} of {one['of']:,}")


def print_cross_validation(console: Console, report: Mapping[str, Any]) -> None:
    """Print what `experiment.report` returned: means with their spread over folds."""
    title = f"{report['folds']}-fold cross-validation on {report['notes']:,} notes, mean ± sd over folds"
    table = Table(title=title, title_justify="left")
    table.add_column("")
    for name in ("precision", "recall", "F1", "F1 range", "support"):
        table.add_column(name, justify="right", no_wrap=True)
    spans, tokens = report["exact_span"], report["token"]
    rows = [("spans, all", spans["micro"]), *((f"spans, {label}", spans[label]) for label in LABELS)]
    rows += [("names seen", report["seen"]), ("names not seen", report["unseen"])]
    rows += [(f"tokens, {label}", tokens[label]) for label in LABELS]
    for name, found in rows:
        if found["support"]:
            figures = [f"{found[key]['mean']:.3f} ±{found[key]['sd']:.3f}" for key in ("precision", "recall", "f1")]
            reach = f"{found['f1']['min']:.2f}-{found['f1']['max']:.2f}"
            table.add_row(name, *figures, reach, f"{found['support']:,}")
        else:
            table.add_row(name, "-", "-", "-", "-", "0")
    console.print(table)
    calibration, seconds = report["calibration"], report["train_seconds"]
    console.print(
        f"expected calibration error {calibration['ece']:.3f} over {calibration['entities']:,} out-of-fold entities; "
        f"training {seconds['mean']:.1f} s a fold"
    )


def _cells(found: Mapping[str, Any]) -> tuple[str, str, str, str]:
    if not found["support"]:
        return ("-", "-", "-", "0")
    return (f"{found['precision']:.3f}", f"{found['recall']:.3f}", f"{found['f1']:.3f}", f"{found['support']:,}")
