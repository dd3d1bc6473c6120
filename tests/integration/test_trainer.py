"""The trainer on real Kafka, registry, Redis and MLflow: one model for one order, whoever dies and however often it is told."""

from __future__ import annotations

import os
import re
import signal
import time
from pathlib import Path

import psutil
import pytest
from contracts.records import (
    ModelAction,
    ModelEventKind,
)
from embedded_stack.services import ServiceProcess
from trainer_rig import Door, Rig, children, ended, metric

MAX_SILENCE_S = 6.0  # as in slow_trainer

pytestmark = [pytest.mark.stack, pytest.mark.timeout(900)]


def test_the_first_model_is_trained_once_by_two_trainers_and_can_be_rolled_back_to(rig: Rig) -> None:
    rig.trainer("one")
    rig.trainer("two")
    first = rig.first_model()
    assert rig.versions() == [first.model_version]
    assert rig.alias("champion") == first.model_version
    assert any("floor" in reason for reason in first.reasons)
    run_id = rig.mlflow.get_model_version(rig.model, first.model_version).run_id
    assert "card/model_card.md" in {one.path for one in rig.mlflow.list_artifacts(run_id, "card")}

    second = rig.order(ModelAction.RETRAIN)
    end = ended(rig.until(lambda seen: ended(seen, second)), second)[0]
    assert end.kind is ModelEventKind.PROMOTED, end.reasons
    assert end.serial is not None
    assert first.serial is not None
    assert end.serial > first.serial
    assert rig.alias("previous") == first.model_version

    back = rig.order(ModelAction.ROLLBACK)
    end = ended(rig.until(lambda seen: ended(seen, back)), back)[0]
    assert end.kind is ModelEventKind.ROLLED_BACK
    assert rig.alias("champion") == first.model_version


def test_ten_deliveries_and_a_kill_make_one_version(rig: Rig, tmp_path: Path) -> None:
    work = tmp_path / "work"
    trainers = [rig.trainer("one", RXTRACT_WORK_DIR=str(work))]
    rig.first_model()
    trainers.append(rig.trainer("two", RXTRACT_WORK_DIR=str(work)))
    rig.until(lambda _: len(rig.members()) == 2)
    command = rig.order(ModelAction.RETRAIN, times=10)

    def at_work() -> list[ServiceProcess]:
        """While the job runs its owner holds the lease and has a child; the group decides which of the two it is."""
        return [one for one in trainers if children(one.pid)]

    def duplicates() -> float:
        return sum(metric(one, "rxtract_trainer_duplicates_total") for one in trainers)

    # Both may have counted some, when the orders' partition moved to the second on its way in.
    rig.until(lambda _: duplicates() >= 9 and bool(at_work()))
    (working,) = at_work()
    (orphan,) = children(working.pid)
    os.kill(working.pid, signal.SIGKILL)
    rig.until(lambda _: not psutil.pid_exists(orphan), 10)
    (left,) = work.glob("*/job-*")
    assert (left / "roles.key").exists()
    working.start()  # as a kubelet does, with the same volume
    rig.until(lambda seen: ended(seen, command))
    assert len(rig.versions()) == 2
    assert len(ended(rig.events, command)) == 1
    rig.until(lambda _: not list(work.glob("*/job-*")), 10)


def test_a_trainer_that_was_frozen_before_it_registered_makes_no_second_version(rig: Rig, tmp_path: Path) -> None:
    mark = tmp_path / "stops-here"
    env = {"PYTHONPATH": str(Path(__file__).parent), "STOP_MARK": str(mark)}
    trainers = [rig.trainer("one", module="stopping_trainer", **env)]
    rig.first_model()
    trainers.append(rig.trainer("two", module="stopping_trainer", **env))
    rig.until(lambda _: len(rig.members()) == 2)

    def stopped() -> list[ServiceProcess]:
        return [one for one in trainers if psutil.Process(one.pid).status() == psutil.STATUS_STOPPED]

    mark.touch()
    command = rig.order(ModelAction.RETRAIN)
    rig.until(lambda _: bool(stopped()))
    (frozen,) = stopped()  # the group decides which of the two has the orders
    (other,) = (one for one in trainers if one is not frozen)
    end = ended(rig.until(lambda seen: ended(seen, command)), command)[0]
    assert end.kind is ModelEventKind.PROMOTED, end.reasons
    os.kill(frozen.pid, signal.SIGCONT)
    gave_up = re.compile("the order was given up|another trainer registered a version")
    rig.until(lambda _: gave_up.search(frozen.log_path.read_text()) is not None)
    os.kill(other.pid, signal.SIGKILL)  # the frozen one has the orders again, and is as good as before
    back = rig.order(ModelAction.ROLLBACK)
    rig.until(lambda seen: ended(seen, back))
    assert len(rig.versions()) == 2
    assert len(ended(rig.events, command)) == 1
    assert rig.alias("champion") != end.model_version


def test_a_second_trainer_is_ready_as_a_standby(rig: Rig) -> None:
    first, second = rig.trainer("one"), rig.trainer("two")
    rig.until(lambda _: first.is_ready() and second.is_ready())
    rig.until(lambda _: len(rig.members()) == 2)


