"""When something that came to nothing is ordered anew: each time under another identity, and after a longer pause."""

from collections.abc import Callable

from contracts.records import ModelEventKind

from trainer.domain.order_book import OrderBook

FIRST_PAUSE_MS = 30_000
LONGEST_PAUSE_MS = 3_600_000

FAILED = frozenset({ModelEventKind.TRAINING_FAILED})
NOTHING_CAME = frozenset({ModelEventKind.TRAINING_FAILED, ModelEventKind.REJECTED})


def pause_ms(attempt: int) -> int:
    """How long to wait after an attempt, the first being 0."""
    return min(FIRST_PAUSE_MS << min(attempt, LONGEST_PAUSE_MS.bit_length()), LONGEST_PAUSE_MS)


def next_attempt(
    book: OrderBook, identify: Callable[[int], str], now_ms: int, again_after: frozenset[ModelEventKind]
) -> str | None:
    """Identity of the order to give now on one ground; None: one is open, has answered it, or ended a moment ago.

    Args:
        book: What was ordered so far.
        identify: Identity of the order of an attempt.
        now_ms: UTC milliseconds.
        again_after: Ends that answer nothing while the ground is still there.
    """
    attempt = 0
    while (key := identify(attempt)) in book.commands:
        end = book.outcome(key)
        if end is None or end.kind not in again_after or now_ms < end.at + pause_ms(attempt):
            return None
        attempt += 1
    return key
