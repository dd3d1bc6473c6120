"""Numbers as people read them. Nothing here rounds a share up to 100 %."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

NONE = "no data yet"
_UNITS = {
    "notes": "",
    "facts": "",
    "episodes": "",
    "seconds": "s",
    "minutes": "min",
    "hours": "h",
    "days": "d",
    "notes per hour": "/ h",
}
_FINER = {"days": ("hours", 24), "hours": ("minutes", 60), "minutes": ("seconds", 60)}


def share(value: float) -> str:
    """0.9342 as 93.4 %, as `rxtract quality` rounds; below one per cent with a digit more, and all only where it is all."""
    if 0 < value < 0.01:
        return f"{value * 100:.2g} %"
    thousandths = round(value, 3) if value >= 1 else min(round(value, 3), 0.999)
    return f"{thousandths * 100:.1f} %"


def value_of(value: float | None, unit: str) -> str:
    """A value with its unit; short words when there is none."""
    if value is None:
        return NONE
    if unit == "share":
        return share(value)
    if unit == "rupees":
        return f"₹ {value:,.0f}"
    if unit in _FINER and 0 < value < 1:
        finer, times = _FINER[unit]
        return value_of(value * times, finer)
    return f"{number(value)} {_UNITS[unit]}".rstrip()


def number(value: float) -> str:
    """Three figures where they say something."""
    if value == int(value):
        return f"{value:,.0f}"
    size = abs(value)
    return f"{value:,.0f}" if size >= 100 else f"{value:.1f}" if size >= 1 else f"{value:.2f}"


def target_of(target: float, better: str, unit: str) -> str:
    """A target with its direction."""
    shown = f"{target * 100:g} %" if unit == "share" else value_of(target, unit)
    return f"{'at least' if better == 'higher' else 'at most'} {shown}"


def moment(at_ms: int, zone: ZoneInfo, form: str = "%d %b %H:%M") -> str:
    """A time in the page's zone."""
    return datetime.fromtimestamp(at_ms / 1000, UTC).astimezone(zone).strftime(form)


def points(f1: float) -> str:
    """F1 in points.

    >>> points(0.03), points(0.0037)
    ('3', '0.4')
    """
    return f"{f1 * 100:.1f}".removesuffix(".0")
