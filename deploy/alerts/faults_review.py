"""Validators that do not come, or come and find the model wrong."""  # noqa: INP001

from __future__ import annotations

import time
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING

from catalogue import fault
from contracts.records import AnnotatorJudged, TrustState
from contracts.registry import ConfluentRegistry
from contracts.topics import ANNOTATORS_JUDGED, REVIEW_REQUESTED
from contracts.wire import Serializer
from faults_models import void_orders
from rxtract.backfill.doors import KafkaDoor
from rxtract.reading import TopicReader
from world import until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from world import World

NOTES, AUDIT_RATE = 2_600, "0.16"
LONG_TEXT_CHARS = 305_000
WORKED_OFF_S = 240.0


@fault("every note goes to review and no validator comes", "ReviewBacklog", "AuditBacklog", "ReviewStands")
def _backlog(world: World) -> Iterator[None]:
    world.end("extractor")
    world.start("extractor", "extractor", RXTRACT_REVIEW_BELOW="1", RXTRACT_AUDIT_RATE=AUDIT_RATE)
    door = KafkaDoor(world.running.addresses)
    for _ in range(NOTES // 200):
        door.send(world.notes(200))
    yield
    world.end("extractor")
    world.start("extractor", "extractor")
    waiting = {"RxtractReviewBacklog", "RxtractAuditBacklog", "RxtractReviewStands"}
    with closing(world.validator()) as late, world.meanwhile(late.next):
        until(lambda: not world.firing() & waiting, WORKED_OFF_S, "the backlog is not worked off")


@fault("validators strike out whatever the model marked", "QualityBelowTarget")
def _wrong(world: World) -> Iterator[None]:
    world.end("extractor")
    world.start("extractor", "extractor", RXTRACT_AUDIT_RATE="0.2")
    with closing(world.validator(strike_out=True)) as wrong, world.meanwhile(wrong.next):
        yield
    with closing(world.validator()) as right, world.meanwhile(right.next):
        until(lambda: "RxtractQualityBelowTarget" not in world.firing(), WORKED_OFF_S, "the quality does not recover")
    world.end("extractor")
    world.start("extractor", "extractor")


@fault("a validator accepts all without reading it", "LabelsHeld")
def _stamped(world: World) -> Iterator[None]:
    world.end("extractor")
    world.start("extractor", "extractor", RXTRACT_REVIEW_BELOW="1")
    world.end("review-desk")
    world.start("review-desk", "review_desk", RXTRACT_DESK_WATCH="true")
    door = KafkaDoor(world.running.addresses)
    door.send(world.notes(200))
    with closing(world.validator(strike_out=True)) as stamp, world.meanwhile(stamp.next):
        yield
    registry = ConfluentRegistry(world.running.addresses.schema_registry_url)
    write = Serializer.for_topic(AnnotatorJudged, registry, ANNOTATORS_JUDGED)
    for seen in TopicReader(world.running.addresses).read([ANNOTATORS_JUDGED]):
        looked = replace(
            seen.record, state=TrustState.EXCLUDED, held=(), judged_at=int(time.time() * 1000), judged_by="lead"
        )
        world.put(ANNOTATORS_JUDGED, write(looked), key=looked.annotator.encode())
    for name in ("review-desk", "extractor"):
        world.end(name)
        world.start(name, name.replace("-", "_"))


@fault("notes that are legal, but too large once their entities stand beside them", "ReviewsUnsent")
def _unsent(world: World) -> Iterator[None]:
    world.end("extractor")
    world.start("extractor", "extractor", RXTRACT_REVIEW_BELOW="1")
    filler = "\u0905" * 60 + " "
    long = "fever and paracetamol 500 mg. " * 3_000 + filler * (LONG_TEXT_CHARS // len(filler))
    door = KafkaDoor(world.running.addresses)
    with world.meanwhile(lambda: door.send([replace(note, text=long) for note in world.notes(3)]), 0.5):
        yield
    void_orders(world)  # so strange a language is drift too, and asks for trainings


@fault("requests for review leave the topic before anyone looks", "ReviewsExpired", last=True)
def _gone(world: World) -> Iterator[None]:
    world.expire(REVIEW_REQUESTED)
    with closing(world.validator()) as late, world.meanwhile(late.next, 0.5):
        yield
