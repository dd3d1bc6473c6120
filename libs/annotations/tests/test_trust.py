"""What a judgement covers, in whatever order judgements come."""

from itertools import permutations

from annotations.trust import ALL_TRUSTED, Interval, Trust, held_after
from contracts.records import AnnotatorJudged, HeldInterval, TrustState


def judged(at: int, state: TrustState, *held: tuple[int, int | None]) -> AnnotatorJudged:
    intervals = tuple(HeldInterval(since=since, until=until) for since, until in held)
    return AnnotatorJudged(event_id=str(at), annotator="v-1", state=state, held=intervals, judged_at=at)


HELD = judged(20, TrustState.HELD, (10, None))
EXCLUDED = judged(30, TrustState.EXCLUDED, (10, 30))
AGAIN = judged(60, TrustState.HELD, (10, 30), (50, None))


def test_the_newest_judgement_counts_in_whatever_order_they_come() -> None:
    for order in permutations([HELD, EXCLUDED, AGAIN]):
        trust = Trust.of(order)
        assert [trust.holds("v-1", at) for at in (9, 10, 29, 30, 49, 50)] == [False, True, True, False, False, True]
        assert trust.people_held == 1
    assert not ALL_TRUSTED.holds("v-1", 10)
    assert Trust.of([HELD]).after(EXCLUDED).people_held == 0


def test_a_lead_takes_a_hold_back_or_closes_it_and_closed_ones_stay() -> None:
    open_now = (Interval(10, 30), Interval(50))
    assert held_after(open_now, TrustState.CLEARED, since=0, at=70) == (Interval(10, 30),)
    assert held_after(open_now, TrustState.EXCLUDED, since=0, at=70) == (Interval(10, 30), Interval(50, 70))
    assert held_after(open_now, TrustState.HELD, since=65, at=70) == open_now
