"""`rxtract extract`: entities of a text or of a file of notes, and what is stated of them, without any server."""

from __future__ import annotations

import io
import json
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from clinical_ner.html import page
from clinical_ner.kinds import calibration_object, warning
from clinical_ner.meaning import RelationType
from clinical_ner.objects import note_object
from clinical_ner.tagger import ArtifactRefused
from clinical_ner.tracking_download import ModelUnavailable, OpenedModel, open_model
from rich.console import Console
from rich.text import Text
from rxtract_tagger.note_files import BadRow
from rxtract_tagger.tagger import Tagger

from rxtract.errors import UserError
from rxtract.facts import assertion_words, prescription_words
from rxtract.first_model import first_model
from rxtract.highlight import highlight, printable
from rxtract.mlflow_server import find_mlflow
from rxtract.note_files import read_notes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from clinical_ner.meaning import Relation
    from clinical_ner.tagger import Entity, TaggedNote

PICTURE_COLUMNS = 100
FILE_NAME = re.compile(r"\S+\.(?:txt|csv|json|jsonl|ndjson|parquet|md|docx?|pdf)", re.IGNORECASE)
"""One word with the ending of a file."""


def extract(
    text: Annotated[str | None, typer.Argument(help="A clinical note; - reads it from standard input.")] = None,
    file: Annotated[
        Path | None,
        typer.Option(
            "--file", "-f", help="Notes instead of TEXT: .jsonl {id, text}, .csv with text, .txt, or a folder of .txt."
        ),
    ] = None,
    model: Annotated[
        str | None, typer.Option(help="A folder, models:/NAME@ALIAS or runs:/RUN; else the shipped model.")
    ] = None,
    svg: Annotated[Path | None, typer.Option(help="Also draw what is printed into this file.")] = None,
    html: Annotated[
        Path | None, typer.Option("--html", help="Also write this page: the notes with their entities in colour.")
    ] = None,
    as_json: Annotated[
        bool,
        typer.Option(
            "--json", help="One JSON object: entities, relations, confidence, model. With --file: one a note."
        ),
    ] = False,
) -> None:
    """Print the diseases and treatments in TEXT with their status, relations and prescriptions. Offsets count Unicode code points.

    A TEXT that begins with a dash goes behind `--`.

    With --file and --json each note gives one line {id, entities, relations}, in order; a row that cannot be used gives
    {id, error}, and the exit code is then 1. A row of .jsonl with `spans` keeps them as its entities.
    """
    if file is not None and text is None:
        _extract_file(file, model, as_json=as_json, svg=svg, html=html)
        return
    if text is None or file is not None:
        raise UserError("give either TEXT (or -) or --file FILE")
    note = _from_stdin() if text == "-" else _no_file_name(text)
    if not note.strip():
        raise UserError("the note is empty: give its text, or pipe it in with -")
    opened = opened_model(model)
    try:
        tagged = opened.tagger.tag([note])[0]
    except ValueError as error:
        raise UserError(str(error)) from None
    if html is not None:
        _write(html, page([("1", note, tagged.entities)]))
    if as_json:
        sys.stdout.write(json.dumps(as_object(note, tagged, opened), ensure_ascii=False, indent=2) + "\n")
        return
    console = Console(highlight=False, soft_wrap=True)
    _print(console, note, tagged.entities, tagged.relations)
    if unlike := warning(opened.tagger.metadata, tagged.statistics):
        console.print(Text(unlike, "dim"))
    if svg is not None:
        _write(svg, picture(note, tagged))


