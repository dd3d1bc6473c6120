"""From an event of entities to the record of their codes: the same event and the same tables give the same bytes, whenever it is."""

from collections import Counter
from collections.abc import Sequence

from contracts.identity import coded_id
from contracts.records import CodedEntity, Coding, EntitiesCoded, EntitiesExtracted, Entity, EntityLabel
from terminology import Coded, Coder

_LABELS = {EntityLabel.DISEASE: "DISEASE", EntityLabel.TREATMENT: "TREATMENT"}
NO_CODES: tuple[Coding, ...] = ()
_SCORE_DIGITS = 4
_REMEMBERED = 1 << 16


class NoteCoder:
    """Codes all mentions of a note by one set of tables.

    Args:
        coder: The tables.
        serial: In place of the tables' own.

    Attributes:
        version: Of all tables.
        serial: Codes under the higher one count.
    """

    def __init__(self, coder: Coder, serial: int | None = None) -> None:
        self._coder = coder
        self.version = coder.version
        self.serial = serial or coder.serial
        self._shared: dict[int, tuple[Coded, tuple[Coding, ...]]] = {}

    def coded(self, event: EntitiesExtracted | EntitiesCoded) -> EntitiesCoded:
        """Return the codes of what was extracted; of a record of older tables, what their event gives now."""
        return EntitiesCoded(
            event_id=self._identity(event),
            entities_event_id=event.event_id if isinstance(event, EntitiesExtracted) else event.entities_event_id,
            source=event.source,
            note_id=event.note_id,
            revision=event.revision,
            origin=event.origin,
            model=event.model,
            rules_version=event.rules_version,
            rules_serial=event.rules_serial,
            table_version=self.version,
            table_serial=self.serial,
            segment=event.segment,
            patient_ref=event.patient_ref,
            written_at=event.written_at,
            accepted_at=event.accepted_at,
            extracted_at=event.extracted_at,
            entities=self._entities(event.entities),
            pseudonym_key_id=event.pseudonym_key_id,
            purpose=event.purpose,
            consent_artefact_id=event.consent_artefact_id,
            encryption_key_id=event.encryption_key_id,
            sealed=event.sealed,
        )

    def _identity(self, event: EntitiesExtracted | EntitiesCoded) -> str:
        return coded_id(
            event.source,
            event.note_id,
            event.revision,
            event.model.serial,
            event.rules_serial,
            table_serial=self.serial,
        )

    def _entities(self, entities: Sequence[Entity | CodedEntity]) -> tuple[CodedEntity, ...]:
        found = self._coder.code_note([(one.text, _LABELS.get(one.label)) for one in entities])
        return tuple(
            CodedEntity(
                entity_id=one.entity_id,
                label=one.label,
                text=one.text,
                start=one.start,
                end=one.end,
                assertion=one.assertion,
                codes=NO_CODES if code is None else self._codings(code),
            )
            for one, code in zip(entities, found, strict=True)
        )

    def _codings(self, found: Coded) -> tuple[Coding, ...]:
        """Return the codes of a mention as the record has them; the coder gives most mentions an answer that it gave before."""
        known = self._shared.get(id(found))
        if known is None:
            if len(self._shared) >= _REMEMBERED:
                self._shared.clear()
            known = self._shared[id(found)] = (found, codings(found))  # the answer is kept, so its id stays its own
        return known[1]


def codings(found: Coded) -> tuple[Coding, ...]:
    """Return the codes of a mention as the record has them."""
    return tuple(
        Coding(
            system=one.system,
            code=one.code,
            display=one.display,
            version=way.version,
            score=round(way.score, _SCORE_DIGITS),
            how=way.how,
        )
        for one, way in zip(found.codings, found.ways, strict=True)
    )


def count(record: EntitiesCoded, counted: Counter[tuple[EntityLabel, str]]) -> None:
    """Count a record's mentions by label and result: coded, sealed, or none."""
    without = "none" if record.sealed is None else "sealed"
    for one in record.entities:
        counted[one.label, "coded" if one.codes else without] += 1
