"""One world: the services, what befalls them, and what must hold whatever it was.

Everything follows from the seed: which kinds of trouble there are in this world, when they come, and in which order tasks go on.
"""

import random
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from confluent_kafka import KafkaException
from extractor import handler as extraction
from runtime.errors import RxtractError
from runtime.kafka.deadletter import OFFSET, PARTITION, REASON, TOPIC, header
from runtime.kafka.positions import IN_REACH
from runtime.service.settings import TRIES
from runtime.stream.faust.app import BatchLimits
from runtime.stream.ledger import RepeatedOffsetsError, UnknownPartitionError
from runtime.stream.loop import LoopLimits

from tests.simulation import faust_process, readers, services
from tests.simulation.broker import Broker, Chances, Entry, Group, Place
from tests.simulation.kernel import Kernel, Process
from tests.simulation.services import ACCEPTED, ENTITIES, EXTRACTORS, INGESTORS, SUBMITTED, Moods, Outlook, Running

TROUBLES = (
    "kills",
    "fuses",
    "freezes",
    "joins and leaves",
    "growth",
    "retention",
    "truncation",
    "transactions",
    "off by one",
    "late acks",
    "lost acks",
    "failed produces",
    "broker away",
    "disk full",
    "fatal producers",
    "killers",
    "bugs",
    "slow handlers",
    "registry away",
    "refused commits",
    "failed answers",
    "duplicates",
    "bad notes",
    "eager",
    "shuffled assignments",
    "small queue",
    "large letters",
    "scorekeeper",
    "desk",
    "replica",
    "wipes",
    "leaders away",
)
GENTLE = frozenset(
    {
        "late acks",
        "joins and leaves",
        "growth",
        "transactions",
        "off by one",
        "slow handlers",
        "registry away",
        "duplicates",
        "bad notes",
    }
    | {"eager", "shuffled assignments", "small queue", "large letters", "scorekeeper", "desk", "replica", "wipes"}
)
"""After these nothing may come twice: every process leaves in good order, and the broker answers."""
PATIENCE_S = {False: 10.0, True: BatchLimits().revoke_wait_s}
"""So long the loop, and Faust, wait at least for what is under way before a partition moves or the process ends."""
COLUMN_NOTES = (1, 3, 10, extraction.COLUMN_NOTES)
"""From so many notes on a batch goes by columns: worlds have few notes, so most have a lower threshold than the product's."""
READERS = ("scorekeeper", "desk", "replica")
BUSY_S = 17.0
LIMIT_S = 400.0
Ident = tuple[str, int]
_MEMORY = "/dev/shm" if Path("/dev/shm").is_dir() else None


class Violation(AssertionError):
    """A promise was broken."""


@dataclass
class Fate:
    """What became of one submitted record."""

    ident: Ident | None
    text: str
    accepted: int = 0
    refused: int = 0


@dataclass
class Slot:
    """A replica: a process that is started again when it ends."""

    name: str
    make: Callable[[Outlook, Process], Running]
    process: Process | None = None
    running: Running | None = None
    wanted: bool = True
    starts: int = 0
    expired: float = 0.0


