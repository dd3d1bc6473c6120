"""Entities in colour, in their text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Sequence

STYLES = {"DISEASE": "bold white on dark_red", "TREATMENT": "bold white on dark_green"}
NO_FACT = {"DISEASE": "strike dark_red", "TREATMENT": "strike dark_green"}
OTHER_FACT = {"DISEASE": "italic underline dark_red", "TREATMENT": "italic underline dark_green"}


class Marked(Protocol):
    """Anything with a label and code-point offsets."""

    @property
    def label(self) -> str:
        """DISEASE or TREATMENT."""

    @property
    def start(self) -> int:
        """First code point."""

    @property
    def end(self) -> int:
        """One past the last code point."""


@dataclass(frozen=True, slots=True)
class Highlight:
    """A label over a range of code points."""

    label: str
    start: int
    end: int


def highlight(text: str, entities: Sequence[Marked]) -> Text:
    """Return `text` with every entity in its label's colour; control characters are shown, never sent to a terminal."""
    shown = Text()
    at = 0
    for entity in sorted(entities, key=lambda entity: entity.start):
        shown.append(printable(text[at : entity.start]))
        shown.append(printable(text[entity.start : entity.end]), style=_style(entity))
        at = entity.end
    shown.append(printable(text[at:]))
    return shown


def _style(entity: Marked) -> str:
    """Full colour for the patient's present facts; struck out what is denied; underlined what is anything else."""
    label, assertion = str(entity.label), getattr(entity, "assertion", None)
    # The model's own assertion is a tuple, a record's is not: both have the names.
    judged: tuple[str, ...] = () if assertion is None else (assertion.status, assertion.time, assertion.experiencer)
    if judged in ((), ("PRESENT", "CURRENT", "PATIENT"), ("UNKNOWN", "UNKNOWN", "UNKNOWN")):
        return STYLES.get(label, "bold")
    return (NO_FACT if judged[0] == "NEGATED" else OTHER_FACT).get(label, "bold")


def bracketed(text: str, entities: Sequence[Marked]) -> str:
    """Return `text` on one line with every entity in brackets behind its label, for where there is no colour."""
    parts = []
    at = 0
    for entity in sorted(entities, key=lambda entity: entity.start):
        parts += [text[at : entity.start], f"[{entity.label} {text[entity.start : entity.end]}]"]
        at = entity.end
    return printable("".join([*parts, text[at:]])).replace("\n", " / ")


def printable(text: str) -> str:
    """Return `text` with what could move a terminal's cursor or hide text replaced by a visible mark."""
    return "".join(char if char.isprintable() or char in "\n\t" else "\N{REPLACEMENT CHARACTER}" for char in text)


def legend() -> Text:
    """Return one line that explains the colours."""
    return Text.assemble((" disease ", STYLES["DISEASE"]), " ", (" treatment ", STYLES["TREATMENT"]))
