"""Tokens of people: several valid at once, changed without a restart, refused in one line."""

import pytest
from runtime.errors import SettingsError
from runtime.people import LEAD, VALIDATOR, People, Person, parse_people
from runtime.secret_files import hash_token


def line(name: str, role: str) -> str:
    return f"{name}:{role}:{hash_token('token-' + name)}\n"


def test_a_changed_file_is_read_again_and_a_broken_one_changes_nothing(tmp_path):
    now, file = [0.0], tmp_path / "tokens"
    file.write_text("# people\n\n" + line("anna", VALIDATOR))
    people = People(file, "X_FILE", clock=lambda: now[0])
    assert people.by_token("token-anna") == Person("anna", VALIDATOR)
    assert people.by_token("token-lea") is None
    file.write_text(line("anna", VALIDATOR) + line("lea", LEAD))
    now[0] = 6.0
    assert people.by_token("token-lea") == Person("lea", LEAD)
    file.write_text("half writ")
    now[0] = 12.0
    assert people.by_token("token-lea") == Person("lea", LEAD)


@pytest.mark.parametrize(
    "wrong", ["anna", "anna:boss:" + "0" * 64, ":lead:" + "0" * 64, "anna:lead:xyz", "anna:lead:" + "G" * 64]
)
def test_a_bad_line_is_named_by_its_number_alone(wrong):
    with pytest.raises(SettingsError, match=r"^X_FILE: line 2 is not") as told:
        parse_people(f"# x\n{wrong}", "X_FILE")
    assert wrong not in str(told.value)


def test_a_file_that_is_not_there_is_named_by_its_variable(tmp_path):
    with pytest.raises(SettingsError, match="X_FILE cannot be read"):
        People(tmp_path / "none", "X_FILE")
    assert len(People(None, "X_FILE")) == 0