@dataclass
class World:
    """Runs one seed.

    Args:
        seed: Decides everything.
        verbose: Whether the story holds each record and commit, too.
    """

    seed: int
    verbose: bool = False
    story: list[tuple[float, str, dict[str, object]]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.chance = random.Random(self.seed)
        random.seed(self.seed)  # what the product scatters (its pauses) follows from it too
        self.troubles = self._choose_troubles()
        self.gentle = self.troubles <= GENTLE
        # Not drawn with the rest, so that a world is what it was before there was a choice.
        self.column_notes = COLUMN_NOTES[self.seed % len(COLUMN_NOTES)]
        self.submitted: dict[tuple[int, int], Fate] = {}
        self.accepted: Counter[Ident] = Counter()
        self.effects: Counter[Ident] = Counter()
        self.letters: Counter[tuple[str, int, int]] = Counter()
        self.letter_of: dict[tuple[int, int], Ident] = {}
        self.last_accepted: dict[str, int] = {}
        self.last_effect: dict[str, int] = {}
        self.checked: dict[tuple[str, Place], int] = {}
        self.offsets: dict[tuple[str, Place], int] = {}
        self.deaths: Counter[tuple[str, int, int]] = Counter()
        self.asked_at_s: dict[str, float] = {}
        self.gone: set[tuple[str, int, int]] = set()
        self.unmissed: set[tuple[str, int, int]] = set()
        self.people_at_work = False
        self.outside_deaths = 0
        self.disk: readers.Disk | None = None
        self.store = readers.Store()
        self.cut: set[Place] = set()
        self.reused: set[tuple[str, int, int]] = set()
        self.slots: list[Slot] = []
        self.submitting = True
        self.quiet = False
        self.dirty = not self.gentle

    def _choose_troubles(self) -> frozenset[str]:
        chance = self.chance
        kind = chance.random()
        if kind < 0.25:
            return frozenset(one for one in sorted(GENTLE) if chance.random() < 0.4)
        share = chance.choice((0.1, 0.2, 0.35))
        return frozenset(one for one in TROUBLES if chance.random() < share)

    # -- the story

    def record_event(self, what: str, **more: object) -> None:
        self.story.append((self.kernel.now, what, more))

    # -- running

    def run(self) -> None:
        """Play it.

        Raises:
            Violation: A promise was broken.
        """
        with Kernel() as self.kernel:
            try:
                self._build()
                self._play()
            finally:
                for slot in self.slots:
                    if slot.process is not None:
                        slot.wanted = False
                        slot.process.kill()
                if self.disk is not None:
                    shutil.rmtree(self.disk.folder)

    def _build(self) -> None:
        chance, has = self.chance, self.troubles.__contains__
        self.broker = broker = Broker(self.kernel, chance, self.record_event)
        broker.chances = Chances(
            late_ack=0.05 if has("late acks") else 0.0,
            lost_ack=0.01 if has("lost acks") else 0.0,
            failed_produce=0.02 if has("failed produces") else 0.0,
            failed_answer=0.1 if has("failed answers") else 0.0,
            refused_commit=0.2 if has("refused commits") else 0.0,
            sticky=not has("shuffled assignments"),
        )
        partitions = chance.randint(1, 4)
        for topic in (SUBMITTED, ACCEPTED, ENTITIES):
            broker.create(topic, partitions)
        for topic in (f"{SUBMITTED}.dlq", f"{ACCEPTED}.dlq", "review.requested.v1", "statistics.observed.v1"):
            broker.create(topic, 1)
        if has("large letters"):
            broker.most_bytes[f"{SUBMITTED}.dlq"] = 2_000
        broker.on_append.append(self._appended)
        broker.on_commit.append(self._committed)
        broker.on_given_away.append(self._given_away)
        limits = LoopLimits(
            batch_records=chance.choice((3, 20, 500)),
            batch_bytes=chance.choice((2_000, 8_388_608)),
            held_batches=chance.choice((1, 3, 8)),
            poll_s=1.0,
            heartbeat_s=0.5,
            commit_interval_s=chance.choice((0.05, 0.5)),
            revoke_wait_s=PATIENCE_S[False],
        )
        self.moods = Moods(
            slow=0.05 if has("slow handlers") else 0.0,
            bug=0.01 if has("bugs") else 0.0,
            away=0.05 if has("registry away") else 0.0,
        )
        self.outlook = Outlook(
            broker,
            chance,
            self.moods,
            limits,
            off_by_one=has("off by one"),
            eager=has("eager"),
            queue=8 if has("small queue") else 200,
            column_notes=self.column_notes,
            on_killer=self._killer_met,
        )
        self.slots = [Slot("ingestor-0", services.ingestor), Slot("ingestor-1", services.ingestor)]
        self.extractor = chance.choice((services.extractor, faust_process.extractor))
        self.slots += [Slot("extractor-0", self.extractor)]
        if chance.random() < 0.5:
            self.slots.append(Slot("extractor-1", self.extractor))
        for name in ("scorekeeper", "desk", "replica"):
            if has(name):
                self.slots.append(Slot(f"{name}-0", getattr(self, f"_{name}")))
        engine = "Faust" if self.has_faust else "loop"
        self.record_event(
            "world",
            seed=self.seed,
            partitions=partitions,
            extractor=engine,
            columns=self.column_notes,
            troubles=sorted(self.troubles),
        )

    @property
    def has_faust(self) -> bool:
        return self.extractor is faust_process.extractor

    def _scorekeeper(self, outlook: Outlook, process: Process) -> Running:
        if self.disk is None:
            self.disk = readers.Disk(Path(tempfile.mkdtemp(prefix="rxtract-simulation-", dir=_MEMORY)))
        return readers.scorekeeper(outlook, process, self.disk)

    def _desk(self, outlook: Outlook, process: Process) -> Running:
        return readers.desk(outlook, process, self.store)

    def _replica(self, outlook: Outlook, process: Process) -> Running:
        return readers.replica(outlook, process)

    def _play(self) -> None:
        for slot in self.slots:
            self.kernel.at(self.chance.uniform(0, 0.4), self._start, slot)
        self._schedule()
        self.kernel.at(self._submit_end(), self._end_submitting)
        self.kernel.at(BUSY_S, self._calm_down)
        if not self.kernel.run(self._at_end, LIMIT_S):
            raise Violation(f"not at the end after {LIMIT_S:.0f} s: {self._what_is_left()}")
        self._judge()

    def _submit_end(self) -> float:
        return BUSY_S - 4.0

    # -- replicas

    def _start(self, slot: Slot) -> None:
        if not slot.wanted or (slot.process is not None and not slot.process.dead):
            return
        if self.people_at_work and slot.name.startswith("ingestor"):
            self.kernel.at(1.0, self._start, slot)
            return
        slot.starts += 1
        process = Process(self.kernel, f"{slot.name}#{slot.starts}")
        slot.process = process
        slot.running = slot.make(self.outlook, process)
        self.record_event("start", process=process.name)
        process.on_death.append(lambda: self._count_death(process))
        process.on_death.append(lambda: self._ended(slot, process))
        process.spawn(lambda: self._live(slot, process))

    def _live(self, slot: Slot, process: Process) -> None:
        assert slot.running is not None
        try:
            slot.running.run()
        except (
            RepeatedOffsetsError,
            UnknownPartitionError,
        ):  # a mistake of ours that ends a process is no trouble of the world's
            raise
        except (RxtractError, KafkaException, ZeroDivisionError, OSError) as error:  # any other is nobody's plan
            self.record_event("ended", process=process.name, error=f"{type(error).__name__}: {error}")
            self.dirty = True
        else:
            self.record_event("left", process=process.name)
            self._look_what_is_left_behind(
                process, self.kernel.now - self.asked_at_s.get(process.name, self.kernel.now)
            )
        process.ended = True
        process.kill()

    def _given_away(self, process: Process, places: set[Place], took_s: float) -> None:
        """Partitions move. What the contract says of that: what their old owner still has is done by both."""
        if process.in_hand & places and process.in_hand - places:
            self._repeats(process, "a batch is in a handler that loses a part of its partitions")
        self._look_what_is_left_behind(process, took_s)

    def _look_what_is_left_behind(self, process: Process, took_s: float) -> None:
        """Whoever gives partitions away waits for what is under way, but not for ever."""
        waits = process.in_hand or any(one.waits for owner, one in self.outlook.producers if owner is process)
        if waits and took_s >= PATIENCE_S[process.name.startswith("extractor") and self.has_faust]:
            self._repeats(process, f"waited {took_s:.1f} s for what is under way")

    def _repeats(self, process: Process, why: str) -> None:
        self.record_event("may repeat", process=process.name, why=why)
        self.dirty = True

    def _ended(self, slot: Slot, process: Process) -> None:
        if slot.running is not None:
            slot.expired += slot.running.expired()
        if slot.wanted:
            self.kernel.at(self.chance.uniform(0.3, 2.0), self._start, slot)

    def _count_death(self, process: Process) -> None:
        if process.name.startswith("ingestor") and not process.ended:
            self.outside_deaths += 1

    def _living(self) -> list[Slot]:
        return [slot for slot in self.slots if slot.process is not None and not slot.process.dead]

    # -- what befalls them

    def _schedule(self) -> None:
        chance, kernel = self.chance, self.kernel
        acts: dict[str, tuple[Callable[[], None], float]] = {
            "kills": (self._kill, 5.0),
            "fuses": (self._light_fuse, 4.0),
            "freezes": (self._freeze, 10.0),
            "joins and leaves": (self._join_or_leave, 4.0),
            "growth": (self._grow, 12.0),
            "retention": (self._expire, 8.0),
            "transactions": (self._transact, 2.0),
            "broker away": (self._go_away, 12.0),
            "disk full": (self._fill_disk, 12.0),
            "leaders away": (self._lose_leader, 5.0),
            "fatal producers": (self._break_producer, 10.0),
            "wipes": (self._wipe, 8.0),
        }
        for name in sorted(self.troubles & acts.keys()):
            act, every_s = acts[name]
            at_s = chance.uniform(1.0, every_s)
            while at_s < BUSY_S:
                kernel.at(at_s, act)
                at_s += chance.expovariate(1 / every_s) + 0.2
        if "truncation" in self.troubles:
            kernel.at(chance.uniform(4.0, BUSY_S - 6.0), self._truncate)
        self.notes = self._notes()
        at_s = 0.5
        while at_s < self._submit_end():
            kernel.at(at_s, self._submit)
            at_s += chance.expovariate(1.5) if chance.random() < 0.8 else chance.uniform(1.0, 6.0)

    def _kill(self) -> None:
        if living := self._living():
            slot = self.chance.choice(living)
            assert slot.process is not None
            self.record_event("kill", process=slot.process.name)
            slot.process.kill()

    def _light_fuse(self) -> None:
        if living := self._living():
            slot = self.chance.choice(living)
            assert slot.process is not None
            slot.process.fuse = self.chance.randint(0, 60)
            self.record_event("will die", process=slot.process.name, calls=slot.process.fuse)

    def _freeze(self) -> None:
        if living := self._living():
            process = self.chance.choice(living).process
            assert process is not None
            for_s = self.chance.choice((1.0, 6.0))
            self.record_event("freeze", process=process.name, seconds=for_s)
            process.freeze()
            self.kernel.at(for_s, self._thaw, process)

    def _thaw(self, process: Process) -> None:
        self.record_event("thaw", process=process.name)
        process.thaw()

    def _join_or_leave(self) -> None:
        chance = self.chance
        kind = chance.choice(("ingestor", "extractor"))
        ours = [slot for slot in self.slots if slot.name.startswith(kind) and slot.wanted]
        if len(ours) > 1 and chance.random() < 0.5:
            slot = chance.choice(ours)
            slot.wanted = False
            if slot.process is not None and not slot.process.dead and slot.running is not None:
                self.record_event("asked to stop", process=slot.process.name)
                self.asked_at_s[slot.process.name] = self.kernel.now
                slot.running.stop()
        elif len(ours) < 4:
            make = services.ingestor if kind == "ingestor" else self.extractor
            slot = Slot(f"{kind}-{len(self.slots)}", make)
            self.slots.append(slot)
            self._start(slot)

    def _grow(self) -> None:
        topic = self.chance.choice((SUBMITTED, ACCEPTED, ENTITIES))
        count = len(self.broker.topics[topic])
        if count < 8:
            self.broker.grow(topic, count + self.chance.randint(1, 2))
            if "retention" in self.troubles and topic != ENTITIES:
                self.kernel.at(self.chance.uniform(1.0, 9.0), self._expire_of, (topic, count))

    def _expire(self) -> None:
        topic = self.chance.choice((SUBMITTED, ACCEPTED))
        self._expire_of(self.chance.choice(self.broker.places([topic])))

    def _expire_of(self, place: Place) -> None:
        topic, log = place[0], self.broker.log(place)
        if log.stable - log.low > 3:
            low = self.chance.randint(log.low + 1, log.stable)
            group = self.broker.group(INGESTORS if topic == SUBMITTED else EXTRACTORS)
            begin = max(log.low, group.committed.get(place, (0, ""))[0])
            for offset in range(begin, low):
                if log.entry(offset).kind == "data":
                    self.gone.add((topic, place[1], offset))
            if place not in group.committed:
                self._look_whether_missed(group, place)
            self.broker.expire(place, low)

    def _look_whether_missed(self, group: Group, place: Place) -> None:
        """Whether a group that never committed a partition can know that it was there before it: by a lower one, in which it has come further."""
        lower = [(place[0], number) for number in range(place[1])]
        if not any(group.committed[one][0] != self.broker.log(one).low for one in lower if one in group.committed):
            self.unmissed |= {one for one in self.gone if one[:2] == place}

    def _truncate(self) -> None:
        """The end of a log is lost behind what was read. Nothing new comes to it until people decide: who reads must call them."""
        place = self.chance.choice(self.broker.places([SUBMITTED]))
        log, committed = self.broker.log(place), self.broker.group(INGESTORS).committed.get(place, (0, ""))[0]
        if log.open_at is not None or committed - log.low < 3:
            return
        high = self.chance.randint(log.low, committed - 1)
        for offset in range(high, log.high):
            self.submitted.pop((place[1], offset), None)
            self.letters.pop((*place, offset), None)
            self.reused.add((*place, offset))
        self.cut.add(place)
        self.broker.truncate(place, high)
        self._look_whether_called(place)

    def _look_whether_called(self, place: Place) -> None:
        called = any(
            IN_REACH in slot.running.readiness.missing
            for slot in self._living()
            if slot.running is not None and slot.name.startswith("ingestor")
        )
        if called:
            self.record_event("people are called", topic=place[0], partition=place[1])
            self.kernel.at(2.0, self._mend_cut, place)
        elif self.kernel.now > BUSY_S + 40.0:
            raise Violation(f"{place[0]}[{place[1]}] was cut off behind what was read, and nobody was called")
        else:
            self.kernel.at(0.5, self._look_whether_called, place)

    def _mend_cut(self, place: Place) -> None:
        """They stop the readers, let the group go on at the new end, and start them again."""
        self.dirty = self.people_at_work = True
        for slot in self._living():
            if slot.name.startswith("ingestor") and slot.process is not None:
                slot.process.kill()
        self.kernel.at(1.0, self._set_offset, place)

    def _set_offset(self, place: Place) -> None:
        group, high = self.broker.group(INGESTORS), self.broker.log(place).high
        self.record_event("people set the group's offset", topic=place[0], partition=place[1], offset=high)
        self.cut.discard(place)
        self.checked[group.name, place] = self.offsets[group.name, place] = high
        group.committed[place] = (high, "")
        self.people_at_work = False

    def _transact(self) -> None:
        place = self.chance.choice(self.broker.places([SUBMITTED]))
        log = self.broker.log(place)
        if log.open_at is not None or place in self.cut:
            return
        self.broker.begin_transaction(place)
        aborted = self.chance.random() < 0.4
        for _ in range(self.chance.randint(0, 3)):
            if aborted:
                self.broker.append(SUBMITTED, b"k", b"aborted", (), place[1], "aborted")
            else:
                self._submit_one(place[1])
        self.kernel.at(self.chance.choice((0.01, 0.5, 4.0)), self.broker.end_transaction, place)

    def _go_away(self) -> None:
        if not self.broker.away:
            self.broker.go_away()
            self.kernel.at(self.chance.choice((0.5, 3.0, 9.0)), self.broker.come_back)

    def _fill_disk(self) -> None:
        if self.disk is not None and self.chance.random() < 0.5:
            self.record_event("the scorekeeper's disk is full")
            self.disk.full = True
        else:
            self.record_event("the broker's disk is full")
            self.broker.disk_full = True
        self.kernel.at(self.chance.choice((1.0, 8.0)), self._empty_disk)

    def _lose_leader(self) -> None:
        place = self.chance.choice(self.broker.places([SUBMITTED, ACCEPTED, ENTITIES, f"{SUBMITTED}.dlq"]))
        self.record_event("a partition has no leader", topic=place[0], partition=place[1])
        self.broker.leaderless.add(place)
        self.kernel.at(self.chance.choice((0.5, 3.0, 8.0)), self.broker.leaderless.discard, place)

    def _empty_disk(self) -> None:
        self.record_event("the disk has room")
        self.broker.disk_full = False
        if self.disk is not None:
            self.disk.full = False

    def _wipe(self) -> None:
        self.record_event("Redis is wiped")
        self.store.wipe()

    def _break_producer(self) -> None:
        living = [(process, producer) for process, producer in self.outlook.producers if not process.dead]
        if living:
            process, producer = self.chance.choice(living)
            self.record_event("its producer breaks", process=process.name)
            producer.fatal = True

    # -- notes

    def _notes(self) -> Iterator[tuple[Ident | None, str]]:
        """Notes of few keys, each with rising revisions."""
        chance, has = self.chance, self.troubles.__contains__
        revisions: Counter[str] = Counter()
        killers, number = 1, 0
        while True:
            number += 1
            kind = chance.random()
            if has("bad notes") and kind < 0.08:
                yield None, chance.choice(("bytes", services.EMPTY))
                continue
            key = f"n{chance.randrange(12)}"
            text = ""
            if has("large letters") and kind > 0.95:
                yield None, "huge"
                continue
            if has("bad notes") and kind > 0.98:
                text = services.BREAKS
            elif has("killers") and kind > 0.9 and killers:
                killers -= 1
                text = chance.choice((services.KILLS_INGESTOR, services.KILLS_EXTRACTOR))
            if text:
                key = f"{services.ODD}{number}"
            revisions[key] += 1
            yield (key, revisions[key]), text or services.good_text(revisions[key])

    def _submit(self) -> None:
        for _ in range(self.chance.randint(1, 6)):
            self._submit_one(None)

    def _submit_one(self, partition: int | None) -> None:
        ident, text = next(self.notes)
        if ident is None:
            value = b"no record" if text == "bytes" else b"x" * 5_000 if text == "huge" else None
            if value is None:
                value = services.contract().submitted(services.note("bad", 1, text))
            key = b"bad"
        else:
            value = services.contract().submitted(services.note(*ident, text))
            key = f"clinic-app|{ident[0]}".encode()
        partition = self.broker.partition_of(SUBMITTED, key) if partition is None else partition
        if (SUBMITTED, partition) in self.cut:
            return
        copies = 2 if "duplicates" in self.troubles and self.chance.random() < 0.1 else 1
        for _ in range(copies):
            number, offset = self.broker.append(SUBMITTED, key, value, (), partition)
            self.submitted[number, offset] = Fate(ident, text)

    # -- what is seen

    def _appended(self, topic: str, partition: int, entry: Entry) -> None:
        if topic == ACCEPTED:
            found = services.contract().read_accepted(entry.value)
            ident = (found.note_id, found.revision)
            self.accepted[ident] += 1
            self.letter_of[partition, entry.offset] = ident
            self.last_accepted[ident[0]] = ident[1]
        elif topic == ENTITIES:
            event = services.contract().read_entities(entry.value)
            self.effects[event.note_id, event.revision] += 1
            if (wrong := services.wrong_event(entry.key, event)) is not None:
                self._broken(f"the event of {(event.note_id, event.revision)} is wrong: {wrong}")
            self.last_effect[event.note_id] = event.revision
        elif topic.endswith(".dlq"):
            value = {name: (header(entry.headers, name) or b"").decode() for name in (TOPIC, PARTITION, OFFSET, REASON)}
            self.letters[value[TOPIC], int(value[PARTITION]), int(value[OFFSET])] += 1
            if self.verbose:
                self.record_event("dead letter", **{name.rpartition(".")[2]: one for name, one in value.items()})
            return
        if self.verbose:
            self.record_event("append", topic=topic, partition=partition, offset=entry.offset, key=entry.key)

    def _broken(self, what: str) -> None:
        """End the world: said from within a call of the product's, which might catch what is raised there."""
        self.kernel.error = self.kernel.error or Violation(what)

    def _committed(self, group: Group, place: Place, offset: int, metadata: str) -> None:
        if self.verbose:
            self.record_event(
                "commit", group=group.name, topic=place[0], partition=place[1], offset=offset, mark=metadata
            )
        log = self.broker.log(place)
        if place in self.cut:
            return
        if offset > log.high:
            self._broken(f"{group.name} committed {offset} of {place[0]}[{place[1]}], which ends at {log.high}")
            return
        if (group.name, place) not in self.offsets:
            self._look_whether_missed(group, place)
        before = self.offsets.get((group.name, place), 0)
        if offset < before:
            self._broken(f"{group.name} went back from {before} to {offset} in {place[0]}[{place[1]}]")
        self.offsets[group.name, place] = offset
        begin = max(self.checked.get((group.name, place), 0), log.low)
        for at in range(begin, offset):
            if log.entry(at).kind == "data" and not self._has_effect(place, at):
                self._broken(f"{group.name} committed {place[0]}[{place[1]}] past offset {at}, which has no effect yet")
                return
        self.checked[group.name, place] = max(begin, offset)

    def _has_effect(self, place: Place, offset: int) -> bool:
        if self.letters[(*place, offset)]:
            return True
        if place[0] == SUBMITTED:
            fate = self.submitted.get((place[1], offset))
            return fate is None or (fate.ident is not None and self.accepted[fate.ident] > 0)
        return self.effects[self.letter_of[place[1], offset]] > 0

    def _killer_met(self, record: object) -> None:
        place = (record.topic, record.partition, record.offset)
        self.deaths[place] += 1
        self.dirty = True
        self.record_event(
            "a record kills", topic=place[0], partition=place[1], offset=place[2], deaths=self.deaths[place]
        )

    # -- the end

    def _end_submitting(self) -> None:
        self.submitting = False

    def _calm_down(self) -> None:
        """No more trouble: from here on all must come to its end."""
        self.record_event("calm")
        self.broker.chances = Chances(sticky=True)
        self.moods.slow = self.moods.bug = self.moods.away = 0.0
        for kind, make in (("ingestor", services.ingestor), ("extractor", self.extractor)):
            if not any(slot.name.startswith(kind) and slot.wanted for slot in self.slots):
                slot = Slot(f"{kind}-{len(self.slots)}", make)
                self.slots.append(slot)
                self._start(slot)
        self.quiet = True

    def _at_end(self) -> bool:
        if not self.quiet or self.cut or self.broker.leaderless or self.broker.away or self.broker.disk_full:
            return False
        return not self._behind() and not self._readers_behind()

    def _behind(self) -> list[tuple[str, Place, int, int]]:
        found = []
        for name, topic in ((INGESTORS, SUBMITTED), (EXTRACTORS, ACCEPTED)):
            committed = self.broker.group(name).committed
            for place in self.broker.places([topic]):
                log = self.broker.log(place)
                at = committed.get(place, (0, ""))[0]
                if at < log.stable or log.open_at is not None:
                    found.append((name, place, at, log.stable))
        return found

    def _readers_behind(self) -> str:
        """What those have not read that read by themselves."""
        for slot in self.slots:
            if slot.name.startswith(READERS):
                if slot not in self._living() or slot.running is None:
                    return f"{slot.name} does not live"
                if behind := slot.running.behind():
                    return f"{slot.name}: {behind}"
        return ""

    def _what_is_left(self) -> str:
        if not self._behind():
            return self._readers_behind()
        return "; ".join(f"{name} is at {at} of {end} in {p[0]}[{p[1]}]" for name, p, at, end in self._behind()[:3])

    def _judge(self) -> None:
        """What must hold at the end."""
        for (partition, offset), fate in self.submitted.items():
            place = (SUBMITTED, partition, offset)
            letters = self.letters[place]
            if not letters and place not in self.gone and not (fate.ident and self.accepted[fate.ident]):
                raise Violation(f"lost: {place} ({fate.ident}) was submitted and has no effect")
            innocent = fate.ident is not None and services.KILLS_INGESTOR not in fate.text
            # Alone in hand at so many deaths, whoever dealt them: the contract says that this is one too many.
            if letters and innocent and place not in self.reused and self.outside_deaths < TRIES:
                raise Violation(f"{place} is a good note and became a dead letter")
            if not letters and not fate.ident and place not in self.gone:
                raise Violation(f"{place} is no note and has no dead letter")
        for (partition, offset), ident in self.letter_of.items():
            place = (ACCEPTED, partition, offset)
            if not self.letters[place] and place not in self.gone and not self.effects[ident]:
                raise Violation(f"lost: {place} ({ident}) was accepted and has no effect")
        for place, count in self.deaths.items():
            if count > 2 * TRIES:
                raise Violation(f"{place} killed {count} times")
        for slot in self.slots:
            if slot.name.startswith(READERS) and slot.running is not None and (wrong := slot.running.judge()):
                raise Violation(f"{slot.name}: {wrong}")
        self._judge_expired()
        self._judge_doubles()
        self._judge_order()
        self._judge_commits()

    def _judge_expired(self) -> None:
        """What retention took before it was read is lost, and must have been counted as that."""
        missed = self.gone - self.unmissed
        unread = sum(not self._has_effect((topic, number), offset) for topic, number, offset in missed)
        counted = sum(slot.expired + (slot.running.expired() if slot in self._living() else 0) for slot in self.slots)
        if unread > counted:
            raise Violation(f"{unread} records were deleted before they were read, and {counted} counted as lost")

    def _judge_doubles(self) -> None:
        if self.dirty:
            return
        submitted = Counter(fate.ident for fate in self.submitted.values() if fate.ident)
        for ident, count in submitted.items():
            if self.accepted[ident] > count:
                raise Violation(
                    f"{ident} was accepted {self.accepted[ident]} times, submitted {count}: nobody died or failed"
                )
        for ident, count in self.effects.items():
            if count > self.accepted[ident]:
                raise Violation(f"{ident} has {count} effects, accepted {self.accepted[ident]}: nobody died or failed")

    def _judge_order(self) -> None:
        # A batch that waits for a leader, or loses a part of its partitions in a handler, is sent by both owners, the old words perhaps last.
        if self.troubles & {"freezes", "growth", "retention", "truncation", "transactions"}:
            return
        if self.troubles & {"lost acks", "leaders away"}:
            return
        for key, revision in self.last_accepted.items():
            best = max(ident[1] for ident in self.accepted if ident[0] == key)
            if revision != best:
                raise Violation(f"the last accepted record of {key} is revision {revision}, not {best}")
        for key, revision in self.last_effect.items():
            best = max(ident[1] for ident in self.effects if ident[0] == key)
            if revision != best:
                raise Violation(f"the last effect of {key} is revision {revision}, not {best}")

    def _judge_commits(self) -> None:
        for name, topic in ((INGESTORS, SUBMITTED), (EXTRACTORS, ACCEPTED)):
            for place, (offset, _) in self.broker.group(name).committed.items():
                if place[0] == topic and offset != self.broker.log(place).stable:
                    raise Violation(
                        f"{name} ends at {offset} of {place}, which ends at {self.broker.log(place).stable}"
                    )
