"""The week as one or more A4 pages: a table of every KPI with its days drawn beside it. Fonts are embedded."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    from matplotlib.axes import Axes
    from matplotlib.backends.backend_pdf import PdfPages

A4_INCHES = (8.27, 11.69)
LINES_A_PAGE = 84
_INK, _SOFT, _GOOD, _BAD, _BAR = "#16212b", "#52606d", "#166534", "#991b1b", "#3d9188"
_SCALES = {"share": (100.0, " %"), "rupees": (1.0, " INR")}
_COLUMN_LETTERS = 74
_LEAST_LINES = 7  # of a row, so that its bars fit


def write_pdf(out: Path, found: dict[str, Any]) -> None:
    """Write the answer of `/api/kpis`.

    Raises:
        OSError: The file cannot be written.
    """
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib.backends.backend_pdf import PdfPages

    parts = _pages([_Row(kpi) for kpi in found["kpis"].values()])
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


class _Row:
    """A KPI with its words wrapped; `lines`: how high it is, in lines of its small print."""

    def __init__(self, kpi: dict[str, Any]) -> None:
        self.kpi = kpi
        self.sentence = textwrap.wrap(kpi["sentence"], _COLUMN_LETTERS)
        self.remedy = textwrap.wrap(f"What to do: {kpi['remedy']}", _COLUMN_LETTERS) if kpi["remedy"] else []
        self.lines = max(_LEAST_LINES, 3 + len(self.sentence) + len(self.remedy))


def _pages(rows: list[_Row]) -> list[list[_Row]]:
    parts: list[list[_Row]] = [[]]
    for row in rows:
        if sum(each.lines for each in parts[-1]) + row.lines > LINES_A_PAGE:
            parts.append([])
        parts[-1].append(row)
    return parts


def _page(pages: PdfPages, rows: list[_Row], title: str, foot: str) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=A4_INCHES)
    axes = figure.add_axes((0.06, 0.05, 0.88, 0.86), frameon=False)
    axes.set(xlim=(0, 1), ylim=(0, LINES_A_PAGE), xticks=[], yticks=[])
    figure.text(0.06, 0.95, title, fontsize=17, weight="bold", color=_INK)
    figure.text(
        0.06, 0.926, "Live notes alone, each once. Bars: one a day, the last is today.", fontsize=8.5, color=_SOFT
    )
    figure.text(0.06, 0.03, foot, fontsize=7, color=_SOFT)
    top = LINES_A_PAGE
    for row in rows:
        _draw(axes, top, row)
        top -= row.lines
    pages.savefig(figure)  # type: ignore[no-untyped-call]


def _draw(axes: Axes, top: float, row: _Row) -> None:
    kpi, foot = row.kpi, top - row.lines
    axes.plot([0, 1], [foot, foot], color="#dfe4ea", linewidth=0.6)
    axes.text(0, top - 1.7, kpi["title"], fontsize=10, weight="bold", color=_INK)
    axes.text(0.60, top - 1.7, shown(kpi["value"], kpi["unit"]), fontsize=10, weight="bold", color=_INK)
    words, colour = _verdict(kpi)
    axes.text(0.60, top - 3.2, words, fontsize=7.5, color=colour)
    _bars(axes, top - 5.6, list(kpi["days"].values()))
    for number, (line, ink) in enumerate(
        [*((one, _SOFT) for one in row.sentence), *((one, _BAD) for one in row.remedy)]
    ):
        axes.text(0, top - 3 - number, line, fontsize=7.5, color=ink)


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
        height = 0.08 if value is None else max(0.15, abs(value) / top * 4)
        axes.add_patch(_rectangle(0.84 + place * 0.02, foot, height))


def _rectangle(left: float, foot: float, height: float) -> Any:
    from matplotlib.patches import Rectangle

    return Rectangle((left, foot), 0.016, height, color=_BAR)
