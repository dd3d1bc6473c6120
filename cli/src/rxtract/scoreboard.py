"""Scores as tables for people."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from rich.markup import escape
from rich.table import Table

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

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
    _overlap_rows(table, scores)
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
    if scores.get("calibration", {}).get("entities"):
        console.print(
            f"expected calibration error of entity confidence {scores['calibration']['ece']:.3f} (on these notes; on texts of another kind it is another)"
        )
    _print_unjudged(console, scores)
    for name, rows in scores.get("by", {}).items():
        _print_by(console, name, rows)


def _overlap_rows(table: Table, scores: Mapping[str, Any]) -> None:
    found = scores.get("overlap", {})
    for name, words in (("micro", "all"), *((label, label) for label in LABELS)):
        if name in found:
            table.add_row(f"overlapping spans, {words}", *_cells(found[name]))


def _print_unjudged(console: Console, scores: Mapping[str, Any]) -> None:
    """Say what was predicted where nothing is annotated."""
    for label in LABELS:
        if label not in scores.get("annotated", LABELS):
            console.print(
                f"{label}: -, not annotated in these notes; {scores['predicted'][label]:,} predicted, judged by nothing"
            )
    bare = scores.get("without_gold", {"notes": 0})
    if bare["notes"]:
        counts = ", ".join(f"{count:,} {label}" for label, count in bare["predicted"].items())
        console.print(
            f"{bare['notes']:,} notes have no annotated entity; in {bare['notes_with_predictions']:,} of them something was predicted ({counts})"
        )


def _print_by(console: Console, name: str, rows: Mapping[str, Any]) -> None:
    table = Table(title=f"F1 by {name}", title_justify="left")
    for column in (name, "notes", "exact", *(f"exact {label}" for label in LABELS), "overlapping"):
        table.add_column(column, justify="left" if column == name else "right")
    for value, found in rows.items():
        exact = [_f1(found["exact_span"][part]) for part in ("micro", *LABELS)]
        table.add_row(escape(value), f"{found['notes']:,}", *exact, _f1(found["overlap"]["micro"]))
    console.print(table)


def _f1(found: Mapping[str, Any]) -> str:
    return f"{found['f1']:.3f}" if found["support"] else "-"


def print_errors(console: Console, found: Sequence[Any], show: int) -> None:
    """Print the errors that come most often, with one place of each."""
    counts = Counter((error.kind, error.label, error.text.casefold()) for error in found)
    table = Table(
        title=f"The {min(show, len(counts))} most frequent of {len(found):,} errors",
        title_justify="left",
        show_edge=False,
    )
    for name in ("times", "kind", "label", "in its place", "where"):
        table.add_column(name, justify="right" if name == "times" else "left", overflow="fold")
    first = {(error.kind, error.label, error.text.casefold()): error for error in reversed(found)}
    for key, count in counts.most_common(show):
        error = first[key]
        table.add_row(f"{count:,}", str(error.kind), error.label, escape(error.found), escape(error.context))
    console.print(table)


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
