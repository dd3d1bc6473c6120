"""A stream of synthetic notes as the platform would send them, with the truth, and with shifts of language on request."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from hashlib import blake2b
from itertools import count
from typing import TYPE_CHECKING

from corpus import marked
from corpus.chance import Chance
from corpus.generator import Style, write
from corpus.grammar import read_rules
from corpus.lexicon import Vocabulary
from corpus.noise import scribble
from corpus.sampler import Novelty, Sampler
from corpus.world import Specialty, cities, specialties

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from clinical_ner.notes import AnnotatedNote

SOURCE = "synthetic"
"""The source of every synthetic note."""

MONDAY_MORNING_MS = 1_736_134_200_000  # 2025-01-06 09:00 in India
_PRESCRIPTION_SHARE = 0.75
_DOCTORS_PER_CLINIC = 40
_PATIENTS_PER_CITY = 50_000


class ShiftKind(StrEnum):
    """What changes in the language of the notes."""

    NEW_DISEASES = "new_diseases"
    NEW_DRUGS = "new_drugs"
    NEW_STYLE = "new_style"


_LABELS = {ShiftKind.NEW_DISEASES: "D", ShiftKind.NEW_DRUGS: "T"}


class Part(StrEnum):
    """Which half of the new names: one may be labelled, the other kept to measure what was learnt."""

    LABELLED = "labelled"
    KEPT = "kept"
    ALL = "all"


@dataclass(frozen=True, slots=True)
class Shift:
    """From note `after` on, a `share` of the mentions (of the notes, for a style) is new; in `city` or everywhere."""

    kind: ShiftKind
    after: int = 0
    city: str | None = None
    share: float = 0.6
    part: Part = Part.ALL


class CityShareError(ValueError):
    """No such city is simulated, or the share is none."""


@dataclass(frozen=True, slots=True)
class SyntheticNote:
    """The fields of a submitted note, each reference marked as synthetic, and the truth about its text."""

    source: str
    note_id: str
    revision: int
    prescription_id: str
    patient_ref: str
    doctor_ref: str
    city: str
    specialty: str
    written_at: int
    text: str
    language: str
    truth: AnnotatedNote

    def fields(self) -> dict[str, str | int]:
        """Return what a platform would submit: everything but the truth."""
        return {name: getattr(self, name) for name in self.__slots__ if name != "truth"}


def simulate(
    seed: int,
    n: int | None = None,
    *,
    shift: Shift | Sequence[Shift] | None = None,
    city_share: tuple[str, float] | None = None,
    vocabulary: Vocabulary | str = Vocabulary.ALL,
    start_ms: int = MONDAY_MORNING_MS,
    interval_ms: int = 1000,
) -> Iterator[SyntheticNote]:
    """Yield `n` notes (without end if None), one every `interval_ms` of record time; the same for the same seed.

    A shift changes only the notes it touches: all others are equal to those of an unshifted run.

    Several shifts happen together. `city_share` names a city and its part of all notes, so that a shift there is seen after fewer
    notes.
    """
    side = Vocabulary(vocabulary)
    shifts = () if shift is None else (shift,) if isinstance(shift, Shift) else tuple(shift)
    weights = cities() if city_share is None else _weighted(*city_share)
    for ordinal in count() if n is None else range(n):
        yield _note(seed, ordinal, shifts, weights, side, start_ms + ordinal * interval_ms)


def _weighted(city: str, share: float) -> tuple[tuple[str, float], ...]:
    """Return the cities' weights with this one's raised or lowered to its share."""
    others = [(name, weight) for name, weight in cities() if name != city]
    if len(others) == len(cities()) or not 0 < share < 1:
        raise CityShareError("give one of the simulated cities, and a share between 0 and 1")
    return (city, share * sum(weight for _, weight in others) / (1 - share)), *others


def novel_names(kind: ShiftKind, part: Part = Part.ALL) -> tuple[str, ...]:
    """Return the names that a shift brings; none of their new words stands in any lexicon or corpus."""
    if kind is ShiftKind.NEW_STYLE:
        return ()
    rule = "novel_disease" if kind is ShiftKind.NEW_DISEASES else "novel_treatment"
    return tuple(
        " ".join(form.split())
        for root in read_rules(("drift",))["novel_root"]
        if part in (Part.ALL, _part_of(root[1]))
        for form in _forms(rule, root[1])
    )


def _forms(rule: str, root: str) -> list[str]:
    chance = Chance("novel", rule, root)
    pattern = chance.weighted([(line, float(weight)) for weight, line in read_rules(("drift",))[rule]])
    body, _, ends = pattern.replace("@{novel_root}", root).partition("<")
    return [body + (chance.pick(ends.rstrip(">").split("|")) if ends else "")]


def _part_of(root: str) -> Part:
    return Part.KEPT if blake2b(root.encode(), digest_size=1, key=b"kept half").digest()[0] % 2 else Part.LABELLED


def _note(
    seed: int,
    ordinal: int,
    shifts: Sequence[Shift],
    weights: Sequence[tuple[str, float]],
    vocabulary: Vocabulary,
    written_at: int,
) -> SyntheticNote:
    place = Chance("place", seed, ordinal)
    city = place.weighted(weights)
    specialty = place.weighted([(one, one.weight) for one in specialties()])
    touched = [shift for shift in shifts if ordinal >= shift.after and shift.city in (None, city)]
    note_id = f"synthetic-{seed}-{ordinal}"
    truth = marked.read(
        _text(Chance("text", seed, ordinal), specialty, touched, vocabulary),
        note_id=note_id,
        meta={"synthetic": "true", "shift": "+".join(shift.kind.value for shift in touched)},
    )
    return SyntheticNote(
        source=SOURCE,
        note_id=note_id,
        revision=1,
        prescription_id=f"SYNTHETIC-RX-{seed}-{ordinal}",
        patient_ref=f"SYNTHETIC-PATIENT-{city}-{place.below(_PATIENTS_PER_CITY)}",
        doctor_ref=f"SYNTHETIC-DOCTOR-{city}-{specialty.name}-{place.below(_DOCTORS_PER_CLINIC)}".replace(" ", "-"),
        city=city,
        specialty=specialty.name,
        written_at=written_at,
        text=truth.text,
        language="en",
        truth=truth,
    )


def _text(chance: Chance, specialty: Specialty, shifts: Sequence[Shift], vocabulary: Vocabulary) -> str:
    style = Style.PRESCRIPTION if chance.share() < _PRESCRIPTION_SHARE else Style.DISCHARGE
    sampler = Sampler(chance, vocabulary, focus=specialty.focus, novelty=_novelty(shifts))
    written = max((shift.share for shift in shifts if shift.kind is ShiftKind.NEW_STYLE), default=None)
    if written is not None and chance.share() < written:
        return scribble(sampler.write("novel_note"), chance)
    return write(chance, style, sampler)


def _novelty(shifts: Sequence[Shift]) -> Novelty | None:
    """What new names come, and how often: with several shifts, as often as the strongest of them says."""
    naming = [shift for shift in shifts if shift.kind is not ShiftKind.NEW_STYLE]
    if not naming:
        return None
    names = {_LABELS[shift.kind]: novel_names(shift.kind, shift.part) for shift in naming}
    return Novelty(names, max(shift.share for shift in naming))
