"""What keeps a decision from Kafka is told apart: what can be sent again, and what never will be taken."""

from collections.abc import Callable

import pytest
from contracts.reasons import Reason
from contracts.registry import RegistryUnavailable
from contracts.wire import WireError
from review_desk.adapters.publisher import TopicPublisher
from review_desk.desk import Unsendable
from runtime.errors import DeliveryFailed, Recoverable, Rejected


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
