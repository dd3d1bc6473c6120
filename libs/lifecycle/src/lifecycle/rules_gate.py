"""Judges rules before they may serve: on gold, class by class, paired against those that serve. Pure, and the same each time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from math import comb
from typing import TYPE_CHECKING, Any

from clinical_ner.meaning import Reader

from lifecycle.gate import GateDecision, Verdict
from lifecycle.gate_config import GateConfigError
from lifecycle.rules_gold import in_words

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from clinical_ner.meaning import NoteMeaning
    from clinical_ner.rules import Rules

    from lifecycle.rules_gold import GoldNote

_Unit = tuple[int, str, Any]
"""Something that is said of a note: its place, the class, and of what."""


def _floors() -> dict[str, float]:
    return {"NEGATED": 0.96, "relation TREATS": 0.8}


@dataclass(frozen=True, slots=True)
class RulesGateConfig:
    """When other rules may serve.

    Attributes:
        margin: F1 that a class may lose against the rules that serve.
        significance: A class is worse when as many of the answers that differ went wrong by chance less often than this.
        least_support: Classes that stand less often in the gold have no floor; they are compared all the same.
        floor: Lowest F1 of a class.
        floors: Lowest F1 of single classes, such as NEGATED or "relation TREATS".
    """

    margin: float = 0.02
    significance: float = 0.05
    least_support: int = 10
    floor: float = 0.75
    floors: Mapping[str, float] = field(default_factory=_floors)

    def __post_init__(self) -> None:
        """Refuse what would make the gate meaningless; GateConfigError names the field."""
        if not 0 <= self.margin < 1 or not 0 < self.significance < 1 or not 0 <= self.floor <= 1:
            raise GateConfigError("margin, significance and floor: between 0 and 1")
        if self.least_support < 1:
            raise GateConfigError("least_support: at least 1")
        if not all(0 <= floor <= 1 for floor in self.floors.values()):
            raise GateConfigError("floors: between 0 and 1 for each class")

    @classmethod
    def from_dict(cls, given: Mapping[str, Any]) -> RulesGateConfig:
        """Make it of plain data; what is left out keeps its default.

        Raises:
            GateConfigError: A name is unknown or a value is no number.
        """
        unknown = sorted(given.keys() - {one.name for one in fields(cls)})
        if unknown:
            raise GateConfigError(f"{unknown[0]}: unknown")
        floors = given.get("floors", {})
        if not isinstance(floors, Mapping):
            raise GateConfigError("floors: an object of class and number")
        numbers = {**given, "floors": 0}.values(), floors.values()
        if not all(isinstance(value, int | float) for row in numbers for value in row):
            raise GateConfigError("each value is a number")
        return cls(**{**given, "floors": {**_floors(), **floors}})

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain data."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class ClassScore:
    """How rules do on one class: entities or relations that the gold has, that were said, and that were said rightly."""

    gold: int
    found: int
    right: int

    @property
    def f1(self) -> float:
        """Of precision and recall; 1 where there is nothing to say and nothing was said."""
        return 2.0 * self.right / (self.gold + self.found) if self.gold + self.found else 1.0


@dataclass(frozen=True, slots=True)
class Paired:
    """One class under both rules, and the answers in which they differ: those that went wrong, and those that came right."""

    serving: ClassScore
    offered: ClassScore
    lost: int
    won: int

    @property
    def chance(self) -> float:
        """How often as many of the answers that differ would be lost if both were equally good."""
        differ = self.lost + self.won
        return float(sum(comb(differ, at) for at in range(self.lost, differ + 1)) / 2**differ)


def compare(serving: Rules, offered: Rules, gold: Sequence[GoldNote]) -> dict[str, Paired]:
    """Read the gold under both rules and count by class."""
    wanted = {unit for place, note in enumerate(gold) for unit in _right(place, note)}
    statements = [_statements(rules, gold) for rules in (serving, offered)]
    names = sorted({name for units in (wanted, *statements) for _, name, _ in units})
    counts = [
        Counter(name for _, name, _ in units)
        for units in (wanted, *statements, *(wanted & units for units in statements))
    ]
    # What was said wrongly by one alone was lost by it; what was said rightly by one alone was won.
    lost, won = (
        Counter(name for _, name, _ in ((one - other) & wanted) | ((other - one) - wanted))
        for one, other in (statements, reversed(statements))
    )
    of_wanted, of_serving, of_offered, right_serving, right_offered = counts
    return {
        name: Paired(
            ClassScore(of_wanted[name], of_serving[name], right_serving[name]),
            ClassScore(of_wanted[name], of_offered[name], right_offered[name]),
            lost[name],
            won[name],
        )
        for name in names
    }


def judge_rules(
    serving: Rules, offered: Rules, gold: Sequence[GoldNote], config: RulesGateConfig, *, first: bool = False
) -> tuple[Verdict, dict[str, Paired]]:
    """Say whether rules may serve, and why.

    Args:
        serving: The rules that serve; those of this program when none were released.
        offered: The rules that want to.
        gold: What both are judged on.
        config: Margins and floors.
        first: No rules were released yet.
    """
    pairs = compare(serving, offered, gold)
    broken = [words for name, pair in pairs.items() for words in _broken(name, pair, config)]
    total = ClassScore(
        *(sum(getattr(pair.offered, part) for pair in pairs.values()) for part in ("gold", "found", "right"))
    )
    numbers = {"rules/f1": total.f1, "rules/gold_notes": float(len(gold))}
    numbers |= {f"rules/{name.replace(' ', '_')}/f1": pair.offered.f1 for name, pair in pairs.items()}
    if broken:
        return Verdict(GateDecision.REJECT, tuple(broken), numbers), pairs
    differ = {name: pair for name, pair in pairs.items() if pair.lost or pair.won}
    reasons = [f"{name}: {pair.won} answers came right, {pair.lost} went wrong" for name, pair in differ.items()]
    reasons.append(f"every class holds its floor on {len(gold)} gold notes, F1 {total.f1:.3f} over all")
    return Verdict(GateDecision.FIRST if first else GateDecision.PASS, tuple(reasons), numbers), pairs


def rules_report(verdict: Verdict, pairs: Mapping[str, Paired], versions: tuple[str, str]) -> str:
    """Return the report as Markdown; no text of a note.

    Args:
        verdict: What the gate said.
        pairs: By class.
        versions: `rules_version` of those that serve, and of those that are offered.
    """
    rows = "\n".join(
        f"| {name} | {pair.offered.gold} | {pair.serving.f1:.3f} | {pair.offered.f1:.3f} | {pair.won} | {pair.lost} |"
        for name, pair in pairs.items()
    )
    return (
        f"# Gate of rules: {verdict.decision}\n\nRules {versions[1]} against {versions[0]}.\n\n## Reasons\n\n"
        + "\n".join(f"- {reason}" for reason in verdict.reasons)
        + "\n\n## By class\n\n| Class | In the gold | F1 of what serves | F1 of what is offered | Came right | Went wrong |\n"
        + f"|---|---|---|---|---|---|\n{rows}\n"
    )


def _broken(name: str, pair: Paired, config: RulesGateConfig) -> Iterator[str]:
    fell = pair.serving.f1 - pair.offered.f1
    if fell > config.margin or (pair.lost > pair.won and pair.chance < config.significance):
        yield (
            f"{name} is worse: F1 {pair.offered.f1:.3f} after {pair.serving.f1:.3f}, "
            f"{pair.lost} answers went wrong and {pair.won} came right"
        )
    floor = config.floors.get(name, config.floor)
    if pair.offered.gold >= config.least_support and pair.offered.f1 < floor:
        yield f"{name} is below its floor: F1 {pair.offered.f1:.3f}, at least {floor:.2f}"


def _right(place: int, note: GoldNote) -> Iterator[_Unit]:
    for at, assertion in enumerate(note.assertions or ()):
        yield from ((place, name, at) for name in assertion or ())
    for kind, treatment, disease in note.relations or ():
        yield place, f"relation {kind}", (treatment, disease)
    for at, attributes in enumerate(note.prescriptions or ()):
        yield from ((place, f"prescription {name}", (at, value)) for name, value in (attributes or {}).items())


def _statements(rules: Rules, gold: Sequence[GoldNote]) -> set[_Unit]:
    read = Reader(rules.tables).read([note.text for note in gold], [note.spans for note in gold])
    return {
        unit for place, (note, meaning) in enumerate(zip(gold, read, strict=True)) for unit in _of(place, note, meaning)
    }


def _of(place: int, note: GoldNote, meaning: NoteMeaning) -> Iterator[_Unit]:
    if note.assertions is not None:
        for at, found in enumerate(meaning.assertions):
            if note.assertions[at] is not None:
                yield from ((place, str(name), at) for name in found[:3])
    if note.relations is not None:
        for one in meaning.relations:
            yield place, f"relation {one.type}", (one.treatment, one.disease)
    if note.prescriptions is not None:
        for at, prescription in enumerate(meaning.prescriptions):
            if note.prescriptions[at] is None:
                continue
            named = in_words({} if prescription is None else prescription._asdict()).items()
            yield from ((place, f"prescription {name}", (at, value)) for name, value in named)
