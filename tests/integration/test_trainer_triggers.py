"""What makes a trainer train or go back, on real servers: drift, labels, an import, a schedule, an operator, audited quality."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
from contracts.records import (
    ModelAction,
    ModelEventKind,
)
from corpus import generate
from corpus.loaders_jsonl import dump_jsonl
from embedded_stack.addresses import write_stack_json
from sealing import SqliteKeyStore, open_keys
from sealing.rotation import initialise
from trainer_rig import DRIFT_GATE, Rig, ended, kinds, metric

from tests.raw_files import in_files

pytestmark = [pytest.mark.stack, pytest.mark.timeout(900)]


def test_audited_quality_that_has_surely_fallen_rolls_back_by_itself(rig: Rig) -> None:
    rig.trainer()
    first = rig.first_model()
    retrained = rig.order(ModelAction.RETRAIN)
    second = ended(rig.until(lambda seen: ended(seen, retrained)), retrained)[0]
    rig.measured(first, 0.70)
    rig.measured(second, 0.69)  # within the interval: no ground to go back
    looked_twice = time.monotonic() + 5
    rig.until(lambda _: time.monotonic() > looked_twice)
    assert not kinds(rig.events, "ROLLED_BACK")
    rig.measured(second, 0.50)
    back = kinds(rig.until(lambda seen: kinds(seen, "ROLLED_BACK")), "ROLLED_BACK")[0]
    assert (back.model_version, back.previous_version) == (first.model_version, second.model_version)
    assert "quality" in back.reasons[0]
    assert rig.alias("champion") == first.model_version


def test_a_model_that_is_bad_from_its_first_note_on_is_rolled_back_although_a_training_runs(
    rig: Rig, tmp_path: Path
) -> None:
    """The drift-watcher sees it and orders, the trainer obeys: nobody publishes an order of theirs."""
    hold = tmp_path / "hold.mark"
    rig.trainer(module="held_trainer", PYTHONPATH=str(Path(__file__).parent), HOLD_MARK=str(hold))
    rig.trainer("watcher", module="drift_watcher")
    first = rig.first_model()
    retrained = rig.order(ModelAction.RETRAIN)
    second = ended(rig.until(lambda seen: ended(seen, retrained)), retrained)[0]
    assert second.kind is ModelEventKind.PROMOTED, second.reasons
    rig.tagged(first, 0, 20)
    hold.touch()
    training = rig.order(ModelAction.RETRAIN)
    rig.until(lambda _: hold.with_suffix(".held").exists())
    rig.tagged(second, 20, 20, off=8.0)
    back = kinds(rig.until(lambda seen: kinds(seen, "ROLLED_BACK")), "ROLLED_BACK")[0]
    assert (back.model_version, back.previous_version) == (first.model_version, second.model_version)
    assert "drift" in back.reasons[0]
    assert not ended(rig.events, training)
    hold.unlink()  # the training that gave way goes on from its beginning, against the version that serves now
    end = ended(rig.until(lambda seen: ended(seen, training)), training)[0]
    assert end.kind is ModelEventKind.PROMOTED, end.reasons
    assert end.previous_version == first.model_version
    # What the drift asked for beside was about the version that is gone.
    asked = [one for one in rig.ordered("drift") if one.action is ModelAction.RETRAIN]
    rig.until(lambda seen: asked and all(ended(seen, one.command_id) for one in asked))


def test_who_is_erased_while_a_training_runs_teaches_nothing(rig: Rig, tmp_path: Path) -> None:
    """The training holds the patient's words in clear: it ends, its folder goes, and it begins anew without them."""
    hold, work, store = tmp_path / "hold.mark", tmp_path / "work", tmp_path / "keys.db"
    held = hold.with_suffix(".held")
    initialise(store, tmp_path / "master.key")
    rig.keys = open_keys(store, tmp_path / "master.key")
    sealing = {
        "RXTRACT_SEALING": "on",
        "RXTRACT_KEY_STORE_FILE": str(store),
        "RXTRACT_MASTER_KEY_FILE": str(tmp_path / "master.key"),
    }
    work.mkdir()
    rig.trainer(
        module="held_trainer",
        PYTHONPATH=str(Path(__file__).parent),
        HOLD_MARK=str(hold),
        RXTRACT_WORK_DIR=str(work),
        **sealing,
    )
    rig.first_model()
    rig.annotated(("Pune",), 20)
    rig.labelled("erased", "Quixoplasia since a week.", "Quixoplasia, no fever.")
    rig.labelled("another", "Velomatosis since a week.")
    hold.touch()
    training = rig.order(ModelAction.RETRAIN)
    rig.until(lambda _: held.exists())
    assert in_files(work, ["Quixoplasia"]), "the training that is erased from holds the patient's words"
    SqliteKeyStore(store).erase("erased", 1)
    rig.until(lambda _: not in_files(work, ["Quixoplasia"]))
    held.unlink()
    rig.until(lambda _: held.exists())  # once more, of what was read since
    assert in_files(work, ["Velomatosis"]), "nobody else is forgotten"
    assert not in_files(work, ["Quixoplasia"])
    hold.unlink()
    end = ended(rig.until(lambda seen: ended(seen, training)), training)[0]
    assert end.kind in {ModelEventKind.PROMOTED, ModelEventKind.REJECTED}, end.reasons
    assert not in_files(tmp_path, ["Quixoplasia"])


