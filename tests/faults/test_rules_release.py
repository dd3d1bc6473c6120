"""Rules are released, refused and rolled back by orders while notes stream: no note lost, and each row says by which rules."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import uuid
from collections import defaultdict
from typing import TYPE_CHECKING, Any

import pytest
from clinical_ner.phrases import TABLE_NAMES
from clinical_ner.rules import read_rules, shipped_rules
from clinical_ner.tracking import log_and_register
from clinical_ner.train import train
from contracts import topics
from contracts.identity import split_note_key
from contracts.records import AssertionStatus
from corpus import generate
from embedded_stack.services import ServiceProcess

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.stack, pytest.mark.long, pytest.mark.timeout(600)]

NOTES_PER_S = 50
NO_POLL = "3600"  # seconds: only the event can tell
TEXT = "Fever. quxfree Tab Paracetamol 650 mg BD"
"""Its second word is in no table until the test releases it as a negation."""


class Operator:
    """Gives orders as an operator does, by the command line."""

    def __init__(self, rig, rules: str, folder: Path) -> None:
        self._env = {
            **os.environ,
            **rig.addresses.as_environment(),
            "RXTRACT_TOPIC_PREFIX": rig.prefix,
            "RXTRACT_GROUP_PREFIX": rig.prefix,
            "RXTRACT_RULES_NAME": rules,
        }
        self._folder = folder

    def tables(self, name: str, **added: str) -> Path:
        folder = self._folder / name
        folder.mkdir()
        for table in TABLE_NAMES:
            more = added.get(table.removesuffix(".txt"), "")
            (folder / table).write_text(shipped_rules().texts[table] + more, encoding="utf-8")
        return folder

    def run(self, *arguments: object) -> tuple[int, str, str]:
        command = [sys.executable, "-m", "rxtract", *map(str, arguments)]
        done = subprocess.run(command, env=self._env, capture_output=True, text=True, timeout=120, check=False)
        return done.returncode, done.stdout, done.stderr

    def orders(self, *arguments: object) -> tuple[int, dict[str, Any]]:
        code, out, err = self.run("rules", *arguments, "--json", "--trainer-timeout", 60, "--timeout", 60)
        assert out, err
        return code, json.loads(out)


def test_rules_are_released_refused_and_rolled_back_under_load(extractor_rig, stack, tmp_path) -> None:
    from extractor_rig import judge, until

    rig = extractor_rig
    names = {
        "RXTRACT_MODEL_NAME": f"model-{uuid.uuid4().hex[:8]}",
        "RXTRACT_RULES_NAME": f"rules-{uuid.uuid4().hex[:8]}",
    }
    train(generate(1, 150), seed=1).save(tmp_path / "model")
    url = stack.addresses.mlflow_url
    log_and_register(tmp_path / "model", tracking_uri=url, name=names["RXTRACT_MODEL_NAME"], alias="champion")
    operator = Operator(rig, names["RXTRACT_RULES_NAME"], tmp_path)
    key = tmp_path / "roles.key"
    key.write_bytes(b"k" * 32)
    common = {**stack.addresses.as_environment(), **names}
    trainer = ServiceProcess(
        "trainer",
        tmp_path,
        {
            **common, "RXTRACT_TOPIC_PREFIX": rig.prefix, "RXTRACT_GROUP_PREFIX": rig.prefix, "RXTRACT_ROLES_KEY_FILE": str(key),
            "RXTRACT_RETRAIN_AFTER_ANNOTATIONS": "0", "RXTRACT_LEASE_S": "3",
        },
    )  # fmt: skip
    trainer.start()
    try:
        extractors = [
            rig.start(module="extractor", RXTRACT_MODEL_POLL_S=NO_POLL, RXTRACT_MLFLOW_URL=url, **names)
            for _ in range(2)
        ]
        for extractor in extractors:
            until(lambda extractor=extractor: extractor.ready, 90, "an extractor to be ready")

        def all_read_by(serial: int) -> None:
            def serials() -> set[Any]:
                return {json.loads(body)["rules_serial"] for _, body in (one.get("/info") for one in extractors)}

            until(lambda: serials() == {serial}, 30, f"all to serve the rules of serial {serial}")

        with rig.stream(NOTES_PER_S, TEXT) as sent:
            all_read_by(0)
            until(lambda: len(sent) > NOTES_PER_S, 60, "notes before the release")
            bad = operator.tables("bad", assertion="\n[negated ahead reach=8]\nquxfree | quxfree\n")
            code, _, said = operator.run("rules", "release", bad)
            assert (code, said.count("\n")) == (2, 1)
            assert "assertion.txt, line " in said
            assert "'quxfree'" in said
            good = operator.tables("good", assertion="\n[negated ahead reach=8]\nquxfree\n")
            code, answer = operator.orders("release", good)
            assert (code, answer["outcome"]) == (0, "DONE"), answer
            first = answer["events"][-1]
            assert first["rules_version"] == read_rules(good).version
            all_read_by(first["serial"])
            known = len(sent)
            until(lambda: len(sent) > known + NOTES_PER_S, 60, "notes by the released rules")
            worse = operator.tables("worse")
            table = worse / "assertion.txt"
            table.write_text(re.sub(r"(?m)^no( h/o)? \| ", "", table.read_text(encoding="utf-8")), encoding="utf-8")
            code, answer = operator.orders("release", worse)
            assert (code, answer["outcome"]) == (1, "REJECTED"), answer
            assert any("NEGATED is worse" in reason for reason in answer["reasons"]), answer["reasons"]
            all_read_by(first["serial"])
            code, answer = operator.orders("rollback")
            assert (code, answer["outcome"]) == (0, "DONE"), answer
            back = answer["events"][-1]
            assert back["rules_version"] == shipped_rules().version
            assert back["serial"] > first["serial"]
            all_read_by(back["serial"])
            known = len(sent)
            until(lambda: len(sent) > known + NOTES_PER_S, 60, "notes after the rollback")
        rig.drained(60)
        events = rig.events()
        assert judge(sent, events).lost == []
        of_serial = defaultdict(set)
        for event in events:
            said_of = {entity.assertion.status for entity in event.entities if entity.text == "Paracetamol"}
            of_serial[event.rules_serial].add((event.rules_version, *said_of))
        assert of_serial == {
            0: {(shipped_rules().version, AssertionStatus.PRESENT)},
            first["serial"]: {(first["rules_version"], AssertionStatus.NEGATED)},
            back["serial"]: {(shipped_rules().version, AssertionStatus.PRESENT)},
        }
        _assert_one_set_of_rules_a_batch(rig, events)
        _assert_all_is_read_again_by_the_next_rules(rig, operator, sent, answer)
    finally:
        trainer.kill()


def _assert_one_set_of_rules_a_batch(rig, events) -> None:
    """The notes of one statistics record were handled in one batch."""
    places = {
        split_note_key(message.key().decode())[1]: (message.partition(), message.offset())
        for message in rig.read(rig.topic(topics.NOTES_ACCEPTED))
    }
    serials = {places[event.note_id]: event.rules_serial for event in events}
    for record in (one for one in rig.statistics() if one.segment == "all"):
        offsets = range(record.first_offset, record.last_offset + 1)
        assert len({serials[record.note_partition, offset] for offset in offsets}) == 1


def _assert_all_is_read_again_by_the_next_rules(rig, operator, sent, answer) -> None:
    from extractor_rig import until

    code, answer = operator.orders("rollback", answer["events"][-1]["previous_version"])
    assert (code, answer["outcome"]) == (0, "DONE"), answer
    serial = answer["events"][-1]["serial"]
    until(
        lambda: all(json.loads(one.get("/info")[1])["rules_serial"] == serial for one in rig.processes),
        30,
        "all to serve it",
    )
    name = rig.processes[0].get("/info")[1]
    model = json.loads(name)["model"]["name"]
    code, out, err = operator.run("reextract", "--since", "2020-01-01", "--name", model, "--json")
    assert code == 0, err
    assert json.loads(out)["sent"] == len(sent)
    rig.drained(60)
    newest: dict[str, tuple[tuple[int, int, int], str]] = {}
    for event in rig.events():
        rank = (event.revision, event.model.serial, event.rules_serial)
        status = next(entity.assertion.status for entity in event.entities if entity.text == "Paracetamol")
        newest[event.note_id] = max(newest.get(event.note_id, (rank, status)), (rank, status))
    assert {rank[2] for rank, _ in newest.values()} == {serial}
    assert {status for _, status in newest.values()} == {AssertionStatus.NEGATED}
