"""`rxtract send`: three formats, resumable, rejects with reasons."""

import json
import os
from collections.abc import Sequence
from pathlib import Path

import httpx
import pyarrow as pa
import pytest
from contracts.records import NoteSubmitted, Origin
from pyarrow import parquet
from rxtract.addresses import StackAddresses
from rxtract.backfill.doors import HttpDoor, Refusal
from rxtract.backfill.files import open_file, read_rows, to_note
from rxtract.backfill.run import send_file
from rxtract.backfill.state import Progress, Rejects, StateFile, rejects_path
from rxtract.commands import send as command
from rxtract.errors import UserError
from typer import Typer
from typer.testing import CliRunner

ROW = {
    "source": "clinic",
    "note_id": "N1",
    "revision": 2,
    "prescription_id": "RX1",
    "patient_ref": "P1",
    "doctor_ref": "D1",
    "city": "Pune",
    "specialty": "gp",
    "written_at": 1_790_000_000_000,
    "text": 'fever, "cold"\nthree days',
}


def rows(count: int) -> list[dict]:
    return [{**ROW, "note_id": f"N{number}"} for number in range(count)]


def write_jsonl(path: Path, content: Sequence[object]) -> Path:
    path.write_text("".join((one if isinstance(one, str) else json.dumps(one)) + "\n" for one in content))
    return path


def write_csv(path: Path, content: Sequence[dict]) -> Path:
    import csv

    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, content[0].keys())
        writer.writeheader()
        writer.writerows(content)
    return path


def write_parquet(path: Path, content: Sequence[dict]) -> Path:
    parquet.write_table(pa.Table.from_pylist(list(content)), path)
    return path


class FakeDoor:
    """Keeps what it is given; refuses ids that begin with `bad`; dies before a batch when told to."""

    def __init__(self, dies_at: int = -1) -> None:
        self.batches: list[list[NoteSubmitted]] = []
        self.dies_at = dies_at

    def send(self, notes: Sequence[NoteSubmitted]) -> list[Refusal]:
        if len(self.batches) == self.dies_at:
            raise KeyboardInterrupt
        self.batches.append(list(notes))
        error = {"field": "text", "reason": "EMPTY_TEXT", "message": "empty"}
        return [Refusal(index, [error]) for index, note in enumerate(notes) if note.note_id.startswith("bad")]

    def close(self) -> None:
        pass

    @property
    def ids(self) -> list[str]:
        return [note.note_id for batch in self.batches for note in batch]


def send(path: Path, door: FakeDoor, batch_rows: int = 10, source: str | None = None) -> Progress:
    file = open_file(path)
    state = StateFile(file)
    rejects = Rejects(rejects_path(file), state.load().rejects_bytes)
    how = {"source": source, "batch_rows": batch_rows, "on_progress": lambda _: None}
    return send_file(file, door, state, rejects, Origin.BACKFILL, **how)


def rejected(path: Path) -> list[dict]:
    file = path.with_name(path.name + ".rejected.jsonl")
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


@pytest.mark.parametrize("write", [write_jsonl, write_csv, write_parquet])
def test_all_formats_give_the_same_notes(tmp_path: Path, write) -> None:
    suffix = write.__name__.removeprefix("write_")
    door = FakeDoor()
    send(write(tmp_path / f"notes.{suffix}", rows(3)), door)
    expected = [NoteSubmitted(**{**row, "origin": Origin.BACKFILL}) for row in rows(3)]
    assert [note for batch in door.batches for note in batch] == expected


@pytest.mark.parametrize("write", [write_jsonl, write_csv, write_parquet])
def test_a_row_that_names_no_source_gets_the_one_that_was_given(tmp_path: Path, write) -> None:
    content = [{**ROW, "source": None}, ROW]
    path = write(tmp_path / f"n.{write.__name__.removeprefix('write_')}", content)
    door = FakeDoor()
    send(path, door, source="clinic-b")
    assert [note.source for batch in door.batches for note in batch] == ["clinic-b", "clinic"]


