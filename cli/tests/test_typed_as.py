"""What `up` tells a newcomer to type can be typed in the shell that started it."""

from pathlib import Path

import pytest
from rxtract.commands.up import typed_as


def test_a_program_is_named_as_this_shell_finds_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / ".venv/bin/rxtract"
    program.parent.mkdir(parents=True)
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.chdir(tmp_path)
    assert typed_as(str(program)) == ".venv/bin/rxtract"
    monkeypatch.chdir(program.parent)
    assert typed_as("rxtract") == "./rxtract"
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert typed_as(str(program)) == str(program)
    monkeypatch.setenv("PATH", str(program.parent))
    assert typed_as(str(program)) == "rxtract"
