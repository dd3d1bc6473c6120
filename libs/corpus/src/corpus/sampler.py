"""Writes sentences from the grammar, drawing names from one side of the lexicon.

The result is text with private-use marks around each mention; `corpus.marked` reads them into spans.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from corpus import marked
from corpus.grammar import Choice, Labelled, Meaning, Node, Number, Reference, Text, compile_rules
from corpus.lexicon import Name, Vocabulary, brands, diseases, side, treatments
from corpus.spelling import american, british, plural

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from corpus.chance import Chance

RULE_FILES = (
    "words",
    "names",
    "scenery",
    "general",
    "made_up",
    "abstracts",
    "titles",
    "prose",
    "case_reports",
    "discharge",
    "prescriptions",
    "drift",
    "facts",
)
_ABBREVIATION = re.compile(r"[A-Z0-9][A-Za-z0-9&-]{1,7}")
_NOT_A_DRUG = re.compile(
    r"(?:ectomy|otomy|ostomy|plasty|tion|ing|therapy|surgery|drugs|care|[a-z]ics|ants|ers|ors|ines|ids)$|[ A-Z]"
)
_MAX_TRIES = 300
_MIN_CAPITALS = 2
_DIGITS = 10
_FOCUS = 0.7
_SHORT_FORM = 0.1
_USUAL_FORM = 0.6
_OTHER_SPELLING = 0.15
_PLURAL = 0.12


class _Scope(NamedTuple):
    """The line being expanded: the first pair key of its digits, and the key and meaning that it inherited."""

    first: int
    key: int
    meaning: str


@dataclass(frozen=True, slots=True)
class Novelty:
    """Names outside the lexicon that replace a share of the mentions, by label ("D", "T")."""

    names: Mapping[str, tuple[str, ...]]
    share: float


@dataclass(frozen=True, slots=True)
class Focus:
    """Sections of the lexicon (their first words) that most names of a kind come from; empty: all."""

    diseases: tuple[str, ...] = ()
    treatments: tuple[str, ...] = ()


class Sampler:
    """Expands grammar rules with one stream of chance."""

    def __init__(
        self,
        chance: Chance,
        vocabulary: Vocabulary,
        *,
        focus: Focus = Focus(),
        novelty: Novelty | None = None,
    ) -> None:
        self._chance = chance
        self._vocabulary = vocabulary
        self._focus = focus
        self._novelty = novelty
        self._rules = compile_rules(RULE_FILES)
        self._last: Name | None = None
        self._scopes = 0

    def write(self, rule: str, meaning: str = "") -> str:
        """Return one text of `rule`, with marks around the mentions that hold what the text means of them."""
        return marked.attach_meanings(self.expand(rule, meaning=meaning))

    def expand(self, rule: str, key: int = 0, meaning: str = "") -> str:
        """Return one text of `rule` with its marks; what a line means of a mention may still stand beside it."""
        choice = self._rules.get(rule)
        if choice is None:
            return self._name(rule)
        self._scopes += 1
        return self._sequence(choice.pick(self._chance.share()), _Scope(self._scopes * _DIGITS, key, meaning))

    def _sequence(self, nodes: Sequence[Node], scope: _Scope) -> str:
        return "".join(self._node(node, scope) for node in nodes)

    def _node(self, node: Node, scope: _Scope) -> str:
        match node:
            case Text():
                return node.text
            case Reference():
                key = scope.first + node.key if node.key else scope.key
                return self.expand(node.rule, key, _joined(scope.meaning, node.meaning))
            case Choice():
                return self._sequence(node.pick(self._chance.share()), scope)
            case Number():
                value = self._chance.between(node.low, node.high)
                return f"{value / 10**node.decimals:.{node.decimals}f}" if node.decimals else str(value)
            case Labelled():
                return self._mention(node, scope)
            case Meaning():
                return marked.beside(node.values, ahead=node.ahead)

    def _mention(self, node: Labelled, scope: _Scope) -> str:
        key, meaning = scope.key, _joined(scope.meaning, node.meaning)
        novel = self._novel(node.label)
        if novel:
            return marked.wrap(novel, node.label, key, meaning)
        for _ in range(_MAX_TRIES):
            text = self._sequence(node.body, scope)
            if self._vocabulary is Vocabulary.ALL or side(text) is self._vocabulary:
                return marked.wrap(text, node.label, key, meaning)
        return marked.wrap(self._name("disease" if node.label == "D" else "treatment"), node.label, key, meaning)

    def _novel(self, label: str) -> str:
        names = self._novelty.names.get(label) if self._novelty else None
        if not self._novelty or not names or self._chance.share() >= self._novelty.share:
            return ""
        return self._chance.pick(names)

    def _name(self, rule: str) -> str:
        kind, _, section = rule.partition(".")
        if kind == "abbreviation":
            return self._abbreviation()
        names = _candidates(kind, section, self._focused(kind), self._vocabulary)
        name = names[self._chance.below(len(names))]
        self._last = name
        return self._form(name, kind)

    def _focused(self, kind: str) -> str:
        wanted = self._focus.diseases if kind.startswith("disease") else self._focus.treatments
        return self._chance.pick(wanted) if wanted and self._chance.share() < _FOCUS else ""

    def _form(self, name: Name, kind: str) -> str:
        short = [form for form in name.forms if is_abbreviation(form)]
        long = [form for form in name.forms if not is_abbreviation(form)] or list(name.forms)
        if kind.endswith("_short") and short:
            return self._chance.pick(short)
        if short and not kind.endswith("_long") and self._chance.share() < _SHORT_FORM:
            return self._chance.pick(short)
        form = long[0] if self._chance.share() < _USUAL_FORM else self._chance.pick(long)
        return self._respelt(form)

    def _respelt(self, form: str) -> str:
        """Write a name the other side of the Atlantic's way, or in the plural, now and then."""
        draw = self._chance.share()
        if draw < _OTHER_SPELLING:
            return american(form) if self._chance.share() < _USUAL_FORM else british(form)
        return plural(form) if draw < _OTHER_SPELLING + _PLURAL else form

    def _abbreviation(self) -> str:
        if self._last is None:
            return "NOS"
        short = [form for form in self._last.forms if is_abbreviation(form)]
        if short:
            return self._chance.pick(short)
        words = re.findall(r"[A-Za-z]+", self._last.text)
        initials = "".join(word[0] for word in words).upper()
        return initials if len(initials) > 1 else self._last.text[:3].upper()