@pytest.mark.parametrize("write", [write_jsonl, write_csv, write_parquet])
def test_a_file_without_sources_needs_one_from_elsewhere(tmp_path: Path, write) -> None:
    content = [{name: value for name, value in ROW.items() if name != "source"}]
    path = write(tmp_path / f"n.{write.__name__.removeprefix('write_')}", content)
    assert send(path, FakeDoor()).rejected == 1
    assert rejected(path)[0]["errors"][0]["reason"] == "MISSING_FIELD"


def test_the_source_is_that_which_is_given_else_that_of_the_stack_else_that_of_the_token() -> None:
    known, unknown = StackAddresses(ingest_source="local"), StackAddresses()
    http, kafka = command.DoorName.HTTP, command.DoorName.KAFKA
    assert command.source_of("clinic-b", kafka, known) == "clinic-b"
    assert [command.source_of(None, door, known) for door in (http, kafka)] == ["local", "local"]
    assert [command.source_of(None, door, unknown) for door in (http, kafka)] == ["", None]
    for wrong in ("", "Clinic", "a|b", "x" * 41):
        with pytest.raises(UserError, match="names no source"):
            command.source_of(wrong, http, known)


def test_by_http_a_source_that_is_not_known_is_left_to_the_token() -> None:
    ingestor = FakeIngestor()
    notes = [NoteSubmitted(**{**ROW, "source": source, "origin": Origin.LIVE}) for source in ("", "clinic")]
    http_door(ingestor, []).send(notes)
    assert [note.get("source") for note in ingestor.notes] == [None, "clinic"]


@pytest.mark.parametrize("value", ["2026-09-21T14:13:20Z", "2026-09-21T19:43:20+05:30", 1_790_000_000_000])
def test_times_may_be_written_in_two_ways(tmp_path: Path, value: object) -> None:
    [row] = read_rows(open_file(write_jsonl(tmp_path / "n.jsonl", [{**ROW, "written_at": value}])))
    assert to_note(row, Origin.LIVE, None).written_at == 1_790_000_000_000


def test_what_is_no_note_is_rejected_with_its_line_and_reason(tmp_path: Path) -> None:
    content = [
        ROW,
        "not json",
        "",
        {**ROW, "text": 5},
        {**ROW, "extra": 1},
        {**ROW, "written_at": "yesterday"},
        {**ROW, "written_at": "2026-09-21T14:13:20"},
        "[1]",
        {**ROW, "note_id": "bad"},
    ]
    path = write_jsonl(tmp_path / "n.jsonl", content)
    progress = send(path, FakeDoor())
    assert (progress.sent, progress.rejected) == (1, 7)
    found = {one["row"]: (one["errors"][0]["field"], one["errors"][0]["reason"]) for one in rejected(path)}
    assert found == {
        2: ("", "UNDECODABLE"),
        4: ("text", "WRONG_TYPE"),
        5: ("NoteSubmitted", "UNKNOWN_FIELD"),
        6: ("written_at", "WRONG_TYPE"),
        7: ("written_at", "WRONG_TYPE"),
        8: ("", "UNDECODABLE"),
        9: ("text", "EMPTY_TEXT"),
    }
    assert (path.with_name("n.jsonl.rejected.jsonl").stat().st_mode & 0o777) == 0o600


def test_a_send_that_was_killed_goes_on_where_it_was(tmp_path: Path) -> None:
    path = write_jsonl(
        tmp_path / "n.jsonl", [{**ROW, "note_id": f"bad{n}" if n % 7 == 0 else f"N{n}"} for n in range(95)]
    )
    for dies_at in (2, 3, 0):
        with pytest.raises(KeyboardInterrupt):
            send(path, FakeDoor(dies_at))
    # Killed after the rejects were written and before the state was: those lines do not count.
    with path.with_name("n.jsonl.rejected.jsonl").open("a") as file:
        file.write('{"row": 50, "half a line')
    last = FakeDoor()
    progress = send(path, last)
    assert (progress.sent, progress.rejected, progress.finished) == (81, 14, True)
    assert last.ids[0] == "N50"
    assert [one["row"] for one in rejected(path)] == [number + 1 for number in range(0, 95, 7)]


