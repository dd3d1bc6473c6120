"""Which notes people look at: the audit keeps its rate whatever drifts, drift keeps its budget, and a key decides."""

from __future__ import annotations

import pytest
from contracts.records import (
    DriftDetected,
    DriftDirection,
    DriftLevel,
    ModelRef,
    NoteAccepted,
    QualityMeasured,
    ReviewReason,
    Sample,
)
from extractor.domain.audit_rates import parse_rates
from extractor.domain.sampling import OpenEpisodes, Sampling, SamplingRates

KEY = b"k" * 32
DAY_MS = 86_400_000
RATES = SamplingRates(audit=0.02, warning=0.2, daily_budget=50)


def note(number: int, **more) -> NoteAccepted:
    given = {
        "note_id": f"synthetic-{number}",
        "revision": 1,
        "prescription_ref": "rx",
        "patient_ref": "p",
        "doctor_ref": "d",
        "city": "Pune",
        "specialty": "cardiology",
        "written_at": 1,
        "accepted_at": DAY_MS * 10,
        "text": "t",
        "language": "en",
        "origin": "LIVE",
        "pseudonym_key_id": "k1",
        "source": "clinic",
        "prescription_id": "rx",
    }
    known = set(NoteAccepted.__dataclass_fields__)
    return NoteAccepted.from_dict({name: value for name, value in {**given, **more}.items() if name in known})


def drift(level: DriftLevel, segment: str = "city=Pune", serial: int = 3) -> DriftDetected:
    return DriftDetected(
        episode_id="e",
        segment=segment,
        level=level,
        direction=DriftDirection.WORSE,
        statistics=(),
        evidence="x",
        model=ModelRef(name="m", version="1", serial=serial),
        source_partition=0,
        source_offset=0,
        detected_at=0,
        began_at=0,
    )


def chosen(sampling: Sampling, count: int, **more):
    return [sampling(note(number, **more), 0.9, 3) for number in range(count)]


@pytest.mark.slow
def test_the_audit_takes_its_share_half_of_it_bare_and_the_same_notes_again():
    first = chosen(Sampling(0.5, KEY, RATES, OpenEpisodes()), 20_000)
    audit = [one for one in first if one.sample is Sample.AUDIT]
    assert 300 < len(audit) < 500
    assert 0.4 < sum(one.show_predictions for one in audit) / len(audit) < 0.6
    assert {one.review.inclusion_probability for one in audit} == {0.02}
    assert first == chosen(Sampling(0.5, KEY, RATES, OpenEpisodes()), 20_000)
    assert first == chosen(Sampling(0.5, KEY, RATES, OpenEpisodes()), 20_000, revision=2)
    assert first != chosen(Sampling(0.5, b"x" * 32, RATES, OpenEpisodes()), 20_000)
    assert first != chosen(Sampling(0.5, KEY, RATES, OpenEpisodes()), 20_000, source="lab")


@pytest.mark.slow
def test_a_segment_has_its_own_rate_and_its_notes_weigh_by_it():
    rates = RATES._replace(audit_of={"city=Pune": 0.1, "specialty=cardiology": 0.05, "city=Delhi|specialty=ent": 0.5})
    sampling = Sampling(0.5, KEY, rates, OpenEpisodes())
    for city, specialty, rate in (
        ("Pune", "ent", 0.1),
        ("Pune", "cardiology", 0.1),
        ("Nashik", "cardiology", 0.05),
        ("Delhi", "ent", 0.5),
        ("Delhi", "dental", 0.02),
    ):
        found = chosen(sampling, 20_000, city=city, specialty=specialty)
        audit = [one for one in found if one.sample is Sample.AUDIT]
        assert len(audit) / 20_000 == pytest.approx(rate, rel=0.2)
        assert {one.review.inclusion_probability for one in audit} == {rate}


def test_who_is_audited_at_a_lower_rate_is_audited_at_a_higher_one():
    usual = chosen(Sampling(0.5, KEY, RATES, OpenEpisodes()), 5_000)
    more = chosen(Sampling(0.5, KEY, RATES._replace(audit_of={"city=Pune": 0.1}), OpenEpisodes()), 5_000)
    pairs = zip(usual, more, strict=True)
    assert all(after.sample is Sample.AUDIT for before, after in pairs if before.sample is Sample.AUDIT)


@pytest.mark.parametrize(
    "wrong", ["city=Pune:0.1", "[]", '{"Pune": 0.1}', '{"city=Pune": 2}', '{"city=Pune": true}', '{"all": 0.1}']
)
def test_rates_that_are_none_are_refused_in_one_line(wrong):
    with pytest.raises(ValueError, match=r"^[^\n]+$"):
        parse_rates(wrong)


