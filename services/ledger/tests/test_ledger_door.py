"""Who is told what: lost notes by name only on the ledger's own machine."""

import json

import pytest
from ledger.account import main
from ledger.adapters.book import SUBMITTED, Book
from ledger.bootstrap import asked_account
from ledger.domain.identity import Note, identity
from ledger.settings import LedgerSettings

NOW_MS = 1_790_000_000_000
LOST = Note("clinic", "N1", 2)


@pytest.fixture
def settings(tmp_path, monkeypatch):
    monkeypatch.setenv("RXTRACT_BOOTSTRAP_SERVERS", "127.0.0.1:1")
    monkeypatch.setenv("RXTRACT_SCHEMA_REGISTRY_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("RXTRACT_LEDGER_DIR", str(tmp_path / "ledger"))
    return LedgerSettings.load()


@pytest.fixture
def book(settings):
    made = Book(settings.ledger_dir, "one")
    made.submit(identity(LOST), (SUBMITTED, 0, 5), NOW_MS, NOW_MS)
    made.note_passed(NOW_MS, {(SUBMITTED, 0): 6}, 1_000)
    assert made.judge(NOW_MS) == 1
    made.commit(NOW_MS)
    yield made
    made.close()


@pytest.mark.usefixtures("book")
def test_lost_notes_are_named_to_this_machine_alone(settings):
    status, here = asked_account(settings, "", from_here=True)
    assert (status, here["lost"], here["lost_notes"]) == (200, 1, [LOST._asdict()])
    status, there = asked_account(settings, "", from_here=False)
    assert (status, there["lost"], there["lost_notes"], there["named"]) == (200, 1, [], False)


@pytest.mark.usefixtures("book")
def test_a_time_is_asked_for_in_milliseconds(settings):
    assert asked_account(settings, f"since={NOW_MS}", from_here=True)[1]["lost"] == 1
    assert asked_account(settings, f"since={NOW_MS + 60_000}", from_here=True)[1]["lost"] == 0
    assert asked_account(settings, "since=yesterday", from_here=True)[0] == 400
    assert asked_account(settings, f"since={'9' * 40}", from_here=True)[0] == 400


def test_before_the_first_record_there_is_no_account(settings, capsys):
    assert asked_account(settings, "", from_here=True)[0] == 503
    assert main([]) == 1
    assert "not there yet" in capsys.readouterr().err


@pytest.mark.usefixtures("book")
def test_the_account_is_printed_where_the_ledger_runs(capsys):
    assert main([]) == 0
    assert json.loads(capsys.readouterr().out)["lost_notes"] == [LOST._asdict()]
