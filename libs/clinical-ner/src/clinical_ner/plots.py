"""The plots of reports and model cards, written as PNG files; no global state of matplotlib is used."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from matplotlib.axes import Axes

_DPI = 130
_COLOURS = {"micro": "#333333", "DISEASE": "#b5403a", "TREATMENT": "#2f6f9f"}
_SHOWN = {"micro": "all labels", "DISEASE": "DISEASE", "TREATMENT": "TREATMENT"}


def reliability_plot(calibration: Mapping[str, Any], path: Path, title: str = "Entity confidence") -> None:
    """Draw accuracy against confidence per bin, and below how many entities each bin holds."""
    rows = [row for row in calibration["bins"] if row["entities"]]
    figure = Figure(figsize=(5, 5.4), dpi=_DPI, layout="constrained")
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=[3, 1])
    upper.plot([0, 1], [0, 1], linestyle="--", color="#999999", label="perfectly calibrated")
    upper.plot(
        [row["confidence"] for row in rows],
        [row["accuracy"] for row in rows],
        marker="o",
        color=_COLOURS["TREATMENT"],
        label=f"model, ECE {calibration['ece']:.3f}",
    )
    upper.set(xlim=(0, 1), ylim=(0, 1), ylabel="share exactly right", title=title)
    upper.legend(loc="upper left", frameon=False)
    centres = [(row["low"] + row["high"]) / 2 for row in calibration["bins"]]
    width = 0.9 / max(len(centres), 1)
    lower.bar(centres, [row["entities"] for row in calibration["bins"]], width=width, color="#bbbbbb")
    lower.set(xlabel="confidence", ylabel="entities")
    _save(figure, [upper, lower], path)


def learning_curve_plot(points: Sequence[Mapping[str, Any]], path: Path) -> None:
    """Draw exact-span F1 against the number of training notes; points hold `notes` and name -> {mean, sd}."""
    figure = Figure(figsize=(6.2, 4.2), dpi=_DPI, layout="constrained")
    axes = figure.subplots()
    sizes = [point["notes"] for point in points]
    for name, colour in _COLOURS.items():
        means = [point["exact_span_f1"][name]["mean"] for point in points]
        spread = [point["exact_span_f1"][name]["sd"] for point in points]
        axes.errorbar(sizes, means, yerr=spread, marker="o", capsize=3, color=colour, label=_SHOWN[name])
    axes.set(xlabel="training notes", ylabel="exact-span F1 (mean ± sd of folds)", title="Learning curve")
    axes.set_xlim(left=0)
    axes.set_ylim(bottom=0)
    axes.legend(frameon=False)
    _save(figure, [axes], path)


def ablation_plot(rows: Sequence[Mapping[str, Any]], path: Path) -> None:
    """Draw what each part is worth: the loss in points of exact-span F1 when it is left out, with its spread."""
    ordered = sorted(rows, key=lambda row: row["loss"]["micro"]["mean"])
    figure = Figure(figsize=(7, 0.55 * len(ordered) + 1.4), dpi=_DPI, layout="constrained")
    axes = figure.subplots()
    height = 0.8 / len(_COLOURS)
    for place, (name, colour) in enumerate(_COLOURS.items()):
        axes.barh(
            [index + (1 - place) * height for index in range(len(ordered))],
            [100 * row["loss"][name]["mean"] for row in ordered],
            xerr=[100 * row["loss"][name]["sd"] for row in ordered],
            height=height,
            color=colour,
            error_kw={"elinewidth": 0.8, "ecolor": "#777777"},
            label=_SHOWN[name],
        )
    axes.margins(y=0.02)
    axes.axvline(0, color="#777777", linewidth=0.8)
    axes.set_yticks(range(len(ordered)), [row["without"] for row in ordered])
    axes.set(xlabel="points of exact-span F1 lost without it (mean ± sd of folds)", title="Ablation")
    axes.legend(frameon=False, loc="lower right")
    _save(figure, [axes], path)


def search_plot(values: Sequence[float], path: Path) -> None:
    """Draw the value of every finished trial and the best so far."""
    figure = Figure(figsize=(6.2, 3.8), dpi=_DPI, layout="constrained")
    axes = figure.subplots()
    best = [max(values[: index + 1]) for index in range(len(values))]
    trials = range(1, len(values) + 1)
    axes.plot(trials, values, "o", color="#999999", label="trial")
    axes.step(trials, best, where="post", color=_COLOURS["DISEASE"], label="best so far")
    axes.set(xlabel="finished trial", ylabel="exact-span F1 (cross-validated)", title="Search")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.legend(frameon=False)
    _save(figure, [axes], path)


def _save(figure: Figure, axes: Sequence[Axes], path: Path) -> None:
    for one in axes:
        one.spines[["top", "right"]].set_visible(False)
        one.grid(visible=True, alpha=0.25)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path)
