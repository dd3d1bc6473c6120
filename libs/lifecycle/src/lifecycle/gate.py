"""Whether a challenger may replace the champion: every rule gives a sentence with its numbers, and all must hold."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from clinical_ner.bootstrap import MICRO, Difference, f1_intervals, paired_differences
from clinical_ner.notes import Label

from lifecycle.segments import leading

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from clinical_ner.notes import AnnotatedNote
    from clinical_ner.predictions import Prediction
    from clinical_ner.sklearn_crfsuite_check import LabelComparison

    from lifecycle.gate_config import GateConfig
    from lifecycle.leakage import Leak
    from lifecycle.speed import Speed


RECENT = "recent"


class GateDecision(StrEnum):
    """What the gate says."""

    PASS = "PASS"  # noqa: S105 - no password
    FIRST = "FIRST"
    REJECT = "REJECT"
    DEFER = "DEFER"


@dataclass(frozen=True, slots=True)
class TestSet:
    """Annotated notes and what both models say of them; `champion` is empty when there is none."""

    __test__ = False  # no test of pytest's

    notes: Sequence[AnnotatedNote]
    challenger: Sequence[Prediction]
    champion: Sequence[Prediction] = ()

    def first(self, count: int) -> TestSet:
        """Return the first `count` notes of it."""
        return TestSet(self.notes[:count], self.challenger[:count], self.champion[:count])

    def at(self, places: Iterable[int]) -> TestSet:
        """Return the notes at these places."""
        wanted = sorted(set(places))
        return TestSet(
            [self.notes[place] for place in wanted],
            [self.challenger[place] for place in wanted],
            [self.champion[place] for place in wanted],
        )


@dataclass(frozen=True, slots=True)
class Evidence:
    """All that the gate looks at.

    Attributes:
        gold: Frozen gold; its first `shipped_gold` notes every model was judged on.
        recent: Validated notes that neither model was trained on, of the drifted segments where it answers a drift.
        drifted: For each segment of the drift that is answered, where its notes lie in `recent`; empty: no drift.
        speed: None when there is no champion.
        leak: What of the gold the challenger was trained on.
        labels: The challenger's labels on gold compared with those of sklearn-crfsuite's tagger; None where it was compared before.
    """

    drifted: Mapping[str, Sequence[int]]
    gold: TestSet
    shipped_gold: int
    recent: TestSet
    leak: Leak
    speed: Speed | None = None
    labels: LabelComparison | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """The decision, why in plain sentences, and the numbers behind them by name."""

    decision: GateDecision
    reasons: tuple[str, ...]
    metrics: Mapping[str, float]
    missing_labels: int | None = None
    differences: Mapping[str, Mapping[str, Difference]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Finding:
    holds: bool
    sentence: str


def judge(evidence: Evidence, config: GateConfig) -> Verdict:
    """Apply every rule; nothing is judged on a test set that is too small."""
    short = _too_small(evidence, config)
    if short is not None:
        missing, sentence = short
        return Verdict(GateDecision.DEFER, (sentence,), {"missing_labels": float(missing)}, missing)
    if not evidence.gold.champion:
        return _first(evidence, config)
    differences = {"gold": _compare(evidence.gold, config)}
    old = evidence.gold.first(evidence.shipped_gold)
    if 0 < len(old.notes) < len(evidence.gold.notes):
        differences["old gold"] = _compare(old, config)
    if evidence.drifted:
        differences |= _compare_drifted(evidence, config)
    findings = [
        _leak(evidence.leak),
        *_same_labels(evidence.labels),
        *_labels(differences["gold"], config),
        *_floors({name: found.second.value for name, found in differences["gold"].items()}, config),
        *_forgetting(differences, config),
        *_recent(differences, evidence, config),
        *_speed(evidence.speed, config),
    ]
    return _verdict(GateDecision.PASS, findings, _numbers(differences, evidence), differences)


def _verdict(
    good: GateDecision,
    findings: Sequence[_Finding],
    numbers: Mapping[str, float],
    differences: Mapping[str, Mapping[str, Difference]],
) -> Verdict:
    broken = [finding.sentence for finding in findings if not finding.holds]
    if broken:
        return Verdict(GateDecision.REJECT, tuple(broken), numbers, None, differences)
    return Verdict(good, tuple(finding.sentence for finding in findings), numbers, None, differences)


def _too_small(evidence: Evidence, config: GateConfig) -> tuple[int, str] | None:
    mentions = Counter(span.label for note in evidence.gold.notes for span in note.spans)
    for label in Label:
        lacking = config.min_gold_mentions - mentions[label]
        if lacking > 0:
            return lacking, (
                f"frozen gold holds {mentions[label]} {label} mentions and needs {config.min_gold_mentions}: {lacking} are missing"
            )
    if evidence.drifted and not _led(evidence, config):
        fullest = max(leading(evidence.drifted), key=lambda segment: len(evidence.drifted[segment]))
        judging = len(evidence.drifted[fullest])
        lacking = config.min_recent_notes - judging
        return lacking, f"{judging} recent validated notes of {fullest} can judge, {lacking} are missing"
    return None


def _first(evidence: Evidence, config: GateConfig) -> Verdict:
    """Without a champion only the floors count."""
    found = f1_intervals(evidence.gold.notes, evidence.gold.challenger, config.seed, config.resamples)
    values = {name: interval.value for name, interval in found.items()}
    numbers = {f"gold/{name}/challenger_f1": value for name, value in values.items()}
    return _verdict(
        GateDecision.FIRST,
        [_leak(evidence.leak), *_same_labels(evidence.labels), *_floors(values, config)],
        numbers,
        {},
    )


def _judged(evidence: Evidence, config: GateConfig) -> list[str]:
    """Return the drifted segments that have notes enough to be judged by themselves."""
    return [segment for segment, places in evidence.drifted.items() if len(places) >= config.min_recent_notes]


def _led(evidence: Evidence, config: GateConfig) -> list[str]:
    """Return those among them where the language surely moved."""
    lead = leading(evidence.drifted)
    return [segment for segment in _judged(evidence, config) if segment in lead]


def _compare_drifted(evidence: Evidence, config: GateConfig) -> dict[str, dict[str, Difference]]:
    """Compare on the notes of all segments that lead, and on those of each that can be judged."""
    led, judged = _led(evidence, config), _judged(evidence, config)
    found = {RECENT: _compare(evidence.recent.at(place for one in led for place in evidence.drifted[one]), config)}
    if len(evidence.drifted) > 1:
        found |= {f"{RECENT} {one}": _compare(evidence.recent.at(evidence.drifted[one]), config) for one in judged}
    return found


def _compare(test: TestSet, config: GateConfig) -> dict[str, Difference]:
    return paired_differences(test.notes, test.champion, test.challenger, config.seed, config.resamples)


def _same_labels(labels: LabelComparison | None) -> Iterator[_Finding]:
    if labels is not None:
        yield _Finding(
            holds=not labels.different,
            sentence=f"sklearn-crfsuite's own tagger gives another label on {labels.different:,} of {labels.tokens:,} tokens of frozen gold",
        )


def _leak(leak: Leak) -> _Finding:
    if not leak.found and leak.texts is None:
        return _Finding(
            holds=True,
            sentence=f"it does not say which texts it was trained on; it knows {leak.known_names:.0%} of the names in "
            "frozen gold, which is not suspicious",
        )
    if not leak.found:
        return _Finding(
            holds=True,
            sentence="no text or patient of the test sets, and no suspicious share of the names of frozen gold, was trained on",
        )
    if leak.texts is None:
        found = f"it knows {leak.known_names:.0%} of the names in frozen gold and does not say what it was trained on"
    else:
        found = f"{leak.texts} texts and {leak.patients} patients of the test sets were trained on"
    return _Finding(holds=False, sentence=f"LEAKED TEST DATA: {found}; its scores mean nothing")


def _labels(differences: Mapping[str, Difference], config: GateConfig) -> Iterator[_Finding]:
    for name in (MICRO, *map(str, Label)):
        if name not in differences:
            yield _unknown(name, "frozen gold")
            continue
        found = differences[name].difference
        holds = found.low > -config.margin
        sentence = (
            f"{_shown(name)} on frozen gold: {differences[name].first.value:.3f} to {differences[name].second.value:.3f} "
            f"({_signed(found.value)}, 95 % {_signed(found.low)} to {_signed(found.high)})"
        )
        yield _Finding(holds, sentence if holds else f"{sentence}: may have lost more than {config.margin:.3f}")


def _floors(values: Mapping[str, float], config: GateConfig) -> Iterator[_Finding]:
    for name, floor in config.floors.items():
        if name not in values:
            yield _unknown(name, "frozen gold")
            continue
        holds = values[name] >= floor
        yield _Finding(
            holds, f"{_shown(name)} {values[name]:.3f} is {'at or above' if holds else 'below'} its floor {floor:.2f}"
        )


def _forgetting(differences: Mapping[str, Mapping[str, Difference]], config: GateConfig) -> Iterator[_Finding]:
    if "old gold" not in differences:
        return
    for name in (MICRO, *map(str, Label)):
        if name not in differences["old gold"]:
            yield _unknown(name, "the oldest gold")
            continue
        found = differences["old gold"][name].difference
        holds = found.low > -config.margin
        sentence = f"{_shown(name)} on the oldest gold: {_signed(found.value)} (95 % from {_signed(found.low)})"
        yield _Finding(holds, sentence if holds else f"{sentence}: it may have forgotten more than {config.margin:.3f}")


def _recent(
    differences: Mapping[str, Mapping[str, Difference]], evidence: Evidence, config: GateConfig
) -> Iterator[_Finding]:
    """Surely better where the language moved, and in none of the segments that moved surely worse."""
    if RECENT not in differences:
        return
    led = _led(evidence, config)
    if MICRO not in differences[RECENT]:
        yield _Finding(
            holds=False,
            sentence=f"nothing is annotated in the recent notes of {', '.join(led)}: not shown to be better",
        )
        return
    found = differences[RECENT][MICRO]
    count = len({place for one in led for place in evidence.drifted[one]})
    holds = found.difference.low > 0
    yield _Finding(
        holds,
        f"on {count} recent validated notes of {', '.join(led)}: "
        f"{found.first.value:.3f} to {found.second.value:.3f}, 95 % from {_signed(found.difference.low)}"
        f"{'' if holds else ': not surely better where the language moved'}",
    )
    if len(evidence.drifted) > 1:
        yield from (_of_segment(one, differences, len(evidence.drifted[one])) for one in evidence.drifted)


def _of_segment(segment: str, differences: Mapping[str, Mapping[str, Difference]], count: int) -> _Finding:
    rows = differences.get(f"{RECENT} {segment}")
    if rows is None or MICRO not in rows:
        return _Finding(
            holds=True, sentence=f"{segment}: {count} recent validated notes, too few to judge it by itself"
        )
    difference = rows[MICRO].difference
    holds = difference.high >= 0
    sentence = (
        f"{segment}: {_signed(difference.value)} on {count} recent validated notes (95 % to {_signed(difference.high)})"
    )
    return _Finding(holds, sentence if holds else f"{sentence}: surely worse there")


def _unknown(name: str, where: str) -> _Finding:
    """A label that is not annotated judges nothing; where nothing is annotated, nothing may pass."""
    sentence = f"{_shown(name)}: -, not annotated in {where}"
    return _Finding(holds=name != MICRO, sentence=sentence)


def _speed(speed: Speed | None, config: GateConfig) -> Iterator[_Finding]:
    if speed is not None:
        holds = speed.ratio >= config.min_speed_ratio
        need = "" if holds else f": below {config.min_speed_ratio:.2f}"
        yield _Finding(holds, f"decodes at {speed.ratio:.2f} times the champion's speed{need}")


def _numbers(differences: Mapping[str, Mapping[str, Difference]], evidence: Evidence) -> dict[str, float]:
    numbers: dict[str, float] = {}
    for test, rows in differences.items():
        if test.startswith(f"{RECENT} "):
            continue  # a segment's key is no name of a metric; its numbers stand in the reasons and the report
        for name, row in rows.items():
            place = f"{test.replace(' ', '_')}/{name}"
            numbers[f"{place}/champion_f1"] = row.first.value
            numbers[f"{place}/challenger_f1"] = row.second.value
            numbers[f"{place}/difference_low"] = row.difference.low
            numbers[f"{place}/difference_high"] = row.difference.high
    numbers["gold/notes"] = float(len(evidence.gold.notes))
    numbers["recent/notes"] = float(len(evidence.recent.notes))
    if evidence.speed is not None:
        numbers["speed/ratio"] = evidence.speed.ratio
    return numbers


def _shown(name: str) -> str:
    return "F1" if name == MICRO else f"F1 of {name}"


def _signed(value: float) -> str:
    return f"{value:+.3f}"
