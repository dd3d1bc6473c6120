"""Rules are judged on gold, class by class, against those that serve."""

from __future__ import annotations

import re

import pytest
from clinical_ner.meaning import Assertion, Experiencer, Status, Time
from clinical_ner.rules import Rules, read_rules, shipped_rules
from lifecycle.gate import GateDecision
from lifecycle.gate_config import GateConfigError
from lifecycle.rules_gate import ClassScore, Paired, RulesGateConfig, compare, judge_rules, rules_report
from lifecycle.rules_gold import GoldNote, shipped_gold

CONFIG = RulesGateConfig()


def rules(folder, change) -> Rules:
    for name, text in shipped_rules().texts.items():
        (folder / name).write_text(change(name, text), encoding="utf-8")
    return read_rules(folder)


def without_no(name: str, text: str) -> str:
    if name != "assertion.txt":
        return text
    return re.sub(r"(?m)(^|\| )no(?: h/o)? \| ", r"\1", re.sub(r"(?m) \| no( h/o)?$|^no( h/o)?\n", "", text))


@pytest.fixture
def careless(tmp_path) -> Rules:
    made = rules(tmp_path, without_no)
    assert made.version != shipped_rules().version, "the phrase 'no' stands where the test takes it out"
    return made


@pytest.mark.slow
def test_the_shipped_rules_pass_against_themselves_as_first_and_later() -> None:
    for first, decision in ((True, GateDecision.FIRST), (False, GateDecision.PASS)):
        verdict, pairs = judge_rules(shipped_rules(), shipped_rules(), shipped_gold(), CONFIG, first=first)
        assert verdict.decision is decision, verdict.reasons
        assert all((pair.lost, pair.won) == (0, 0) for pair in pairs.values())
        assert {"NEGATED", "FAMILY", "relation TREATS", "prescription frequency"} <= pairs.keys()


def test_rules_that_lose_a_class_are_refused_and_the_class_is_named(careless) -> None:
    verdict, pairs = judge_rules(shipped_rules(), careless, shipped_gold(), CONFIG)
    assert verdict.decision is GateDecision.REJECT
    assert any(reason.startswith("NEGATED is worse: F1 ") for reason in verdict.reasons)
    assert pairs["NEGATED"].lost > 20 > pairs["NEGATED"].won
    assert verdict.metrics["rules/NEGATED/f1"] == pairs["NEGATED"].offered.f1 < pairs["NEGATED"].serving.f1


def test_rules_that_came_right_again_pass(careless) -> None:
    verdict, pairs = judge_rules(careless, shipped_rules(), shipped_gold(), CONFIG)
    assert verdict.decision is GateDecision.PASS
    assert pairs["NEGATED"].won > 20


def test_a_floor_holds_whatever_serves(careless) -> None:
    verdict, _ = judge_rules(careless, careless, shipped_gold(), RulesGateConfig(floors={"NEGATED": 0.999}))
    assert [reason.split(":")[0] for reason in verdict.reasons] == ["NEGATED is below its floor"]


def test_what_one_alone_says_wrongly_is_lost_and_what_it_says_rightly_is_won(careless) -> None:
    note = next(one for one in shipped_gold() if one.text.startswith("No h/o DM"))
    paired = compare(shipped_rules(), careless, [note])
    assert paired["NEGATED"] == Paired(ClassScore(2, 2, 2), paired["NEGATED"].offered, paired["NEGATED"].lost, 0)
    assert paired["NEGATED"].lost == 2 - paired["NEGATED"].offered.right > 0
    assert paired["PRESENT"].lost == paired["PRESENT"].offered.found
    assert paired["PRESENT"].offered.gold == 0


def test_few_answers_that_went_wrong_may_be_chance_and_many_are_not() -> None:
    def chance(lost: int, won: int) -> float:
        return Paired(ClassScore(1, 1, 1), ClassScore(1, 1, 1), lost, won).chance

    assert chance(0, 0) == 1
    assert chance(4, 0) == 1 / 16
    assert chance(5, 0) == 1 / 32
    assert chance(12, 8) > 0.05


def test_a_note_that_judges_one_thing_says_nothing_of_another() -> None:
    gold = [GoldNote(one.text, one.spans, one.assertions) for one in shipped_gold() if one.assertions]
    _, pairs = judge_rules(shipped_rules(), shipped_rules(), gold, CONFIG)
    assert not [name for name in pairs if name.startswith(("relation", "prescription"))]


def test_the_report_names_both_and_every_class_and_no_note(careless) -> None:
    verdict, pairs = judge_rules(shipped_rules(), careless, shipped_gold(), CONFIG)
    report = rules_report(verdict, pairs, ("aaa", "bbb"))
    assert "Rules bbb against aaa" in report
    assert all(f"| {name} |" in report for name in pairs)
    assert not [note for note in shipped_gold() if len(note.text) > 10 and note.text in report]


@pytest.mark.parametrize(
    "given",
    [{"floors": 1}, {"floors": {"NEGATED": 2}}, {"margin": -1}, {"least_support": 0}, {"what": 1}, {"floor": "x"}],
)
def test_settings_that_make_no_gate_are_refused(given) -> None:
    with pytest.raises(GateConfigError):
        RulesGateConfig.from_dict(given)
    assert RulesGateConfig.from_dict(RulesGateConfig().to_dict()) == RulesGateConfig()


def test_gold_names_what_rules_can_say() -> None:
    known = {str(name) for names in (Status, Time, Experiencer) for name in names}
    assert Assertion._fields[:3] == ("status", "time", "experiencer")
    assert {name for note in shipped_gold() for row in note.assertions or () for name in row or ()} <= known


def test_notes_of_the_corpus_judge_too_and_what_one_does_not_say_is_not_judged() -> None:
    from clinical_ner.notes import AnnotatedNote, Label, Span, SpanMeaning
    from lifecycle.rules_gold import of_corpus

    spans = (Span(0, 5, Label.DISEASE), Span(6, 9, Label.TREATMENT))
    said = SpanMeaning("PRESENT", "CURRENT", "PATIENT", None, {"frequency": 2, "as_needed": True})
    gold = of_corpus(AnnotatedNote("fever met", spans, meanings=(SpanMeaning(), said)))
    assert gold.assertions == (None, ("PRESENT", "CURRENT", "PATIENT"))
    assert gold.prescriptions == (None, {"frequency": "2", "as_needed": "true"})
    assert gold.relations is None
    verdict, pairs = judge_rules(shipped_rules(), shipped_rules(), [gold], CONFIG)
    assert (pairs["PRESENT"].offered.gold, pairs["PRESENT"].offered.found) == (1, 1)
    assert verdict.decision is GateDecision.PASS
    assert len(shipped_gold()) > 1_000
