"""What keeps a decision from Kafka is told apart: what can be sent again, and what never will be taken."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from contracts.reasons import Reason
from contracts.registry import RegistryUnavailable
from contracts.wire import WireError
from review_desk.adapters.publisher import TopicPublisher
from review_desk.domain.refusals import Unsendable
from runtime.errors import DeliveryFailed, ProducerBroken, Recoverable, Rejected


def raising(error: Exception) -> Callable[[object], None]:
    def send(_event: object) -> None:
        raise error

    return send


@pytest.mark.parametrize(
    "error",
    [
        DeliveryFailed(1, 1, "_MSG_TIMED_OUT", retriable=True),
        Rejected("the queue to the broker is full"),
        RegistryUnavailable("no answer"),
    ],
)
def test_what_is_away_is_sent_again(error: Exception) -> None:
    with pytest.raises(Recoverable):
        TopicPublisher(raising(error))(None)


def test_a_producer_that_can_never_send_again_ends_the_desk() -> None:
    told: list[ProducerBroken] = []
    publish = TopicPublisher(raising(ProducerBroken("_FATAL")), on_broken=told.append)
    with pytest.raises(Recoverable):
        publish(None)
    assert len(told) == 1


@pytest.mark.parametrize(
    ("error", "too_large"),
    [
        (WireError(Reason.TOO_LARGE), True),
        (WireError(Reason.INVALID_RECORD), False),
        (DeliveryFailed(1, 1, "MSG_SIZE_TOO_LARGE", retriable=False), True),
    ],
)
def test_what_no_record_can_hold_is_refused(error: Exception, *, too_large: bool) -> None:
    with pytest.raises(Unsendable) as refused:
        TopicPublisher(raising(error))(None)
    assert refused.value.too_large is too_large


class SilentBroker:
    """Takes the first decision and says nothing until it is let go."""

    def __init__(self) -> None:
        self.has_one = threading.Event()
        self.let_go = threading.Event()
        self.sent = 0

    def __call__(self, _event: object) -> None:
        self.has_one.set()
        assert self.let_go.wait(20)
        self.sent += 1


def test_nobody_waits_long_behind_a_decision_that_the_broker_does_not_take() -> None:
    broker = SilentBroker()
    publish = TopicPublisher(broker, lock_timeout_s=0.05)
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(publish, None)
        assert broker.has_one.wait(20)
        with pytest.raises(Recoverable, match="behind others"):
            publish(None)
        broker.let_go.set()
        first.result(20)
    publish(None)
    assert broker.sent == 2
