"""Annotations to Kafka, and what keeps them from it in the desk's own words."""

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

from contracts.reasons import Reason
from contracts.record import Record
from contracts.registry import RegistryUnavailable
from contracts.wire import WireError
from runtime.errors import DeliveryFailed, ProducerBroken, Recoverable, Rejected

from review_desk.adapters.timed_lock import LOCK_TIMEOUT_S, held
from review_desk.domain.refusals import Unsendable

_TOO_LARGE = (
    "with all these entities it is larger than a record may be (1 MiB): mark fewer, or flag the note as unreadable"
)


R = TypeVar("R", bound=Record)


def _nothing(_: object) -> None:
    """Nobody is told."""


class TopicPublisher(Generic[R]):
    """`Publisher` on Kafka, one at a time: a producer belongs to one thread.

    Args:
        send: `DeliveryProducer.send` with the record made of the event, waiting for the report.
        lock_timeout_s: Seconds that a request waits behind others.
        on_broken: Told that nothing can be sent any more: only a fresh process mends that.
    """

    def __init__(
        self,
        send: Callable[[R], None],
        lock_timeout_s: float = LOCK_TIMEOUT_S,
        on_broken: Callable[[ProducerBroken], None] = _nothing,
    ) -> None:
        self._send = send
        self._on_broken = on_broken
        self._lock_timeout_s = lock_timeout_s
        self._lock = threading.Lock()

    def __call__(self, event: R) -> None:
        """See `Publisher`."""
        with held(self._lock, self._lock_timeout_s, "it waits behind others for the broker; send it again in a moment"):
            self._publish(event)

    def _publish(self, event: R) -> None:
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
    return Unsendable(f"it makes no valid record ({reason.value}): flag the note as unreadable", too_large=False)