def test_orders_that_cannot_be_carried_out_say_why(rig: Rig) -> None:
    rig.trainer()
    rig.first_model()
    unknown = rig.order(ModelAction.PROMOTE, target_version="99")
    other = rig.order(ModelAction.RETRAIN, model_name="no-such-model")
    stale = rig.order(ModelAction.RETRAIN, champion_version="77", reason="drift")
    nothing_before = rig.order(ModelAction.ROLLBACK)
    source = rig.mlflow.get_model_version(rig.model, rig.versions()[0])
    made = rig.mlflow.create_model_version(rig.model, source.source, run_id=source.run_id)
    bare = rig.order(ModelAction.EVALUATE, target_version=str(made.version))
    for command in (unknown, other, stale, nothing_before, bare):
        rig.until(lambda seen, command=command: ended(seen, command))
    words = {one.command_id: one.reasons[0] for one in rig.events if one.command_id}
    assert "no version 99" in words[unknown]
    assert "no model no-such-model" in words[other]
    assert "version 77" in words[stale]
    assert "go back to" in words[nothing_before]
    assert "lacks the tag artifact_sha256" in words[bare]
    assert len(rig.versions()) == 2
    assert len(rig.events) <= 7  # each end is said once


def test_mlflow_that_goes_away_during_a_training_is_waited_for(rig: Rig) -> None:
    with Door(rig.addresses.mlflow_url) as door:
        trainer = rig.trainer(RXTRACT_MLFLOW_URL=door.url, RXTRACT_MLFLOW_TIMEOUT_S="2")
        rig.first_model()
        command = rig.order(ModelAction.RETRAIN)
        deadline = time.monotonic() + 30
        while not children(trainer.pid) and time.monotonic() < deadline:
            rig.until(lambda _: True)
        door.shut()
        while children(trainer.pid) and time.monotonic() < deadline + 30:
            rig.until(lambda _: True)
        assert not ended(rig.events, command)
        assert trainer.running()
        door.open()
        end = ended(rig.until(lambda seen: ended(seen, command)), command)[0]
    assert end.kind is ModelEventKind.PROMOTED, end.reasons
    made = [one.tags.get("command_id") for one in rig.mlflow.search_model_versions(f"name='{rig.model}'")]
    assert made.count(command) == 1
    assert jobs_of(trainer) == 2, "the first model's and this one: what was trained is not thrown away"


def jobs_of(trainer: ServiceProcess) -> int:
    """How many jobs a trainer has had run, by their last stage in its log."""
    return len(re.findall(r'"stage": ?"done"|stage=done', trainer.log_path.read_text()))


def test_a_trainer_that_starts_while_mlflow_is_down_is_ready_when_it_comes(rig: Rig) -> None:
    with Door(rig.addresses.mlflow_url) as door:
        door.shut()
        trainer = rig.trainer(RXTRACT_MLFLOW_URL=door.url, RXTRACT_MLFLOW_TIMEOUT_S="2")
        rig.until(lambda _: metric(trainer, 'rxtract_trainer_waiting{for_what="fault"}') == 1)
        assert trainer.running()
        assert not trainer.is_ready()
        assert not rig.events
        door.open()
        rig.until(lambda _: trainer.is_ready())
        first = rig.first_model()
    assert rig.versions() == [first.model_version]
    assert trainer.log_path.read_text().count("MLflow") <= 3, "one line for each new reason, not one a second"


def test_champion_and_challenger_both_tag_live_notes_before_the_promotion(rig: Rig) -> None:
    rig.accepted(60)
    rig.trainer(RXTRACT_SHADOW_NOTES="24")
    first = rig.first_model()
    assert "shadow/f1" not in first.metrics  # nobody to compare with
    command = rig.order(ModelAction.RETRAIN)
    end = ended(rig.until(lambda seen: ended(seen, command)), command)[0]
    # About the newest 24: as many of each partition.
    assert 12 <= end.metrics["shadow/notes"] <= 36
    assert 0 < end.metrics["shadow/f1"] <= 1
    report = rig.report(str(end.model_version))
    assert f"## Shadow: {end.metrics['shadow/notes']:.0f} live notes tagged by both" in report
    assert "Span agreement F1" in report


@pytest.mark.long
def test_a_training_longer_than_the_poll_interval_never_leaves_the_group(rig: Rig) -> None:
    for name in ("one", "two"):
        rig.trainer(name, module="slow_trainer", PYTHONPATH=str(Path(__file__).parent))
    rig.first_model()
    rig.until(lambda _: len(rig.members()) == 2)
    both, began_s = rig.members(), time.monotonic()
    command = rig.order(ModelAction.RETRAIN)
    seen: set[frozenset[str]] = set()
    rig.until(lambda events: seen.add(frozenset(rig.members())) or ended(events, command))
    assert time.monotonic() - began_s > 2 * MAX_SILENCE_S
    assert seen == {frozenset(both)}, "a member that was silent for too long leaves, and comes back under another id"
    assert len(rig.versions()) == 2
