"""The readers without a group, on simulated clients: the scorekeeper with its Parquet folder, the desk's follower, and what every replica
follows by itself. Each tells what it has not read yet, and whether what it holds is what an unbroken run would hold.
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import outcomes.records_at_rest as at_rest
from contracts import topics
from contracts.registry import RegistryUnavailable
from outcomes.kpis import Assumptions
from outcomes.records_at_rest import RecordsAtRest
from review_desk.follower import Follower
from review_desk.metrics import METRICS as DESK_METRICS
from runtime.kafka.consumer_errors import ConsumerErrors
from runtime.kafka.follow import TopicFollower
from runtime.kafka.positioned import POSITION_CONFIG
from runtime.kafka.positions import counting
from runtime.kafka.reader import NO_GROUP
from runtime.kafka.records import InputRecord
from runtime.service.health import Liveness, Readiness
from runtime.service.metrics import Metrics
from runtime.stream.retry import retrying
from scorekeeper.adapters.sink import Sink
from scorekeeper.adapters.topics import Topics
from scorekeeper.domain.board import Board
from scorekeeper.domain.measuring import Said
from scorekeeper.exposition import Exposition
from scorekeeper.fold import Fold
from scorekeeper.metrics import OWN
from scorekeeper.reader import Reader

from tests.simulation.broker import Broker
from tests.simulation.client import SimConsumer
from tests.simulation.kernel import Process, SimEvent
from tests.simulation.services import ENTITIES, Outlook, Running, contract

State = dict[str, int]


def state_of(broker: Broker) -> State:
    """The newest revision of each note: what a reader of the whole topic holds."""
    state: State = {}
    for log in broker.topics[ENTITIES]:
        for entry in log.entries:
            fold(state, contract().read_entities(entry.value))
    return state


def fold(state: State, event: Any) -> None:
    state[event.note_id] = max(event.revision, state.get(event.note_id, 0))


def records_in(broker: Broker) -> int:
    return sum(len(log.entries) for log in broker.topics[ENTITIES])


@dataclass
class Disk:
    """Where the scorekeeper keeps its rows; it outlives the process."""

    folder: Path
    full: bool = False


class AlwaysHeld:
    """A lease that nobody else wants."""

    def hold(self) -> bool:
        return True

    def release(self) -> None: ...


def scorekeeper(outlook: Outlook, process: Process, disk: Disk) -> Running:
    """The reader that counts and keeps rows, over a folder of its own."""
    kernel, broker = outlook.broker.kernel, outlook.broker
    stop, metrics = SimEvent(kernel), Metrics(OWN)
    readiness, liveness = Readiness(age_s=lambda: kernel.now), Liveness()

    def on_step(_: str) -> None:
        process.step()
        if disk.full:
            raise OSError(28, "No space left on device")

    records = RecordsAtRest(disk.folder, on_step)
    process.on_death.append(records.close)  # as the system does with a dead process' lock
    sink = Sink(records, disk.folder, metrics, every_s=2.0, most_rows=30, merge_every_s=8.0)
    errors = ConsumerErrors(metrics, readiness)
    board, measured, names = Board(ZoneInfo("UTC"), Assumptions()), Said(), {ENTITIES: topics.ENTITIES_EXTRACTED}
    board.lock = _Unlocked()  # tasks are no threads
    read = _sometimes_away(outlook, contract().read_entities)
    fold_records = Fold({topics.ENTITIES_EXTRACTED: read}, names, board, measured, sink=sink, metrics=metrics)
    consumer = SimConsumer(broker, process, {**POSITION_CONFIG, "group.id": NO_GROUP}, off_by_one=outlook.off_by_one)
    reader = Reader(
        Topics(consumer, names, errors, counting(metrics)),
        fold_records,
        retrying(fold_records, stop, on_wait=liveness.tick),
        sink,
        board=board,
        said=measured,
        publish=lambda _: None,
        exposition=Exposition(metrics.registry),
        lease=AlwaysHeld(),
        lease_s=30.0,
        metrics=metrics,
        liveness=liveness,
        readiness=readiness,
        stop=stop,
    )

    def behind() -> str:
        left = [
            f"{ENTITIES}[{number}] kept to {records.next_offset(ENTITIES, number)} of {log.stable}"
            for number, log in enumerate(broker.topics[ENTITIES])
            if (records.next_offset(ENTITIES, number) or 0) != log.stable
        ]
        return "; ".join(left)

    def judge() -> str:
        rows = sum(one.rows for one in records.manifest.files)
        return "" if rows == records_in(broker) else f"{rows} rows are kept of {records_in(broker)} records"

    return Running(reader.run, stop.set, readiness, lambda: 0.0, behind, judge)


class _Unlocked:
    def __enter__(self) -> None: ...

    def __exit__(self, *_: object) -> None: ...


@dataclass
class Store:
    """What the follower keeps in Redis: it outlives the process, and may be wiped."""

    saved: dict[str, int] = field(default_factory=dict)
    ready: bool = False
    building: str = ""
    state: State = field(default_factory=dict)

    def wipe(self) -> None:
        self.saved, self.ready, self.building, self.state = {}, False, "", {}

    def begin_building(self, reader: str) -> None:
        self.building = reader

    def is_building(self, reader: str) -> bool:
        return self.building == reader

    def is_ready(self) -> bool:
        return self.ready

    def set_ready(self, reader: str) -> bool:
        if self.building != reader:
            return False
        self.ready = True
        return True

    def offsets(self) -> dict[str, int]:
        return dict(self.saved)

    def save_offsets(self, moved: dict[str, int]) -> None:
        self.saved.update(moved)

    def sweep(self, _now_s: float) -> int:
        return 0

    def renew(self) -> None: ...

    def people_held(self) -> int:
        return 0

    def waiting(self) -> dict[str, int]:
        return {}

    def oldest_s(self, _now_ms: int) -> dict[str, float]:
        return {}


def desk(outlook: Outlook, process: Process, store: Store) -> Running:
    """The desk's follower, over a projection in memory in the place of Redis."""
    kernel, broker = outlook.broker.kernel, outlook.broker
    stop, metrics = SimEvent(kernel), Metrics(DESK_METRICS)
    readiness = Readiness(age_s=lambda: kernel.now)
    read = _sometimes_away(outlook, contract().read_entities)

    def project(records: Sequence[InputRecord]) -> None:
        process.step()
        for event in [read(record.value) for record in records]:
            fold(store.state, event)
        process.step()

    follower = Follower(
        SimConsumer(broker, process, {**POSITION_CONFIG, "group.id": NO_GROUP}, off_by_one=outlook.off_by_one),
        [ENTITIES],
        project,
        store,
        stop=stop,
        liveness=Liveness(),
        readiness=readiness,
        metrics=metrics,
    )

    def behind() -> str:
        left = [
            f"{ENTITIES}[{number}] projected to {store.saved.get(f'{ENTITIES}:{number}', 0)} of {log.stable}"
            for number, log in enumerate(broker.topics[ENTITIES])
            if store.saved.get(f"{ENTITIES}:{number}", 0) != log.stable
        ]
        return "; ".join(left)

    def judge() -> str:
        return "" if store.state == state_of(broker) else "the projection is not what an unbroken run gives"

    return Running(follower.run, stop.set, readiness, lambda: 0.0, behind, judge)


