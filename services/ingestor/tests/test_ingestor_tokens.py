"""Tokens are kept hashed, several at once, and change without a restart."""

from pathlib import Path

import pytest
from contracts.identity import SOURCE_SYNTAX
from ingestor.metrics import METRICS
from ingestor.new_token import main
from runtime.errors import SettingsError
from runtime.service import logs
from runtime.service.metrics import TOKEN_LINES_REFUSED, Metrics
from runtime.web.client_tokens import Tokens, hash_token, parse_tokens


def test_several_tokens_of_several_clients() -> None:
    text = f"# comment\nclinic:{hash_token('a')}, clinic:{hash_token('b')}\n\nlab:{hash_token('c').upper()}\n"
    tokens = Tokens(parse_tokens(text, "X"))
    assert [tokens.client_of(token) for token in "abcd"] == ["clinic", "clinic", "lab", None]


@pytest.mark.parametrize("name", ["Clinic", "two words", "a|b", "s" * 41, "clinic_app"])
def test_a_name_that_is_no_source_is_one_clear_line(name: str) -> None:
    with pytest.raises(SettingsError) as error:
        parse_tokens(f"ok:{'0' * 64},{name}:{'1' * 64}", "RXTRACT_HTTP_TOKENS")
    assert str(error.value) == (
        "RXTRACT_HTTP_TOKENS: entry 2 has a name that is no source; name it by 1 to 40 of a-z, 0-9 and hyphen"
    )


@pytest.mark.parametrize("bad", ["clinic", "clinic:abc", ":" + "0" * 64, "clinic:" + "g" * 64, "clinic:plain-token"])
def test_a_bad_entry_is_named_by_its_place_only(bad: str) -> None:
    with pytest.raises(SettingsError) as error:
        parse_tokens(f"ok:{'0' * 64},{bad}", "RXTRACT_HTTP_TOKENS")
    assert "RXTRACT_HTTP_TOKENS: entry 2" in str(error.value)
    assert "plain-token" not in str(error.value)


def test_the_file_is_looked_at_again(tmp_path: Path) -> None:
    path, now = tmp_path / "tokens", [0.0]
    path.write_text(f"clinic:{hash_token('old')}\n")
    tokens = Tokens({}, path, clock=lambda: now[0])
    assert tokens.client_of("old") == "clinic"
    path.write_text(f"clinic:{hash_token('newer')}\n# rotated\n")
    assert tokens.client_of("newer") is None  # not yet
    now[0] = 6
    assert tokens.client_of("newer") == "clinic"
    assert tokens.client_of("old") is None


def test_a_wrong_entry_of_the_file_costs_itself_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, now, metrics = tmp_path / "tokens", [0.0], Metrics(METRICS)
    logs.configure("ingestor")
    path.write_text(f"clinic:{hash_token('old')}\nlab:{hash_token('lab')}\n")
    tokens = Tokens({}, path, metrics, clock=lambda: now[0])
    path.write_text(f"half a li, lab:{hash_token('lab')}\nSt. Mary:{hash_token('mary')}\n")
    now[0] = 6
    assert [tokens.client_of(token) for token in ("old", "lab", "mary")] == [None, "lab", None]
    assert metrics.registry.get_sample_value(TOKEN_LINES_REFUSED.name, {"file": "RXTRACT_HTTP_TOKENS_FILE"}) == 2
    log = capsys.readouterr().err
    assert '"line": 1' in log
    assert '"line": 2' in log
    assert SOURCE_SYNTAX in log
    assert "Mary" not in log


@pytest.mark.parametrize("name", ["Clinic", "a b", "a|b", "a.b", "a_b", "ä", "a" * 41])
def test_a_client_has_a_name_that_can_be_a_source(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(
        SettingsError, match="X: entry 1 has a name that is no source; name it by 1 to 40 of a-z, 0-9 and hyphen"
    ):
        parse_tokens(f"{name}:{'0' * 64}", "X")
    assert main([name]) == 2
    assert "a-z" in capsys.readouterr().err


def test_a_missing_file_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="RXTRACT_HTTP_TOKENS_FILE cannot be read"):
        Tokens({}, tmp_path / "none")


def test_a_new_token_fits_its_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["clinic"]) == 0
    shown, kept = (line.split()[-1] for line in capsys.readouterr().out.splitlines())
    assert Tokens(parse_tokens(kept, "X")).client_of(shown) == "clinic"
    assert main([]) == 2
    assert main(["a,b"]) == 2
    assert main(["Clinic"]) == 2