def test_another_content_under_the_same_name_begins_anew(tmp_path: Path) -> None:
    path = write_jsonl(tmp_path / "n.jsonl", rows(5))
    send(path, FakeDoor())
    write_jsonl(path, rows(6))
    door = FakeDoor()
    send(path, door)
    assert len(door.ids) == 6


def test_large_texts_make_small_batches(tmp_path: Path) -> None:
    door = FakeDoor()
    send(write_jsonl(tmp_path / "n.jsonl", [{**row, "text": "x" * 200_000} for row in rows(5)]), door)
    assert [len(batch) for batch in door.batches] == [1, 1, 1, 1, 1]


def test_a_folder_that_cannot_be_written_keeps_its_state_in_the_cache(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    path = write_jsonl(tmp_path / "n.jsonl", [*rows(3), {**ROW, "note_id": "bad"}])
    monkeypatch.setattr(os, "access", lambda folder, mode: False)
    assert send(path, FakeDoor()).finished
    assert StateFile(open_file(path)).load().sent == 3
    assert [entry.name for entry in tmp_path.iterdir() if entry.is_file()] == ["n.jsonl"]


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("n.txt", "", "must end in .jsonl"),
        ("none.jsonl", None, "cannot read"),
        ("n.csv", "note_id,texxt\n1,2\n", "columns that a note does not have: texxt"),
        ("n.csv", "note_id,text\n1,2\n", "misses columns: city, doctor_ref"),
        ("n.parquet", "not parquet", "no readable Parquet"),
    ],
)
def test_what_is_wrong_with_a_file_is_one_line(tmp_path: Path, name: str, content: str | None, words: str) -> None:
    path = tmp_path / name
    if content is not None:
        path.write_text(content)
    with pytest.raises(UserError, match=words) as error:
        list(read_rows(open_file(path)))
    assert "\n" not in str(error.value)


class FakeIngestor(httpx.BaseTransport):
    """Answers a list of prepared statuses first, then takes what comes; arrays above 4 notes are too large."""

    def __init__(self, *statuses: int) -> None:
        self.statuses = list(statuses)
        self.ids: list[str] = []
        self.notes: list[dict] = []

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        if self.statuses:
            return httpx.Response(self.statuses.pop(0), headers={"Retry-After": "3"})
        notes = json.loads(request.content)
        if len(notes) > 4:
            return httpx.Response(413)
        self.ids += [note["note_id"] for note in notes]
        self.notes += notes
        results = [
            {"index": index, "status": "conflict" if note["note_id"] == "N7" else "accepted", "errors": []}
            for index, note in enumerate(notes)
        ]
        return httpx.Response(207, json={"results": results})


def http_door(transport: FakeIngestor, slept: list[float]) -> HttpDoor:
    addresses = StackAddresses(ingest_url="http://door", ingest_token="t")
    return HttpDoor(addresses, transport=transport, sleep=slept.append)


def test_a_busy_door_is_waited_for_as_it_asks() -> None:
    slept: list[float] = []
    notes = [NoteSubmitted(**{**row, "origin": Origin.LIVE}) for row in rows(3)]
    assert http_door(FakeIngestor(503, 429), slept).send(notes) == []
    assert slept == [3.0, 3.0]


def test_an_array_that_is_too_large_is_halved() -> None:
    ingestor = FakeIngestor()
    notes = [NoteSubmitted(**{**row, "origin": Origin.LIVE}) for row in rows(10)]
    refusals = http_door(ingestor, []).send(notes)
    assert sorted(ingestor.ids) == sorted(note.note_id for note in notes)
    assert [(refusal.index, refusal.errors[0]["reason"]) for refusal in refusals] == [(7, "CONFLICT")]


