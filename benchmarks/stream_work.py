"""The work on one note that all ways of the streaming benchmark share: decode, tag (trivially), build the event, encode.

It needs neither a registry nor Kafka, so that a peer in an environment of its own can run it too.
"""

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, Self

from contracts import files
from contracts.records import EntitiesExtracted, ModelRef, NoteAccepted, ReviewRequested, StatisticsObserved
from contracts.topics import subject_of
from contracts.wire import Deserializer, Serializer
from extractor.columns import ColumnExtraction, PlainCodecs
from extractor.domain.extraction import extracted
from extractor.domain.sampling import OpenEpisodes, Sampling, SamplingRates
from serving.tagging import LoadedModel, TaggedNote
from stream_trivial import TrivialTagger

MODEL = ModelRef(name="fixed", version="0", serial=0)
NOW_MS = 1_700_000_000_000


@dataclass(frozen=True)
class Task:
    """What a way has to do: read this, write that.

    Attributes:
        group: Consumer group of its own.
        note_schema_id: Schema id of the notes on the input.
        event_schema_id: Schema id to write events under.
    """

    bootstrap_servers: str
    input_topic: str
    output_topic: str
    group: str
    note_schema_id: int
    event_schema_id: int

    @classmethod
    def from_arguments(cls) -> Self:
        """Read the task from the only command-line argument."""
        return cls(**json.loads(sys.argv[1]))


class OneSchema:
    """As much of a registry as the decoder asks: the notes' schema under its id."""

    def __init__(self, subject: str, schema_id: int) -> None:
        self._subject = subject
        self._schema_id = schema_id

    def subjects_of_schema(self, schema_id: int) -> frozenset[str]:
        """The subject, for the one id."""
        return frozenset({self._subject} if schema_id == self._schema_id else ())

    def schema(self, schema_id: int) -> str:
        """The text of the one schema."""
        assert schema_id == self._schema_id
        return files.schema_text(NoteAccepted.SCHEMA_NAME)


class TagsNotes(Protocol):
    """As much of a tagger as `Work` asks."""

    @property
    def rules_version(self) -> str:
        """As `serving.tagging.Tagger` has it."""

    def tag(self, texts: Sequence[str]) -> Sequence[TaggedNote]:
        """Tag texts."""


class Work:
    """Note bytes in, event bytes out."""

    def __init__(self, task: Task, tagger: TagsNotes | None = None) -> None:
        registry = OneSchema(subject_of(task.input_topic), task.note_schema_id)
        self._decode = Deserializer.for_topic(NoteAccepted, registry, task.input_topic)  # type: ignore[arg-type]
        self._encode = Serializer(EntitiesExtracted, task.event_schema_id)
        self._choose = Sampling(0.5, None, SamplingRates(), OpenEpisodes())
        tagger = tagger or TrivialTagger()
        self._tag = tagger.tag
        self._rules = (tagger.rules_version, 0)

    def one(self, value: bytes) -> bytes:
        """Work on one note."""
        return self.many([value])[0]

    def many(self, values: Sequence[bytes]) -> list[bytes]:
        """Work on many notes."""
        notes = [self._decode(value) for value in values]
        tagged = self._tag([note.text for note in notes])
        chosen = [self._choose(note, result.confidence, 0) for note, result in zip(notes, tagged, strict=True)]
        return [
            self._encode(extracted(note, result, MODEL, self._rules, chosen[row].review, NOW_MS))
            for row, (note, result) in enumerate(zip(notes, tagged, strict=True))
        ]


class ColumnWork:
    """The same as `Work.many`, as the extractor does it in large batches: no object is made of a note."""

    def __init__(self, task: Task) -> None:
        registry = OneSchema(subject_of(task.input_topic), task.note_schema_id)
        self._learn = Deserializer.for_topic(NoteAccepted, registry, task.input_topic)  # type: ignore[arg-type]
        id_ = task.event_schema_id  # reviews and statistics are never written here
        plain = PlainCodecs(
            self._learn,
            Serializer(EntitiesExtracted, id_),
            Serializer(ReviewRequested, id_),
            Serializer(StatisticsObserved, id_),
        )
        sampling = Sampling(0.5, None, SamplingRates(), OpenEpisodes())
        self._columns = ColumnExtraction(plain, sampling, (task.output_topic, "", ""))
        tagger: Any = TrivialTagger()
        self._model = LoadedModel(MODEL, tagger)

    def many(self, values: Sequence[bytes]) -> list[bytes | None]:
        """Work on many notes."""
        if not values:
            return []
        if self._learn.own_header is None:
            self._learn(values[0])
        batch = self._columns.batch(values, self._model)
        assert batch is not None, "the benchmark's notes are plain"
        return [output.value for output in self._columns.make(batch, self._model, NOW_MS).outputs]
