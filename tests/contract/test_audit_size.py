"""The audit's rate as scorekeeper and extractors make it together: a simulated fortnight ends with the precision that is wanted, without bias."""

import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from statistics import mean, stdev
from typing import NamedTuple
from zoneinfo import ZoneInfo

import pytest
from contracts.records import Sample
from extractor.domain.sampling import OpenEpisodes, Sampling, SamplingRates
from outcomes.cells import Cell
from outcomes.days import day_of, day_start_ms
from outcomes.kpis import Assumptions
from outcomes.quality import AuditedNote, Counts, of_both_labels
from scorekeeper.domain.board import WEEK, Board
from scorekeeper.domain.measuring import measurements

ZONE = ZoneInfo("Asia/Kolkata")
START = day_start_ms("2026-11-02", ZONE)  # a Monday
HOUR_MS = 3_600_000
HOURS = 14 * 24
WITHIN = 0.03
TURN_H, ANSWERED_AFTER_H = 4, 5
BUSY, QUIET, NIGHT = 100, 40, 12
"""Notes of an hour: by day, at the weekend, by night."""


class Note(NamedTuple):
    city: str
    specialty: str
    accepted_at: int


@dataclass(frozen=True)
class Ended:
    """What the window at the end of a fortnight says.

    Attributes:
        error: Estimated F1 minus that of all notes of the window.
        half: Width of the longer half of its 95 % interval.
        covered: Whether the interval holds the F1 of all notes.
        rates: That were in force, in their order.
    """

    error: float
    half: float
    covered: bool
    rates: tuple[float, ...]


def notes_of(hour: int, chance: random.Random) -> Iterator[Counts]:
    """Mentions right, wrong and missed of each note; those of one note are alike, and quality moves with the day."""
    day = hour // 24
    for _ in range(NIGHT if hour % 24 < 8 else BUSY if day % 7 < 5 else QUIET):
        right = chance.betavariate(4 + day % 4, 1.5)
        mentions = [chance.random() < right for _ in range(1 + chance.getrandbits(2) + chance.getrandbits(1))]
        wrong = mentions.count(False)
        yield Counts(sum(mentions), wrong - wrong // 2, wrong // 2)


class Fortnight:
    """Notes come by the hour, the extractor's own code draws, people answer hours later, the scorekeeper's own code sizes the audit."""

    def __init__(self, seed: int, first: float) -> None:
        self.chance = random.Random(seed)
        self.sampling = Sampling(0.0, self.chance.randbytes(32), SamplingRates(audit=first), OpenEpisodes())
        self.board = Board(ZONE, replace(Assumptions(), audit_f1_within=WITHIN))
        self.board.folded.models["1"] = ("m", 1)
        self.every: list[tuple[int, Counts]] = []
        self.waiting: list[AuditedNote] = []

    def run(self, *, follows: bool) -> Ended:
        """Run it."""
        rates = []
        for hour in range(HOURS):
            self.draw(hour)
            if follows and hour % TURN_H == 0:
                self.answer(START + (hour - ANSWERED_AFTER_H) * HOUR_MS)
                for measured in measurements(self.board, START + (hour + 1) * HOUR_MS):
                    self.sampling.audit_rates.tell(measured)
            rates.append(self.sampling.audit_rates.usual)
        self.answer(START + HOURS * HOUR_MS)
        return self.end(tuple(rates))

    def draw(self, hour: int) -> None:
        at = START + hour * HOUR_MS
        cell = self.board.folded.cells.setdefault((day_of(at, ZONE), "Pune", "1"), Cell())
        for number, counts in enumerate(notes_of(hour, self.chance)):
            cell.notes += 1
            self.every.append((at, counts))
            key = f"clinic|{hour}-{number}"
            drawn = self.sampling.of_live(key.encode(), Note("Pune", "ent", at), 1.0, 1)
            if drawn.sample is Sample.AUDIT:
                weight = 1 / drawn.review.inclusion_probability
                self.waiting.append(AuditedNote(key, "Pune", "1", at, weight, shown=True, counts={"ALL": counts}))

    def answer(self, until: int) -> None:
        self.board.folded.audits |= {note.note: note for note in self.waiting if note.written_at <= until}
        self.waiting = [note for note in self.waiting if note.written_at > until]

    def end(self, rates: tuple[float, ...]) -> Ended:
        view = self.board.view(WEEK, START + HOURS * HOUR_MS - 1)
        begin = day_start_ms(view.days[0], ZONE)
        seen = [counts for at, counts in self.every if at >= begin]
        right, wrong = sum(one.right for one in seen), sum(one.wrong + one.missed for one in seen)
        true, found = 2 * right / (2 * right + wrong), of_both_labels(view.quality)
        half = max(found.f1_high - found.f1, found.f1 - found.f1_low)
        return Ended(found.f1 - true, half, found.f1_low <= true <= found.f1_high, rates)


@pytest.mark.slow
def test_a_week_is_known_as_near_as_wanted_and_without_bias_while_the_rate_moves() -> None:
    ended = [Fortnight(seed, first).run(follows=True) for seed in range(5) for first in (0.002, 0.25)]
    assert all(one.half <= 1.1 * WITHIN for one in ended)
    assert mean(one.half for one in ended) >= 0.7 * WITHIN  # nor do people read several times what is needed
    assert all(max(one.rates) > 2 * min(one.rates) for one in ended)  # it did move
    assert abs(mean(one.error for one in ended)) < 3 * stdev(one.error for one in ended) / len(ended) ** 0.5
    assert sum(one.covered for one in ended) >= 8
    assert Fortnight(0, 0.01).run(follows=False).half > 1.2 * WITHIN  # a fixed rate knows nothing of the wish
