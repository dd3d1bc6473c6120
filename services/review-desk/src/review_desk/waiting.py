"""Why nothing waits for a person although notes wait."""

from collections import Counter
from collections.abc import Callable, Collection, Mapping

from review_desk.adapters.store import Entry, Store
from review_desk.desk import Reviewer
from review_desk.domain.selection import Selection, is_for
from review_desk.domain.tasks import Queue, may_take

LOOKED_AT = 1_000
"""Notes of each queue; of the others only the number is told."""
ANSWERED, LEAD, HELD, RESERVED, SELECTION, YOURS = "answered", "lead", "held", "reserved", "selection", "yours"


def waits_for(
    store: Store, reserved: Callable[[], Mapping[str, Collection[str]]], who: Reviewer, selection: Selection
) -> dict[str, int]:
    """How many notes wait for what; `more` are those that were not looked at.

    Keys: `answered` by the person already, for a `lead`, `held` by others, `reserved` for others, outside the person's
    `selection`, `yours` to take, `more`.
    """
    counts: Counter[str] = Counter()
    kept = reserved()
    for queue, total in store.waiting().items():
        entries = store.entries(store.front(Queue(queue), "all", 0, LOOKED_AT))
        counts.update(_reason(who, entry, selection, kept) for entry in entries.values() if entry.queue)
        counts["more"] += max(0, total - LOOKED_AT)
    return dict(counts)


def _reason(who: Reviewer, entry: Entry, selection: Selection, reserved: Mapping[str, Collection[str]]) -> str:
    if not may_take(who.annotator, entry.task, entry.verdicts):
        return ANSWERED
    if entry.queue is Queue.LEAD and not who.leads:
        return LEAD
    if entry.queue is not Queue.LEAD and not is_for(who.annotator, entry.task, reserved):
        return RESERVED
    if entry.holder is not None:
        return YOURS if entry.holder.startswith(f"{who.annotator}|") else HELD
    return YOURS if selection.takes(entry.task, entry.queue) else SELECTION
