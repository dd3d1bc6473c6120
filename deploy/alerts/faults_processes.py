"""Processes of ours that hang, are away, or get too little."""  # noqa: INP001

from __future__ import annotations

import itertools
import time
from typing import TYPE_CHECKING

from catalogue import fault
from confluent_kafka import TopicPartition
from contracts.topics import ENTITIES_EXTRACTED, NOTES_ACCEPTED, NOTES_SUBMITTED
from rxtract.backfill.doors import KafkaDoor

GROUP = "rxtract-ingestor"

if TYPE_CHECKING:
    from collections.abc import Iterator

    from world import World


@fault("the trainer hangs (SIGSTOP)", "ServiceDown")
def _hang(world: World) -> Iterator[None]:
    world.services["trainer"].pause()
    yield
    world.services["trainer"].resume()


@fault("the scorekeeper is scaled to nothing", "ServiceAbsent")
def _absent(world: World) -> Iterator[None]:
    world.end("scorekeeper")
    yield
    world.start("scorekeeper", "scorekeeper")


@fault("the scorekeeper is away while retention deletes entities", "RecordsNotKept")
def _not_kept(world: World) -> Iterator[None]:
    world.end("scorekeeper")
    world.await_records(ENTITIES_EXTRACTED, 60)
    world.expire(ENTITIES_EXTRACTED)
    world.start("scorekeeper", "scorekeeper")
    yield


@fault("the extractor hangs for 9 s (SIGSTOP), then goes on", "NotesLateFast", "NotesLateSlow")
def _late(world: World) -> Iterator[None]:
    world.services["extractor"].pause()
    time.sleep(9)
    world.services["extractor"].resume()
    yield


@fault("the extractors' committed offset is moved past notes that they have not read", "NotesLost")
def _lost(world: World) -> Iterator[None]:
    world.end("extractor")
    world.await_records(NOTES_ACCEPTED, 20)
    for number, (_, end) in world.partitions(NOTES_ACCEPTED).items():
        world.commit("rxtract-extractor", TopicPartition(NOTES_ACCEPTED, number, end))
    world.start("extractor", "extractor")
    yield


@fault("members of the groups hang past their session, four times", "Rebalances", "CommitsFail")
def _rebalances(world: World) -> Iterator[None]:
    members = [world.services["ingestor"], world.services["extractor"]]

    def freeze() -> None:
        for member in members:
            member.pause()
        time.sleep(11)
        for member in members:
            member.resume()

    busy = world.meanwhile(lambda: world.post(world.notes(200)), 0.1, 2)  # so that something is under way at each
    with busy, world.meanwhile(freeze, 3.5):
        yield


@fault("the extractor gets a tenth of its CPU while a backfill comes in", "LagGrows")
def _throttled(world: World) -> Iterator[None]:
    extractor = world.services["extractor"]
    door = KafkaDoor(world.running.addresses)

    def throttle() -> None:
        extractor.pause()
        time.sleep(0.45)
        extractor.resume()
        time.sleep(0.05)

    arrays = itertools.cycle([world.notes(500) for _ in range(8)])
    with world.meanwhile(throttle), world.meanwhile(lambda: door.send(next(arrays))):
        yield


@fault("retention deletes notes before the extractor has read them", "RecordsExpired")
def _expired(world: World) -> Iterator[None]:
    extractor = world.services["extractor"]
    extractor.pause()
    world.await_records(NOTES_ACCEPTED, 60)
    world.expire(NOTES_ACCEPTED)
    extractor.resume()
    yield


@fault(
    "the ingestors' committed offset lies behind the end of a partition, as after a restore from before", "OffsetReset"
)
def _cut_off(world: World) -> Iterator[None]:
    world.end("ingestor")
    begin = world.committed(GROUP, NOTES_SUBMITTED).get(0, 0)
    world.commit(GROUP, TopicPartition(NOTES_SUBMITTED, 0, world.partitions(NOTES_SUBMITTED)[0][1] + 1_000))
    world.start("ingestor", "ingestor", ready=False)
    yield
    world.end("ingestor")
    world.commit(GROUP, TopicPartition(NOTES_SUBMITTED, 0, begin))
    world.start("ingestor", "ingestor")
