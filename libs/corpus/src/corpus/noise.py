"""The haste of a busy clinic: missing spaces, slips of the finger, odd capitals, lost line breaks."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from corpus import marked

if TYPE_CHECKING:
    from corpus.chance import Chance

_WORD = re.compile(r"[A-Za-z]{5,}")
_LOST_SPACE = re.compile(r"(?<=[,.;:]) (?=\S)|(?<=\d) (?=(?:mg|ml|mcg|g|yrs?|days|wks?)\b)")
_ENDS = re.compile(r"(?:\s*[;,/]\s*|\s+)+$")
_SLIP_PER_WORD = 0.012
_LOST_SPACE_SHARE = 0.25
_LOST_LINES_SHARE = 0.25


def scribble(text: str, chance: Chance, *, keep_lines: bool = False) -> str:
    """Return the marked prescription as somebody in haste would type it; marks stay around their mentions.

    With `keep_lines` no line break is lost: where a line ends can be all that ends what it says.
    """
    text = _ENDS.sub("", _tidy_lines(text))
    if chance.share() < _LOST_LINES_SHARE and not keep_lines:
        text = re.sub(r"\s*\n\s*", " ", text)
    text = _LOST_SPACE.sub(lambda found: "" if chance.share() < _LOST_SPACE_SHARE else found[0], text)
    text = _WORD.sub(lambda found: _slip(found[0], chance), text)
    return _recase(text, chance)


def _tidy_lines(text: str) -> str:
    return "\n".join(re.sub(r"[ \t]+", " ", line).strip(" ,;") for line in text.split("\n") if line.strip(" ,;."))


def _slip(word: str, chance: Chance) -> str:
    """Swap, drop or double one inner letter, rarely."""
    if chance.share() >= _SLIP_PER_WORD:
        return word
    at = 1 + chance.below(len(word) - 2)
    kind = chance.below(3)
    if kind == 0:
        return word[:at] + word[at + 1] + word[at] + word[at + 2 :]
    return word[:at] + word[at + 1 :] if kind == 1 else word[: at + 1] + word[at:]


def _recase(text: str, chance: Chance) -> str:
    draw = chance.share()
    if draw < 0.08:
        return text.upper()
    if draw < 0.2:
        return text.lower()
    if draw < 0.45:
        return re.sub(
            rf"(?:^|(?<=[.:\n]))\s*(?:{marked.MARKS.pattern})*[a-z](?=[a-z])", lambda found: found[0].upper(), text
        )
    return text
