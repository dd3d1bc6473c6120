"""Notes as FHIR documents for the subscribers of ``records.fhir.v1``: of an event and its codes, the same bytes each time."""

from collections import Counter
from collections.abc import Callable, Sequence

from contracts.identity import document_id, note_key
from contracts.reasons import Reason
from contracts.records import EntitiesCoded, EntitiesExtracted, FhirDocumentMade
from contracts.wire import WireError
from runtime.kafka.records import OutputRecord
from runtime.service.metrics import Metrics
from rxtract_fhir import Code, Codes, FhirRefused, Guide, as_bytes, document, of_event
from rxtract_fhir.profiles import Profile

from enricher.metrics import DOCUMENTS


class Documents:
    """Makes the documents of a note, one for each profile, and counts them.

    Args:
        profiles: Which kinds; none: nothing is made.
        guide: Whose version of ABDM's guide the codes keep.
        write: To bytes.
        topic: Full name of the topic of documents.
        metrics: Built from `enricher.metrics.METRICS`.
    """

    def __init__(
        self,
        profiles: Sequence[Profile],
        guide: Guide,
        write: Callable[[FhirDocumentMade], bytes],
        *,
        topic: str,
        metrics: Metrics,
    ) -> None:
        self._profiles = profiles
        self._guide = guide
        self._write = write
        self._topic = topic
        self._documents = metrics.counter(DOCUMENTS)
        self._counted: Counter[tuple[str, str]] = Counter()

    def of(self, event: EntitiesExtracted, coded: EntitiesCoded) -> list[OutputRecord]:
        """Return the records of an event's documents; none where its texts are sealed, since nobody here can read them.

        Raises:
            WireError: One would be too large, or a time of the note cannot be written.
        """
        if event.sealed is not None or event.encryption_key_id is not None:
            self._count("sealed")
            return []
        try:
            made = [self._record(event, coded, profile) for profile in self._profiles]
        except FhirRefused:
            self._count("refused")
            raise WireError(Reason.IMPOSSIBLE_TIME) from None
        except WireError:
            self._count("refused")
            raise
        self._count("made")
        return made

    def tell(self) -> None:
        """Show what was counted since the last time."""
        for (profile, result), documents in self._counted.items():
            self._documents.labels(profile, result).inc(documents)
        self._counted.clear()

    def _count(self, result: str) -> None:
        for profile in self._profiles:
            self._counted[profile.name, result] += 1

    def _record(self, event: EntitiesExtracted, coded: EntitiesCoded, profile: Profile) -> OutputRecord:
        guide = self._guide.value if profile.record else ""
        bundle = document(of_event(event), profile, codes_of(coded), guide=self._guide)
        made = FhirDocumentMade(
            event_id=document_id(coded.event_id, profile.name, guide),
            entities_event_id=event.event_id,
            source=event.source,
            note_id=event.note_id,
            revision=event.revision,
            origin=event.origin,
            model=event.model,
            rules_version=event.rules_version,
            rules_serial=event.rules_serial,
            table_version=coded.table_version,
            table_serial=coded.table_serial,
            profile=profile.name,
            guide=guide,
            patient_ref=event.patient_ref,
            written_at=event.written_at,
            extracted_at=event.extracted_at,
            bundle=as_bytes(bundle).decode(),
            pseudonym_key_id=event.pseudonym_key_id,
            purpose=event.purpose,
            consent_artefact_id=event.consent_artefact_id,
        )
        return OutputRecord(self._topic, note_key(event.source, event.note_id).encode(), self._write(made))


def codes_of(coded: EntitiesCoded) -> Codes:
    """Return the codes of a record as documents take them."""
    of = {
        one.entity_id: tuple(Code(code.system, code.code, code.display) for code in one.codes)
        for one in coded.entities
        if one.codes
    }
    return Codes(of, coded.table_version)