def test_twelve_alarms_wait_for_labels_and_are_one_run_when_they_arrive(rig: Rig) -> None:
    rig.trainer(RXTRACT_GATE=DRIFT_GATE)
    champion = rig.first_model().model_version
    alarms = [
        rig.order(ModelAction.RETRAIN, reason="drift", segment=f"city=C{number}", champion_version=champion)
        for number in range(12)
    ]
    rig.until(lambda seen: len(kinds(seen, "MERGED_INTO")) == 11)
    rig.until(lambda seen: kinds(seen, "TRAINING_DEFERRED"))
    deferred = kinds(rig.events, "TRAINING_DEFERRED")
    assert {one.command_id for one in deferred} == {alarms[0]}
    assert deferred[0].missing_labels == 40  # 10 of the quarter that judges
    assert {one.merged_into for one in kinds(rig.events, "MERGED_INTO")} == {alarms[0]}
    assert len(rig.versions()) == 1

    # Nobody orders anything more. The labels are of two of the twelve, and not of the first that alarmed.
    rig.annotated(["C4", "C7"], 140)
    end = ended(rig.until(lambda seen: ended(seen, alarms[0])), alarms[0])[0]
    assert end.kind in (ModelEventKind.PROMOTED, ModelEventKind.REJECTED), end.reasons
    assert len(kinds(rig.events, "MODEL_TRAINED")) == 2
    assert len(rig.versions()) == 2
    words = " ".join(end.reasons) + rig.report("2")
    assert re.search("recent validated notes of city=C[47]", words)  # begun as soon as one of them had enough
    if end.kind is ModelEventKind.PROMOTED:  # a rejection gives the reasons against it alone
        assert "city=C0: 0 recent validated notes, too few" in words


def test_a_refused_drift_run_is_followed_by_another_when_there_are_new_labels(rig: Rig) -> None:
    """A drift order is given once; while the drift goes on the trainer gives it again, and it waits for labels again."""
    trainer = rig.trainer(RXTRACT_GATE=DRIFT_GATE)
    champion = rig.first_model().model_version
    rig.annotated(["Pune"], 140, teaching=False)  # no challenger can be surely better by these
    alarm = rig.order(ModelAction.RETRAIN, reason="drift", segment="city=Pune", champion_version=champion)
    end = ended(rig.until(lambda seen: ended(seen, alarm)), alarm)[0]
    assert end.kind is ModelEventKind.REJECTED, end.reasons
    assert "not surely better where the language moved" in " ".join(end.reasons)

    rig.until(lambda seen: kinds(seen, "TRAINING_DEFERRED"))
    waiting = kinds(rig.events, "TRAINING_DEFERRED")[0]
    (again,) = (one for one in rig.ordered("drift") if one.requested_by == "trainer")
    assert waiting.command_id == again.command_id
    assert waiting.missing_labels == 40  # as before the first: 10 of the quarter that judges
    rig.until(lambda _: metric(trainer, "rxtract_trainer_missing_labels") == 40)
    assert len(rig.versions()) == 2

    rig.annotated(["Pune"], 140, seed=8)
    end = ended(rig.until(lambda seen: ended(seen, again.command_id)), again.command_id)[0]
    assert end.kind in (ModelEventKind.PROMOTED, ModelEventKind.REJECTED), end.reasons
    assert "recent validated notes of city=Pune" in " ".join(end.reasons) + rig.report("3")
    assert len(rig.versions()) == 3


def test_the_end_of_a_drift_ends_its_order(rig: Rig) -> None:
    rig.trainer()
    champion = rig.first_model().model_version
    more = {"reason": "drift", "champion_version": champion}
    waiting = rig.order(ModelAction.RETRAIN, segment="city=Pune", **more)
    rig.until(lambda seen: [one for one in kinds(seen, "TRAINING_DEFERRED") if one.command_id == waiting])
    rig.recovered("city=Delhi", champion)
    rig.recovered("city=Pune", champion)
    end = ended(rig.until(lambda seen: ended(seen, waiting)), waiting)[0]
    assert end.kind is ModelEventKind.REJECTED
    assert "the drift of city=Pune is over" in end.reasons[0]


def test_an_operators_order_does_not_wait_with_the_drifts(rig: Rig) -> None:
    rig.trainer(RXTRACT_GATE=DRIFT_GATE)
    champion = rig.first_model().model_version
    waiting = rig.order(ModelAction.RETRAIN, reason="drift", segment="city=Pune", champion_version=champion)
    rig.until(lambda seen: kinds(seen, "TRAINING_DEFERRED"))
    now = rig.order(ModelAction.RETRAIN)
    end = ended(rig.until(lambda seen: ended(seen, now)), now)[0]
    assert end.kind is ModelEventKind.PROMOTED, end.reasons
    # The drift was that of the model before: its order ends with the new champion, without another note.
    void = ended(rig.until(lambda seen: ended(seen, waiting)), waiting)[0]
    assert void.kind is ModelEventKind.REJECTED
    assert f"version {champion}" in void.reasons[0]
    assert len(rig.versions()) == 2


