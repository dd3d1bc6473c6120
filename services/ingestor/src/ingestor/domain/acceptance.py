"""From a submitted note to an accepted one."""

from dataclasses import dataclass

from contracts.records import NoteAccepted, NoteSubmitted
from contracts.rules import NoteLimits, Violation, normalise, violations
from runtime.service.pseudonyms import Pseudonyms


class NoteRefused(Exception):
    """The note is not legal.

    Attributes:
        violations: Everything that is wrong with it, at least one.
    """

    def __init__(self, found: list[Violation]) -> None:
        super().__init__(", ".join(violation.reason for violation in found))
        self.violations = found


@dataclass(frozen=True, slots=True)
class Acceptance:
    """Judges notes and makes accepted ones. Both doors hold the same one."""

    rules: NoteLimits
    pseudonyms: Pseudonyms

    def patient_of(self, note: NoteSubmitted | None) -> str | None:
        """The pseudonym of a note's patient; None where it cannot be told."""
        if note is None or not note.patient_ref:
            return None
        try:
            return self.pseudonyms.of("patient", note.patient_ref)
        except UnicodeEncodeError:
            return None

    def accept(self, note: NoteSubmitted, *, now_ms: int) -> NoteAccepted:
        """Accept a note: text in NFC, references as pseudonyms.

        Args:
            note: As submitted; its shape is right.
            now_ms: UTC milliseconds; becomes ``accepted_at``.

        Raises:
            NoteRefused: The note breaks a rule.
        """
        found = violations(note, self.rules, now_ms)
        if found:
            raise NoteRefused(found)
        return NoteAccepted(
            source=note.source,
            note_id=note.note_id,
            revision=note.revision,
            prescription_ref=self.pseudonyms.of("prescription", note.prescription_id),
            patient_ref=self.pseudonyms.of("patient", note.patient_ref),
            doctor_ref=self.pseudonyms.of("doctor", note.doctor_ref),
            city=normalise(note.city),
            specialty=normalise(note.specialty),
            written_at=note.written_at,
            text=normalise(note.text),
            language=note.language,
            origin=note.origin,
            accepted_at=now_ms,
            pseudonym_key_id=self.pseudonyms.key_id,
            purpose=note.purpose or None,
            consent_artefact_id=note.consent_artefact_id or None,
        )
