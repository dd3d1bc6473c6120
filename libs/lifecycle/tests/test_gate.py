"""The gate lets a better model pass, and refuses each kind of worse one. Predictions are made, so each test is exact."""

from __future__ import annotations

from dataclasses import replace

import pytest
from clinical_ner.notes import AnnotatedNote, Label, Span
from clinical_ner.predictions import Prediction
from clinical_ner.sklearn_crfsuite_check import LabelComparison
from lifecycle.gate import Evidence, GateDecision, TestSet, judge
from lifecycle.gate_config import GateConfig, GateConfigError, demo_settings
from lifecycle.leakage import Leak
from lifecycle.speed import Speed

CONFIG = GateConfig(resamples=300, min_gold_mentions=50, min_recent_notes=20)
CLEAN = Leak(texts=0)


def note(number: int) -> AnnotatedNote:
    return AnnotatedNote(
        f"fever {number} on drug", (Span(0, 5, Label.DISEASE), Span(10, 14, Label.TREATMENT)), note_id=str(number)
    )


def predicted(notes: list[AnnotatedNote], miss: dict[Label, int]) -> list[Prediction]:
    """Everything right but every n-th mention of a label."""
    found = []
    for index, one in enumerate(notes):
        kept = [span for span in one.spans if span.label not in miss or index % miss[span.label]]
        found.append(Prediction(tuple(kept)))
    return found


GOLD = [note(number) for number in range(200)]
RECENT = [note(number) for number in range(1000, 1040)]
WEAK = predicted(GOLD, {Label.DISEASE: 4, Label.TREATMENT: 4})
GOOD = predicted(GOLD, {Label.DISEASE: 10, Label.TREATMENT: 10})


def evidence(challenger, champion=WEAK, **more) -> Evidence:
    given = {
        "drifted": {},
        "gold": TestSet(GOLD, challenger, champion),
        "shipped_gold": 100,
        "recent": TestSet([], [], []),
        "leak": CLEAN,
        "speed": Speed(100.0, 100.0, 1.0),
    }
    return Evidence(**{**given, **more})


def test_a_file_that_sklearn_crfsuite_reads_otherwise_is_refused_with_the_number_of_labels():
    same, other = LabelComparison(1_000, 0), LabelComparison(1_000, 3)
    assert judge(evidence(GOOD, labels=same), CONFIG).decision is GateDecision.PASS
    for champion in (WEAK, ()):
        verdict = judge(evidence(GOOD, champion, labels=other), CONFIG)
        assert verdict.decision is GateDecision.REJECT
        assert any("another label on 3 of 1,000" in reason for reason in verdict.reasons)


def test_a_better_model_passes():
    verdict = judge(evidence(GOOD), CONFIG)
    assert verdict.decision is GateDecision.PASS, verdict.reasons
    assert verdict.metrics["gold/micro/challenger_f1"] > verdict.metrics["gold/micro/champion_f1"]


def test_a_worse_model_is_refused():
    verdict = judge(evidence(WEAK, GOOD), CONFIG)
    assert verdict.decision is GateDecision.REJECT
    assert any("may have lost" in reason for reason in verdict.reasons)


def test_better_overall_but_one_label_worse_is_refused():
    much_better_diseases = predicted(GOLD, {Label.TREATMENT: 3})
    champion = predicted(GOLD, {Label.DISEASE: 2, Label.TREATMENT: 10})
    verdict = judge(evidence(much_better_diseases, champion), CONFIG)
    assert verdict.metrics["gold/micro/challenger_f1"] > verdict.metrics["gold/micro/champion_f1"]
    assert verdict.decision is GateDecision.REJECT
    assert any("TREATMENT" in reason for reason in verdict.reasons)


def test_forgetting_old_gold_is_refused():
    champion = predicted(GOLD[:100], {Label.DISEASE: 10}) + predicted(
        GOLD[100:], {Label.DISEASE: 2, Label.TREATMENT: 2}
    )
    challenger = predicted(GOLD[:100], {Label.DISEASE: 4}) + predicted(GOLD[100:], {})
    verdict = judge(evidence(challenger, champion), CONFIG)
    assert verdict.decision is GateDecision.REJECT
    assert all("oldest gold" in reason for reason in verdict.reasons)


def test_too_small_a_test_set_defers_and_says_how_many_are_missing():
    verdict = judge(evidence(GOOD), replace(CONFIG, min_gold_mentions=250))
    assert verdict.decision is GateDecision.DEFER
    assert verdict.missing_labels == 50
    verdict = judge(evidence(GOOD, drifted={"city=Pune": ()}), CONFIG)
    assert verdict.decision is GateDecision.DEFER
    assert verdict.missing_labels == 20
    assert "city=Pune" in verdict.reasons[0]


def test_a_slower_model_is_refused():
    verdict = judge(evidence(GOOD, speed=Speed(100.0, 50.0, 0.5)), CONFIG)
    assert verdict.decision is GateDecision.REJECT
    assert any("speed" in reason for reason in verdict.reasons)


@pytest.mark.parametrize("leak", [Leak(texts=3), Leak(texts=0, patients=1), Leak(texts=None, known_names=0.8)])
def test_leaked_test_data_is_flagged_however_good_the_scores(leak):
    verdict = judge(evidence(predicted(GOLD, {}), leak=leak), CONFIG)
    assert verdict.decision is GateDecision.REJECT
    assert any("LEAKED" in reason for reason in verdict.reasons)


