"""A trainer that dies between any two calls of a move leaves nothing that its successor cannot finish; the registry is ours, MLflow a fake."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from contracts.records import ModelAction, ModelCommand, ModelEventKind
from lifecycle.gate_config import GateConfig
from runtime.service.metrics import Metrics
from trainer.adapters import models
from trainer.adapters.models import JobRegistry
from trainer.executor import OrderExecutor
from trainer.jobs import JobSettings, Sources
from trainer.metrics import METRICS


class Died(BaseException):
    """Kill -9, as far as a test can."""


class FakeMlflow:
    """Versions and aliases; dies instead of the call that `lives` counts down to."""

    def __init__(self) -> None:
        self.tags: dict[str, dict[str, str]] = {}
        self.aliases: dict[str, str] = {}
        self.lives = 10**6

    def _live(self) -> None:
        self.lives -= 1
        if self.lives < 0:
            raise Died

    def get_registered_model(self, _name):
        return SimpleNamespace(aliases=dict(self.aliases))

    def get_model_version(self, _name, number):
        return SimpleNamespace(name="m", version=number, run_id="r", tags=dict(self.tags[number]), creation_timestamp=0)

    def search_model_versions(self, _filter):
        return [self.get_model_version("", number) for number in self.tags]

    def set_model_version_tag(self, _name, number, key, value):
        self._live()
        self.tags[number][key] = value

    def delete_model_version_tag(self, _name, number, key):
        self._live()
        del self.tags[number][key]

    def delete_model_version(self, _name, number):
        self._live()
        del self.tags[number]

    def set_registered_model_alias(self, _name, alias, number):
        self._live()
        self.aliases[alias] = number

    def delete_registered_model_alias(self, _name, alias):
        self._live()
        self.aliases.pop(alias, None)


def world():
    mlflow, said = FakeMlflow(), []
    mlflow.tags = {
        "1": {"serial": "3", "served": "true", "gate": "first", "gate.champion": "none"},
        "2": {"serial": "2", "served": "true", "gate": "pass", "gate.champion": "1"},
        "3": {"serial": "1", "gate": "pass", "gate.champion": "2"},
    }
    mlflow.aliases = {"champion": "2", "previous": "1"}
    registry = JobRegistry("http://127.0.0.1:1", "m", None)
    registry._client = mlflow
    settings = JobSettings("m", b"k" * 32, GateConfig())
    handler = OrderExecutor(
        registry,
        Sources(list, list),
        lambda *_: {},
        settings,
        say=said.append,
        may_go_on=lambda: True,
        is_ours=lambda: True,
        metrics=Metrics(METRICS),
    )
    return mlflow, said, handler


def order(action: ModelAction, key: str, target: str | None = None) -> ModelCommand:
    return ModelCommand(
        command_id=key,
        action=action,
        model_name="m",
        reason="operator",
        target_version=target,
        requested_by="t",
        requested_at=0,
    )


ORDERS = [
    (order(ModelAction.ROLLBACK, "back"), "1", "ROLLED_BACK"),
    (order(ModelAction.PROMOTE, "up", "3"), "3", "PROMOTED"),
]


@pytest.mark.parametrize(("command", "target", "kind"), ORDERS)
def test_a_move_that_was_cut_at_any_call_is_finished_by_its_successor(command, target, kind):
    for lives in range(20):
        mlflow, said, handler = world()
        mlflow.lives = lives
        try:
            handler(command)
        except Died:
            mlflow.lives = 10**6
            handler(command)
        else:
            break
        assert mlflow.aliases == {"champion": target, "previous": "2"}, f"cut at call {lives}"
        assert {one.kind.value for one in said} == {kind}, f"cut at call {lives}"
        assert {one.previous_version for one in said} == {"2"}
        assert "moving" not in mlflow.tags[target]
        undo = order(ModelAction.ROLLBACK, "undo", None if command.action is ModelAction.PROMOTE else "2")
        handler(undo)
        assert mlflow.aliases["champion"] == "2", f"cut at call {lives}"
    assert lives > 5, "no call was cut"


def test_a_second_rollback_does_not_go_back_to_the_version_that_the_first_one_left():
    for lives in range(20):
        mlflow, said, handler = world()
        mlflow.lives = lives
        first = order(ModelAction.ROLLBACK, "back")
        try:
            handler(first)
        except Died:
            mlflow.lives = 10**6
            handler(first)
        else:
            break
        handler(order(ModelAction.ROLLBACK, "twice"))
        assert mlflow.aliases["champion"] == "1", f"cut at call {lives}"
        assert said[-1].kind is ModelEventKind.REJECTED
        assert "version 2 was left by a rollback" in said[-1].reasons[0]
        assert "`rxtract model rollback VERSION`" in said[-1].reasons[0]
        handler(order(ModelAction.ROLLBACK, "named", "2"))  # who names it means it
        assert mlflow.aliases["champion"] == "2"
    assert lives > 5, "no call was cut"


def test_a_version_that_was_promoted_again_can_be_gone_back_to_again():
    mlflow, _, handler = world()
    handler(order(ModelAction.ROLLBACK, "back"))
    handler(order(ModelAction.PROMOTE, "up", "2"))
    handler(order(ModelAction.PROMOTE, "third", "3"))
    assert mlflow.aliases["champion"] == "3"
    handler(order(ModelAction.ROLLBACK, "again"))
    assert mlflow.aliases["champion"] == "2"


def test_a_version_whose_move_was_cut_before_its_alias_has_not_served():
    mlflow, _, handler = world()
    mlflow.lives = 3  # serial, mark and its command are written
    with pytest.raises(Died):
        handler(order(ModelAction.PROMOTE, "up", "3"))
    assert mlflow.aliases["champion"] == "2"
    assert "served" not in mlflow.tags["3"]


def test_of_two_versions_of_one_order_the_first_counts(monkeypatch, tmp_path):
    """The gap that no check closes: another trainer registers between our last look and MLflow's call."""
    mlflow, _, _ = world()
    registry = JobRegistry("http://127.0.0.1:1", "m", None)
    registry._client = mlflow

    def log_and_register(folder, *, check, tags, **_):
        check()
        mlflow.tags["4"] = {"command_id": "c", "serial": "4", "gate": "pass"}  # the other one's
        mlflow.tags["10"] = {**tags, "serial": "5"}
        return SimpleNamespace(version="10")

    monkeypatch.setattr(models, "log_and_register", log_and_register)
    result = {"decision": "PASS", "reasons": ["numbers"]}
    made = registry.register(tmp_path, result, {"command_id": "c"}, "operator", lambda: None)
    assert made.version == "4"
    assert "10" not in mlflow.tags
    assert registry.of_command("c").version == "4"
