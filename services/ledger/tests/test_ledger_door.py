"""Who is told what: lost notes by name only on the ledger's own machine."""

import json
import sqlite3

import pytest
from ledger.account import main
from ledger.adapters.book import ACCEPTED, FILE, SUBMITTED, Book
from ledger.bootstrap import asked_account, asked_note
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


def test_what_waits_of_a_note_is_told_to_who_names_it(book, settings):
    note, prefix = Note("clinic", "N|2", 1), Note("clinic", "N|20", 1)
    book.submit(identity(note), (SUBMITTED, 0, 8), NOW_MS - 9_000, NOW_MS)
    book.submit(identity(note._replace(revision=300)), (ACCEPTED, 0, 1), NOW_MS - 7_000, NOW_MS)
    book.submit(identity(prefix), (ACCEPTED, 0, 2), NOW_MS, NOW_MS)
    book.commit(NOW_MS)

    def asked(note_id):
        status, found = asked_note(settings, f"source=clinic&note_id={note_id}")
        assert status == 200
        return [tuple(one.values()) for one in found["waiting"]]

    assert asked("N%7C2") == [(1, False, NOW_MS - 9_000, False), (300, True, NOW_MS - 7_000, False)]
    assert book.move(identity(note), (SUBMITTED, 0, 8), (ACCEPTED, 0, 3), NOW_MS - 5_000)
    book.answer(identity(note._replace(revision=300)))
    book.commit(NOW_MS)
    assert asked("N%7C2") == [(1, True, NOW_MS - 5_000, False)]
    assert asked("N1") == [(2, False, NOW_MS, True)], "lost, and still without an effect"
    book.answer(identity(note))
    book.commit(NOW_MS)
    assert asked("N%7C2") == asked("nobody") == []
    assert asked_note(settings, "source=clinic")[0] == 400


def test_an_account_of_the_release_before_is_taken_over(settings):
    kept = Book(settings.ledger_dir, "one")
    kept.submit(identity(LOST), (ACCEPTED, 0, 5), NOW_MS, NOW_MS + 11)
    kept.commit(NOW_MS)
    kept.close()
    with sqlite3.connect(settings.ledger_dir / FILE) as db:  # as it was: without the time of the record
        db.execute("alter table notes drop column at_ms")
        db.execute("pragma user_version = 1")
    db.close()
    taken = Book(settings.ledger_dir, "one")
    assert taken.totals.open == 1
    (waiting,) = asked_note(settings, "source=clinic&note_id=N1")[1]["waiting"]
    assert waiting["at_ms"] == NOW_MS + 11, "when it was first seen"
    taken.close()


def test_before_the_first_record_there_is_no_account(settings, capsys):
    assert asked_account(settings, "", from_here=True)[0] == 503
    assert asked_note(settings, "source=clinic&note_id=N1")[0] == 503
    assert main([]) == 1
    assert "not there yet" in capsys.readouterr().err


@pytest.mark.usefixtures("book")
def test_the_account_is_printed_where_the_ledger_runs(capsys):
    assert main([]) == 0
    assert json.loads(capsys.readouterr().out)["lost_notes"] == [LOST._asdict()]
