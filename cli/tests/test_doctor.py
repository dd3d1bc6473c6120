"""What the doctor says of a deployment, by example; `tests/integration/test_doctor.py` asks real servers."""

from __future__ import annotations

import pytest
import rxtract.commands.doctor as doctor_module
import typer
from contracts import files
from contracts.registry import InMemoryRegistry
from contracts.topics import dlq_of, load_topics
from embedded_stack.checks import Status
from runtime.service.secret_files import hash_token
from rxtract import deployment
from rxtract.addresses import StackAddresses, with_variables
from typer.testing import CliRunner

WHOLE = {topic.name: topic.partitions for topic in load_topics().values()}
WHOLE |= {dlq_of(topic.name): 1 for topic in load_topics().values() if topic.dlq}


def test_topics_that_are_as_the_contract_says_or_larger() -> None:
    (found,) = deployment.check_topics({**WHOLE, "notes.accepted.v1": 24, "others": 1}, "")
    assert found.status is Status.OK


@pytest.mark.parametrize("name", sorted(WHOLE))
def test_a_topic_that_is_missing_or_too_small_is_named(name: str) -> None:
    (missing,) = deployment.check_topics({one: count for one, count in WHOLE.items() if one != name}, "")
    assert (missing.status, missing.message) == (Status.PROBLEM, f"{name} is missing")
    if WHOLE[name] > 1:
        (small,) = deployment.check_topics({**WHOLE, name: 1}, "")
        assert small.message == f"{name} has 1 partitions, the contract says {WHOLE[name]}"
    assert "rxtract topics apply" in missing.remedy


@pytest.mark.parametrize(
    ("members", "lag", "status"),
    [(2, 0, Status.OK), (1, 1_000, Status.OK), (1, 1_001, Status.NOTE), (0, 0, Status.PROBLEM)],
)
def test_a_group_without_members_is_a_problem_and_one_far_behind_a_note(members: int, lag: int, status: Status) -> None:
    assert deployment.group_finding("rxtract-extractor", "extractor", members, lag).status is status


SUBJECT, TOPIC = "notes.accepted.v1-value", load_topics()["notes.accepted.v1"]


def registry(level: str = TOPIC.compatibility) -> InMemoryRegistry:
    made = InMemoryRegistry()
    made.register(SUBJECT, files.schema_text(str(TOPIC.record)))
    made.set_compatibility(SUBJECT, level)
    return made


def test_a_subject_that_is_missing_at_another_level_or_of_another_release_is_named() -> None:
    assert list(deployment._subject(registry(), SUBJECT, TOPIC)) == []
    (missing,) = deployment._subject(InMemoryRegistry(), SUBJECT, TOPIC)
    assert missing.message == f"{SUBJECT} is missing: never registered, or deleted"
    (loose,) = deployment._subject(registry("BACKWARD"), SUBJECT, TOPIC)
    assert loose.message == f"{SUBJECT} is at BACKWARD, the contract says {TOPIC.compatibility}"
    none = registry()
    none._levels.clear()
    assert "is at NONE" in next(iter(deployment._subject(none, SUBJECT, TOPIC))).message
    other = InMemoryRegistry()
    other.register(SUBJECT, '{"type": "record", "name": "x", "fields": []}')
    other.set_compatibility(SUBJECT, TOPIC.compatibility)
    (old,) = deployment._subject(other, SUBJECT, TOPIC)
    assert old.message == f"{SUBJECT} does not list the schema of this release"


HASH = hash_token("t")
FILES = {
    f"platform:{HASH}\n# note\n\nother:{HASH}, third:{HASH.upper()}": Status.OK,
    f"anna:lead:{HASH}": Status.OK,
    "# nobody yet\n": Status.NOTE,
    f"platform:{HASH}\nlost:{HASH[:-1]}": Status.PROBLEM,
    HASH: Status.PROBLEM,
    f":{HASH}": Status.PROBLEM,
    "platform=secret-token": Status.PROBLEM,
}


@pytest.mark.parametrize("text", FILES)
def test_a_tokens_file(tmp_path, text: str) -> None:
    path = tmp_path / "tokens"
    path.write_text(text)
    found = deployment.check_tokens("RXTRACT_HTTP_TOKENS_FILE", path)
    assert found.status is FILES[text]
    assert "secret-token" not in found.message + found.remedy
    assert HASH[:20] not in found.message + found.remedy


def test_a_tokens_file_that_is_gone_and_the_line_of_a_bad_one(tmp_path) -> None:
    path = tmp_path / "tokens"
    assert deployment.check_tokens("RXTRACT_DESK_TOKENS_FILE", path).status is Status.PROBLEM
    path.write_text(f"# head\nanna:lead:{HASH}\nben:lead:x")
    assert "no token on line 3" in deployment.check_tokens("RXTRACT_DESK_TOKENS_FILE", path).message


def test_servers_of_variables_are_asked_and_a_login_is_not_repeated() -> None:
    environ = {
        "RXTRACT_REDIS_URL": "redis://user:s3cr3t@127.0.0.1:1/0",
        "RXTRACT_MLFLOW_URL": "http://127.0.0.1:1",
        "RXTRACT_FOO": "x",
    }
    found = list(deployment.examine_deployment(with_variables({}, environ), environ))
    assert [(one.name, one.status) for one in found] == [
        (name, Status.PROBLEM) for name in ("variables", "redis", "mlflow")
    ]
    assert all("s3cr3t" not in one.message for one in found)
    assert "RXTRACT_REDIS_URL" in found[1].remedy


def test_nothing_is_asked_where_nothing_is_given() -> None:
    assert list(deployment.examine_deployment(StackAddresses(), {})) == []


@pytest.mark.parametrize("option", ["--stack", "--data"])
@pytest.mark.parametrize("place", ["", "stack.json"])
def test_the_stack_is_named_as_everywhere(monkeypatch, tmp_path, option: str, place: str) -> None:
    asked = []
    (tmp_path / "stack.json").write_text('{"bootstrap_servers": "127.0.0.1:1", "topic_prefix": "t."}')
    monkeypatch.setattr(doctor_module, "examine", lambda data: asked.append(data) or [])
    monkeypatch.setattr(doctor_module, "examine_deployment", lambda addresses, _: asked.append(addresses) or [])
    app = typer.Typer()
    app.command()(doctor_module.doctor)
    assert CliRunner().invoke(app, [option, str(tmp_path / place)]).exit_code == 0
    assert asked == [tmp_path, StackAddresses(bootstrap_servers="127.0.0.1:1", topic_prefix="t.")]
