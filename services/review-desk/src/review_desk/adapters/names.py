"""Which notes name a disease or a treatment, by a keyed digest of its words: no words are kept."""

import hashlib
import hmac
from collections.abc import Iterable
from dataclasses import dataclass

from annotations.spans import Span

from review_desk.adapters.store import KEEP_S, Store

KEEP_MENTIONS = 200
"""Of one name, the newest: whoever looks a name up asks what others do with it now."""


@dataclass(frozen=True, slots=True)
class Mentioned:
    """An annotator marked a name here."""

    note: str
    annotator: str
    span: Span


class Names:
    """Digest of a name to the places where it was marked. Whether a place still counts, the standing verdict says.

    Args:
        key: Of the digests.
    """

    def __init__(self, store: Store, key: bytes) -> None:
        self._store = store
        self._redis = store.redis
        self._secret = key

    def put(self, note: str, annotator: str, at: int, marked: Iterable[tuple[str, Span]]) -> None:
        """Remember the (words, span) that an annotator marked in a note."""
        with self._redis.pipeline(transaction=False) as pipeline:
            for words, span in marked:
                key = self._key_of(words)
                pipeline.zadd(key, {f"{annotator} {span.start} {span.end} {span.label} {note}": at})
                pipeline.zremrangebyrank(key, 0, -KEEP_MENTIONS - 1)
                pipeline.expire(key, KEEP_S)
            pipeline.execute()

    def find(self, words: str) -> list[Mentioned]:
        """Where a name was marked, the newest first."""
        return [_read(member) for member in self._redis.zrevrange(self._key_of(words), 0, -1)]

    def _key_of(self, words: str) -> str:
        normal = " ".join(words.casefold().split()).encode("utf-8", "surrogatepass")
        return self._store.key("name", hmac.new(self._secret, normal, hashlib.sha256).hexdigest()[:24])


def _read(member: str) -> Mentioned:
    annotator, start, end, label, note = member.split(" ", 4)
    return Mentioned(note, annotator, Span(int(start), int(end), label))