def test_an_operators_order_of_a_segment_is_judged_on_it_and_does_not_wait(rig: Rig) -> None:
    rig.trainer(RXTRACT_GATE=DRIFT_GATE)
    rig.first_model()
    early = rig.order(ModelAction.RETRAIN, segment="city=Pune")
    end = ended(rig.until(lambda seen: ended(seen, early)), early)[0]
    assert end.kind is ModelEventKind.REJECTED
    assert "40 labelled notes of city=Pune are missing" in end.reasons[0]
    assert len(rig.versions()) == 1
    rig.annotated(["Pune"], 140)
    order = rig.order(ModelAction.RETRAIN, segment="city=Pune")
    end = ended(rig.until(lambda seen: ended(seen, order)), order)[0]
    assert "recent validated notes of city=Pune" in " ".join(end.reasons) + rig.report("2")


def test_an_imported_set_is_trained_on_once_when_its_import_ends(rig: Rig, tmp_path: Path) -> None:
    rig.trainer()
    rig.first_model()
    notes = tmp_path / "notes.jsonl"
    notes.write_text("".join(f"{line}\n" for line in dump_jsonl(generate(77, 60))))
    stack = tmp_path / "stack.json"
    write_stack_json(stack, rig.addresses, {"topic_prefix": rig.prefix})
    words = ["dataset", "import", "--data", notes, "--out", tmp_path / "set", "--publish", "--model-name", rig.model]
    for _ in range(2):  # the second time nothing is new
        command = [sys.executable, "-m", "rxtract", *map(str, words), "--stack", str(stack)]
        subprocess.run(command, check=True, timeout=60, env={**os.environ, "RXTRACT_TOPIC_PREFIX": rig.prefix})
    made = rig.until(lambda seen: len(kinds(seen, "MODEL_TRAINED")) == 2)
    trained = kinds(made, "MODEL_TRAINED")[1]
    assert trained.metrics["annotations_read"] >= 60
    assert trained.command_id is not None
    rig.until(lambda seen: ended(seen, trained.command_id))
    ordered = rig.order(ModelAction.ROLLBACK)  # whatever the second import asked for came before this
    rig.until(lambda seen: ended(seen, ordered))
    assert len(rig.versions()) == 2


def test_so_many_new_annotations_ask_for_one_training(rig: Rig) -> None:
    rig.trainer(RXTRACT_RETRAIN_AFTER_ANNOTATIONS="20")
    rig.first_model()
    rig.annotated(["Pune"], 19)
    looked_twice = time.monotonic() + 5
    rig.until(lambda _: time.monotonic() > looked_twice)
    assert rig.ordered("annotations") == []
    rig.annotated(["Delhi"], 1)
    rig.until(lambda seen: len(kinds(seen, "MODEL_TRAINED")) == 2)
    (command,) = rig.ordered("annotations")
    rig.until(lambda seen: ended(seen, command.command_id))
    trained = kinds(rig.events, "MODEL_TRAINED")[1]
    assert trained.command_id == command.command_id
    assert trained.metrics["annotations_read"] == 20
    rig.annotated(["Pune"], 19)  # counted from what was learnt from
    looked_twice = time.monotonic() + 5
    rig.until(lambda _: time.monotonic() > looked_twice)
    assert len(rig.ordered("annotations")) == 1
    assert len(rig.versions()) == 2


def test_a_first_model_that_failed_is_trained_when_the_fault_is_mended(rig: Rig) -> None:
    failing = rig.trainer(RXTRACT_JOB_TIMEOUT_S="0.1")
    failed = kinds(rig.until(lambda seen: kinds(seen, "TRAINING_FAILED")), "TRAINING_FAILED")[0]
    failing.kill()
    rig.trainer("mended")
    first = rig.first_model()  # nobody orders it; it comes after the pause, under another command
    assert first.command_id != failed.command_id
    assert {one.command_id for one in rig.ordered("first")} >= {first.command_id, failed.command_id}


def test_a_schedule_asks_for_one_training_in_each_period(rig: Rig) -> None:
    every_s = 20.0
    rig.trainer(RXTRACT_RETRAIN_EVERY_H=str(every_s / 3_600))
    rig.first_model()
    began_s = time.monotonic()
    rig.until(lambda seen: len(kinds(seen, "MODEL_TRAINED")) == 3)
    commands = rig.ordered("schedule")
    periods = (time.monotonic() - began_s) / every_s + 2
    assert 2 <= len(commands) <= periods
    assert len({one.command_id for one in commands}) == len(commands)
    made = [rig.mlflow.get_model_version(rig.model, number).tags for number in rig.versions()]
    assert [tags["trigger"] for tags in made].count("schedule") >= 2
    assert {tags["command_id"] for tags in made if tags["trigger"] == "schedule"} <= {
        one.command_id for one in commands
    }
