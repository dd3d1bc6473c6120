"""Orders about rules: judged, released and rolled back as models are, and never behind a training."""

from __future__ import annotations

import hashlib
import json

import pytest
from clinical_ner.rules import Rules, read_rules, shipped_rules
from contracts.records import ModelAction, ModelCommand, ModelEvent, ModelEventKind
from lifecycle.gate_config import GateConfig
from lifecycle.rules_gate import RulesGateConfig
from registry_fake import FakeModels
from runtime.service.metrics import Metrics
from trainer import metrics as m
from trainer.adapters.rules import rules_job
from trainer.jobs import JobSettings, Sources
from trainer.rules import Executors, RulesExecutor


def changed(folder, old: str = "", new: str = "") -> Rules:
    for name, text in shipped_rules().texts.items():
        (folder / name).write_text(text.replace(old, new) if old else text + "\n; the same\n", encoding="utf-8")
    return read_rules(folder)


class FakeReleases(FakeModels):
    """The registry of rules, whose files it holds."""

    def __init__(self) -> None:
        super().__init__()
        self.files: dict[str, bytes] = {}

    def release(self, data: bytes, **tags: str) -> str:
        made = self.add(artifact_sha256=hashlib.sha256(data).hexdigest(), rules_version="r", **tags)
        self.files[made.version] = data
        return made.version

    def tables(self, version):
        return self.files[version.version]


class World:
    def __init__(self, place) -> None:
        self.releases = FakeReleases()
        self.said: list[ModelEvent] = []
        self.metrics = Metrics(m.METRICS)
        self.handler = RulesExecutor(
            self.releases,
            Sources(tuple, tuple),
            rules_job(RulesGateConfig()),
            JobSettings("r", b"", GateConfig()),
            say=self.said.append,
            may_go_on=lambda: True,
            is_ours=lambda: True,
            metrics=self.metrics,
            place=place,
        )

    def order(self, action: ModelAction, version: str | None = None, key: str = "c") -> ModelEvent:
        given = {"reason": "operator", "requested_by": "t", "requested_at": 0, "target_version": version}
        self.handler(ModelCommand(command_id=key, action=action, model_name="r", **given))
        return self.said[-1]


def order_of(action: ModelAction, name: str) -> ModelCommand:
    return ModelCommand(command_id="c", action=action, model_name=name, reason="t", requested_by="t", requested_at=0)


@pytest.fixture
def world(tmp_path) -> World:
    return World(tmp_path / "jobs")


def test_a_first_release_is_judged_against_the_programs_own_rules_and_serves(world, tmp_path) -> None:
    event = world.order(ModelAction.EVALUATE, world.releases.release(changed(tmp_path).data))
    assert (event.kind, event.model_name, event.rules_version) == (ModelEventKind.PROMOTED, "r", "r")
    assert event.serial > 0
    assert any("gold notes" in reason for reason in event.reasons)
    assert event.metrics["rules/NEGATED/f1"] > 0.9


def test_worse_rules_never_serve_and_the_class_is_named(world, tmp_path) -> None:
    world.releases.set_alias("champion", world.releases.versions[world.releases.release(shipped_rules().data)])
    worse = changed(tmp_path, "no | not | denies", "not | denies")
    event = world.order(ModelAction.EVALUATE, world.releases.release(worse.data))
    assert event.kind is ModelEventKind.REJECTED
    assert any(reason.startswith("NEGATED is worse") for reason in event.reasons)
    assert world.releases.aliases == {"champion": "1"}


@pytest.mark.parametrize("data", [b"no rules", shipped_rules().data.replace(b"no | not |", b"no | no |")])
def test_a_file_that_cannot_be_used_is_refused_with_its_line(world, data) -> None:
    event = world.order(ModelAction.EVALUATE, world.releases.release(data))
    assert event.kind is ModelEventKind.REJECTED
    assert len(event.reasons) == 1
    assert "JSON" in event.reasons[0] or event.reasons[0].startswith("assertion.txt, line ")


def test_another_file_than_the_registered_one_is_refused(world, tmp_path) -> None:
    version = world.releases.release(changed(tmp_path).data)
    world.releases.files[version] = shipped_rules().data
    event = world.order(ModelAction.EVALUATE, version)
    assert (event.kind, event.reasons) == (
        ModelEventKind.REJECTED, ("the digest of the rules is not the registered one",)
    )  # fmt: skip


def test_rules_that_serve_and_cannot_be_read_any_more_stop_no_release(world, tmp_path) -> None:
    world.releases.set_alias("champion", world.releases.versions[world.releases.release(b"of another program")])
    event = world.order(ModelAction.EVALUATE, world.releases.release(changed(tmp_path).data))
    assert event.kind is ModelEventKind.PROMOTED
    assert "cannot be read" in event.reasons[0]


def test_a_rollback_goes_back_under_a_new_serial_and_asks_no_gate(world, tmp_path) -> None:
    world.releases.set_alias("champion", world.releases.versions[world.releases.release(shipped_rules().data)])
    released = world.order(ModelAction.EVALUATE, world.releases.release(changed(tmp_path).data))
    back = world.order(ModelAction.ROLLBACK, key="back")
    assert (back.kind, back.model_version, back.previous_version) == (ModelEventKind.ROLLED_BACK, "1", "2")
    assert back.serial > released.serial
    assert world.metrics.gauge(m.RULES_SERIAL)._value.get() == released.serial, "as last seen, before the move"


def test_rules_are_not_trained_nor_promoted_without_the_gate(world, tmp_path) -> None:
    assert world.order(ModelAction.RETRAIN).kind is ModelEventKind.TRAINING_FAILED
    version = world.releases.release(changed(tmp_path).data)
    assert world.order(ModelAction.PROMOTE, version, key="other").kind is ModelEventKind.REJECTED


def test_each_order_goes_to_who_keeps_what_it_names() -> None:
    seen: list[tuple[str, str]] = []

    class Fake:
        def __init__(self, name: str) -> None:
            self.name = name

        def __call__(self, command, _story) -> None:
            seen.append((self.name, command.model_name))

        def keep_only(self, _orders) -> None:
            seen.append((self.name, "kept"))

        def would_roll_back(self, _command) -> bool:
            return self.name == "rules"

    handlers = Executors(Fake("model"), Fake("rules"), "r")
    for name in ("m", "r", "other"):
        handlers(order_of(ModelAction.EVALUATE, name))
    handlers.keep_only(())
    assert seen == [("model", "m"), ("rules", "r"), ("model", "other"), ("model", "kept"), ("rules", "kept")]
    assert handlers.would_roll_back(order_of(ModelAction.ROLLBACK, "r"))


def test_the_report_stays_with_the_job_and_names_both_versions(tmp_path) -> None:
    data = shipped_rules().data
    (tmp_path / "challenger.npz").write_bytes(data)
    job = {"champion": None, "challenger": {"version": "1", "artifact_sha256": hashlib.sha256(data).hexdigest()}}
    (tmp_path / "job.json").write_text(json.dumps(job))
    result = rules_job(RulesGateConfig())(tmp_path, lambda: True, lambda _line: None)
    assert result["decision"] == "FIRST"
    assert shipped_rules().version in (tmp_path / "report.md").read_text()