def test_a_drift_run_must_be_surely_better_where_the_language_moved():
    same = predicted(RECENT, {Label.DISEASE: 4})
    stuck = evidence(GOOD, drifted={"city=Pune": range(40)}, recent=TestSet(RECENT, same, same))
    verdict = judge(stuck, CONFIG)
    assert verdict.decision is GateDecision.REJECT
    assert any("recent validated notes" in reason for reason in verdict.reasons)
    better = TestSet(RECENT, predicted(RECENT, {}), predicted(RECENT, {Label.DISEASE: 2, Label.TREATMENT: 2}))
    assert judge(replace(stuck, recent=better), CONFIG).decision is GateDecision.PASS


def drifting(there: dict[Label, int], elsewhere: dict[Label, int], **drifted: int) -> Evidence:
    """Forty notes, the first half of Pune and the second of Delhi, in which the champion misses every second mention."""
    champion = predicted(RECENT, {Label.DISEASE: 2, Label.TREATMENT: 2})
    challenger = [*predicted(RECENT[:20], there), *predicted(RECENT[20:], elsewhere)]
    places = {"pune": range(20), "delhi": range(20, 40), "all": range(40)}
    named = {{"all": "all"}.get(name, f"city={name.title()}"): places[name][:count] for name, count in drifted.items()}
    return evidence(GOOD, drifted=named, recent=TestSet(RECENT, challenger, champion))


WORST = {Label.DISEASE: 1, Label.TREATMENT: 1}


def test_every_segment_of_a_drift_is_judged():
    verdict = judge(drifting({}, {}, pune=20, delhi=20, all=40), CONFIG)
    assert verdict.decision is GateDecision.PASS, verdict.reasons
    for segment in ("city=Pune", "city=Delhi", "all"):
        assert any(reason.startswith(f"{segment}: ") for reason in verdict.reasons)
    assert any("40 recent validated notes of city=Pune, city=Delhi" in reason for reason in verdict.reasons)
    assert not any("Pune" in name for name in verdict.metrics)


def test_a_model_that_is_worse_in_one_of_the_segments_is_refused():
    verdict = judge(drifting({}, WORST, pune=20, delhi=20), CONFIG)
    assert verdict.decision is GateDecision.REJECT
    assert any(reason.startswith("city=Delhi: ") and "surely worse there" in reason for reason in verdict.reasons)


def test_a_segment_with_too_few_notes_is_said_and_hinders_nothing():
    verdict = judge(drifting({}, WORST, pune=20, delhi=3), CONFIG)
    assert verdict.decision is GateDecision.PASS, verdict.reasons
    assert any("city=Delhi: 3 recent validated notes, too few" in reason for reason in verdict.reasons)


def test_all_notes_together_do_not_answer_a_drift_of_a_city():
    verdict = judge(drifting({}, {}, pune=3, all=40), CONFIG)
    assert verdict.decision is GateDecision.DEFER
    assert verdict.missing_labels == 17
    assert "city=Pune" in verdict.reasons[0]


def test_the_first_model_needs_only_the_floors():
    assert judge(evidence(GOOD, ()), CONFIG).decision is GateDecision.FIRST
    verdict = judge(evidence(predicted(GOLD, {Label.DISEASE: 1}), ()), CONFIG)
    assert verdict.decision is GateDecision.REJECT
    assert any("floor" in reason for reason in verdict.reasons)


def test_settings_are_checked():
    assert GateConfig.from_dict(CONFIG.to_dict()) == CONFIG
    assert demo_settings().min_recent_notes < GateConfig().min_recent_notes
    with pytest.raises(GateConfigError, match="margins"):
        GateConfig.from_dict({"margins": 1})
    with pytest.raises(GateConfigError, match="resamples"):
        GateConfig(resamples=1)


def test_a_model_that_does_not_say_what_it_learnt_from_is_never_called_clean():
    verdict = judge(evidence(GOOD, leak=Leak(texts=None, known_names=0.1)), CONFIG)
    assert verdict.decision is GateDecision.PASS
    assert any("does not say which texts" in reason for reason in verdict.reasons)
    assert not any("no text or patient" in reason for reason in verdict.reasons)


def test_a_label_that_the_oldest_gold_does_not_annotate_judges_nothing_there():
    """The first notes of the gold were annotated for diseases alone; what is predicted of treatments in them is neither right nor wrong."""
    gold = [replace(one, spans=one.spans[:1], meta={"annotates": "DISEASE"}) for one in GOLD[:100]] + [
        *GOLD,
        *GOLD[:50],
    ]
    champion = [Prediction(one.spans[:1]) for one in GOLD[:100]] + predicted(
        [*GOLD, *GOLD[:50]], {Label.DISEASE: 4, Label.TREATMENT: 4}
    )
    challenger = [Prediction(one.spans) for one in [*GOLD[:100], *GOLD, *GOLD[:50]]]
    verdict = judge(replace(evidence(challenger), gold=TestSet(gold, challenger, champion)), CONFIG)
    assert any("F1 of TREATMENT: -, not annotated in the oldest gold" in reason for reason in verdict.reasons), (
        verdict.reasons
    )
    assert not any("old_gold/TREATMENT" in name for name in verdict.metrics)
    assert "old_gold/DISEASE/challenger_f1" in verdict.metrics


def test_recent_notes_without_any_annotation_show_no_gain():
    bare = [replace(one, spans=()) for one in RECENT]
    nothing = [Prediction(())] * len(bare)
    verdict = judge(evidence(GOOD, drifted={"city=Pune": range(40)}, recent=TestSet(bare, nothing, nothing)), CONFIG)
    assert verdict.decision is GateDecision.REJECT
    assert any("nothing is annotated in the recent notes of city=Pune" in reason for reason in verdict.reasons)
