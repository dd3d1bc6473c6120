"""What `make clients-test` rejects: a missing tool in CI, a note that a reader did not find, one that nobody sent."""

import shutil

import pytest

from tests.clients import run
from tests.clients.languages import ClientFailed


class Reader:
    """A consumer that has found these notes."""

    def __init__(self, *notes):
        self.rows = [{"source": source, "note_id": note_id, "entities": []} for source, note_id in notes]

    def check_runs(self):
        """It runs."""


SENT = {("node-app", "note-0"), ("java-app", "note-0")}


@pytest.fixture(autouse=True)
def soon(monkeypatch):
    monkeypatch.setattr(run, "DELIVERED_S", 0.0)


def test_a_note_that_one_reader_did_not_find_is_lost():
    with pytest.raises(run.Failed, match="the node consumer found 1 of 2 notes"):
        run.judge({"python": Reader(*SENT), "node": Reader(("node-app", "note-0"))}, SENT)


def test_a_note_that_nobody_sent_is_named():
    with pytest.raises(run.Failed, match="1 notes came out that nobody sent"):
        run.judge({"python": Reader(*SENT, ("node-app", "note-1"))}, SENT)


def test_repeats_do_no_harm():
    run.judge({"python": Reader(*SENT, *SENT)}, SENT)


@pytest.mark.parametrize("in_ci", [False, True])
def test_a_missing_tool_is_named_and_fails_in_ci(monkeypatch, capsys, *, in_ci):
    monkeypatch.setattr(run, "LANGUAGES", ("node", "python"))
    monkeypatch.setattr(run, "IN_CI", in_ci)
    monkeypatch.setattr(shutil, "which", lambda _tool: None)
    if in_ci:
        with pytest.raises(run.Failed, match="node: no node: install Node"):
            run.ready()
    else:
        assert list(run.ready()) == ["python"]
        assert capsys.readouterr().err.count("\n") == 1


def test_a_reader_that_ended_is_not_waited_for(monkeypatch):
    monkeypatch.setattr(run, "DELIVERED_S", 60.0)
    reader = Reader()

    def ended():
        raise ClientFailed("exit code 1")

    reader.check_runs = ended
    with pytest.raises(ClientFailed):
        run.judge({"python": reader}, SENT)
