"""Label schemes: how spans become one label a token, and what each label means to the decoder.

Schemes are internal: spans go in and spans come out. "inside-last" marks the end of a mention, which beats BIO and
BILOU on clinical text; the others are there for comparison.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from clinical_ner.notes import Label

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

OUTSIDE = "O"
CLASSES: dict[Label, int] = {Label.DISEASE: 1, Label.TREATMENT: 2}
_BEGINS, _ENDS = 4, 8


@dataclass(frozen=True, slots=True)
class Scheme:
    """Suffixes of the label of a token by its place in a mention."""

    only: str
    first: str
    inside: str
    last: str
    begins: frozenset[str] = frozenset()
    ends: frozenset[str] = frozenset()

    def labels(self, count: int) -> list[str]:
        """Suffixes of a mention of `count` tokens."""
        if count == 1:
            return [self.only]
        return [self.first, *[self.inside] * (count - 2), self.last]


SCHEMES: dict[str, Scheme] = {
    "inside": Scheme("in", "in", "in", "in"),
    "inside-last": Scheme("last", "in", "in", "last", ends=frozenset({"last"})),
    "bio": Scheme("begin", "begin", "in", "in", begins=frozenset({"begin"})),
    "bilou": Scheme(
        "unit",
        "begin",
        "in",
        "last",
        begins=frozenset({"begin", "unit"}),
        ends=frozenset({"last", "unit"}),
    ),
}


def mention_labels(scheme: str, label: Label, count: int) -> list[str]:
    """Labels of the `count` tokens of a mention.

    >>> mention_labels("inside-last", Label.DISEASE, 3)
    ['DISEASE.in', 'DISEASE.in', 'DISEASE.last']
    """
    return [f"{label}.{suffix}" for suffix in SCHEMES[scheme].labels(count)]


def all_labels(scheme: str) -> frozenset[str]:
    """Every label that a scheme can give."""
    rules = SCHEMES[scheme]
    suffixes = {rules.only, rules.first, rules.inside, rules.last}
    return frozenset({OUTSIDE} | {f"{label}.{suffix}" for label in Label for suffix in suffixes})


def role(scheme: str, label: str) -> int:
    """The decoder's reading of a label: its class, and whether it begins or ends a mention; ValueError if unknown."""
    if label == OUTSIDE:
        return 0
    if label not in all_labels(scheme):
        raise ValueError(f"label {label!r} is not one of the scheme {scheme}")
    name, suffix = label.rsplit(".", 1)
    rules = SCHEMES[scheme]
    return CLASSES[Label(name)] | _BEGINS * (suffix in rules.begins) | _ENDS * (suffix in rules.ends)


def allowed_transitions(scheme: str, labels: Sequence[str]) -> NDArray[np.uint8]:
    """Return 1 where a scheme lets a label (row) stand before a label (column), else 0; shape (labels, labels)."""
    rules, roles = SCHEMES[scheme], [role(scheme, label) for label in labels]
    return np.array([[_may_follow(rules, left, right) for right in roles] for left in roles], np.uint8)


def _may_follow(rules: Scheme, left: int, right: int) -> bool:
    same = left & 3 and left & 3 == right & 3
    if same and not left & _ENDS and not right & _BEGINS:
        return True
    unfinished = bool(left & 3 and rules.ends and not left & _ENDS)
    unbegun = bool(right & 3 and rules.begins and not right & _BEGINS)
    return not unfinished and not unbegun


def span_labels(scheme: str, labels: Sequence[str]) -> NDArray[np.int32]:
    """Places among `labels` of each class's only, first, inside and last one, -1 where a model has none; shape (2, 4)."""
    rules = SCHEMES[scheme]
    suffixes = (rules.only, rules.first, rules.inside, rules.last)
    names = [[f"{label}.{suffix}" for suffix in suffixes] for label in Label]
    return np.array([[labels.index(name) if name in labels else -1 for name in row] for row in names], np.int32)
