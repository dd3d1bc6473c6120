"""Which notes people look at: a random audit that measures, drifted segments and unsure notes that teach. A note is of one sample alone.

Choices follow from a keyed hash of the note's source and id: a note that comes again, or in a new revision, is chosen again, and whoever chooses note ids
cannot choose what is audited. Drift never changes the audit's rate.
"""

# ruff: noqa: D102 - a protocol's members say what they are by their names

import hashlib
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, tzinfo
from types import MappingProxyType
from typing import NamedTuple, Protocol

from contracts.identity import note_key
from contracts.records import DriftDetected, DriftLevel, NoteAccepted, Origin, Review, ReviewReason, Sample
from contracts.segments import segments_of

from extractor.domain.audit_rates import AuditRates


class PlacedNote(Protocol):
    """What is asked of a live note. `NoteAccepted` is one."""

    @property
    def city(self) -> str: ...
    @property
    def specialty(self) -> str: ...
    @property
    def accepted_at(self) -> int: ...


NO_REVIEW = Review(requested=False)
_RANGE = 2**64
_DAYS_KEPT = 2


class Chosen(NamedTuple):
    """What becomes of one note.

    Attributes:
        review: As the entity event says it.
        sample: As the request says it.
        show_predictions: False for the half of the audit that is shown bare: accepting what is there flatters the model.
    """

    review: Review
    sample: Sample = Sample.UNCERTAIN
    show_predictions: bool = True

    @property
    def is_passed(self) -> bool:
        """Whether nothing is to be said of the note."""
        return self is NOT_CHOSEN


NOT_CHOSEN = Chosen(NO_REVIEW)
UNSURE = Chosen(Review(requested=True, reason=ReviewReason.LOW_CONFIDENCE, inclusion_probability=1.0))
_UNREVIEWED = Chosen(Review(requested=False, reason=ReviewReason.DRIFT_UNREVIEWED))


class SamplingRates(NamedTuple):
    """How much is looked at.

    Attributes:
        audit: Share of live notes that is audited.
        warning: Share of the live notes of a segment under WARNING.
        critical: Likewise under CRITICAL.
        daily_budget: Most notes a day of a segment that drift sends to review, of one replica.
        audit_of: Other shares that are audited, by segment.
    """

    audit: float = 0.01
    warning: float = 0.1
    critical: float = 1.0
    daily_budget: int = 200
    audit_of: Mapping[str, float] = MappingProxyType({})


class OpenEpisodes:
    """The drift episodes that are open, by segment. Told by one thread, read by another."""

    def __init__(self) -> None:
        self._open: Mapping[str, tuple[DriftLevel, int]] = {}

    def tell(self, event: DriftDetected) -> None:
        """Take an event: a newer level replaces the older one, RECOVERED ends the episode. Of an older model: nothing."""
        known = self._open.get(event.segment)
        if known is not None and event.model.serial < known[1]:
            return
        kept = {segment: found for segment, found in self._open.items() if segment != event.segment}
        if event.level in (DriftLevel.WARNING, DriftLevel.CRITICAL):
            kept[event.segment] = (event.level, event.model.serial)
        self._open = kept

    @property
    def are_open(self) -> bool:
        """Whether anything drifts."""
        return bool(self._open)

    def worst(self, note: PlacedNote, serial: int) -> tuple[str, DriftLevel] | None:
        """The worst open episode of a note's segments, and its segment; one about another model does not count.

        Of equally bad ones the narrowest: a shift in one city shows in all notes too, whose budget other cities would spend.
        """
        found: tuple[str, DriftLevel] | None = None
        open_now = self._open
        if not open_now:
            return None
        for segment in reversed(segments_of(note.city, note.specialty)):
            level, of_model = open_now.get(segment, (None, -1))
            if level is None or of_model != serial:
                continue
            if level is DriftLevel.CRITICAL:
                return segment, level
            found = found or (segment, level)
        return found


class Sampling:
    """Chooses notes for review.

    Args:
        review_below: Notes less sure than this are looked at.
        key: Of the hash; None: only unsure notes are chosen.
        rates: How much of the rest; of the audit at first, until `audit_rates` is told otherwise.
        episodes: Open drift.
        zone: In which a budget's day begins.
    """

    def __init__(
        self,
        review_below: float,
        key: bytes | None,
        rates: SamplingRates,
        episodes: OpenEpisodes,
        zone: tzinfo = UTC,
        on_unreviewed: Callable[[], None] = lambda: None,
    ) -> None:
        self.review_below = review_below
        self._key = key
        self._rates = rates
        self._episodes = episodes
        self._zone = zone
        self._on_unreviewed = on_unreviewed
        self._spent: dict[tuple[str, str], int] = {}
        self.audit_rates = AuditRates(rates.audit, rates.audit_of)

    @property
    def audits(self) -> bool:
        """Whether live notes are chosen by their keys; if not, only unsure ones are."""
        return self._key is not None

    def __call__(self, note: NoteAccepted, confidence: float, serial: int) -> Chosen:
        """Choose. The audit comes first, so that its rate is what it says."""
        if self._key is not None and note.origin is Origin.LIVE:
            return self.of_live(note_key(note.source, note.note_id).encode(), note, confidence, serial)
        return UNSURE if confidence < self.review_below else NOT_CHOSEN

    def of_live(self, key: bytes, note: PlacedNote, confidence: float, serial: int) -> Chosen:
        """Choose of the live notes, by the note's key."""
        if self._key is not None:
            hashed = hashlib.blake2b(key, digest_size=24, key=self._key).digest()
            rate = self.audit_rates.of(note.city, note.specialty)
            if _place(hashed[:8]) < rate:
                review = Review(requested=True, reason=ReviewReason.AUDIT, inclusion_probability=rate)
                return Chosen(review, Sample.AUDIT, show_predictions=hashed[16] % 2 == 0)
            drifted = self._episodes.worst(note, serial)
            if drifted is not None:
                chosen = self._drift(note, confidence, drifted, _place(hashed[8:16]))
                if chosen is not None:
                    return chosen
        return UNSURE if confidence < self.review_below else NOT_CHOSEN

    def _drift(
        self, note: PlacedNote, confidence: float, drifted: tuple[str, DriftLevel], place: float
    ) -> Chosen | None:
        segment, level = drifted
        rate = self._rates.critical if level is DriftLevel.CRITICAL else self._rates.warning
        if place >= rate:
            return None
        day = datetime.fromtimestamp(note.accepted_at / 1000, self._zone).date().isoformat()
        spent = self._spent.get((segment, day), 0)
        if spent >= self._rates.daily_budget:
            if confidence < self.review_below:
                return UNSURE  # it would be looked at without drift, so it is with drift
            self._on_unreviewed()
            return _UNREVIEWED
        self._spend(segment, day, spent + 1)
        review = Review(requested=True, reason=ReviewReason.DRIFT, inclusion_probability=rate)
        return Chosen(review, Sample.DRIFT)

    def _spend(self, segment: str, day: str, count: int) -> None:
        if (segment, day) not in self._spent:
            days = sorted({known for _, known in self._spent} | {day})[-_DAYS_KEPT:]
            self._spent = {place: spent for place, spent in self._spent.items() if place[1] in days}
        self._spent[segment, day] = count


def _place(data: bytes) -> float:
    return int.from_bytes(data, "big") / _RANGE
