"""Which ranges of notes were seen: an extractor that crashed sends its last notes again, with other boundaries."""

from collections.abc import Mapping


class SeenRanges:
    """The last offset seen of each note partition, for one segment.

    Args:
        last: By note partition.

    >>> seen = SeenRanges()
    >>> [seen.is_new(0, 0, 24), seen.is_new(0, 10, 30), seen.is_new(0, 25, 30)]
    [True, False, True]
    """

    __slots__ = ("last",)

    def __init__(self, last: Mapping[int, int] | None = None) -> None:
        self.last = dict(last or {})

    def is_new(self, note_partition: int, first_offset: int, last_offset: int) -> bool:
        """Take a range; False when it was seen before, or only a part of it is new: then it is dropped whole."""
        if first_offset <= self.last.get(note_partition, -1):
            return False
        self.last[note_partition] = last_offset
        return True
