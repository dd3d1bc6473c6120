"""Label schemes: how spans become one label a token, and what each label means to the decoder.

Schemes are internal: spans go in and spans come out. "inside-last" marks the end of a mention, which beats BIO and
BILOU on clinical text; the others are there for comparison.
"""

from __future__ import annotations

from dataclasses import dataclass

from clinical_ner.notes import Label

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
    """Labels of the `count` tokens of a mention, such as "DISEASE.in", "DISEASE.last"."""
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
