r"""A small grammar for names and sentences, kept in text files so that constructions can be added without code.

`= name` opens a rule, each following line is one alternative; `*3 ` in front of a line is its weight.
In a line: `@rule` expands another rule (`@{rule}` when letters follow, `@rule#1` to give the spans inside a pair key,
`@disease.renal` to name a section of the lexicon), `<a|b|>` chooses inline, `[2-40]` and `[0.1-9.9]` are numbers,
`{D ...}` and `{T ...}` mark a disease and a treatment, and a backslash takes the next character as it is, but that
`\n` is a line break. Spans with the same digit in the same line belong together: this treatment is for that disease.

What the line means of its spans stands behind a caret, and is the gold that rules of any kind are judged by (`marked.py` has
the letters): `@rule^n`, `@rule#1^h` and `{D^p ...}` hold for all spans inside; `^(frequency=2 period=1)` adds to the span
before, `^>(form=tablet)` to the one behind.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from itertools import accumulate
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_HEADER = re.compile(r"= ([A-Za-z_]+)$")
_WEIGHT = re.compile(r"\*(\d+) (.*)")
_REFERENCE = re.compile(
    r"@(?:\{([A-Za-z_.]+)(?:#(\d))?(?:\^([npyarhlfo]+))?\}|([A-Za-z_]+(?:\.[a-z_]+)?)(?:#(\d))?(?:\^([npyarhlfo]+))?)"
)
_LABEL = re.compile(r"\{([DT])(?:\^([npyarhlfo]+|\.))? ")
_MEANING = re.compile(r"\^(>?)\(([^()]+)\)")
_NUMBER = re.compile(r"\[(\d+(?:\.\d+)?)-(\d+(?:\.\d+)?)\]")


class GrammarError(ValueError):
    """A rule file cannot be read; the message names the rule."""


@dataclass(frozen=True, slots=True)
class Text:
    """Letters to write as they are."""

    text: str


@dataclass(frozen=True, slots=True)
class Reference:
    """Another rule; `key` (0 for none) ties the spans inside to others of the same key in the same line.

    `meaning` are the letters of what the line means of the spans inside, "" if it does not say.
    """

    rule: str
    key: int
    meaning: str = ""


@dataclass(frozen=True, slots=True)
class Meaning:
    """What the line means of the span before (or, if `ahead`, behind), as `name=value` parts."""

    values: str
    ahead: bool


@dataclass(frozen=True, slots=True)
class Number:
    """A number from `low` to `high` inclusive, in steps of 10 ** -decimals, both counted in steps."""

    low: int
    high: int
    decimals: int


@dataclass(frozen=True, slots=True)
class Choice:
    """Weighted alternatives; `limits` are the cumulative weights."""

    options: tuple[tuple[Node, ...], ...]
    limits: tuple[float, ...]

    def pick(self, share: float) -> tuple[Node, ...]:
        """Return the alternative at `share` (0 up to 1) of the total weight."""
        return self.options[bisect_right(self.limits, share * self.limits[-1])]


@dataclass(frozen=True, slots=True)
class Labelled:
    """A stretch that is a disease ("D") or a treatment ("T")."""

    label: str
    body: tuple[Node, ...]
    meaning: str = ""


Node = Text | Reference | Number | Choice | Labelled | Meaning


def read_rules(names: tuple[str, ...]) -> dict[str, list[tuple[int, str]]]:
    """Return the (weight, line) alternatives of every rule in `data/grammar/<name>.txt`."""
    rules: dict[str, list[tuple[int, str]]] = {}
    for name in names:
        text = (files("corpus") / "data" / "grammar" / f"{name}.txt").read_text(encoding="utf-8")
        _read_into(rules, name, text)
    return rules


def _read_into(rules: dict[str, list[tuple[int, str]]], file: str, text: str) -> None:
    lines: list[tuple[int, str]] | None = None
    for raw in text.splitlines():
        if not raw.strip() or raw.startswith("#"):
            continue
        header = _HEADER.match(raw)
        if header:
            lines = rules.setdefault(header[1], [])
        elif lines is None:
            raise GrammarError(f"{file}.txt: a line stands before the first rule")
        else:
            weighted = _WEIGHT.match(raw)
            lines.append((int(weighted[1]), weighted[2]) if weighted else (1, raw))


@lru_cache(maxsize=8)
def compile_rules(names: tuple[str, ...]) -> Mapping[str, Choice]:
    """Parse the rule files into choices by rule name."""
    compiled = {}
    for rule, lines in read_rules(names).items():
        try:
            options = tuple(_Parser(line).parse() for _, line in lines)
        except GrammarError as error:
            raise GrammarError(f"rule {rule}: {error}") from None
        compiled[rule] = Choice(options, tuple(accumulate(float(weight) for weight, _ in lines)))
    return compiled


class _Parser:
    """Reads one line."""

    def __init__(self, line: str) -> None:
        self._line = line
        self._at = 0

    def parse(self) -> tuple[Node, ...]:
        nodes = self._sequence("")
        if self._at != len(self._line):
            raise GrammarError(f"unexpected {self._line[self._at]!r} in {self._line!r}")
        return nodes

    def _sequence(self, stops: str) -> tuple[Node, ...]:
        nodes: list[Node] = []
        letters: list[str] = []

        def flush() -> None:
            if letters:
                nodes.append(Text("".join(letters)))
                letters.clear()

        while self._at < len(self._line) and self._line[self._at] not in stops:
            node = self._special()
            if node is None:
                letters.append(self._letter())
            else:
                flush()
                nodes.append(node)
        flush()
        return tuple(nodes)

    def _letter(self) -> str:
        escaped = self._line[self._at] == "\\"
        self._at += escaped
        letter = self._line[self._at : self._at + 1]
        self._at += 1
        return "\n" if escaped and letter == "n" else letter

    def _special(self) -> Node | None:
        mark = self._line[self._at]
        if mark == "@":
            return self._reference()
        if mark == "[":
            return self._number()
        if mark == "<":
            return self._choice()
        if mark == "{":
            return self._labelled()
        if mark == "^":
            return self._meaning()
        return None

    def _meaning(self) -> Meaning:
        found = _MEANING.match(self._line, self._at)
        if not found:
            raise GrammarError(f"no (name=value) after ^ in {self._line!r}")
        self._at = found.end()
        return Meaning(found[2], found[1] == ">")

    def _reference(self) -> Reference:
        found = _REFERENCE.match(self._line, self._at)
        if not found:
            raise GrammarError(f"no rule name after @ in {self._line!r}")
        self._at = found.end()
        return Reference(found[1] or found[4], int(found[2] or found[5] or 0), found[3] or found[6] or "")

    def _number(self) -> Number:
        found = _NUMBER.match(self._line, self._at)
        if not found:
            raise GrammarError(f"not a number range in {self._line!r}")
        self._at = found.end()
        decimals = len(found[1].partition(".")[2])
        return Number(round(float(found[1]) * 10**decimals), round(float(found[2]) * 10**decimals), decimals)

    def _choice(self) -> Choice:
        options = []
        while True:
            self._at += 1
            options.append(self._sequence("|>"))
            if self._at >= len(self._line):
                raise GrammarError(f"< is not closed in {self._line!r}")
            if self._line[self._at] == ">":
                break
        self._at += 1
        return Choice(tuple(options), tuple(float(count) for count in range(1, len(options) + 1)))

    def _labelled(self) -> Labelled:
        found = _LABEL.match(self._line, self._at)
        if not found:
            raise GrammarError(f"{{ needs D or T in {self._line!r}")
        self._at = found.end()
        body = self._sequence("}")
        if self._at >= len(self._line):
            raise GrammarError(f"{{ is not closed in {self._line!r}")
        self._at += 1
        return Labelled(found[1], body, found[2] or "")
