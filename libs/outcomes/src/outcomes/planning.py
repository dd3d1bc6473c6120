"""What to label next, and how much: the size of the audit by the precision wanted, and what more labels are expected to bring."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import ceil, exp, log, sqrt
from typing import NamedTuple

from contracts.records import LabelQuality

from outcomes.quality import Z_95, is_known, student

NEXT_LABELS = 100
LEAST_POINTS = 3
_LEAST_ERROR = 1e-4
_LEAST_AUDIT = 30
_WEEK_DAYS = 7
_STUDENT = {1: 12.706, 2: 4.303, 3: 3.182}
"""Student's 97.5 % quantile, where the expansion of `student` is too small."""


def audit_notes(quality: LabelQuality | None, audited: int, within: float) -> int:
    """How many notes an audit needs, drawn at random, so that the 95 % interval of F1 reaches no further than `within` from it.

    Half the width of an interval falls with the square root of the notes, so the present one says how many are needed; it holds what
    the notes themselves show of their scatter. Before two notes were audited the worst case of a share is assumed: half are right.

    Args:
        quality: Of both labels, on the audited notes, each weighing the same (`quality.unweighted`); None before any audit.
        audited: Notes that it rests on.
        within: F1, such as 0.03 for 3 points.

    >>> audit_notes(None, 0, 0.03)
    1068
    """
    if quality is None or audited < _LEAST_AUDIT or not is_known(quality, "f1"):
        return ceil((Z_95 / within) ** 2 / 4)
    half = max(quality.f1_high - quality.f1, quality.f1 - quality.f1_low)
    return max(_LEAST_AUDIT, ceil(round(audited * (half / within) ** 2, 6)))


def audit_rate(needed: int, arrived: int, *, days: float, least: float, most: float) -> float:
    """The share of notes to draw so that a week's audit has the notes that it needs.

    What was drawn before keeps the rate it was drawn with, so a rate that moves leaves the estimate unbiased.

    Args:
        needed: Notes of a week's audit (`audit_notes`).
        arrived: Notes that came in these days, all of which could have been drawn.
        days: How long they came; less than one counts as one, since a day is uneven.
        least: The rate that is drawn whatever is needed.
        most: Likewise the highest one.

    Returns:
        A rate with two significant digits: a few notes more do not move it.

    >>> audit_rate(310, 7_000, days=7, least=0.0001, most=0.25)
    0.044
    >>> audit_rate(310, 0, days=7, least=0.0001, most=0.25)
    0.25
    """
    week = arrived / max(days, 1.0) * _WEEK_DAYS
    return min(most, max(least, float(f"{needed / week:.2g}"))) if week else most


class Point(NamedTuple):
    """A version that was trained: on how many annotated notes, and its F1 on the gate's gold."""

    labels: int
    f1: float


@dataclass(frozen=True, slots=True)
class Expectation:
    """What the next labels are expected to bring.

    Attributes:
        labels: Where the curve stands.
        f1: That the curve gives there.
        gain: More F1 with `NEXT_LABELS` more, within the 95 % interval `low` to `high`.
    """

    labels: int
    f1: float
    gain: float
    low: float
    high: float


def expectation(points: Iterable[Point]) -> Expectation | None:
    """Fit a power law to the error, 1 - F1 = a n**-c, by least squares of the logarithms, and follow it on.

    Args:
        points: Of versions; those without labels of their own say nothing of a power law and are left out.

    Returns:
        None where fewer than `LEAST_POINTS` different numbers of labels are known: two always fit.

    >>> expectation([Point(100, 0.5), Point(400, 0.75)]) is None
    True
    >>> found = expectation([Point(100, 0.5), Point(400, 0.75), Point(1600, 0.875)])
    >>> (round(found.f1, 3), round(found.gain, 4), round(found.low, 4))
    (0.875, 0.0037, 0.0037)
    """
    curve = sorted({point.labels: point for point in points if point.labels > 0}.values())
    if len(curve) < LEAST_POINTS:
        return None
    x = [log(point.labels) for point in curve]
    y = [log(max(1 - point.f1, _LEAST_ERROR)) for point in curve]
    slope, at, error = _line(x, y)
    labels = curve[-1].labels
    ahead = log((labels + NEXT_LABELS) / labels)
    wrong = exp(at)

    def gain(of_slope: float) -> float:
        return wrong * (1 - exp(of_slope * ahead))

    freedom = len(curve) - 2
    reach = _STUDENT.get(freedom, student(freedom)) * error
    return Expectation(labels, 1 - wrong, gain(slope), gain(slope + reach), gain(slope - reach))


def _line(x: Sequence[float], y: Sequence[float]) -> tuple[float, float, float]:
    """Slope, value at the last x, and the slope's standard error."""
    middle_x, middle_y = sum(x) / len(x), sum(y) / len(y)
    spread = sum((one - middle_x) ** 2 for one in x)
    slope = sum((one - middle_x) * (other - middle_y) for one, other in zip(x, y, strict=True)) / spread
    left = sum((other - middle_y - slope * (one - middle_x)) ** 2 for one, other in zip(x, y, strict=True))
    return slope, middle_y + slope * (x[-1] - middle_x), sqrt(left / (len(x) - 2) / spread)