def _joined(outer: str, inner: str) -> str:
    """What an inner reference says of its spans replaces what the line around it says, but that all is annotated."""
    return outer if not inner else ("." if "." in outer and "." not in inner else "") + inner


def is_abbreviation(form: str) -> bool:
    """Tell a short form ("COPD", "T2DM", "HbA1c") from a name that is written out."""
    capitals = sum(letter.isupper() for letter in form)
    return bool(_ABBREVIATION.fullmatch(form)) and capitals >= _MIN_CAPITALS


@lru_cache(maxsize=1024)
def _candidates(kind: str, section: str, focus: str, vocabulary: Vocabulary) -> tuple[Name, ...]:
    disease = kind.startswith("disease")
    names = diseases(vocabulary) if disease else treatments(vocabulary)
    if section:
        names = tuple(name for name in names if _belongs(name, section))
        names += brands(vocabulary) if section == "brands" else ()
    elif not disease:
        names = tuple(name for name in names if name.group != "brands")
    if kind.endswith("_short"):
        shorter = tuple(name for name in names if any(is_abbreviation(form) for form in name.forms))
        names = shorter or names
    if not names:
        raise LookupError(f"no {vocabulary} name for @{kind}.{section}")
    focused = tuple(name for name in names if _belongs(name, focus)) if focus else ()
    return focused or names


def _belongs(name: Name, section: str) -> bool:
    if section == "drugs":
        return name.group == "drugs" and not _NOT_A_DRUG.search(name.text)
    return section in (name.group, name.section.split()[0])
