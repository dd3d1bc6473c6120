"""Budgets: what one client uses up does not keep another out, and everything that was held comes back."""

import pytest
from runtime.web.budget import ByteBudget, OverBudget, Rates


def test_a_client_ends_at_its_share_and_all_at_the_total():
    budget = ByteBudget(total=100, each=60)
    with budget.hold("a") as first, budget.hold("a") as second, budget.hold("b") as other:
        first.reach(30)
        first.reach(50)
        with pytest.raises(OverBudget) as mine:
            second.reach(11)
        assert mine.value.is_theirs
        second.reach(10)
        other.reach(40)
        with pytest.raises(OverBudget) as ours:
            other.reach(41)
        assert not ours.value.is_theirs
        assert budget.held == 100
    assert budget.held == 0
    with budget.hold("a") as again:
        again.reach(60)


def test_a_rate_lets_a_burst_pass_then_so_much_a_second():
    now = [0.0]
    rates = Rates("notes", per_s=10, burst_s=5, clock=lambda: now[0])
    rates.check("a")
    rates.use("a", 50)
    rates.check("a")
    rates.use("a", 10)
    with pytest.raises(OverBudget) as over:
        rates.check("a")
    assert (over.value.limit, over.value.retry_after_s, over.value.is_theirs) == ("notes", 2, True)
    rates.check("b")
    now[0] += over.value.retry_after_s
    rates.check("a")
    now[0] += 1_000
    rates.use("a", 50)
    rates.check("a")  # what was not used in all that time is no more than the burst
    rates.use("a", 1)
    with pytest.raises(OverBudget):
        rates.check("a")


def test_over_an_hour_a_client_that_waits_as_it_is_asked_gets_its_rate():
    now, passed = [0.0], 0
    rates = Rates("notes", per_s=100, clock=lambda: now[0])
    while now[0] < 3600:
        try:
            rates.check("a")
        except OverBudget as over:
            now[0] += over.retry_after_s
        else:
            rates.use("a", 500)
            passed += 500
    assert passed == pytest.approx(3600 * 100, rel=0.01)
