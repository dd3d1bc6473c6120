"""Where notes may be read for the second time: there, statistics are told note by note.

A process that dies has told statistics of notes that it did not commit. Whoever reads those notes again cannot know in which
pieces they were told, and the drift-watcher drops a piece of which it knows a part: with pieces of 25 notes that hid one note in
eight when an extractor at 200 notes/s died every ten seconds. Records of a single note can be deduplicated exactly after a restart.
"""

REREAD_NOTES = 500
"""From where a partition is taken up: what a dead process may have had in hand beyond its last commit, where nothing else is known."""


class Rereading:
    """Follows the offsets of each partition; a jump means that it was taken up anew.

    Args:
        notes: How many a process has in hand at most beyond its last commit: a call may take all of them from one partition.
    """

    def __init__(self, notes: int = REREAD_NOTES) -> None:
        self._notes = notes
        self._next: dict[int, int] = {}
        self._until: dict[int, int] = {}

    def until(self, partition: int, first: int, last: int) -> int:
        """Below which offset of a batch the notes may have been told before."""
        if self._next.get(partition) != first:
            self._until[partition] = first + self._notes
        self._next[partition] = last + 1
        return self._until[partition]
