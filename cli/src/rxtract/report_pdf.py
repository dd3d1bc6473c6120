"""The week as one or more A4 pages: a table of every KPI with its days drawn beside it. Fonts are embedded."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    from matplotlib.axes import Axes
    from matplotlib.backends.backend_pdf import PdfPages

A4_INCHES = (8.27, 11.69)
ROWS_A_PAGE = 12
_INK, _SOFT, _GOOD, _BAD, _BAR = "#16212b", "#52606d", "#166534", "#991b1b", "#3d9188"
_SCALES = {"share": (100.0, " %"), "rupees": (1.0, " INR")}
_COLUMN_LETTERS = 74


def write_pdf(out: Path, found: dict[str, Any]) -> None:
    """Write the answer of `/api/kpis`.

    Raises:
        OSError: The file cannot be written.
    """
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib.backends.backend_pdf import PdfPages

    kpis = list(found["kpis"].values())
    parts = [kpis[at : at + ROWS_A_PAGE] for at in range(0, len(kpis), ROWS_A_PAGE)]
    window = found["window"]
    title = f"Rxtract, {window['first_day']} to {window['last_day']}"
    with mpl.rc_context({"pdf.fonttype": 42, "font.family": "DejaVu Sans"}), PdfPages(out) as pages:
        pages.infodict()["Title"] = title
        for number, part in enumerate(parts, start=1):
            _page(pages, part, title, f"page {number} of {len(parts)} · {_assumptions(found['assumed'])}")


def shown(value: float | None, unit: str) -> str:
    """A value with its unit, as a reader of a page takes it in.

    >>> shown(0.934, "share"), shown(None, "days"), shown(1234.5, "rupees")
    ('93.4 %', '-', '1,234 INR')
    """
    if value is None:
        return "-"
    scale, ending = _SCALES.get(unit, (1.0, f" {unit}"))
    scaled = value * scale
    digits = 0 if abs(scaled) >= 100 or scaled == int(scaled) else 1
    return f"{scaled:,.{digits}f}{ending}"


def _assumptions(assumed: dict[str, float]) -> str:
    return (
        f"assumed: {assumed['entry_minutes']:g} min to type a note, {assumed['validator_rupees_per_hour']:g} INR for a validator's hour, "
        f"{assumed['machine_rupees_per_hour']:g} INR for an hour of all machines"
    )


def _page(pages: PdfPages, kpis: list[dict[str, Any]], title: str, foot: str) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=A4_INCHES)
    axes = figure.add_axes((0.06, 0.05, 0.88, 0.86), frameon=False)
    axes.set(xlim=(0, 1), ylim=(0, ROWS_A_PAGE), xticks=[], yticks=[])
    figure.text(0.06, 0.945, title, fontsize=17, weight="bold", color=_INK)
    figure.text(
        0.06, 0.926, "Live notes alone, each once. Bars: one a day, the last is today.", fontsize=8.5, color=_SOFT
    )
    figure.text(0.06, 0.03, foot, fontsize=7, color=_SOFT)
    for place, kpi in enumerate(kpis):
        _row(axes, ROWS_A_PAGE - place - 1, kpi)
    pages.savefig(figure)  # type: ignore[no-untyped-call]


def _row(axes: Axes, foot: float, kpi: dict[str, Any]) -> None:
    axes.plot([0, 1], [foot, foot], color="#dfe4ea", linewidth=0.6)
    axes.text(0, foot + 0.72, kpi["title"], fontsize=10, weight="bold", color=_INK)
    sentence = textwrap.fill(kpi["sentence"], _COLUMN_LETTERS)
    axes.text(0, foot + 0.64, sentence, fontsize=7.5, color=_SOFT, verticalalignment="top")
    axes.text(0.60, foot + 0.72, shown(kpi["value"], kpi["unit"]), fontsize=10, weight="bold", color=_INK)
    words, colour = _verdict(kpi)
    axes.text(0.60, foot + 0.52, words, fontsize=7.5, color=colour)
    _bars(axes, foot + 0.24, list(kpi["days"].values()))
    if kpi["remedy"]:
        remedy = textwrap.fill(f"What to do: {kpi['remedy']}", _COLUMN_LETTERS)
        axes.text(0, foot + 0.08, remedy, fontsize=7.5, color=_BAD, verticalalignment="bottom")


def _verdict(kpi: dict[str, Any]) -> tuple[str, str]:
    if kpi["target"] is None:
        return "no target", _SOFT
    goal = f"{'at least' if kpi['better'] == 'higher' else 'at most'} {shown(kpi['target'], kpi['unit'])}"
    if kpi["met"] is None:
        return f"target {goal}: too early to say", _SOFT
    return (f"on target, {goal}", _GOOD) if kpi["met"] else (f"off target, {goal}", _BAD)


def _bars(axes: Axes, foot: float, values: list[float | None]) -> None:
    top = max([abs(value) for value in values if value is not None], default=0.0) or 1.0
    for place, value in enumerate(values):
        height = 0.01 if value is None else max(0.02, abs(value) / top * 0.55)
        axes.add_patch(_rectangle(0.84 + place * 0.02, foot, height))


def _rectangle(left: float, foot: float, height: float) -> Any:
    from matplotlib.patches import Rectangle

    return Rectangle((left, foot), 0.016, height, color=_BAR)