def test_drift_never_changes_who_is_audited():
    episodes = OpenEpisodes()
    quiet = chosen(Sampling(0.5, KEY, RATES, episodes), 5_000)
    episodes.tell(drift(DriftLevel.CRITICAL))
    drifted = chosen(Sampling(0.5, KEY, RATES, episodes), 5_000)
    where = [one.sample is Sample.AUDIT for one in quiet]
    assert where == [one.sample is Sample.AUDIT for one in drifted]


def test_a_critical_segment_fills_its_budget_and_the_rest_is_flagged_and_counted():
    episodes, counted = OpenEpisodes(), []
    sampling = Sampling(0.5, KEY, RATES._replace(audit=0.0), episodes, on_unreviewed=lambda: counted.append(1))
    episodes.tell(drift(DriftLevel.CRITICAL))
    found = chosen(sampling, 200)
    assert [one.review.reason for one in found[:50]] == [ReviewReason.DRIFT] * 50
    assert {one.review.reason for one in found[50:]} == {ReviewReason.DRIFT_UNREVIEWED}
    assert not any(one.review.requested for one in found[50:])
    assert len(counted) == 150
    assert sampling(note(300), 0.1, 3).review.reason is ReviewReason.LOW_CONFIDENCE
    assert sampling(note(1, accepted_at=DAY_MS * 11), 0.9, 3).review.reason is ReviewReason.DRIFT  # a new day


def test_a_warning_takes_a_share_and_recovery_or_another_model_ends_it():
    episodes = OpenEpisodes()
    sampling = Sampling(0.5, KEY, RATES._replace(audit=0.0, daily_budget=10_000), episodes)
    episodes.tell(drift(DriftLevel.WARNING, "specialty=cardiology"))
    share = sum(one.sample is Sample.DRIFT for one in chosen(sampling, 2_000)) / 2_000
    assert 0.15 < share < 0.25
    assert sampling(note(1), 0.9, 4).sample is not Sample.DRIFT
    episodes.tell(drift(DriftLevel.RECOVERED, "specialty=cardiology"))
    assert not any(one.sample is Sample.DRIFT for one in chosen(sampling, 500))


def test_only_live_notes_are_sampled_and_only_unsure_ones_without_a_key():
    rates = RATES._replace(audit=1.0)
    assert not Sampling(0.5, KEY, rates, OpenEpisodes())(note(1, origin="REPLAY"), 0.9, 3).review.requested
    assert not Sampling(0.5, None, rates, OpenEpisodes())(note(1), 0.9, 3).review.requested
    unsure = Sampling(0.5, None, rates, OpenEpisodes())(note(1), 0.1, 3)
    assert unsure.review.reason is ReviewReason.LOW_CONFIDENCE


def test_the_narrowest_drifted_segment_pays_so_that_other_cities_do_not_spend_its_budget():
    episodes = OpenEpisodes()
    sampling = Sampling(0.5, KEY, RATES._replace(audit=0.0), episodes)
    episodes.tell(drift(DriftLevel.CRITICAL, "all"))
    episodes.tell(drift(DriftLevel.CRITICAL, "city=Pune"))
    elsewhere = chosen(sampling, 200, city="Delhi")
    assert sum(one.sample is Sample.DRIFT for one in elsewhere) == 50
    assert sum(one.sample is Sample.DRIFT for one in chosen(sampling, 200)) == 50


def measured(rate: float | None) -> QualityMeasured:
    return QualityMeasured(
        measurement_id="m", model=ModelRef(name="m", version="1", serial=3), segment="all", window_start=0, window_end=1,
        notes=40, labels=(), audit_rate=rate, measured_at=1,
    )  # fmt: skip


@pytest.mark.slow
def test_the_audit_follows_a_measured_rate_and_its_notes_carry_the_one_they_were_drawn_with():
    sampling = Sampling(0.5, KEY, RATES._replace(audit_of={"city=Delhi": 0.5}), OpenEpisodes())
    for told, rate in ((None, 0.02), (0.1, 0.1), (None, 0.1), (0.005, 0.005)):
        sampling.audit_rates.tell(measured(told))
        audit = [one for one in chosen(sampling, 20_000) if one.sample is Sample.AUDIT]
        assert len(audit) / 20_000 == pytest.approx(rate, rel=0.2)
        assert {one.review.inclusion_probability for one in audit} == {rate}
    named = {
        one.review.inclusion_probability for one in chosen(sampling, 100, city="Delhi") if one.sample is Sample.AUDIT
    }
    assert named == {0.5}  # who named a rate keeps it
