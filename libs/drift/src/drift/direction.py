"""Which changes harm: an improvement is not an alarm."""

RISING_HARMS = frozenset({"oov_share", "unknown_char_share"})
FALLING_HARMS = frozenset({"confidence"})
NEAR = 1.0
"""Sds from the reference within which a statistic without a direction is as the model expects."""


def worsening(name: str, before: float, after: float) -> float:
    """How much worse a statistic became, in sds; negative when it became better.

    Statistics without a direction (counts, lengths, shares) harm when they change, unless they come home to the reference.

    >>> worsening("confidence", 0.0, -2.0)
    2.0
    >>> worsening("tokens", 3.0, 0.5)
    -2.5
    """
    if name in RISING_HARMS:
        return after - before
    if name in FALLING_HARMS:
        return before - after
    change = abs(after - before)
    return change if abs(after) > NEAR or abs(after) >= abs(before) else -change


def distance(name: str, z: float) -> float:
    """How far on the harmful side of the reference, in sds; negative on the good side."""
    if name in RISING_HARMS:
        return z
    if name in FALLING_HARMS:
        return -z
    return abs(z)


def has_direction(name: str) -> bool:
    """Whether more or less of it is plainly worse."""
    return name in RISING_HARMS or name in FALLING_HARMS
