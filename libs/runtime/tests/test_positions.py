"""Positions of our own: whatever a client skips, repeats or claims, every record of the log is handed over once and in order."""

import random
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from runtime.kafka.positions import Jump, Positions, counting, lower_than, never_read
from runtime.service.metrics import EXPIRED_RECORDS, OFFSET_RESETS, Metrics

P = ("in", 0)


@dataclass(frozen=True)
class Fetched:
    offset: int


def rows(*offsets: int) -> list[Fetched]:
    return [Fetched(offset) for offset in offsets]


class Heard:
    """What was told of jumps."""

    def __init__(self) -> None:
        self.jumps: list[tuple[Jump, int]] = []

    def __call__(self, jump: Jump, _partition: tuple[str, int], width: int) -> None:
        self.jumps.append((jump, width))


@pytest.fixture
def heard() -> Heard:
    return Heard()


@pytest.fixture
def positions(heard: Heard) -> Positions:
    positions = Positions(heard)
    positions.begin(P, 10)
    return positions


def take(positions: Positions, *offsets: int) -> tuple[list[int], bool]:
    """What is handed over of a row, and whether to look again."""
    records = rows(*offsets)
    first, stop, again = positions.admit(P, records)
    given = [record.offset for record in records[first:stop]]
    if given:
        positions.advance(P, given[-1] + 1)
    return given, again


def test_a_row_without_holes_passes_whole(positions, heard):
    assert take(positions, 10, 11, 12) == ([10, 11, 12], False)
    assert positions.get(P) == 13
    assert heard.jumps == []


def test_a_hole_is_believed_when_a_second_reading_sees_it_too(positions, heard):
    assert take(positions, 10, 11, 13) == ([10, 11], True)
    assert positions.get(P) == 12
    assert take(positions, 13, 14) == ([13, 14], False)
    assert heard.jumps == []


def test_a_second_reading_settles_all_holes_of_a_row_at_once(positions):
    assert take(positions, 12, 14, 16) == ([], True)
    assert take(positions, 12, 14, 16) == ([12, 14, 16], False)


def test_a_record_that_the_client_skipped_is_read_after_all_and_counted(positions, heard):
    assert take(positions, 11, 12) == ([], True)
    assert take(positions, 10, 11, 12) == ([10, 11, 12], False)
    assert heard.jumps == [(Jump.SKIPPED, 1)]


def test_records_that_come_again_are_dropped_and_counted(positions, heard):
    assert take(positions, 10, 11) == ([10, 11], False)
    assert take(positions, 8, 9, 10, 11, 12) == ([12], False)
    assert take(positions, 10, 11) == ([], True)  # all of it is old: the client is told where we are
    assert heard.jumps == [(Jump.BACKWARDS, 4), (Jump.BACKWARDS, 3)]


def test_an_end_behind_markers_is_believed_at_the_second_reading(positions):
    assert positions.reach(P, 10) is False
    assert positions.reach(P, 12) is True
    assert positions.get(P) == 10
    assert positions.reach(P, 12) is False
    assert positions.get(P) == 12


def test_an_end_that_was_claimed_too_far_skips_nothing(positions, heard):
    """librdkafka's fault: the end is claimed one too far, and the record that comes there is left out."""
    assert positions.reach(P, 11) is True
    assert take(positions, 10) == ([10], False)
    assert heard.jumps == [(Jump.SKIPPED, 1)]


def test_what_came_behind_a_seen_hole_does_not_widen_it(positions):
    """The first reading saw nothing from 10 to 12, the second nothing from 10 to 15: 13 and 14 have one witness."""
    assert positions.reach(P, 12) is True
    assert take(positions, 15) == ([], True)
    assert take(positions, 15) == ([15], False)


@pytest.mark.parametrize(("known", "begins"), [(None, 7), (3, 7), (7, 7), (20, 20)])
def test_where_a_partition_begins(heard, known, begins):
    positions = Positions(heard)
    assert positions.start(P, known, 7) == begins == positions.get(P)
    assert heard.jumps == ([(Jump.EXPIRED, 4)] if known == 3 else [])


