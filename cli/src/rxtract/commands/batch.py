"""`rxtract batch`: the notes of Parquet files into records at rest, on one machine, without any server."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from clinical_ner.tagger import ArtifactRefused
from clinical_ner.tracking_download import ModelUnavailable
from rich.console import Console

from rxtract.addresses import read_addresses
from rxtract.errors import UserError

if TYPE_CHECKING:
    from rxtract_tagger.local import Outcome, Progress
    from rxtract_tagger.tagger import Tagger


def batch(
    source: Annotated[Path, typer.Argument(metavar="IN", help="A Parquet file, or a folder with such files.")],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="A folder for the records: empty, or of runs before.")],
    model: Annotated[
        str | None, typer.Option(help="A folder, models:/NAME@ALIAS or runs:/RUN; else the shipped model.")
    ] = None,
    jobs: Annotated[int | None, typer.Option(min=1, help="Processes; else one a core.")] = None,
    name: Annotated[
        str, typer.Option("--source", help="The system that the notes are from, where no column says it.")
    ] = "lake",
    text_column: Annotated[str, typer.Option(help="The column of texts.")] = "text",
    id_column: Annotated[str, typer.Option(help="The column of note ids.")] = "note_id",
    zone: Annotated[str, typer.Option(help="The time zone whose days are counted.")] = "Asia/Kolkata",
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object of counts at the end.")] = False,
) -> None:
    """Extract the entities of old notes, a Parquet file a task; `rxtract sql --records OUT` asks the result.

    Run again after it was cut short, it goes on where it was. Run again with another model, its rows replace those of before.

    Invalid notes are listed in OUT and never stop the others. Nothing is published, counted as live or sent to review.
    """
    from rxtract_tagger.arrow import LakeError, Reading
    from rxtract_tagger.local import tag_parquet

    console = Console(stderr=True, highlight=False)
    began = time.monotonic()
    try:
        reading = Reading(source=name, zone=zone, text=text_column, note_id=id_column)
        tagger = _open(model)
        with console.status("reading the files' digests") as status:
            outcome = tag_parquet(
                source,
                out,
                tagger,
                reading,
                jobs=jobs,
                on_progress=lambda now: status.update(_words(now, time.monotonic() - began)),
            )
    except (LakeError, ModelUnavailable, ArtifactRefused) as error:
        raise UserError(str(error)) from None
    except OSError as error:
        raise UserError(f"{error.filename or out} cannot be written: {error.strerror}") from None
    if as_json:
        sys.stdout.write(json.dumps(_counts(outcome)) + "\n")
    else:
        _print(outcome, out)


def _open(model: str | None) -> Tagger:
    from rxtract_tagger.tagger import Tagger

    return Tagger.open(model, tracking_uri=read_addresses().mlflow_url or None)


def _words(now: Progress, seconds: float) -> str:
    return f"{now.done} of {now.files} files, {now.notes:,} notes, {now.notes / max(seconds, 0.1):,.0f} a second"


def _counts(outcome: Outcome) -> dict[str, object]:
    return {
        "files": outcome.files,
        "kept": outcome.kept,
        "notes": outcome.notes,
        "refused": outcome.refused,
        "folder": str(outcome.folder),
        "refusals": [str(path) for path in outcome.refusals],
    }


def _print(outcome: Outcome, out: Path) -> None:
    kept = f", {outcome.kept} of them from a run before" if outcome.kept else ""
    print(f"{outcome.notes:,} notes, {outcome.refused:,} refused, in {outcome.files} files{kept}")
    if outcome.refusals:
        print(f"refused (row, source, note_id, reason): {outcome.folder}/*.refused, as Parquet")
    print(f"next: rxtract sql diseases-by-status --records {out}")
