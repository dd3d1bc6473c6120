"""`rxtract extract`: entities of a text, without any server."""

from __future__ import annotations

import io
import json
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from clinical_ner.tagger import ArtifactRefused
from clinical_ner.tracking_download import ModelUnavailable, OpenedModel, open_model
from rich.console import Console
from rich.text import Text

from rxtract.addresses import read_addresses
from rxtract.errors import UserError
from rxtract.first_model import first_model
from rxtract.highlight import highlight, printable

if TYPE_CHECKING:
    from clinical_ner.tagger import TaggedNote

PICTURE_COLUMNS = 100


def extract(
    text: Annotated[str, typer.Argument(help="A clinical note; - reads it from standard input.")],
    model: Annotated[
        str | None, typer.Option(help="A folder, models:/NAME@ALIAS or runs:/RUN; else the shipped model.")
    ] = None,
    svg: Annotated[Path | None, typer.Option(help="Also draw what is printed into this file.")] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON object: entities, relations, confidence, model.")
    ] = False,
) -> None:
    """Print the diseases and treatments of TEXT. Offsets count Unicode code points: text[start:end] is the entity."""
    note = sys.stdin.read() if text == "-" else text
    if not note.strip():
        raise UserError("the note is empty: give its text, or pipe it in with -")
    opened = _open(model)
    try:
        tagged = opened.tagger.tag([note])[0]
    except ValueError as error:
        raise UserError(str(error)) from None
    if as_json:
        sys.stdout.write(json.dumps(as_object(note, tagged, opened), ensure_ascii=False, indent=2) + "\n")
        return
    console = Console(highlight=False, soft_wrap=True)
    _print(console, note, tagged)
    if svg is not None:
        svg.parent.mkdir(parents=True, exist_ok=True)
        svg.write_text(picture(note, tagged), encoding="utf-8")


def picture(note: str, tagged: TaggedNote) -> str:
    """Return the terminal's picture as SVG; it names no font from elsewhere."""
    drawing = Console(record=True, width=PICTURE_COLUMNS, file=io.StringIO(), force_terminal=True, highlight=False)
    _print(drawing, note, tagged)
    drawn = drawing.export_svg(title="rxtract extract", unique_id="rxtract")
    return re.sub(r"@font-face \{.*?\}", "", drawn, flags=re.DOTALL)


def as_object(note: str, tagged: TaggedNote, opened: OpenedModel) -> dict[str, Any]:
    """Return the stable object of `--json`; a relation names its ends by their ids and their words."""
    words = [note[entity.start : entity.end] for entity in tagged.entities]
    sure = [entity.confidence for entity in tagged.entities]
    return {
        "id": "1",
        "entities": [
            {
                "entity_id": f"e{number}",
                "label": str(entity.label),
                "text": words[number - 1],
                "start": entity.start,
                "end": entity.end,
                "confidence": round(entity.confidence, 4),
                "assertion": None,
                "prescription": None,
            }
            for number, entity in enumerate(tagged.entities, 1)
        ],
        "relations": [
            {
                "type": "TREATS",
                "treatment": words[treatment],
                "disease": words[disease],
                "treatment_id": f"e{treatment + 1}",
                "disease_id": f"e{disease + 1}",
                "confidence": round(sure[treatment] * sure[disease], 4),
            }
            for treatment, disease in tagged.pairs
        ],
        "note_confidence": round(tagged.confidence, 4),
        "model": {"source": opened.source, "sha256": opened.sha256},
    }


def _open(model: str | None) -> OpenedModel:
    try:
        if model is None:
            console = Console(stderr=True, highlight=False)
            with console.status("looking for the shipped model") as status:
                folder = first_model(lambda words: _say(console, status.update, words)).folder
            return open_model(str(folder))
        return open_model(model, read_addresses().mlflow_url)
    except (ArtifactRefused, ModelUnavailable) as error:
        raise UserError(str(error)) from None


def _say(console: Console, update: Any, words: str) -> None:
    if console.is_terminal:
        update(words)
    else:
        console.print(words, markup=False)


def _print(console: Console, note: str, tagged: TaggedNote) -> None:
    console.print(highlight(note, tagged.entities))
    if not tagged.entities:
        console.print(Text("no disease or treatment found", "dim"))
    for number, entity in enumerate(tagged.entities):
        line = Text.assemble(
            (f"  {entity.label:<9} ", "bold"),
            printable(note[entity.start : entity.end]),
            (f"  {entity.start}-{entity.end}  confidence {entity.confidence:.2f}", "dim"),
        )
        diseases = [tagged.entities[disease] for treatment, disease in tagged.pairs if treatment == number]
        if diseases:
            names = ", ".join(printable(note[disease.start : disease.end]) for disease in diseases)
            line.append(f"  for {names}", "italic")
        console.print(line)
