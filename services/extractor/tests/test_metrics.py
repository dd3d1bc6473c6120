"""Many observations at once leave what one by one would leave."""

from extractor.metrics import METRICS, NOTE_SECONDS, observe_all
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import generate_latest
from runtime.service.metrics import Metrics


def page(metrics: Metrics) -> list[bytes]:
    return [line for line in generate_latest(metrics.registry).splitlines() if b"_created" not in line]


@given(st.lists(st.sampled_from([0.0, 0.001, 0.0011, 0.5, 1.0, 29.0, 30.0, 1e6]), max_size=30))
def test_many_at_once_are_many_one_by_one(values):
    one_by_one, at_once = Metrics(METRICS), Metrics(METRICS)
    for value in values:
        one_by_one.histogram(NOTE_SECONDS).observe(value)
    observe_all(at_once.histogram(NOTE_SECONDS), values)
    one_by_one.histogram(NOTE_SECONDS)
    assert page(at_once) == page(one_by_one)
