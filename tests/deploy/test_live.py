"""What holds the runs of compose and of the cluster to their word can fail itself."""

import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "deploy")]

import live  # noqa: E402


def knocks(accepted, refused=(), lasted_s=10.0):
    made = live.Knocks("http://door", "token")
    made.accepted, made.refused, made.lasted_s = accepted, list(refused), lasted_s
    return made


def test_a_door_that_takes_every_note_passes():
    knocks(accepted=100).check()


def test_a_door_that_refused_fails_and_says_with_what():
    with pytest.raises(live.Failed, match="refused: 503, ReadError"):
        knocks(100, ["503", "ReadError", "503"]).check()


@pytest.mark.parametrize("accepted", [0, 29])
def test_too_few_knocks_prove_nothing(accepted):
    with pytest.raises(live.Failed, match=f"{accepted} notes .* in 10 s"):
        knocks(accepted).check()


def test_a_client_that_died_fails_though_nothing_was_refused(monkeypatch):
    monkeypatch.setattr(live.httpx, "post", lambda *_, **__: SimpleNamespace())  # an answer without a status
    with live.Knocks("http://door", "token", pause_s=0.0) as dying:
        dying._thread.join(10)
    assert dying.refused == []
    with pytest.raises(live.Failed, match="AttributeError"):
        dying.check()


def test_what_is_accepted_is_counted_until_the_end(monkeypatch):
    enough = live.threading.Event()

    def post(*_, **__):
        if made.accepted >= 20:
            enough.set()
        return SimpleNamespace(status_code=202)

    monkeypatch.setattr(live.httpx, "post", post)
    made = live.Knocks("http://door", "token", pause_s=0.0)
    with made:
        assert enough.wait(20)
    assert made.accepted >= 20
    assert made.lasted_s > 0
