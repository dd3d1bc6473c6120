"""Annotations to Kafka, and what keeps them from it in the desk's own words."""

import threading
from collections.abc import Callable

from contracts.reasons import Reason
from contracts.records import AnnotationValidated
from contracts.registry import RegistryUnavailable
from contracts.wire import WireError
from runtime.errors import DeliveryFailed, ProducerBroken, Recoverable, Rejected

from review_desk.adapters.patience import PATIENCE_S, in_turn
from review_desk.desk import Unsendable

_TOO_LARGE = (
    "with all these entities it is larger than a record may be (1 MiB): mark fewer, or flag the note as unreadable"
)


def _nothing(_: object) -> None:
    """Nobody is told."""


class TopicPublisher:
    """`Publisher` on Kafka, one at a time: a producer belongs to one thread.

    Args:
        send: `DeliveryProducer.send` with the record made of the event, waiting for the report.
        patience_s: How long one waits behind others.
        on_broken: Told that nothing can be sent any more: only a fresh process mends that.
    """

    def __init__(
        self,
        send: Callable[[AnnotationValidated], None],
        patience_s: float = PATIENCE_S,
        on_broken: Callable[[ProducerBroken], None] = _nothing,
    ) -> None:
        self._send = send
        self._on_broken = on_broken
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
        except ProducerBroken as broken:
            self._on_broken(broken)
            raise Recoverable(
                "the desk cannot write to Kafka any more and starts again; send it again in a moment"
            ) from None
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
