"""Of a block that holds more live notes than are wanted, the newest are taken."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from contracts.records import Origin
from runtime.kafka.records import InputRecord
from trainer.adapters.live_notes import LiveNotes

PARTITIONS, EACH = 3, 40


class FakeHistory:
    """A topic of three partitions, read as `runtime.kafka.history.History` reads one: each block by partition, oldest first."""

    def __init__(self) -> None:
        self.blocks = 0

    def backwards(self, _topic: str, count: int):
        end = EACH
        while end > 0:
            begin = max(0, end - -(-count // PARTITIONS))
            self.blocks += 1
            yield [record(number, at) for number in range(PARTITIONS) for at in range(begin, end)]
            end, count = begin, 2 * count


def record(partition: int, offset: int) -> InputRecord:
    moment = PARTITIONS * offset + partition
    return InputRecord("notes", partition, offset, moment, None, str(moment).encode())


@pytest.mark.parametrize("live_below", [PARTITIONS * EACH, 110, 90])
def test_the_newest_live_notes_are_taken_of_each_block(live_below: int) -> None:
    def decode(value: bytes | None) -> Any:
        moment = int(value or b"")
        return SimpleNamespace(
            text=str(moment), purpose=None, origin=Origin.LIVE if moment < live_below else Origin.REEXTRACT
        )

    history: Any = FakeHistory()
    found = LiveNotes(history, "notes", decode, 12)()
    assert found == [str(moment) for moment in range(live_below - 1, live_below - 13, -1)]
    assert history.blocks == {120: 1, 110: 2, 90: 3}[live_below]


def test_neither_erased_notes_nor_those_of_care_alone_are_taken() -> None:
    def decode(value: bytes | None) -> Any:
        moment = int(value or b"")
        return SimpleNamespace(
            text="" if moment % 3 == 0 else str(moment), purpose="care" if moment % 3 == 1 else None, origin=Origin.LIVE
        )

    texts = LiveNotes(FakeHistory(), "notes", decode, 10)()
    assert texts
    assert all(int(text) % 3 == 2 for text in texts)
