"""Looks for notes that wait, by their words. No words are kept here: the topic of requests is read, the newest first."""

import re
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from contracts.identity import note_key
from contracts.records import ReviewRequested
from contracts.wire import WireError
from runtime.kafka.records import InputRecord

from review_desk.adapters.store import Entry, Store
from review_desk.desk import Reviewer
from review_desk.domain.selection import Selection, is_for
from review_desk.domain.tasks import Queue, may_take, why

MOST_FOUND = 30
AROUND_CHARS = 60


@dataclass(frozen=True, slots=True)
class Found:
    """A note that waits and holds the words; `excerpt` is what stands round their first place."""

    source: str
    note_id: str
    city: str
    specialty: str
    why: str
    excerpt: str

    @property
    def note(self) -> str:
        """Its key."""
        return note_key(self.source, self.note_id)


@dataclass(frozen=True, slots=True)
class Search:
    """What a search came to.

    Attributes:
        read: Requests that were looked at.
        whole: Whether that was all of them: otherwise time was up, or enough was found.
    """

    found: Sequence[Found]
    read: int
    whole: bool


class Finding:
    """Searches the texts of what waits.

    Args:
        blocks: The topic of requests, blocks of records, the newest first.
        decode: From bytes to a request.
        reserved: For whom segments are kept, by segment.
        budget_s: Seconds after which no further block is read.
    """

    def __init__(
        self,
        store: Store,
        blocks: Callable[[], Iterator[Sequence[InputRecord]]],
        decode: Callable[[bytes | None], ReviewRequested],
        reserved: Callable[[], Mapping[str, Collection[str]]],
        *,
        budget_s: float = 3.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._blocks = blocks
        self._decode = decode
        self._reserved = reserved
        self._budget_s = budget_s
        self._clock = clock

    def search(self, who: Reviewer, selection: Selection, words: str) -> Search:
        """Find notes that wait for this person and hold these words, whatever their case."""
        began_s, read, found = self._clock(), 0, dict[str, Found]()
        drifted, reserved = self._store.drifted(), self._reserved()
        for block in self._blocks():
            read += len(block)
            for entry, request in self._waiting(self._holding(block, words)):
                if _is_for(who, entry, reserved) and selection.takes(entry.task, entry.queue):
                    found.setdefault(entry.note, _found(entry, request, words, drifted))
            if len(found) >= MOST_FOUND or self._clock() - began_s > self._budget_s:
                return Search(list(found.values())[:MOST_FOUND], read, whole=False)
        return Search(list(found.values()), read, whole=True)

    def _holding(self, block: Iterable[InputRecord], words: str) -> Iterator[tuple[InputRecord, ReviewRequested]]:
        raw = re.compile(re.escape(words.encode()), re.IGNORECASE) if words.isascii() else None
        for record in block:
            if raw is not None and not raw.search(record.value or b""):
                continue  # most of them; decoding costs a hundred times as much
            try:
                request = self._decode(record.value)
            except WireError:
                continue
            if _place(request.text, words) is not None:
                yield record, request

    def _waiting(
        self, holding: Iterable[tuple[InputRecord, ReviewRequested]]
    ) -> Iterator[tuple[Entry, ReviewRequested]]:
        """Those of which this is the request that counts."""
        at = {
            (record.partition, record.offset, note_key(request.source, request.note_id)): request
            for record, request in holding
        }
        entries = self._store.entries(list({note for _, _, note in at}))
        for (partition, offset, note), request in at.items():
            entry = entries.get(note)
            if entry is not None and (entry.task.partition, entry.task.offset) == (partition, offset):
                yield entry, request


def _is_for(who: Reviewer, entry: Entry, reserved: Mapping[str, Collection[str]]) -> bool:
    queue = entry.queue
    if queue is None or not may_take(who.annotator, entry.task, entry.verdicts):
        return False
    if entry.holder is not None and not entry.holder.startswith(f"{who.annotator}|"):
        return False
    if queue is Queue.LEAD:
        return who.leads
    return is_for(who.annotator, entry.task, reserved)


def _found(entry: Entry, request: ReviewRequested, words: str, drifted: Mapping[str, str]) -> Found:
    queue = entry.queue or Queue.OPEN
    start, end = _place(request.text, words) or (0, 0)
    excerpt = request.text[max(0, start - AROUND_CHARS) : end + AROUND_CHARS]
    reason = why(entry.task, queue, drifted)
    return Found(request.source, request.note_id, entry.task.city, entry.task.specialty, reason, excerpt)


def _place(text: str, words: str) -> tuple[int, int] | None:
    found = re.search(re.escape(words), text, re.IGNORECASE)
    return found.span() if found else None