def replica(outlook: Outlook, process: Process) -> Running:
    """What every replica follows by itself, in its own memory: gone with the process, read anew by the next."""
    kernel, broker = outlook.broker.kernel, outlook.broker
    metrics, state = Metrics(), {}
    chance: random.Random = outlook.chance

    def on_record(event: Any) -> None:
        if chance.random() < outlook.moods.bug:
            raise ZeroDivisionError
        fold(state, event)

    follower: TopicFollower[Any] = TopicFollower(
        {},
        ENTITIES,
        _sometimes_away(outlook, contract().read_entities),
        on_record,
        metrics=metrics,
        make_consumer=lambda config: SimConsumer(broker, process, config, off_by_one=outlook.off_by_one),
    )
    follower._stopped, follower._caught_up = SimEvent(kernel), SimEvent(kernel)

    def behind() -> str:
        left = [
            f"{ENTITIES}[{number}] followed to {follower._next.get((ENTITIES, number), 0)} of {log.stable}"
            for number, log in enumerate(broker.topics[ENTITIES])
            if follower._next.get((ENTITIES, number), 0) != log.stable
        ]
        return "; ".join(left)

    def judge() -> str:
        return "" if state == state_of(broker) else "what was followed is not what an unbroken run gives"

    return Running(
        follower._run, follower._stopped.set, Readiness(age_s=lambda: kernel.now), lambda: 0.0, behind, judge
    )


def _sometimes_away(outlook: Outlook, read: Callable[[bytes | None], Any]) -> Callable[[bytes | None], Any]:
    """Decoding for which the registry is asked, and gives no answer now and then."""

    def decode(value: bytes | None) -> Any:
        if outlook.chance.random() < outlook.moods.away / 5:
            raise RegistryUnavailable("simulated")
        return read(value)

    return decode


class _QuickDisk:
    """`os` without the waiting for a real disk: what is lost by a crash of the machine is not what is simulated here."""

    def __getattr__(self, name: str) -> Any:
        return getattr(_os, name)

    def fsync(self, _: int) -> None: ...


_os = at_rest.os


def install() -> None:
    """See `services.install`."""
    at_rest.os = _QuickDisk()