def test_a_refused_token_and_a_long_silence_are_one_line_each() -> None:
    notes = [NoteSubmitted(**{**ROW, "origin": Origin.LIVE})]
    with pytest.raises(UserError, match="RXTRACT_INGEST_TOKEN"):
        http_door(FakeIngestor(401), []).send(notes)
    with pytest.raises(UserError, match="goes on where it was"):
        http_door(FakeIngestor(*[503] * 100), []).send(notes)


def test_a_lone_surrogate_reaches_the_ingestor_which_refuses_that_note_alone() -> None:
    ingestor = FakeIngestor()
    http_door(ingestor, []).send([NoteSubmitted(**{**ROW, "text": "x\ud800", "origin": Origin.LIVE})])
    assert ingestor.ids == ["N1"]


@pytest.fixture
def cli(monkeypatch: pytest.MonkeyPatch) -> tuple[CliRunner, Typer, FakeDoor]:
    door = FakeDoor()
    monkeypatch.setattr(command, "_open", lambda name, addresses: door)
    app = Typer()
    app.command()(command.send)
    return CliRunner(), app, door


def test_the_command_from_end_to_end(cli, tmp_path: Path) -> None:
    runner, app, door = cli
    path = write_jsonl(tmp_path / "n.jsonl", [*rows(3), {**ROW, "note_id": "bad"}])
    first = runner.invoke(app, [str(path)])
    assert first.exit_code == 1
    assert "3 notes sent" in first.output
    assert "1 rejected, with reasons in" in first.output
    assert "the first: row 4, text: empty" in first.output, "why is seen without opening the file"
    again = runner.invoke(app, [str(path)])
    assert "was sent before" in again.output
    assert len(door.ids) == 4
    anew = runner.invoke(app, [str(path), "--again", "--json", "--door", "kafka"])
    assert json.loads(anew.stdout) | {"seconds": 0, "rows_per_s": 0} == {
        "file": str(path),
        "sent": 3,
        "rejected": 1,
        "already_sent": False,
        "seconds": 0,
        "rows_per_s": 0,
        "rejects": f"{path}.rejected.jsonl",
    }
    assert len(rejected(path)) == 1


def test_ctrl_c_says_how_to_go_on(cli, tmp_path: Path) -> None:
    runner, app, door = cli
    door.dies_at = 2
    path = write_jsonl(tmp_path / "n.jsonl", rows(50))
    stopped = runner.invoke(app, [str(path), "--batch", "10"])
    assert stopped.exit_code == 130
    assert "stopped after row 20" in stopped.output
    door.dies_at = -1
    assert "going on after row 20" in runner.invoke(app, [str(path)]).output
    assert len(door.ids) == 50


def test_what_one_stack_got_is_sent_to_another(cli, tmp_path: Path, monkeypatch) -> None:
    runner, app, door = cli
    path = write_jsonl(tmp_path / "n.jsonl", rows(3))
    places = iter(["one", "one", "other", "other", "other"])
    monkeypatch.setattr(
        command, "read_addresses", lambda _: StackAddresses(ingest_url="http://d", stack_id=next(places))
    )
    assert "BACKFILL" in runner.invoke(app, [str(path)]).output
    assert "was sent before" in runner.invoke(app, [str(path)]).output
    elsewhere = runner.invoke(app, [str(path)]).output
    assert "another stack, door or origin before" in elsewhere
    assert "3 notes sent" in elsewhere
    live = runner.invoke(app, [str(path), "--origin", "LIVE"]).output
    assert "3 notes sent" in live
    assert "BACKFILL" not in live
    assert "3 notes sent" in runner.invoke(app, [str(path), "--origin", "LIVE", "--door", "kafka"]).output
    assert len(door.ids) == 12
