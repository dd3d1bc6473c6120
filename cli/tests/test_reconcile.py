"""`rxtract reconcile` against a ledger's health port."""

import json

import pytest
from runtime.service.health import HealthServer
from rxtract.commands.reconcile import reconcile
from rxtract.errors import UserError

ACCOUNT = {
    "submitted": 1_004,
    "effects": 990,
    "dead_letters": 10,
    "open": 3,
    "lost": 1,
    "oldest_open_seconds": 12.3,
    "lost_notes": [{"source": "clinic", "note_id": "N1", "revision": 2}],
}


@pytest.fixture
def asked(monkeypatch):
    """A ledger that answers, and what it was asked."""
    asked: list[str] = []

    def answer(query, from_here):
        asked.append(query)
        return 200, {**ACCOUNT, "named": from_here}

    with HealthServer(pages={"/account": answer}) as server:
        monkeypatch.setenv("RXTRACT_LEDGER_URL", f"http://127.0.0.1:{server.port}")
        yield asked


def test_json_is_one_object_with_the_agreed_keys(asked, capsys):
    reconcile(since="2026-01-31T09:00:00Z", json_=True)
    assert json.loads(capsys.readouterr().out) == ACCOUNT
    assert asked == ["since=1769850000000"]


def test_a_person_reads_what_became_of_the_notes_and_which_are_lost(asked, capsys):
    reconcile()
    said = " ".join(capsys.readouterr().out.split())
    assert "1,004 submitted = 990 with entities + 10 dead letters + 3 open + 1 lost" in said
    assert "lost: clinic N1 revision 2" in said
    assert "every note is accounted for" not in said
    assert asked == [""]


def test_without_a_ledger_one_line_says_what_to_do(monkeypatch):
    monkeypatch.setenv("RXTRACT_LEDGER_URL", "http://127.0.0.1:9")
    with pytest.raises(UserError, match="does not answer"):
        reconcile()


def test_names_that_are_not_told_are_said_to_be_elsewhere(monkeypatch, capsys):
    hidden = {**ACCOUNT, "lost_notes": [], "named": False}
    with HealthServer(pages={"/account": lambda _query, _from_here: (200, hidden)}) as server:
        monkeypatch.setenv("RXTRACT_LEDGER_URL", f"http://127.0.0.1:{server.port}")
        reconcile(json_=True)
    found = capsys.readouterr()
    assert json.loads(found.out)["lost"] == 1
    assert "kubectl port-forward" in found.err


def test_an_account_that_is_not_there_yet_is_said(monkeypatch):
    pages = {"/account": lambda _query, _from_here: (503, {"error": "the account is not there yet"})}
    with HealthServer(pages=pages) as server:
        monkeypatch.setenv("RXTRACT_LEDGER_URL", f"http://127.0.0.1:{server.port}")
        with pytest.raises(UserError, match="not there yet"):
            reconcile()
