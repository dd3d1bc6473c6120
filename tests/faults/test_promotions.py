"""Promotions under load: told by event, served by all replicas soon, no note lost, no batch by two models."""

from __future__ import annotations

import json
import sys
import time
import uuid
from statistics import median
from typing import TYPE_CHECKING

import pytest
from clinical_ner.tracking import log_and_register
from clinical_ner.train import train
from contracts import topics
from contracts.identity import split_note_key
from contracts.records import ModelEvent, ModelEventKind
from contracts.wire import Serializer
from corpus import generate
from mlflow.tracking import MlflowClient
from model_registry.writing import next_serial, set_alias

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.stack, pytest.mark.timeout(400)]

NOTES_PER_S = 150
GOAL_S = 5  # from the event to all of three serving
NO_POLL = "3600"  # seconds: only the event can tell


@pytest.fixture(scope="module")
def folders(tmp_path_factory) -> list[Path]:
    made = []
    for seed in (1, 2):
        folder = tmp_path_factory.mktemp(f"model{seed}")
        train(generate(seed, 150), seed=seed).save(folder)
        made.append(folder)
    return made


class Promoter:
    """Does what a trainer does at a promotion, and waits for all replicas."""

    def __init__(self, rig, stack, folders) -> None:
        self.rig = rig
        self.client = MlflowClient(stack.addresses.mlflow_url)
        self.name = f"model-{uuid.uuid4().hex[:8]}"
        url = stack.addresses.mlflow_url
        self.versions = [
            log_and_register(folder, tracking_uri=url, name=self.name, alias="champion" if first else None)
            for first, folder in zip((True, False), folders, strict=True)
        ]
        self.serialize = Serializer.for_topic(ModelEvent, rig.registry, rig.topic(topics.MODEL_EVENTS))

    def promote(self, number: int) -> str:
        version = self.versions[number % 2]
        serial = next_serial(self.client, self.name)
        self.client.set_model_version_tag(self.name, version.version, "serial", str(serial))
        set_alias(self.client, self.name, "champion", version.version)
        event = ModelEvent(
            event_id=str(uuid.uuid4()),
            kind=ModelEventKind.PROMOTED,
            model_name=self.name,
            model_version=version.version,
            serial=serial,
            artifact_sha256=version.sha256,
            reasons=("test",),
            occurred_at=int(time.time() * 1000),
        )
        topic = self.rig.topic(topics.MODEL_EVENTS)
        self.rig.producer.produce(topic, self.serialize(event), key=self.name.encode())
        self.rig.producer.poll(0)
        return str(serial)


def _serial(process) -> str:
    status, body = process.get("/info")
    return str(json.loads(body)["serial"]) if status == 200 else ""


def _promotions(rig, stack, folders, count: int, every_s: float) -> None:
    from extractor_rig import judge, until

    promoter = Promoter(rig, stack, folders)
    env = {"RXTRACT_MLFLOW_URL": stack.addresses.mlflow_url, "RXTRACT_MODEL_NAME": promoter.name}
    processes = [rig.start(module="extractor", RXTRACT_MODEL_POLL_S=NO_POLL, **env) for _ in range(3)]
    for process in processes:
        until(lambda process=process: process.ready, 90, "an extractor to be ready")
    taken = []
    with rig.stream(NOTES_PER_S) as sent:
        for number in range(1, count + 1):
            begun = time.monotonic()
            serial = promoter.promote(number)
            until(lambda serial=serial: all(_serial(one) == serial for one in processes), GOAL_S, "all to serve it")
            taken.append(time.monotonic() - begun)
            until(lambda begun=begun: time.monotonic() - begun >= every_s, 60, "the next turn")
    rig.drained(60)
    events = rig.events()
    assert judge(sent, events).lost == []
    assert len({event.model.serial for event in events}) >= count
    _assert_one_model_a_range(rig, events)
    figures = f"median {median(taken):.2f} s, slowest {max(taken):.2f} s, {len(sent)} notes"
    sys.stdout.write(f"promotion to all of 3 serving: {figures}\n")


def _assert_one_model_a_range(rig, events) -> None:
    """The notes of one statistics record were handled in one batch: all of them by the model that the record names."""
    places = {
        split_note_key(message.key().decode())[1]: (message.partition(), message.offset())
        for message in rig.read(rig.topic(topics.NOTES_ACCEPTED))
    }
    serials: dict[tuple[int, int], set[int]] = {}
    for event in events:
        serials.setdefault(places[event.note_id], set()).add(event.model.serial)
    checked = 0
    for record in rig.statistics():
        if record.segment != "all":
            continue
        for offset in range(record.first_offset, record.last_offset + 1):
            assert record.model.serial in serials[record.note_partition, offset]
            checked += 1
    assert checked >= len(places)
    assert all(len(found) == 1 for found in serials.values())


def test_five_promotions_under_load_lose_nothing_and_reach_three_extractors_by_event(extractor_rig, stack, folders):
    _promotions(extractor_rig, stack, folders, 5, 2.0)


@pytest.mark.long
def test_twenty_promotions_in_a_hundred_seconds(extractor_rig, stack, folders):
    _promotions(extractor_rig, stack, folders, 20, 5.0)
