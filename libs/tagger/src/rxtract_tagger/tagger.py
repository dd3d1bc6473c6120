"""The front door: a model opened by path, version or alias; texts and files in, notes with their entities out."""

from __future__ import annotations

import itertools
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, overload

from clinical_ner import tagger as ner
from clinical_ner.meaning import shipped_reader
from clinical_ner.tracking_download import ModelUnavailable, OpenedModel, open_model

from rxtract_tagger.found import FoundNote, FoundNotes
from rxtract_tagger.note_files import BadRow, NoteRow, batches, read_notes
from rxtract_tagger.shipped import shipped_model

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from clinical_ner.meaning import NoteMeaning
    from clinical_ner.notes import Span

    from rxtract_tagger.note_files import Row

BATCH_NOTES = 256
MODEL_NAME = "rxtract-ner"


@dataclass(frozen=True, slots=True)
class ModelIdentity:
    """Which model and rules say what is found, as records name them.

    Attributes:
        name: Of the registered model.
        version: As registered; for a file its digest's first 12 digits.
        serial: Rises with each promotion; 0 where it was never promoted.
        sha256: Digest of the model file.
        rules_version: Of the rules of assertions, relations and prescriptions.
        rules_serial: Rises with each release; 0 for those that come with the program.
    """

    name: str
    version: str
    serial: int
    sha256: str
    rules_version: str
    rules_serial: int = 0


class Tagger:
    """A model ready to tag. Make one by `Tagger.open`; it may be shared between threads.

    Args:
        opened: A model with its place and digest.
        identity: What records name it by; default as it was opened.
    """

    def __init__(self, opened: OpenedModel, identity: ModelIdentity | None = None) -> None:
        self.model = opened.tagger
        self.source = opened.source
        self.data = opened.data
        self.identity = identity or _identity(opened)

    @classmethod
    def of_bytes(cls, data: bytes, identity: ModelIdentity) -> Tagger:
        """Open the content of a model file in another process than the one that found it.

        Raises:
            ArtifactRefused: It is not the file that `identity` names.
        """
        model = ner.Tagger.open(data, sha256=identity.sha256)
        return cls(
            OpenedModel(model, f"{identity.name}/{identity.version}", identity.sha256, identity.serial, data), identity
        )

    @classmethod
    def open(cls, source: str | Path | None = None, *, tracking_uri: str | None = None) -> Tagger:
        """Open a model.

        Args:
            source: A folder of `rxtract train --out` or its `tables.npz`; a version of rxtract-ner ("3"); or
                models:/NAME/VERSION, models:/NAME@ALIAS, runs:/RUN. None: the shipped model.
            tracking_uri: MLflow; default RXTRACT_MLFLOW_URL, else MLFLOW_TRACKING_URI.

        Raises:
            ModelUnavailable: Nothing is there, or MLflow could not be asked. The message says what to do.
            ArtifactRefused: What is there is damaged, or not what was registered.
        """
        if source is None:
            return cls(open_model(str(shipped_model())))
        environ = os.environ
        uri = tracking_uri or environ.get("RXTRACT_MLFLOW_URL") or environ.get("MLFLOW_TRACKING_URI") or ""
        try:
            return cls(open_model(_address(source), uri))
        except ModuleNotFoundError as error:
            if error.name != "mlflow":
                raise
            raise ModelUnavailable(f"{source}: needs MLflow: pip install mlflow") from None

    def __repr__(self) -> str:
        """Return the model and its rules, in one line."""
        return f"Tagger({self.source}, version {self.identity.version}, rules {self.identity.rules_version})"

    @overload
    def tag(self, texts: str) -> FoundNote: ...  # type: ignore[overload-overlap]  # a str is an Iterable of str too
    @overload
    def tag(self, texts: Iterable[str]) -> FoundNotes: ...
    def tag(self, texts: str | Iterable[str]) -> FoundNote | FoundNotes:
        """Find the entities of one text, or of many at once, which is faster: a list, a pandas column, any iterable.

        Raises:
            TypeError: One of them is no string.
        """
        if isinstance(texts, str):
            return self.tag([texts])[0]
        texts = list(texts)
        for place, text in enumerate(texts):
            if not isinstance(text, str):
                raise TypeError(f"text {place} is {type(text).__name__}, not str: leave such rows out, or fill them")
        return FoundNotes(self._found([NoteRow(place, text) for place, text in enumerate(texts, 1)]))

    def tag_file(self, path: str | Path) -> FoundNotes:
        """Read JSON lines {id, text}, a CSV with a column `text`, a TXT of one note a line, or a folder of .txt.

        A row that cannot be used stands among `errors` and takes its place in `to_dicts`.

        Raises:
            NotesUnreadable: There is no such file, or it is of an unknown kind.
        """
        return FoundNotes(list(self.stream(read_notes(Path(path)))))

    def stream(self, rows: Iterable[Row]) -> Iterator[FoundNote | BadRow]:
        """Go through rows of `note_files.read_notes`, as many as there are, with few in memory."""
        for batch in batches(rows, BATCH_NOTES):
            found = iter(self._found([row for row in batch if isinstance(row, NoteRow)]))
            yield from (next(found) if isinstance(row, NoteRow) else row for row in batch)

    def _found(self, notes: Sequence[NoteRow]) -> list[FoundNote]:
        """Entities and relations of each note: found by the model, or judged as they came."""
        tagged = iter(self.model.tag([note.text for note in notes if note.spans is None]))
        given = [note for note in notes if note.spans is not None]
        judged = iter(shipped_reader().read([note.text for note in given], [note.spans or () for note in given]))
        return [
            FoundNote(note.row_id, note.text, *next(tagged)[:3])
            if note.spans is None
            else _given(note, note.spans, next(judged))
            for note in notes
        ]


def _address(source: str | Path) -> str:
    """What `open_model` understands."""
    text = str(source)
    return f"models:/{MODEL_NAME}/{text}" if text.isdecimal() and not Path(text).exists() else text


def _identity(opened: OpenedModel) -> ModelIdentity:
    name, version = MODEL_NAME, opened.sha256[:12]
    if opened.source.startswith("models:/"):
        name, _, version = opened.source.removeprefix("models:/").partition("/")
    return ModelIdentity(name, version, opened.serial, opened.sha256, opened.tagger.rules_version)


def _given(note: NoteRow, spans: Sequence[Span], meaning: NoteMeaning) -> FoundNote:
    entities = tuple(
        itertools.starmap(
            ner.Entity,
            (
                (span.label, span.start, span.end, 1.0, assertion, prescription)
                for span, assertion, prescription in zip(spans, meaning.assertions, meaning.prescriptions, strict=True)
            ),
        )
    )
    return FoundNote(note.row_id, note.text, entities, meaning.relations, None)
