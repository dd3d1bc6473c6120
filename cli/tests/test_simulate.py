"""`rxtract simulate`: which notes reach the door."""

from __future__ import annotations

import pytest
from corpus import ShiftKind, novel_names
from rxtract.commands import simulate as command
from rxtract.errors import UserError
from typer import Typer
from typer.testing import CliRunner


class FakeDoor:
    def __init__(self):
        self.notes, self.sizes, self.closed = [], [], False

    def send(self, notes):
        self.notes += notes
        self.sizes.append(len(notes))
        return []

    def close(self):
        self.closed = True


@pytest.fixture
def run(monkeypatch):
    door = FakeDoor()
    monkeypatch.setattr(command, "_open", lambda name, addresses: door)
    monkeypatch.setenv("RXTRACT_INGEST_SOURCE", "clinic")
    app = Typer()
    app.command()(command.simulate)
    return door, lambda *words: CliRunner().invoke(app, [*words, "--seed", "5"])


@pytest.mark.slow
def test_a_shift_reaches_only_its_city_after_its_note(run):
    door, invoke = run
    words = "--notes 300 --rate 0 --drift new_diseases,new_drugs --city Pune --city-share 0.5 --after 100 --share 0.9"
    result = invoke(*words.split())
    assert result.exit_code == 0, result.output
    assert "300 synthetic notes sent" in result.output
    assert door.closed
    assert max(door.sizes) <= 100
    new = [name for kind in (ShiftKind.NEW_DISEASES, ShiftKind.NEW_DRUGS) for name in novel_names(kind)]
    touched = [index for index, note in enumerate(door.notes) if any(name in note.text.casefold() for name in new)]
    assert len(touched) > 50
    assert min(touched) >= 100
    assert {door.notes[index].city for index in touched} == {"Pune"}
    assert {note.source for note in door.notes} == {"clinic"}
    assert 0.35 < sum(note.city == "Pune" for note in door.notes) / 300 < 0.65


def test_all_means_the_three_together_and_none_none():
    assert command.kinds("all") == list(ShiftKind)
    assert command.kinds("new_style, new_style") == [ShiftKind.NEW_STYLE]
    assert command.kinds("") == []


def test_what_the_door_refuses_is_not_called_a_mistake_in_the_city(run):
    door, invoke = run

    def broken(notes):
        raise ValueError("the door is broken")

    door.send = broken
    result = invoke("--notes", "3", "--rate", "0", "--city", "Pune")
    assert not isinstance(result.exception, UserError)
    assert "the door is broken" in str(result.exception)
    assert door.closed


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("--drift lava", "lava is not known"),
        ("--city-share 0.5", "needs --city"),
        ("--city Atlantis --city-share 0.5", "simulated cities"),
    ],
)
def test_mistakes_are_told_in_one_line(run, words, said):
    _, invoke = run
    result = invoke(*words.split())
    assert isinstance(result.exception, UserError)
    assert said in str(result.exception)
