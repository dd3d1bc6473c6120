"""How many notes an audit needs, and what the next labels are expected to bring."""

import random
from math import isclose
from zoneinfo import ZoneInfo

import pytest
from contracts.records import LabelQuality, ModelEvent, ModelEventKind
from outcomes.folding import Folded
from outcomes.planning import Expectation, Point, audit_notes, audit_rate, expectation


def quality(f1: float, half: float) -> LabelQuality:
    given = {
        "precision": f1,
        "precision_low": 0.0,
        "precision_high": 1.0,
        "recall": f1,
        "recall_low": 0.0,
        "recall_high": 1.0,
    }
    return LabelQuality(label="ALL", **given, f1=f1, f1_low=f1 - half, f1_high=f1 + half, support=100)


def test_half_the_width_needs_four_times_the_notes() -> None:
    assert audit_notes(quality(0.8, 0.06), 80, 0.03) == 320
    assert audit_notes(quality(0.8, 0.03), 320, 0.03) == 320
    assert audit_notes(quality(0.8, 0.01), 400, 0.05) == 30  # never fewer than say anything of scatter


@pytest.mark.parametrize(("found", "audited"), [(None, 0), (quality(1.0, 0.0), 5), (quality(0.5, 0.5), 29)])
def test_before_an_estimate_the_worst_case_counts(found: LabelQuality | None, audited: int) -> None:
    assert audit_notes(found, audited, 0.03) == 1_068


def test_fewer_than_three_different_sizes_are_no_curve() -> None:
    assert expectation([]) is None
    assert expectation([Point(100, 0.5), Point(200, 0.6), Point(200, 0.61)]) is None
    assert expectation([Point(0, 0.4), Point(100, 0.5), Point(200, 0.6)]) is None


def test_a_power_law_is_found_and_followed() -> None:
    def f1(labels: int) -> float:
        return 1 - 2.0 * labels**-0.3

    found = expectation([Point(n, f1(n)) for n in (100, 200, 400, 1000)])
    assert isinstance(found, Expectation)
    assert isclose(found.gain, f1(1100) - f1(1000), abs_tol=1e-6)
    assert found.low <= found.gain <= found.high


def test_nineteen_of_twenty_intervals_hold_what_comes() -> None:
    chance, held, runs = random.Random(7), 0, 300
    for _ in range(runs):
        true = [(n, 1.5 * n**-0.25) for n in (100, 200, 400, 800, 1600)]
        found = expectation([Point(n, 1 - error * 2.718281828 ** chance.gauss(0, 0.03)) for n, error in true])
        assert found is not None
        slope_gain = (1 - found.f1) * (1 - (1700 / 1600) ** -0.25)
        held += found.low <= slope_gain <= found.high
    assert held >= 0.92 * runs


def trained(version: str, labels: float | None, f1: float) -> ModelEvent:
    numbers = {"gold/micro/challenger_f1": f1} | ({} if labels is None else {"training/annotated": labels})
    return ModelEvent(
        event_id=version, kind=ModelEventKind.MODEL_TRAINED, model_name="m", model_version=version, metrics=numbers, reasons=(), occurred_at=1,
    )  # fmt: skip


def test_the_curve_is_of_versions_that_say_how_many_labels_they_had() -> None:
    folded = Folded(ZoneInfo("UTC"))
    for event in (trained("1", 0, 0.4), trained("2", 120, 0.5), trained("3", None, 0.9), trained("2", 120, 0.5)):
        folded.model_event(event)
    assert folded.trained == {"1": Point(0, 0.4), "2": Point(120, 0.5)}


def test_a_version_that_waits_for_approval_is_known_until_a_champion_comes() -> None:
    folded = Folded(ZoneInfo("UTC"))
    waits = ModelEvent(
        event_id="w", kind=ModelEventKind.APPROVAL_AWAITED, model_name="m", model_version="4", reasons=(), occurred_at=1
    )
    folded.model_event(waits)
    assert folded.awaits_approval == "4"
    promoted = ModelEvent(
        event_id="p",
        kind=ModelEventKind.PROMOTED,
        model_name="m",
        model_version="4",
        serial=3,
        reasons=(),
        occurred_at=2,
    )
    folded.model_event(promoted)
    assert (folded.awaits_approval, folded.promotions[3].version) == ("", "4")


def test_the_rate_follows_the_notes_that_come_and_stays_between_its_bounds() -> None:
    assert audit_rate(310, 70_000, days=7, least=0.0001, most=0.25) == 0.0044
    assert audit_rate(310, 35_000, days=3.5, least=0.0001, most=0.25) == 0.0044
    assert audit_rate(310, 500, days=7, least=0.0001, most=0.25) == 0.25
    assert audit_rate(310, 10**9, days=7, least=0.0001, most=0.25) == 0.0001
    assert (
        audit_rate(310, 1_000, days=0.01, least=0.0001, most=0.25) == 0.044
    )  # the first hours are taken for a whole day
