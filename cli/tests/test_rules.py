"""`rxtract rules` without a server: what is checked before anything is asked, and what is printed of what comes."""

from __future__ import annotations

import json

import pytest
from clinical_ner.rules import shipped_rules
from contracts.records import AnnotationValidated
from model_registry.version import Version
from rxtract.commands import rules
from rxtract.errors import UserError
from typer.testing import CliRunner

run = CliRunner()


def folder_of(path, assertion: str = ""):
    for name, text in shipped_rules().texts.items():
        (path / name).write_text(text + (assertion if name == "assertion.txt" else ""), encoding="utf-8")
    return path


def test_tables_are_checked_against_those_of_this_program(tmp_path) -> None:
    same = run.invoke(rules.app, ["check", "--json"])
    assert same.exit_code == 0
    assert json.loads(same.stdout)["rules_version"] == shipped_rules().version
    worse = tmp_path / "worse"
    worse.mkdir()
    folder_of(worse)
    (worse / "assertion.txt").write_text(
        shipped_rules().texts["assertion.txt"].replace("no | not | denies", "not | denies")
    )
    refused = run.invoke(rules.app, ["check", str(worse)])
    assert refused.exit_code == 1
    assert "NEGATED is worse" in refused.stdout


@pytest.mark.parametrize("phrases", ["quxfree | quxfree", "quxfree | | quxless"])
@pytest.mark.parametrize("command", ["check", "release"])
def test_a_table_that_cannot_be_used_is_refused_in_one_line_before_any_server_is_asked(
    command, phrases, tmp_path
) -> None:
    folder_of(tmp_path, f"\n[negated ahead reach=8]\n{phrases}\n")
    found = run.invoke(rules.app, [command, str(tmp_path)])
    assert isinstance(found.exception, UserError)
    assert str(found.exception).startswith("assertion.txt, line ")
    assert "\n" not in str(found.exception)


class Releases:
    rows: tuple[Version, ...] = ()

    def __init__(self, *_: object) -> None:
        pass

    def all_or_none(self) -> list[Version]:
        return list(self.rows)


@pytest.fixture
def releases(monkeypatch) -> type[Releases]:
    monkeypatch.setattr(rules, "Versions", Releases)
    monkeypatch.setattr(rules, "need_mlflow", lambda *_: "http://mlflow")
    monkeypatch.setattr(Releases, "rows", ())
    return Releases


def version(sha256: str, *aliases: str) -> Version:
    tags = {
        "serial": "7", "trigger": "operator", "gate": "pass", "gate.reasons": '["numbers"]',
        "artifact_sha256": sha256, "rules_version": "abc",
    }  # fmt: skip
    return Version("rxtract-rules", "3", tags, aliases=aliases)


def test_without_a_release_it_is_said_so(releases) -> None:
    assert "serves its own" in run.invoke(rules.app, ["list"]).stdout
    assert "the rules of this program" in run.invoke(rules.app, ["show"]).stdout
    found = run.invoke(rules.app, ["rollback"])
    assert "nothing to go back from" in str(found.exception)


def test_what_serves_already_is_not_released_again(releases) -> None:
    releases.rows = (version(shipped_rules().sha256, "champion"),)
    found = run.invoke(rules.app, ["release"])
    assert "version 3 serves already" in str(found.exception)


def test_what_was_registered_once_is_offered_again_and_not_registered_twice(releases, monkeypatch) -> None:
    releases.rows = (version(shipped_rules().sha256),)
    orders: list[tuple] = []
    monkeypatch.setattr(rules, "order", lambda *given, **more: orders.append((*given[:3], more)))
    monkeypatch.setattr(rules, "_register", lambda *_: pytest.fail("registered twice"))
    assert run.invoke(rules.app, ["release"]).exit_code == 0
    assert [(str(action), number) for action, number, *_ in orders] == [("EVALUATE", "3")]


def test_a_version_that_cannot_be_opened_by_this_program_is_named(releases, monkeypatch) -> None:
    releases.rows = (version("0" * 64, "champion"),)
    monkeypatch.setattr(Releases, "file", lambda *_: shipped_rules().data, raising=False)
    found = run.invoke(rules.app, ["show"])
    assert str(found.exception).startswith("version 3 cannot be read by this program: the digest")


def corrected(number: int) -> AnnotationValidated:
    def entity(status: str) -> dict:
        said = {"status": status, "time": "CURRENT", "experiencer": "PATIENT", "cue_start": -1, "cue_end": -1}
        place = {"entity_id": "e1", "label": "DISEASE", "text": "gout", "start": 10, "end": 14, "confidence": 0.5}
        return {**place, "assertion": said}

    return AnnotationValidated.from_dict(
        {
            "annotation_id": f"a{number}", "source": "clinic", "note_id": f"n{number}", "revision": 1, "text": "Pt nil of gout",
            "segment": {"city": "Pune", "specialty": "x"}, "patient_ref": f"p{number}", "doctor_ref": "d", "written_at": 0,
            "model": {"name": "m", "version": "1", "serial": 1}, "sample": "AUDIT", "predictions_shown": True,
            "outcome": "CORRECTED", "annotator": "v1", "sequence": 1, "seconds_spent": 1.0, "annotated_at": number,
            "changes": {"kept": 1, "added": 0, "removed": 0, "moved": 0, "relabelled": 0}, "predicted_relations": [],
            "relations": [], "predicted_entities": [entity("PRESENT")], "entities": [entity("NEGATED")],
        }
    )  # fmt: skip


@pytest.mark.parametrize(("patients", "shown"), [(5, True), (4, False)])
def test_what_many_correct_is_printed_and_what_few_do_is_not(patients, shown, monkeypatch) -> None:
    class Reader:
        def __init__(self, *_: object) -> None:
            pass

        def read(self, _topics):
            return [type("Seen", (), {"record": corrected(number)}) for number in range(patients)]

    monkeypatch.setattr(rules, "TopicReader", Reader)
    found = run.invoke(rules.app, ["proposals", "--json"])
    assert found.exit_code == 0, found.exception
    rows = json.loads(found.stdout)["proposals"]
    assert [(row["phrase"], row["before"], row["after"], row["patients"]) for row in rows] == (
        [("pt nil of [...]", "PRESENT", "NEGATED", 5)] if shown else []
    )
    printed = run.invoke(rules.app, ["proposals"]).stdout
    assert ("nil of [...]" in printed) is shown
    assert "gout" not in printed
