"""How far behind we are, and for how long a partition has not moved: told for ours alone, and for the topics of before as nothing."""

import pytest
from runtime.service.metrics import COMMIT_AGE, CONSUMER_LAG, Metrics
from runtime.stream.progress import Progress

A, B = ("notes", 0), ("notes", 1)


class Rig:
    def __init__(self) -> None:
        self.now_s = 100.0
        self.metrics = Metrics()
        self.progress = Progress(self.metrics, clock=lambda: self.now_s)

    def told(self, topic: str = "notes") -> tuple[float | None, float | None]:
        read = self.metrics.registry.get_sample_value
        return read(CONSUMER_LAG.name, {"topic": topic}), read(COMMIT_AGE.name, {"topic": topic})


@pytest.fixture
def rig() -> Rig:
    return Rig()


def test_the_lag_is_the_sum_and_the_age_that_of_the_partition_that_stands_longest(rig):
    rig.progress.publish({A: 5, B: 7})
    rig.now_s += 30
    rig.progress.moved([B])
    rig.now_s += 10
    rig.progress.publish({A: 5, B: 900})
    assert rig.told() == (905, 40)


def test_a_partition_without_waiting_records_does_not_grow_old(rig):
    rig.progress.publish({A: 0})
    rig.now_s += 600
    rig.progress.publish({A: 3})
    assert rig.told() == (3, 0)
    rig.now_s += 5
    rig.progress.publish({A: 3})
    assert rig.told() == (3, 5)
    rig.progress.publish({A: 0})
    assert rig.told() == (0, 0)


def test_what_was_taken_from_us_counts_no_longer(rig):
    rig.progress.publish({A: 5_000, ("other", 0): 1})
    rig.now_s += 60
    rig.progress.publish({})
    assert rig.told() == rig.told("other") == (0, 0)
    rig.progress.publish({A: 5_000})
    assert rig.told() == (5_000, 0)
