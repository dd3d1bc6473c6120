"""`rxtract dataset import` and `export`: from the formats of other tools to canonical JSON lines, and to four of theirs."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from clinical_ner.dataset_description import counted
from corpus.formats.writing import LOSES, Target, write
from corpus.loaders import load_jsonl
from rich.console import Console

from rxtract.annotations import (
    Data,
    Json,
    Labels,
    Sentences,
    SentencesFormat,
    open_annotations,
    reads_annotations,
    say,
)
from rxtract.dataset_versions import log_version
from rxtract.errors import UserError
from rxtract.mlflow_server import Stack, TrackingUri, find_mlflow_or_go_on

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from clinical_ner.dataset_description import Tally
    from clinical_ner.notes import AnnotatedNote
    from corpus.loaders import Reading

NOTES_FILE = "notes.jsonl"
MANIFEST_FILE = "manifest.json"
Path_ = Annotated[
    Path | None, typer.Argument(help="The file or folder to read; the same as --data.", show_default=False)
]


@reads_annotations
def import_(
    out: Annotated[Path, typer.Option("--out", "-o", help=f"Folder for {NOTES_FILE} and {MANIFEST_FILE}.")],
    path: Path_ = None,
    sentences: Sentences = None,
    labels: Labels = None,
    sentences_format: SentencesFormat = None,
    data: Data = None,
    name: Annotated[str, typer.Option(help="Name of the data set; the file's name if absent.")] = "",
    publish: Annotated[
        bool, typer.Option("--publish", help="Give the notes to the running stack's trainer, and order a training.")
    ] = False,
    model_name: Annotated[str, typer.Option(help="Registered model that --publish has trained.")] = "rxtract-ner",
    tracking_uri: TrackingUri = "",
    stack: Stack = None,
    json_: Json = False,
) -> None:
    """Read annotated notes of another tool, say what was recognised and repaired, and write canonical JSON lines with a manifest.

    Read are brat, Label Studio (JSON, JSON_MIN, CSV, CONLL2003), doccano, spaCy (.spacy, JSON), Prodigy, LightTag, CoNLL columns, CSV and xlsx,
    Hugging Face tokens and tags (JSON, Parquet), PubTator, BioC (JSON, XML), i2b2, GLiNER, SpERT, and folders of them. The version is logged
    to MLflow where one is known.

    With --publish the notes also become validated annotations, and once all are stored the trainer is told to learn from them.
    """
    reading, source = open_annotations(sentences, labels, sentences_format, _one(path, data))
    characters = _write_version(reading, source, name or source, out)
    manifest = json.loads((out / MANIFEST_FILE).read_text(encoding="utf-8"))
    server = find_mlflow_or_go_on(tracking_uri, stack)
    profile = {"notes": manifest["notes"], "characters": characters, **manifest["mentions"]}
    log_version(source, manifest["digest"], profile, server, [out / MANIFEST_FILE])
    say([remark for remark in manifest["remarks"] if remark not in reading.remarks])
    if publish:
        _publish(out, manifest, model_name, stack)
    if json_:
        print(json.dumps(manifest, indent=2))
    else:
        counts = ", ".join(f"{count:,} {label}" for label, count in manifest["mentions"].items())
        print("recognised " + "; ".join(manifest["formats"]))
        print(f"{counted(manifest['notes'], 'note')} ({counts}) in {out / NOTES_FILE}\nversion {manifest['digest']}")


@reads_annotations
def export(
    to: Annotated[Target, typer.Option("--to", help="The form to write.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="The file to write.")],
    path: Path_ = None,
    sentences: Sentences = None,
    labels: Labels = None,
    sentences_format: SentencesFormat = None,
    data: Data = None,
) -> None:
    """Write annotated notes, read from any format, as JSON lines, CoNLL columns, a spaCy DocBin or Label Studio tasks."""
    reading, _ = open_annotations(sentences, labels, sentences_format, _one(path, data))
    if out.is_dir():
        raise UserError(f"{out} is a folder: name the file to write by --out")
    out.parent.mkdir(parents=True, exist_ok=True)
    count = write(reading.notes(), to, out)
    say([f"{to}: {LOSES[to]}"] if LOSES[to] else [])
    print(f"{counted(count, 'note')} in {out}")


def _one(path: Path | None, data: Path | None) -> Path | None:
    if path is not None and data is not None:
        raise UserError("give the file once: as an argument, or by --data")
    return path or data


def _write_version(reading: Reading, source: str, name: str, out: Path) -> int:
    """Write notes and manifest, and return how many characters the notes have; what is not whole bears another name, and another version is never overwritten."""
    from clinical_ner.dataset_description import Tally

    old = _old_digest(out)
    out.mkdir(parents=True, exist_ok=True)
    tally, unfinished = Tally(), out / f".{NOTES_FILE}.{os.getpid()}"
    try:
        write(_counted(reading.notes(), tally), Target.JSONL, unfinished)
        manifest = _manifest(tally, reading, source, name)
        if old and old != manifest["digest"]:
            raise UserError(
                f"{out} holds another version ({old[:16]}…): give a new folder, versions are never overwritten"
            )
        unfinished.replace(out / NOTES_FILE)
    finally:
        unfinished.unlink(missing_ok=True)
    (out / MANIFEST_FILE).write_text(json.dumps(manifest, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return tally.characters


def _counted(notes: Iterator[AnnotatedNote], tally: Tally) -> Iterator[AnnotatedNote]:
    for note in notes:
        tally.add(note)
        yield note


def _manifest(tally: Tally, reading: Reading, source: str, name: str) -> dict[str, Any]:
    from clinical_ner.notes import Label

    return {
        "name": name,
        "digest": tally.digest(),
        "digest_of": "sha256 over the sorted sha256 of each note's text, spans and pairs",
        "source": source,
        "formats": reading.formats,
        "imported_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "notes": tally.notes,
        "tokens": tally.tokens,
        "mentions": {str(label): tally.mentions[label] for label in Label},
        "pairs": tally.pairs,
        "groups": tally.groups,
        "remarks": [*reading.remarks, *tally.remarks()],
    }


def _publish(out: Path, manifest: Mapping[str, Any], model_name: str, stack: Path | None) -> None:
    from rxtract.addresses import read_addresses
    from rxtract.imported import publish_import

    notes = load_jsonl(out / NOTES_FILE)
    command = publish_import(read_addresses(stack), notes, manifest["name"], manifest["digest"], model_name)
    Console(stderr=True, highlight=False).print(
        f"{manifest['notes']:,} annotations published, training ordered ({command.command_id}): "
        f"`rxtract tap` shows its events"
    )


def _old_digest(out: Path) -> str:
    try:
        return str(json.loads((out / MANIFEST_FILE).read_text(encoding="utf-8"))["digest"])
    except FileNotFoundError:
        return ""
    except (OSError, ValueError, KeyError, TypeError):
        raise UserError(f"{out / MANIFEST_FILE} cannot be read: remove it or give a new folder") from None
