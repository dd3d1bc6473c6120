"""Waiting for what is away."""

import itertools
import threading

import pytest
from contracts.registry import RegistryUnavailable
from runtime.errors import Recoverable, Stopped
from runtime.stream.retry import Backoff, retrying, wait

QUICK = Backoff(first_s=0.001, max_s=0.004)


@pytest.mark.parametrize("fault", [Recoverable("away"), RegistryUnavailable("away")])
def test_it_tries_until_it_passes(fault: Exception) -> None:
    faults = [fault] * 7
    retries: list[int] = []

    def handler(records):
        if faults:
            raise faults.pop()
        return list(records)

    wrapped = retrying(handler, threading.Event(), backoff=QUICK, on_retry=retries.append)
    assert wrapped(["record"]) == ["record"]
    assert len(retries) == 7


def test_a_surprise_is_not_caught() -> None:
    def handler(records):
        raise KeyError

    with pytest.raises(KeyError):
        retrying(handler, threading.Event(), backoff=QUICK)([])


def test_stopping_ends_the_wait() -> None:
    stop = threading.Event()

    def handler(records):
        stop.set()
        raise Recoverable("away")

    with pytest.raises(Stopped):
        retrying(handler, stop, backoff=Backoff(first_s=60))([])


def test_it_shows_life_while_waiting() -> None:
    ticks: list[int] = []
    wait(threading.Event(), 1.2, lambda: ticks.append(1))
    assert len(ticks) >= 2


def test_pauses_grow_to_a_bound() -> None:
    pauses = list(itertools.islice(Backoff(0.2, 2.0, 5.0).pauses_s(), 20))
    assert 0.15 <= pauses[0] <= 0.2
    assert all(pause <= 5.0 for pause in pauses)
    assert pauses[-1] >= 3.75
