"""The newest notes that came from the platform itself: what the next model will meet."""

from collections.abc import Callable

from contracts.purposes import allows_training
from contracts.records import NoteAccepted, Origin
from runtime.kafka.history import History, readable

_MOST_READ = 50_000


class LiveNotes:
    """Reads back from the end of the topic until there are enough.

    Notes that were sent again (a re-extraction, a replay) or brought in later (a backfill) lie among them, sometimes many
    thousand in a row: they are passed over, up to a bound.

    Args:
        count: How many texts are wanted; fewer when there are not as many among the newest records.
        most_read: Records that are looked at for them, about.
    """

    def __init__(
        self,
        history: History,
        topic: str,
        decode: Callable[[bytes | None], NoteAccepted],
        count: int,
        *,
        most_read: int = _MOST_READ,
    ) -> None:
        self._history = history
        self._topic = topic
        self._decode = decode
        self._count = count
        self._most_read = most_read

    def __call__(self) -> list[str]:
        """Their texts, the newest first, block by block.

        Raises:
            Recoverable: The broker gave no answer.
        """
        texts: list[str] = []
        if not self._count:
            return texts
        read = 0
        for block in self._history.backwards(self._topic, self._count):
            block.sort(
                key=lambda record: (record.timestamp_ms, record.offset), reverse=True
            )  # it comes by partition, oldest first
            # Of an erased patient the note comes without its text; whose purpose leaves training out, teaches nothing.
            texts += [note.text for note in readable(self._decode, block) if _may_be_used(note)]
            read += len(block)
            if len(texts) >= self._count or read >= self._most_read:
                break
        return texts[: self._count]


def _may_be_used(note: NoteAccepted) -> bool:
    return note.origin is Origin.LIVE and note.text != "" and allows_training(note.purpose)
