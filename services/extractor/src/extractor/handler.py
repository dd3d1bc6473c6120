"""Accepted notes in, entity events out: the body of the service.

One call tags one batch with one model. A note that cannot be read or tagged becomes a dead letter with a reason; its neighbours go on.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from contracts.identity import note_key
from contracts.origins import counts_as_live
from contracts.reasons import Reason
from contracts.records import (
    DriftDetected,
    DriftWords,
    EntitiesExtracted,
    EntityLabel,
    ModelEvent,
    NoteAccepted,
    Origin,
    QualityMeasured,
    ReviewRequested,
    StatisticsObserved,
)
from contracts.wire import Deserializer, Serializer, WireError
from drift.observation import Observation, observe
from runtime.kafka.deadletter import DeadLetterBudget, dead_letter
from runtime.kafka.records import InputRecord, OutputRecord
from runtime.service import clock
from runtime.service.metrics import Metrics
from serving.metrics import TAGGER_FAILURES
from serving.tagging import LoadedModel, TaggedNote, tag_each

from extractor import metrics as m
from extractor.columns import ColumnExtraction, PlainCodecs
from extractor.domain.extraction import extracted, review_request
from extractor.domain.gain import expected_gains
from extractor.domain.new_words import NewWords
from extractor.domain.rereading import REREAD_NOTES, Rereading
from extractor.domain.sampling import Chosen, OpenEpisodes, Sampling, SamplingRates

STAGE = "extractor"
_WORD_NOTES = 50
COLUMN_NOTES = 48
"""From so many notes on a batch goes by columns: what arrays cost is for the batch, what objects cost for each note."""


@dataclass(frozen=True, slots=True)
class Topics:
    """Full names of the topics written."""

    entities: str
    reviews: str
    statistics: str
    words: str = ""


@dataclass(frozen=True, slots=True)
class Codecs:
    """How records become bytes and back.

    Attributes:
        plain: What batches are read and written by as columns; None: no batch goes by columns.
    """

    note: Callable[[bytes | None], NoteAccepted]
    entities: Callable[[EntitiesExtracted], bytes]
    review: Callable[[ReviewRequested], bytes]
    statistics: Callable[[StatisticsObserved], bytes]
    model_event: Deserializer[ModelEvent]
    drift: Deserializer[DriftDetected]
    quality: Deserializer[QualityMeasured]
    words: Serializer[DriftWords]
    plain: PlainCodecs | None = None


class _Decided(NamedTuple):
    """A note that was tagged, and what becomes of it."""

    tagged: TaggedNote
    chosen: Chosen
    gain: float | None


class ExtractionHandler:
    """Records in, records out.

    Args:
        model: Gives the model to use; asked once a batch.
        codecs: How to read and write.
        topics: Where to write.
        budget: Stops us when too many notes are refused: they were validated before, so it is we who are wrong.
        metrics: Built from `extractor.metrics.METRICS`.
        review_below: Notes less sure than this go to review.
        sampling: Chooses what people look at; only unsure notes when left out.
        new_words: Counts the new words of drifted segments; None: nobody asks for them.
        attempts: Tries for a note on which the tagger fails.
        now_ms: UTC milliseconds.
        column_notes: Batches of at least so many notes go by columns (`COLUMN_NOTES`); None: none do.
        most_notes: In one call; so many may be read again where a partition is taken up.
    """

    def __init__(
        self,
        model: Callable[[], LoadedModel],
        codecs: Codecs,
        topics: Topics,
        budget: DeadLetterBudget,
        *,
        metrics: Metrics,
        review_below: float,
        sampling: Sampling | None = None,
        new_words: NewWords | None = None,
        attempts: int = 3,
        now_ms: Callable[[], int] = clock.now_ms,
        column_notes: int | None = None,
        most_notes: int = REREAD_NOTES,
    ) -> None:
        self._model = model
        self._codecs = codecs
        self._topics = topics
        self._budget = budget
        self._sampling = sampling or Sampling(review_below, None, SamplingRates(), OpenEpisodes())
        written = topics.entities, topics.reviews, topics.statistics
        self._columns = None if codecs.plain is None else ColumnExtraction(codecs.plain, self._sampling, written)
        self._column_notes = math.inf if column_notes is None else column_notes
        self._new_words = new_words
        self._attempts = attempts
        self._now_ms = now_ms
        self._rereading = Rereading(most_notes)
        self._live_refused = metrics.counter(m.LIVE_REFUSED)
        self._failures = metrics.counter(TAGGER_FAILURES)
        self._reviews = metrics.counter(m.REVIEWS)
        self._reviews_unsent = metrics.counter(m.REVIEWS_UNSENT)
        self._entities = {
            label: metrics.counter(m.ENTITIES).labels(label.value)
            for label in (EntityLabel.DISEASE, EntityLabel.TREATMENT)
        }
        self._note_seconds = metrics.histogram(m.NOTE_SECONDS)

    def __call__(self, records: Sequence[InputRecord]) -> Sequence[OutputRecord]:
        """Handle one batch, of whatever partitions; ascending by offset in each.

        Raises:
            BudgetExceeded: Too many notes were refused; nothing of this batch may be published.
            RegistryUnavailable: A note names a schema that we have not met, and the registry is away: try again.
        """
        model = self._model()
        outputs = self._by_columns(records, model) if len(records) >= self._column_notes else None
        return self._by_objects(records, model) if outputs is None else outputs

    def _by_columns(self, records: Sequence[InputRecord], model: LoadedModel) -> Sequence[OutputRecord] | None:
        """Handle a batch of plain notes; None, with nothing decided, if it must be handled by objects."""
        columns = self._columns
        batch = None if columns is None else columns.batch([record.value for record in records], model)
        if columns is None or batch is None:
            return None
        outputs, chosen = columns.make(batch, model, self._now_ms())
        for one in chosen.values():
            if one.review.requested:
                self._reviews.labels(one.review.reason.value).inc()
        live, numbers = batch.live, batch.tagged.numbers
        self._measure(batch.notes["accepted_at"].first[live].tolist(), *numbers[4:6, live].sum(axis=1).tolist())
        outputs += columns.statistics(batch, model, records, self._read_before(records))
        if self._new_words is not None and self._new_words.is_asked():
            shown = [self._codecs.note(records[row].value) for row in live[:_WORD_NOTES].tolist()]
            outputs += self._words(shown, model)
        self._budget.count_all([False] * len(records))
        return outputs

    def _by_objects(self, records: Sequence[InputRecord], model: LoadedModel) -> Sequence[OutputRecord]:
        read = self._read_all(records)
        notes = [note for note in read if isinstance(note, NoteAccepted)]
        decided = iter(self._decide(notes, model))
        now_ms = self._now_ms()
        outputs: list[OutputRecord] = []
        observations: dict[int, list[Observation]] = {}
        dead: list[bool] = []
        for record, note in zip(records, read, strict=True):
            if isinstance(note, Reason):
                refused: Reason | None = note
            elif (one := next(decided)) is None:
                refused = Reason.HANDLER_FAILED
            else:
                refused = self._extract(note, one, model, now_ms, outputs)
                if refused is None and note.origin is Origin.LIVE:
                    observed = Observation(record.offset, note, one.tagged.statistics)
                    observations.setdefault(record.partition, []).append(observed)
            # An erasure is no fault of this release: however many notes it takes, they use up no budget.
            dead.append(refused is not None and refused is not Reason.ERASED)
            if refused is not None:
                outputs.append(self._dead_letter(record, refused, note))
        self._observe(observations, model, records, outputs)
        live = [observation.note for row in observations.values() for observation in row]
        outputs += self._words(live[:_WORD_NOTES], model)
        self._budget.count_all(dead)
        return outputs

    def _read_all(self, records: Sequence[InputRecord]) -> Sequence[NoteAccepted | Reason]:
        decode = self._codecs.note
        try:
            return [decode(record.value) for record in records]
        except WireError:
            return [self._read(record) for record in records]

    def _read(self, record: InputRecord) -> NoteAccepted | Reason:
        try:
            return self._codecs.note(record.value)
        except WireError as error:
            return error.reason

    def _decide(self, notes: Sequence[NoteAccepted], model: LoadedModel) -> list[_Decided | None]:
        """Tag notes and choose what people look at; None for a note on which the tagger fails."""
        tagged = tag_each(model.tagger, [note.text for note in notes], self._attempts, self._note_failure)
        serial = model.ref.serial
        chosen = [
            None if one is None else self._sampling(note, one.confidence, serial)
            for note, one in zip(notes, tagged, strict=True)
        ]
        asked = [row for row, one in enumerate(chosen) if one is not None and one.review.requested]
        gains = dict(zip(asked, expected_gains(model.tagger, [notes[row].text for row in asked]), strict=True))
        return [
            None if result is None or one is None else _Decided(result, one, gains.get(row))
            for row, (result, one) in enumerate(zip(tagged, chosen, strict=True))
        ]

    def _extract(
        self, note: NoteAccepted, decided: _Decided, model: LoadedModel, now_ms: int, outputs: list[OutputRecord]
    ) -> Reason | None:
        """Append what a note gives; or say why it gives nothing."""
        review = decided.chosen.review
        rules = model.tagger.rules_version, model.rules_serial
        event = extracted(note, decided.tagged, model.ref, rules, review, now_ms)
        try:
            request = self._review_request(note, event, decided) if review.requested else None
            if review.requested and request is None:
                event = replace(event, review=replace(review, requested=False, inclusion_probability=None))
            value = self._codecs.entities(event)
        except WireError as error:
            return error.reason
        key = note_key(note.source, note.note_id).encode()
        outputs.append(OutputRecord(self._topics.entities, key, value))
        if request is not None:
            self._reviews.labels(review.reason.value).inc()
            outputs.append(OutputRecord(self._topics.reviews, key, request))
        elif review.requested:
            self._reviews_unsent.labels(review.reason.value).inc()
        return None

    def _review_request(self, note: NoteAccepted, event: EntitiesExtracted, decided: _Decided) -> bytes | None:
        """The request's bytes; None when it is too large: the note alone was not, but with its entities it may be."""
        try:
            return self._codecs.review(review_request(note, event, decided.chosen, decided.gain))
        except WireError as error:
            if error.reason is not Reason.TOO_LARGE:
                raise
            return None

    def _observe(
        self,
        observations: Mapping[int, Sequence[Observation]],
        model: LoadedModel,
        records: Sequence[InputRecord],
        outputs: list[OutputRecord],
    ) -> None:
        live = [observation for row in observations.values() for observation in row]
        self._measure(
            [note.accepted_at for _, note, _ in live],
            sum([numbers.disease_entities for _, _, numbers in live]),
            sum([numbers.treatment_entities for _, _, numbers in live]),
        )
        for record in self._statistics(observations, model, records):
            value = self._codecs.statistics(record)
            outputs.append(OutputRecord(self._topics.statistics, record.segment.encode(), value))

    def _measure(self, accepted_at: Sequence[int], diseases: int, treatments: int) -> None:
        now_ms = self._now_ms()
        m.observe_all(self._note_seconds, [max(0, now_ms - at) / 1000 for at in accepted_at])
        self._entities[EntityLabel.DISEASE].inc(diseases)
        self._entities[EntityLabel.TREATMENT].inc(treatments)

    def _read_before(self, records: Sequence[InputRecord]) -> dict[int, int]:
        """Below which offset of each partition the notes of a batch may have been told before."""
        lasts = {record.partition: record.offset for record in records}
        firsts = {record.partition: record.offset for record in reversed(records)}
        return {one: self._rereading.until(one, firsts[one], last) for one, last in lasts.items()}

    def _statistics(
        self, observations: Mapping[int, Sequence[Observation]], model: LoadedModel, records: Sequence[InputRecord]
    ) -> Iterator[StatisticsObserved]:
        for partition, until in self._read_before(records).items():
            live = observations.get(partition, ())
            again = [one for one in live if one.offset < until]
            yield from observe(again, model.ref, partition, notes_per_record=1)
            yield from observe(live[len(again) :], model.ref, partition)

    def _words(self, notes: Sequence[Any], model: LoadedModel) -> list[OutputRecord]:
        """New words of drifted segments that many have used; few notes of a batch are enough to find them."""
        new_words = self._new_words
        if new_words is None:
            return []
        found = [new_words.observe(note, model.tagger, model.ref) for note in notes]
        told = new_words.told([segment for segment in found if segment is not None])
        return [OutputRecord(self._topics.words, one.segment.encode(), self._codecs.words(one)) for one in told]

    def _dead_letter(self, record: InputRecord, reason: Reason, note: NoteAccepted | Reason) -> OutputRecord:
        attempt = self._attempts if reason is Reason.HANDLER_FAILED else None
        origin, source = (note.origin, note.source) if isinstance(note, NoteAccepted) else (None, None)
        if counts_as_live(origin) and reason is not Reason.ERASED:
            self._live_refused.inc()
        return dead_letter(record, reason, STAGE, attempt, origin=origin, source=source)

    def _note_failure(self, _: Exception) -> None:
        self._failures.inc()
