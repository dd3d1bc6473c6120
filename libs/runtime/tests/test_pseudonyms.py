"""Pseudonyms: the standard's HMAC, one per person and kind, and no start without a real key."""

import hashlib
import hmac
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from runtime.errors import SettingsError
from runtime.service.pseudonyms import Pseudonyms
from runtime.service.secret_files import read_key


@given(st.binary(min_size=32, max_size=200), st.text(st.characters(exclude_categories=["Cs"])))
def test_it_is_the_hmac_of_the_standard_library(key: bytes, reference: str) -> None:
    expected = hmac.digest(key, b"patient\0" + reference.encode(), hashlib.sha256)[:16].hex()
    assert Pseudonyms(key).of("patient", reference) == expected


def test_kinds_and_keys_do_not_meet() -> None:
    first, second = Pseudonyms(b"1" * 32), Pseudonyms(b"2" * 32)
    assert first.of("patient", "X") == first.of("patient", "X")
    assert len({first.of("patient", "X"), first.of("doctor", "X"), second.of("patient", "X")}) == 3
    assert first.key_id != second.key_id


def test_a_short_key_is_no_key() -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        Pseudonyms(b"k" * 31)


def test_the_key_file_is_read_without_its_line_end(tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_bytes(b"k" * 64 + b"\n")
    assert read_key(path, "RXTRACT_PSEUDONYM_KEY_FILE") == b"k" * 64


@pytest.mark.parametrize("content", [None, b"", b"short\n", b"k" * 31 + b"\n\n\n"])
def test_a_missing_or_short_key_file_is_one_line_that_helps(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "key"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(SettingsError) as error:
        read_key(path, "RXTRACT_PSEUDONYM_KEY_FILE")
    assert "RXTRACT_PSEUDONYM_KEY_FILE" in str(error.value)
    assert "openssl rand -hex 32" in str(error.value)
    assert "\n" not in str(error.value)
