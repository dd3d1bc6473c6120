"""Check digits of Indian identifiers."""

from __future__ import annotations

_SQUARE = (
    "0123456789", "1234067895", "2340178956", "3401289567", "4012395678",
    "5987604321", "6598710432", "7659821043", "8765932104", "9876543210",
)  # fmt: skip
"""The multiplication of the dihedral group of order ten."""
_TURNS = (
    "0123456789", "1576283094", "5803796142", "8916043527", "9453126870", "4286573901", "2793806415", "7046913258",
)  # fmt: skip


def verhoeff_holds(digits: str) -> bool:
    """Whether the last digit is the check digit of the others (Verhoeff, 1969), as in an Aadhaar number."""
    check = 0
    for place, digit in enumerate(reversed(digits)):
        check = int(_SQUARE[check][int(_TURNS[place % 8][int(digit)])])
    return check == 0


def verhoeff_digit(digits: str) -> str:
    """Return the check digit that belongs behind `digits`."""
    return next(last for last in "0123456789" if verhoeff_holds(digits + last))
