"""`rxtract drift`: what the drift-watcher would have said."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from rxtract.annotations import Json, one_line_errors
from rxtract.errors import UserError
from rxtract.mlflow_server import Stack, TrackingUri, find_mlflow

if TYPE_CHECKING:
    from collections.abc import Iterator
    from zoneinfo import ZoneInfo

    from clinical_ner.tagger import Tagger
    from drift.backtest import Alarm, RecordedNote
    from drift.observation import NoteNumbers

app = typer.Typer(name="drift", help="Drift of the notes: run the detector on recorded notes.", no_args_is_help=True)

_NOTES_AT_ONCE = 500
_FIRST_NOTE_AT = 1_767_225_600_000  # 2026-01-01 UTC; notes without a time follow each other by a second
_STEP_MS = 1_000
_EARLIEST_MS, _LATEST_MS = -2_208_988_800_000, 4_102_444_800_000  # 1900 to 2100: what is beyond is a mistake


@app.callback()
def _group() -> None:
    """Drift of the notes: run the detector on recorded notes."""


@app.command()
def backtest(
    model: Annotated[
        str, typer.Option("--model", help="A folder, models:/NAME@ALIAS, models:/NAME/VERSION, runs:/RUN.")
    ],
    notes: Annotated[
        Path, typer.Option("--notes", help="JSON lines with text, optionally city, specialty, written_at (ms or ISO).")
    ],
    timezone: Annotated[
        str, typer.Option("--timezone", envvar="RXTRACT_TIMEZONE", help="In which times are shown.")
    ] = "Asia/Kolkata",
    tracking_uri: TrackingUri = "",
    stack: Stack = None,
    json_: Json = False,
) -> None:
    """Run the drift detector on recorded notes, in their order, with the thresholds of the drift-watcher."""
    from clinical_ner.tracking_download import open_model
    from drift.backtest import backtest as run
    from drift.reference import references_of

    zone = _zone(timezone)
    with one_line_errors():
        opened = open_model(model, find_mlflow(tracking_uri, stack) if ":/" in model else "")
    references = references_of(opened.tagger.metadata)
    if not references:
        raise UserError(f"{model}: the model carries no reference statistics: train it anew with `rxtract train`")
    alarms = list(run(_counted(notes, opened.tagger), references, zone))
    if json_:
        print(json.dumps({"alarms": [alarm.to_dict() for alarm in alarms]}, indent=2))
    else:
        _print(alarms)


def _zone(name: str) -> ZoneInfo:
    from zoneinfo import ZoneInfo

    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise UserError(f"{name} is no time zone: write one like Asia/Kolkata") from None


def _counted(path: Path, tagger: Tagger) -> Iterator[list[tuple[RecordedNote, NoteNumbers]]]:
    """Tag the notes of a file, some hundred at a time."""
    for rows in _groups(_notes(path)):
        tagged = tagger.tag([text for text, _ in rows])
        yield [(note, found.statistics) for (_, note), found in zip(rows, tagged, strict=True)]


def _groups(rows: Iterator[tuple[str, RecordedNote]]) -> Iterator[list[tuple[str, RecordedNote]]]:
    held: list[tuple[str, RecordedNote]] = []
    for row in rows:
        held.append(row)
        if len(held) == _NOTES_AT_ONCE:
            yield held
            held = []
    if held:
        yield held


def _notes(path: Path) -> Iterator[tuple[str, RecordedNote]]:
    try:
        with path.open(encoding="utf-8") as lines:
            for index, line in enumerate(lines):
                if line.strip():
                    yield _note(line, index, path)
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror}): give a file of JSON lines") from None
    except UnicodeDecodeError:
        raise UserError(f"{path}: is not UTF-8 text: give a file of JSON lines") from None


def _note(line: str, index: int, path: Path) -> tuple[str, RecordedNote]:
    from drift.backtest import RecordedNote

    try:
        row: dict[str, Any] = json.loads(line)
        # "" + what is not a string is the TypeError that we want
        return "" + row["text"], RecordedNote(
            str(row.get("city") or ""), str(row.get("specialty") or ""), _written_at(row.get("written_at"), index)
        )
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        raise UserError(
            f'{path}, line {index + 1}: not a note: write {{"text": ..., "city": ..., "specialty": ..., "written_at": ...}}'
        ) from None


def _written_at(value: object, index: int) -> int:
    """UTC milliseconds of a number or an ISO time; a time without a zone is UTC."""
    if value is None or value == "":
        return _FIRST_NOTE_AT + index * _STEP_MS
    if isinstance(value, str):
        at = datetime.fromisoformat(value)
        value = (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() * 1000
    if isinstance(value, bool) or not isinstance(value, int | float) or not _EARLIEST_MS <= value < _LATEST_MS:
        raise ValueError("no time of a note")
    return int(value)


def _print(alarms: list[Alarm]) -> None:
    console = Console(highlight=False)
    if not alarms:
        console.print("no alarm")
        return
    printed = set()
    for alarm in alarms:
        key = (alarm.note_index, alarm.segment, alarm.level)
        if key not in printed:
            printed.add(key)
            console.print(f"note {alarm.note_index}: {alarm.level}: {alarm.evidence}", markup=False, soft_wrap=True)
