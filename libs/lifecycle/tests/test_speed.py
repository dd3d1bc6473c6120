"""Two models are compared by what they need, not by what the machine was doing."""

import pytest
from lifecycle.speed import ROUNDS, measure


class Clock:
    """Time passes only when a model works."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


class Model:
    """Needs so many seconds; every other call, a neighbour doubles it."""

    def __init__(self, clock: Clock, seconds: float, *, disturbed: bool = False) -> None:
        self.clock, self.seconds, self.disturbed, self.calls = clock, seconds, disturbed, 0

    def tag(self, texts):
        self.calls += 1
        self.clock.now_s += self.seconds * (2 if self.disturbed and self.calls % 2 else 1)
        return texts


@pytest.mark.parametrize(("seconds", "ratio"), [(1.0, 1.0), (2.0, 0.5), (0.5, 2.0)])
def test_a_neighbour_on_the_machine_does_not_change_the_ratio(seconds, ratio):
    clock = Clock()
    champion, challenger = Model(clock, 1.0), Model(clock, seconds, disturbed=True)
    speed = measure(champion, challenger, ["a", "b"], clock=clock)
    assert speed.ratio == pytest.approx(ratio)
    assert speed.champion == pytest.approx(2.0)
    assert champion.calls == challenger.calls == ROUNDS + 1
