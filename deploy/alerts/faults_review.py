"""Validators that do not come, or come and find the model wrong."""  # noqa: INP001

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING

from catalogue import fault
from contracts.topics import REVIEW_REQUESTED
from faults_models import void_orders
from rxtract.backfill.doors import KafkaDoor
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
