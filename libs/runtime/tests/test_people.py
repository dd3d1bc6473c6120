"""Tokens of people: several valid at once, changed without a restart, refused in one line."""

import json

import pytest
from runtime.errors import SettingsError
from runtime.service import logs
from runtime.service.metrics import DOOR_METRICS, TOKEN_FILE_AWAY, TOKEN_LINES_REFUSED, Metrics
from runtime.service.secret_files import CLOSED_AFTER_S, hash_token
from runtime.web.people import LEAD, VALIDATOR, People, Person

RELOAD_S = 6.0


def line(name: str, role: str) -> str:
    return f"{name}:{role}:{hash_token('token-' + name)}\n"


class Rig:
    """People of a file, with a clock of ours and the metrics that tell of it."""

    def __init__(self, file, text: str) -> None:
        self.now_s, self.file, self.metrics = 0.0, file, Metrics(DOOR_METRICS)
        file.write_text(text)
        self.people = People(file, "X_FILE", self.metrics, clock=lambda: self.now_s)

    def say(self, text: str) -> None:
        self.file.write_text(text)
        self.now_s += RELOAD_S

    def figure(self, spec) -> float:
        return self.metrics.registry.get_sample_value(spec.name, {"file": "X_FILE"})


def test_a_changed_file_is_read_again_without_a_restart(tmp_path):
    rig = Rig(tmp_path / "tokens", "# people\n\n" + line("anna", VALIDATOR))
    assert rig.people.by_token("token-anna") == Person("anna", VALIDATOR)
    assert rig.people.by_token("token-lea") is None
    rig.say(line("anna", VALIDATOR) + line("lea", LEAD))
    assert rig.people.by_token("token-lea") == Person("lea", LEAD)


@pytest.mark.parametrize(
    "wrong", ["anna", "anna:boss:" + "0" * 64, ":lead:" + "0" * 64, "anna:lead:xyz", "anna:lead:" + "G" * 64, "\xff"]
)
def test_a_wrong_line_costs_itself_alone_and_is_told_of(tmp_path, capsys, wrong):
    logs.configure("test")
    rig = Rig(tmp_path / "tokens", f"# x\n{wrong}\n" + line("lea", LEAD))
    assert len(rig.people) == 1
    assert rig.people.by_token("token-lea") == Person("lea", LEAD)
    assert rig.figure(TOKEN_LINES_REFUSED) == 1
    [told] = [json.loads(one) for one in capsys.readouterr().err.splitlines()]
    assert (told["level"], told["file"], told["line"]) == ("error", "X_FILE", 2)
    assert "role validator or lead" in told["message"]
    assert wrong not in json.dumps(told, ensure_ascii=False)
    rig.say(line("lea", LEAD))
    assert rig.figure(TOKEN_LINES_REFUSED) == 0


def test_a_token_taken_away_is_refused_though_another_line_is_wrong(tmp_path, capsys):
    logs.configure("test")
    rig = Rig(tmp_path / "tokens", line("leaked", LEAD) + line("bob", VALIDATOR))
    rig.say("bob:validatr:" + hash_token("token-bob"))
    assert rig.people.by_token("token-leaked") is None
    assert rig.people.by_token("token-bob") is None
    assert '"line": 1' in capsys.readouterr().err
    assert rig.figure(TOKEN_LINES_REFUSED) == 1


def test_one_token_of_two_owners_is_the_first_ones(tmp_path):
    digest = hash_token("shared")
    rig = Rig(tmp_path / "tokens", f"anna:validator:{digest}\nlea:lead:{digest}\nanna:validator:{digest}\n")
    assert rig.people.by_token("shared") == Person("anna", VALIDATOR)
    assert rig.figure(TOKEN_LINES_REFUSED) == 1


def test_a_file_that_is_away_closes_the_door_after_a_while_and_opens_it_when_it_is_back(tmp_path, capsys):
    logs.configure("test")
    rig = Rig(tmp_path / "tokens", line("anna", VALIDATOR))
    assert rig.figure(TOKEN_FILE_AWAY) == 0
    rig.file.unlink()
    rig.now_s += CLOSED_AFTER_S - 1
    assert rig.people.by_token("token-anna") is not None
    assert rig.figure(TOKEN_FILE_AWAY) == CLOSED_AFTER_S - 1
    rig.now_s += RELOAD_S
    assert rig.people.by_token("token-anna") is None
    assert rig.figure(TOKEN_FILE_AWAY) == CLOSED_AFTER_S - 1 + RELOAD_S
    assert "nobody is let in" in capsys.readouterr().err
    rig.say(line("anna", VALIDATOR))
    assert rig.people.by_token("token-anna") is not None
    assert rig.figure(TOKEN_FILE_AWAY) == 0


def test_a_scrape_sees_a_wrong_line_though_nobody_asks(tmp_path):
    rig = Rig(tmp_path / "tokens", line("anna", VALIDATOR))
    rig.say("typo\n")
    assert rig.figure(TOKEN_LINES_REFUSED) == 1


def test_a_file_that_is_not_there_is_named_by_its_variable(tmp_path):
    with pytest.raises(SettingsError, match="X_FILE cannot be read"):
        People(tmp_path / "none", "X_FILE")
    assert len(People(None, "X_FILE")) == 0
