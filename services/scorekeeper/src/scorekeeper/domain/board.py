"""What everybody looks at: the folded topics, guarded by one lock, and the views on them."""

import threading
from collections import Counter
from zoneinfo import ZoneInfo

from contracts.records import EntitiesExtracted, LabelQuality, ModelRef, Origin
from outcomes.days import day_of, last_days
from outcomes.folding import GO_STRAIGHT, Folded
from outcomes.kpis import Assumptions, View
from outcomes.quality import of_both_labels, prefill_bias
from outcomes.remembered import MOST_NOTES

from scorekeeper.domain.refusals import RefusedNotes

TODAY, WEEK = "today", "week"
WEEK_DAYS = 8
"""Today and the seven days before."""
MINUTE_MS = 60_000
PULSE_MINUTES = 60


class Pulse:
    """Live notes by the minute in which they became records, of the last hour. A crash may count a note twice; a day's sums never do."""

    def __init__(self) -> None:
        self._notes: Counter[int] = Counter()
        self._straight: Counter[int] = Counter()

    def take(self, event: EntitiesExtracted) -> None:
        """Take an entity event."""
        if event.origin is not Origin.LIVE:
            return
        minute = event.extracted_at // MINUTE_MS
        self._notes[minute] += 1
        self._straight[minute] += event.review.reason in GO_STRAIGHT
        if len(self._notes) > 4 * PULSE_MINUTES:
            oldest = max(self._notes) - 2 * PULSE_MINUTES
            for counter in (self._notes, self._straight):
                for old in [one for one in counter if one < oldest]:
                    del counter[old]

    def minutes(self, now_ms: int) -> list[tuple[int, int, int]]:
        """The last hour, oldest first: when the minute began (UTC ms), notes that went straight through, notes for people."""
        now = now_ms // MINUTE_MS
        return [
            (minute * MINUTE_MS, self._straight[minute], self._notes[minute] - self._straight[minute])
            for minute in range(now - PULSE_MINUTES + 1, now + 1)
        ]


class Board:
    """The state of all numbers.

    Hold `lock` while reading or changing: the reader's thread folds, the page's threads look.

    Args:
        zone: Whose days are counted.
        assumptions: What no topic knows.
        most_notes: That are remembered one by one.
    """

    def __init__(self, zone: ZoneInfo, assumptions: Assumptions, most_notes: int = MOST_NOTES) -> None:
        self.lock = threading.RLock()
        self.zone = zone
        self.assumptions = assumptions
        self.folded = Folded(zone, most_notes)
        self.pulse = Pulse()
        self.refusals = RefusedNotes()
        self.whole = False

    def today(self, now_ms: int) -> str:
        """The local day."""
        return day_of(now_ms, self.zone)

    def days(self, window: str, now_ms: int) -> tuple[str, ...]:
        """The days of a window."""
        return last_days(self.today(now_ms), WEEK_DAYS if window == WEEK else 1)

    def view(
        self, window: str, now_ms: int, city: str = "", version: str = "", *, assumed: Assumptions | None = None
    ) -> View:
        """A view as of now; `assumed` in place of the board's own assumptions, to see what another rate would give."""
        return View(self.folded, self.days(window, now_ms), now_ms, city, version, assumed or self.assumptions)

    def cities(self) -> list[str]:
        """Cities of the notes that are known, the busiest first."""
        notes: Counter[str] = Counter()
        for (_, city, _), cell in self.folded.cells.items():
            notes[city] += cell.notes
        return [city for city, _ in sorted(notes.items(), key=lambda one: (-one[1], one[0])) if city]

    def versions(self) -> list[str]:
        """Model versions of the notes and promotions that are known, the newest serial first."""
        seen = {key[2] for key in self.folded.cells} | {one.version for one in self.folded.promotions.values()}
        return sorted((one for one in seen if one), key=lambda one: -self.model(one).serial)

    def model(self, version: str) -> ModelRef:
        """A version with the name and the newest serial under which it was seen."""
        name, serial = self.folded.models.get(version, ("", 0))
        return ModelRef(name=name, version=version, serial=serial)

    def bias(self, view: View) -> float | None:
        """How much showing predictions flatters the model; None while too few notes say so."""
        return prefill_bias(view.audits)

    def f1(self, view: View) -> LabelQuality | None:
        """The quality over both labels; None before any audit."""
        return of_both_labels(view.quality)
