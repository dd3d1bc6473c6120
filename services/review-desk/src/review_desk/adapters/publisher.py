"""Annotations to Kafka, and what keeps them from it in the desk's own words."""

import threading
from collections.abc import Callable

from contracts.reasons import Reason
from contracts.records import AnnotationValidated
from contracts.registry import RegistryUnavailable
from contracts.wire import WireError
from runtime.errors import DeliveryFailed, Recoverable, Rejected

from review_desk.adapters.patience import PATIENCE_S, in_turn
from review_desk.desk import Unsendable

_TOO_LARGE = (
    "with all these entities it is larger than a record may be (1 MiB): mark fewer, or flag the note as unreadable"
)


class TopicPublisher:
    """`Publisher` on Kafka, one at a time: a producer belongs to one thread.

    Args:
        send: `DeliveryProducer.send` with the record made of the event, waiting for the report.
        patience_s: How long one waits behind others.
    """

    def __init__(self, send: Callable[[AnnotationValidated], None], patience_s: float = PATIENCE_S) -> None:
        self._send = send
        self._patience_s = patience_s
        self._lock = threading.Lock()

    def __call__(self, event: AnnotationValidated) -> None:
        """See `Publisher`."""
        with in_turn(self._lock, self._patience_s, "it waits behind others for the broker; send it again in a moment"):
            self._publish(event)

    def _publish(self, event: AnnotationValidated) -> None:
        try:
            self._send(event)
        except WireError as error:
            raise _unsendable(error.reason) from None
        except DeliveryFailed as error:
            if error.code == "MSG_SIZE_TOO_LARGE":
                raise _unsendable(Reason.TOO_LARGE) from None
            raise Recoverable(f"the broker did not acknowledge it ({error.code}); send it again") from None
        except Rejected:
            raise Recoverable("too much waits for the broker; send it again in a moment") from None
        except RegistryUnavailable:
            raise Recoverable("the schema registry does not answer; send it again in a moment") from None


def _unsendable(reason: Reason) -> Unsendable:
    if reason is Reason.TOO_LARGE:
        return Unsendable(_TOO_LARGE, too_large=True)
    return Unsendable(f"it makes no legal record ({reason.value}): flag the note as unreadable", too_large=False)