def _write(path: Path, content: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")
    except OSError as error:
        raise UserError(f"{path} cannot be written: {error.strerror}") from None


def _no_file_name(text: str) -> str:
    """Return the note; refuse what is surely meant as the name of a file."""
    if FILE_NAME.fullmatch(text):
        if Path(text).exists():
            raise UserError(f"{text} is a file: read its notes with `rxtract extract --file {text}`")
        raise UserError(f"there is no file {text}; a note has more words than one with such an ending")
    return text


def _from_stdin() -> str:
    """Return what was piped in; what is no UTF-8 is read as Windows-1252, which is said."""
    raw = sys.stdin.buffer.read().removeprefix(b"\xef\xbb\xbf")
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        print("rxtract: not UTF-8: read as Latin-1 (Windows-1252)", file=sys.stderr)
        return raw.decode("cp1252", errors="replace")


def picture(note: str, tagged: TaggedNote) -> str:
    """Return the terminal's picture as SVG; it names no font from elsewhere."""
    drawing = Console(record=True, width=PICTURE_COLUMNS, file=io.StringIO(), force_terminal=True, highlight=False)
    _print(drawing, note, tagged.entities, tagged.relations)
    drawn = drawing.export_svg(title="rxtract extract", unique_id="rxtract")
    return re.sub(r"@font-face \{.*?\}", "", drawn, flags=re.DOTALL)


def as_object(note: str, tagged: TaggedNote, opened: OpenedModel) -> dict[str, Any]:
    """Return the stable object of `--json`; a relation names its ends by their ids and their words."""
    model = {"source": opened.source, "sha256": opened.sha256}
    found = note_object("1", note, tagged) | {"model": model, "rules_version": opened.tagger.rules_version}
    return found | {"calibration": calibration_object(opened.tagger.metadata, tagged.statistics)}


def _extract_file(path: Path, model: str | None, *, as_json: bool, svg: Path | None, html: Path | None) -> None:
    if svg is not None:
        raise UserError("--svg draws one note: give its TEXT instead of --file")
    rows = read_notes(path)
    tagger = Tagger(opened_model(model))
    console = Console(highlight=False, soft_wrap=True)
    refused = 0
    pages: list[tuple[str, str, Sequence[Entity]]] = []
    for row in tagger.stream(rows):
        if isinstance(row, BadRow):
            refused += 1
            _say_bad(row, as_json=as_json)
            continue
        if html is not None:
            pages.append((str(row.id), row.text, row.entities))
        if as_json:
            sys.stdout.write(json.dumps(row.to_dict(), ensure_ascii=False) + "\n")
        else:
            console.print(Text(f"{row.id}", "bold"))
            _print(console, row.text, row.entities, row.relations)
    sys.stdout.flush()
    if html is not None:
        _write(html, page(pages))
    if refused:
        raise typer.Exit(1)


def _say_bad(row: BadRow, *, as_json: bool) -> None:
    if as_json:
        sys.stdout.write(row.as_json() + "\n")
    else:
        print(f"{row.row_id}: {row.error}", file=sys.stderr)


def opened_model(model: str | None) -> OpenedModel:
    """Open a model as a user names it; None: the shipped one.

    Raises:
        UserError: It cannot be had or used.
    """
    try:
        if model is None:
            console = Console(stderr=True, highlight=False)
            with console.status("looking for the shipped model") as status:
                folder = first_model(lambda words: _say(console, status.update, words)).folder
            return open_model(str(folder))
        return open_model(model, find_mlflow("") if ":/" in model else "")
    except (ArtifactRefused, ModelUnavailable) as error:
        raise UserError(str(error)) from None


def _say(console: Console, update: Any, words: str) -> None:
    if console.is_terminal:
        update(words)
    else:
        console.print(words, markup=False)


def _print(console: Console, note: str, entities: Sequence[Entity], relations: Sequence[Relation]) -> None:
    console.print(highlight(note, entities))
    if not entities:
        console.print(Text("no disease or treatment found", "dim"))
    for number, entity in enumerate(entities):
        line = Text.assemble(
            (f"  {entity.label:<9} ", "bold"),
            printable(note[entity.start : entity.end]),
            (f"  {entity.start}-{entity.end}  confidence {entity.confidence:.2f}", "dim"),
        )
        if words := assertion_words(entity.assertion, note):
            line.append(f"  {printable(words)}", "yellow")
        for relation in relations:
            if relation.treatment == number:
                disease = entities[relation.disease]
                words = "for" if relation.type is RelationType.TREATS else str(relation.type).lower().replace("_", " ")
                line.append(f"  {words} {printable(note[disease.start : disease.end])}", "italic")
        if entity.prescription is not None:
            line.append(f"  {printable(prescription_words(entity.prescription))}", "cyan")
        console.print(line)
