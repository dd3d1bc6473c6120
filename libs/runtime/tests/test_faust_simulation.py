"""A small world around the ledger: workers crash, hang on, finish out of order and lose partitions. Nothing may be lost.

Every run follows from its seed: ``World(seed).run()`` replays it.
"""

import random
from dataclasses import dataclass

import pytest
from runtime.kafka.positions import Positions
from runtime.stream.ledger import Batch, OffsetLedger, RepeatedOffsetsError, UnknownPartitionError

PARTITIONS = 3
WORKERS = 3


@dataclass(frozen=True)
class Fetched:
    offset: int


class Worker:
    """One process: a ledger, what is under way, and where it would read next."""

    def __init__(self) -> None:
        self.ledger = OffsetLedger()
        self.reading = Positions()
        self.under_way: list[Batch] = []
        self.positions: dict[tuple[str, int], int] = {}
        self.looking_again: set[tuple[str, int]] = set()


class World:
    """Topics, commits and effects of a group of workers."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.ends = {("notes", number): self.random.randint(20, 60) for number in range(PARTITIONS)}
        self.committed = dict.fromkeys(self.ends, 0)
        self.effects: dict[tuple[str, int], list[int]] = {partition: [] for partition in self.ends}
        self.workers = [Worker() for _ in range(WORKERS)]
        self.zombies: list[Worker] = []
        self.refusals = 0
        self.crashes = 0
        self.rebalance()

    def run(self, steps: int = 400) -> None:
        acts = [self.fetch, self.fetch, self.fetch, self.finish, self.finish, self.finish, self.commit, self.commit]
        acts += [self.crash, self.rebalance, self.refetch, self.skip, self.zombie]
        for _ in range(steps):
            self.random.choice(acts)()
        self.settle()

    def settle(self) -> None:
        """Let the world come to rest without further faults."""
        for _ in range(10_000):
            if self.committed == self.ends:
                return
            self.random.choice([self.fetch, self.finish, self.commit])()
        raise AssertionError("stands still")

    def fetch(self) -> None:
        worker = self.random.choice(self.workers)
        if worker.positions:
            partition = self.random.choice(sorted(worker.positions))
            self.deliver(worker, partition, worker.positions[partition])

    def refetch(self) -> None:
        """A stale batch comes again."""
        worker = self.random.choice(self.workers)
        if worker.positions:
            partition = self.random.choice(sorted(worker.positions))
            self.deliver(worker, partition, max(0, worker.positions[partition] - self.random.randint(1, 5)))

    def skip(self) -> None:
        """A batch was fetched and forgotten: the next one begins behind it."""
        worker = self.random.choice(self.workers)
        if worker.positions:
            partition = self.random.choice(sorted(worker.positions))
            wrong = 0 if partition in worker.looking_again else self.random.randint(1, 5)  # not twice in the same place
            self.deliver(worker, partition, worker.positions[partition] + wrong)

    def deliver(self, worker: Worker, partition: tuple[str, int], first: int) -> None:
        last = min(first + self.random.randint(0, 6), self.ends[partition] - 1)
        if last < first:
            return
        records = [Fetched(offset) for offset in range(first, last + 1)]
        try:
            begin, stop, again = worker.reading.admit(partition, records)
            batch = worker.ledger.deliver(partition, records[begin:stop], stop - begin) if stop > begin else None
            if batch is not None:
                worker.reading.advance(partition, batch.last + 1)
        except (RepeatedOffsetsError, UnknownPartitionError):
            raise AssertionError("the ledger was given what positions refuse") from None
        worker.looking_again.discard(partition)
        if again:
            worker.looking_again.add(partition)
            self.refusals += 1
        worker.positions[partition] = worker.reading.get(partition)
        if batch is None:
            return
        if self.random.random() < 0.9:
            worker.ledger.start(batch)
            worker.under_way.append(batch)
        else:  # still waits in Faust's buffer; begun later, or never
            worker.under_way.insert(0, batch)

    def finish(self) -> None:
        worker = self.random.choice(self.workers + self.zombies)
        if worker.under_way:
            batch = worker.under_way.pop(self.random.randrange(len(worker.under_way)))
            if not batch.started and not worker.ledger.start(batch):
                return
            self.effects[batch.partition].extend(range(batch.first, batch.last + 1))
            worker.ledger.finish(batch)

    def commit(self) -> None:
        worker = self.random.choice(self.workers)
        offsets = worker.ledger.committable()
        if self.random.random() < 0.8:  # else the broker's answer never came
            self.store(offsets)
            worker.ledger.committed(offsets)

    def store(self, offsets: dict[tuple[str, int], int]) -> None:
        for partition, offset in offsets.items():
            lost = set(range(offset)) - set(self.effects[partition])
            assert not lost, f"committed {partition} to {offset} without {sorted(lost)}"
            self.committed[partition] = offset

    def crash(self) -> None:
        self.crashes += 1
        self.end(self.random.choice(self.workers))

    def zombie(self) -> None:
        """A process is frozen past its session, and later goes on with what it has; its commits are refused."""
        worker = self.random.choice(self.workers)
        self.zombies.append(worker)
        self.workers[self.workers.index(worker)] = Worker()
        self.rebalance(without=worker)

    def end(self, worker: Worker) -> None:
        self.workers[self.workers.index(worker)] = Worker()
        self.rebalance(without=worker)

    def rebalance(self, without: Worker | None = None) -> None:
        for worker in self.workers:
            if worker is not without:
                for partition, offset in worker.ledger.put_back().items():
                    worker.reading.begin(partition, offset)
                self.store(worker.ledger.committable())
            worker.ledger.forget(worker.ledger.partitions)
            worker.positions.clear()
            worker.looking_again.clear()
        for partition in self.ends:
            worker = self.random.choice(self.workers)
            worker.ledger.expect(partition, self.committed[partition])
            worker.reading.begin(partition, self.committed[partition])
            worker.positions[partition] = self.committed[partition]


@pytest.mark.parametrize("block", range(10))
def test_nothing_is_lost(block):
    crashes = refusals = doubled = 0
    for seed in range(block * 30, block * 30 + 30):
        world = World(seed)
        world.run()
        for partition, end in world.ends.items():
            assert set(world.effects[partition]) == set(range(end)), f"seed {seed}"
            doubled += len(world.effects[partition]) - end
        crashes += world.crashes
        refusals += world.refusals
    assert crashes > 100
    assert refusals > 100
    assert doubled > 100  # the world is rough enough to show a loss if there were one


def test_the_world_notices_a_ledger_that_commits_the_highest_batch(monkeypatch):
    def highest(self: OffsetLedger) -> dict:
        offsets = {}
        for partition, row in self._rows.items():
            done = [batch.last + 1 for batch in row.batches if batch.finished]
            if done:
                offsets[partition] = max(done)
        return offsets

    monkeypatch.setattr(OffsetLedger, "committable", highest)
    with pytest.raises(AssertionError, match="without"):
        run_worlds(20)


def test_the_world_notices_positions_that_believe_every_hole(monkeypatch):
    monkeypatch.setattr(Positions, "_is_known", lambda *_: True)
    with pytest.raises(AssertionError, match="without"):
        run_worlds(20)


def run_worlds(count: int) -> None:
    for seed in range(count):
        World(seed).run()
