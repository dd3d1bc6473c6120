"""What stands in place of what was found: the same for the same under one key and scope, and nobody's.

Surrogates look like what they replace, so that a text stays a text, but cannot be a real person's: telephone numbers
begin with 5 or 0000, Aadhaar numbers with 1, ABHA numbers with 00, PIN codes with 0, PANs have X as their kind.
"""

from __future__ import annotations

import hmac
import re
from functools import cache
from typing import TYPE_CHECKING

from deid import word_lists
from deid.dates import shifted
from deid.spans import Kind
from deid.word_lists import words

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

MAX_SHIFT_DAYS = 365
_WORD = re.compile(r"[^\W\d_]+")
_PART = re.compile(r"[^\W_]+")
_PARTICLES = words("mr mrs ms dr smt shri sri s o d w c md mohd sk ji bhai ben bin binti al ul ur de da la")
_STREETS = (
    "Lake Road",
    "Garden Street",
    "Temple Lane",
    "Market Road",
    "Park Street",
    "Station Road",
    "Hill Road",
    "School Lane",
)
_TOWNS = ("Rampura", "Sundarpur", "Navanagar", "Shantipur", "Devgaon", "Kotapalli", "Melur", "Lakshmipuram")


class Surrogates:
    """Makes surrogates from a key.

    Args:
        key: 16 bytes or more; who has it can tell which name became which, so keep it as the identifiers themselves.
        scope: Within what a name keeps its surrogate and dates their distance: a patient's pseudonym, or a note's id.
    """

    def __init__(self, key: bytes, scope: str = "") -> None:
        if len(key) < 16:
            raise ValueError("the key of the surrogates must have 16 bytes or more")
        self._key = hmac.digest(key, b"deid surrogates 1\0" + scope.encode("utf-8", "surrogatepass"), "sha256")
        self.shift_days = self._number("shift", "") % (2 * MAX_SHIFT_DAYS) - MAX_SHIFT_DAYS
        self.shift_days += self.shift_days >= 0  # never 0
        self._makers: dict[Kind, Callable[[str], str]] = {
            Kind.NAME: self._name, Kind.DATE: self._date, Kind.AGE: lambda _: "90+", Kind.ADDRESS: self._address,
            Kind.EMAIL: self._mail, Kind.URL: lambda written: f"https://example.org/{self._number('url', written) % 10_000}",
            Kind.PHONE: self._phone, Kind.ABHA: self._abha, Kind.AADHAAR: lambda written: self._digits(written, "1"),
            Kind.PAN: self._pan,
        }  # fmt: skip

    def of(self, kind: Kind, written: str) -> str:
        """Return what stands in place of `written`; never the same text again."""
        made = self._makers.get(kind, self._code)(written)
        return made if made != written else tag(kind)

    def _number(self, what: str, written: str) -> int:
        plain = "".join(_PART.findall(written.casefold()))
        digest = hmac.digest(self._key, f"{what}\0{plain}".encode("utf-8", "surrogatepass"), "sha256")
        return int.from_bytes(digest[:8], "big")

    def _pick(self, what: str, written: str, choices: Sequence[str]) -> str:
        place = self._number(what, written) % len(choices)
        same = choices[place].casefold() == written.casefold()
        return choices[(place + 1) % len(choices)] if same else choices[place]

    # --- names ---

    def _name(self, written: str) -> str:
        """Each word by its own, so that "Ramesh Kumar" and a later "Ramesh" stay one person."""
        return _WORD.sub(lambda match: self._name_word(match[0]), written)

    def _name_word(self, word: str) -> str:
        lowered = word.lower()
        if lowered in _PARTICLES and not word.isupper():
            return word
        if len(word) <= 2:
            return "".join(self._letter(letter) for letter in word)
        made = self._pick("name", word, _pool(lowered))
        return made.upper() if word.isupper() else made.lower() if word.islower() else made

    def _letter(self, letter: str) -> str:
        made = chr(ord("A") + self._number("letter", letter) % 26)
        made = made if made != letter.upper() else chr((ord(made) - ord("A") + 1) % 26 + ord("A"))
        return made if letter.isupper() else made.lower()

    # --- the rest ---

    def _date(self, written: str) -> str:
        return shifted(written, self.shift_days) or tag(Kind.DATE)

    def _address(self, written: str) -> str:
        number = self._number("address", written)
        return f"{number % 400 + 1} {_STREETS[number // 400 % len(_STREETS)]}, {_TOWNS[number // 4000 % len(_TOWNS)]} 0{number // 40_000 % 100_000:05}"

    def _mail(self, written: str) -> str:
        return f"person{self._number('mail', written) % 100_000}@example.org"

    def _phone(self, written: str) -> str:
        digits = sum(map(str.isdigit, written))
        return self._digits(written, "5" if digits == 10 else "915" if digits == 12 else "0000")

    def _abha(self, written: str) -> str:
        if "@" in written:
            return f"person{self._number('abha', written) % 100_000}@sbx"
        return self._digits(written, "00")

    def _pan(self, written: str) -> str:
        made = self._code(written)
        return f"{made[:3]}{'X' if written[3:4].isupper() else 'x'}{made[4:]}"

    def _digits(self, written: str, first: str) -> str:
        """The same form with other digits, of which the first are given."""
        stream = _stream(self._key, written)
        wanted = iter(first)
        return "".join(next(wanted, None) or str(next(stream) % 10) if c.isdigit() else c for c in written)

    def _code(self, written: str) -> str:
        """The same form with other digits and letters; the first letter run of a number such as "MRN" is replaced too."""
        stream = _stream(self._key, written)

        def other(character: str) -> str:
            if character.isdigit():
                return str(next(stream) % 10)
            if character.isalpha():
                letter = chr(ord("A") + next(stream) % 26)
                return letter if character.isupper() else letter.lower()
            return character

        return "".join(map(other, written))


def tag(kind: Kind) -> str:
    """Return the placeholder of a kind: "[NAME]"."""
    return f"[{kind}]"


def _pool(lowered: str) -> Sequence[str]:
    """The list from which the surrogate of a name comes: that in which it stands, else the men's."""
    names = word_lists.names()
    return {"female": names.female, "family": names.family}.get(_kind_of().get(lowered, ""), names.male)


@cache
def _kind_of() -> dict[str, str]:
    names = word_lists.names()
    lists = (("family", names.family), ("female", names.female), ("male", names.male))
    return {name.lower(): kind for kind, given in lists for name in given}


def _stream(key: bytes, written: str) -> Iterator[int]:
    plain = "".join(_PART.findall(written.casefold())).encode("utf-8", "surrogatepass")
    block = 0
    while True:
        yield from hmac.digest(key, b"code\0" + block.to_bytes(4, "big") + plain, "sha256")
        block += 1
