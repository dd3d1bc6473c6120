"""What is generated is up to date, and what the pages name exists."""

import re
from pathlib import Path

import pytest
from rxtract.app import COMMANDS, build
from typer.testing import CliRunner

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")
COMMAND = re.compile(r"(?:\.venv/bin/)?rxtract ([a-z]+)")
TARGET = re.compile(r"make ([a-z-]+)")


def test_generated_files_are_up_to_date():
    result = CliRunner().invoke(build(["generate"]), ["generate", "--check"])
    assert result.exit_code == 0, result.output


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_resolves(page):
    missing = [
        target
        for target in LINK.findall(page.read_text())
        if "://" not in target and not (page.parent / target).resolve().exists()
    ]
    assert missing == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_command_that_a_page_types_exists(page):
    text = page.read_text()
    code = "\n".join(re.findall(r"```sh\n(.*?)```", text, re.DOTALL) + re.findall(r"`([^`\n]+)`", text))
    known = {command.name for command in COMMANDS}
    assert {name for name in COMMAND.findall(code) if name not in known} == set()
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert {name for name in TARGET.findall(code) if name not in targets} == set()
