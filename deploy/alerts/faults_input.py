"""What comes in is not what the contract or the model knows."""  # noqa: INP001

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import replace
from typing import TYPE_CHECKING

import httpx
from catalogue import fault
from contracts.apply import apply_schemas
from contracts.records import DriftState
from contracts.registry import ConfluentRegistry
from contracts.topics import DRIFT_STATE, ENTITIES_EXTRACTED, NOTES_ACCEPTED, REVIEW_REQUESTED, subject_of
from contracts.wire import Serializer
from corpus import Shift, ShiftKind
from faults_models import void_orders
from world import ENVIRONMENT, READY_S, ROOT, until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from world import World

UNKNOWN_SCHEMA = b"\x00\x00\x0f\x42\x3f" + b"?" * 20
GARBAGE = b"\x07garbage"
FAULTY = ROOT / "tests/faults/extractor_process.py"


@fault(
    "the registry hangs (SIGSTOP) when notes name a schema that nobody has met",
    "NothingExtracted",
    "NotesStuck",
    "CodesStuck",
    "Retries",
)
def _registry(world: World) -> Iterator[None]:
    world.stack.pause("registry")
    for number in world.partitions(NOTES_ACCEPTED):
        world.put(NOTES_ACCEPTED, UNKNOWN_SCHEMA, partition=number)
    for number in world.partitions(ENTITIES_EXTRACTED):
        world.put(ENTITIES_EXTRACTED, UNKNOWN_SCHEMA, partition=number)
    yield
    world.stack.resume("registry")


@fault("an enricher of an older table takes over", "TablesOld")
def _old_table(world: World) -> Iterator[None]:
    world.end("enricher")
    world.start("enricher", "enricher", RXTRACT_TABLE_SERIAL="1")
    yield
    world.end("enricher")
    world.start("enricher", "enricher")


@fault("somebody deletes the subject of accepted notes, and notes name a schema that nobody has met", "SubjectMissing")
def _subject(world: World) -> Iterator[None]:
    registry = world.running.addresses.schema_registry_url
    httpx.delete(f"{registry}/subjects/{subject_of(NOTES_ACCEPTED)}", timeout=10).raise_for_status()
    for number in world.partitions(NOTES_ACCEPTED):
        world.put(NOTES_ACCEPTED, UNKNOWN_SCHEMA, partition=number)
    yield
    apply_schemas(ConfluentRegistry(registry))


@fault("a note that kills the extractor (the fault tests' own, in its place)", "RecordKills")
def _killer(world: World) -> Iterator[None]:
    since_s = time.time()
    world.end("extractor")
    world.post([replace(note, text=f"{note.text} KILLS") for note in world.notes(1)])
    env = {**ENVIRONMENT["extractor"], "PYTHONPATH": os.pathsep.join([str(FAULTY.parent), *sys.path])}
    deadly = world.running.start_service(FAULTY.stem, "extractor", env)

    def is_refused() -> bool:
        if not deadly.running():
            deadly.start()  # as its supervisor would
        world.write_targets()
        return world.ever('rxtract_dead_letters_total{reason="KILLED_PROCESS"}', since_s)

    until(is_refused, 3 * READY_S, "no dead letter")
    yield
    world.end("extractor")
    world.start("extractor", "extractor")


@fault("records that nobody can decode among the good ones", "DeadLetters", "DeskUnreadable")
def _garbage(world: World) -> Iterator[None]:
    world.put(REVIEW_REQUESTED, GARBAGE)
    with world.meanwhile(lambda: world.put(NOTES_ACCEPTED, GARBAGE), 0.7):
        yield


@fault("a tagger that raises (the fault tests' own, in a second extractor)", "TaggerFails")
def _tagger(world: World) -> Iterator[None]:
    port = world.running.data_dir / "run/faulty.port"
    env = {**os.environ, **world.running.environment, **ENVIRONMENT["extractor"], "RXTRACT_HEALTH_PORT_FILE": str(port)}
    quiet = subprocess.DEVNULL
    child = subprocess.Popen([sys.executable, str(FAULTY)], env=env, stdout=quiet, stderr=quiet)
    try:
        until(port.exists, READY_S, "no second extractor")
        world.guests = {"extractor": f"127.0.0.1:{port.read_text().strip()}"}
        world.write_targets()

        def breaking() -> None:
            world.post([replace(note, text=f"{note.text} BREAKS") for note in world.notes(4)])

        with world.meanwhile(breaking, 0.3):
            yield
    finally:
        child.terminate()
        child.wait(30)
        world.guests = {}
        world.write_targets()


@fault(
    "new diseases, drugs and another style in nine mentions of ten, and nobody labels them",
    "DriftCritical",
    "TrainingLacksLabels",
)
def _drift(world: World) -> Iterator[None]:
    shifts = [Shift(kind, share=0.9) for kind in ShiftKind]
    with world.meanwhile(lambda: world.post(world.notes(200, shift=shifts)), 0.1, 2):
        yield
    void_orders(world)  # drift has asked for trainings


@fault("a stored state of the drift-watcher is damaged, and it is started anew", "DriftStateRefused")
def _state(world: World) -> Iterator[None]:
    world.end("drift-watcher")
    write = Serializer.for_topic(
        DriftState, ConfluentRegistry(world.running.addresses.schema_registry_url), DRIFT_STATE
    )
    damaged = DriftState(
        source_partition=0,
        source_offset=10**9,
        format_version=1,
        chunk=0,
        chunks=1,
        sha256="0" * 64,
        state=b"damaged",
        saved_at=0,
    )
    world.put(DRIFT_STATE, write(damaged), key=b"0", partition=0)
    world.start("drift-watcher", "drift_watcher")
    yield