@pytest.mark.parametrize(
    ("committed", "missed"),
    [
        ({}, None),  # nobody was here: a new group
        ({("in", 0): 7}, None),  # the first commit of a new group, which stands beside ours
        ({("in", 0): 8}, 0),
        ({("in", 0): 3}, 0),  # retention passed that one, too
        ({("in", 0): 7, ("in", 1): 9}, 0),
    ],
)
def test_a_partition_that_came_after_its_group_was_missed_from_its_beginning(committed, missed):
    assert lower_than(("in", 2)) == [("in", 0), ("in", 1)]
    assert never_read(committed, {("in", 0): 7, ("in", 1): 5}) == missed


def test_retention_that_passed_us_goes_on_at_the_earliest(positions, heard):
    assert positions.out_of_range(P, 40) == 40
    assert heard.jumps == [(Jump.EXPIRED, 30)]
    assert positions.halted == frozenset()


def test_a_log_that_was_cut_off_stands_still_and_is_told_once(positions, heard):
    assert positions.out_of_range(P, 0) is None
    assert positions.out_of_range(P, 0) is None
    assert heard.jumps == [(Jump.TRUNCATED, 0)]
    assert positions.halted == {P}
    positions.begin(P, 0)
    assert positions.halted == frozenset()


def test_what_is_not_ours_is_not_handed_over(positions):
    positions.forget([P])
    assert take(positions, 10) == ([], False)
    assert positions.reach(P, 12) is False
    assert positions.out_of_range(P, 40) is None


def test_jumps_are_counted_by_reason():
    metrics = Metrics()
    on_jump = counting(metrics)
    read = metrics.registry.get_sample_value
    assert [read(OFFSET_RESETS.name, {"reason": jump.value}) for jump in Jump] == [0, 0, 0, 0]
    on_jump(Jump.EXPIRED, P, 30)
    on_jump(Jump.TRUNCATED, P, 0)
    assert [read(OFFSET_RESETS.name, {"reason": jump.value}) for jump in Jump] == [1, 1, 0, 0]
    assert read(EXPIRED_RECORDS.name) == 30


class Client:
    """Reads a log with holes from where it was told; now and then it leaves records out (each once), or gives some again."""

    def __init__(self, log: list[int], chance: random.Random) -> None:
        self.log, self.chance = log, chance
        self.left_out: set[int] = set()
        self.faults = 6
        self.next = 0
        self.end = log[-1] + chance.randint(1, 4)

    def seek(self, offset: int) -> None:
        self.next = offset

    def fetch(self) -> list[int]:
        """Records, or none: the end, or so it claims, is where it stands then."""
        found = [offset for offset in self.log if offset >= self.next][: self.chance.randint(1, 6)]
        self.next = found[-1] + 1 if found else self.end
        if self.faults and self.chance.random() < 0.3:
            self.faults -= 1
            if self.chance.random() < 0.3:
                self.next = max(0, self.next - self.chance.randint(1, 9))
            else:
                out = {offset for offset in found if offset not in self.left_out and self.chance.random() < 0.5}
                self.left_out |= out
                found = [offset for offset in found if offset not in out]
        return found


@settings(max_examples=500)
@given(st.integers(0, 10**9))
def test_nothing_is_lost_doubled_or_reordered(seed):
    chance = random.Random(seed)
    log = sorted(chance.sample(range(60), chance.randint(1, 50)))
    client, positions = Client(log, chance), Positions()
    positions.begin(P, 0)
    given: list[int] = []
    for _ in range(2_000):
        found = client.fetch()
        if found:
            taken, again = take(positions, *found)
            given += taken
        else:
            again = positions.reach(P, client.next)
            if not again and positions.get(P) == client.end:
                break
        if again:
            client.seek(positions.get(P))
    else:
        raise AssertionError("stands still")
    assert given == log
