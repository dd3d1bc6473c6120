"""An imported data set as validated annotations of a running stack, and the order that it be learnt from.

The trainer reads annotations from their topic alone, and cannot see where an import ends. So whoever imports says so: the order
follows the last annotation. Doing it again changes nothing: notes, annotations and order have identities that follow from the set.
"""

from __future__ import annotations

import uuid
from collections import Counter
from dataclasses import replace
from hashlib import sha256
from itertools import islice
from typing import TYPE_CHECKING

from contracts.identity import annotation_id, note_key
from contracts.records import (
    AnnotationChanges,
    AnnotationOutcome,
    AnnotationValidated,
    Entity,
    EntityLabel,
    ModelAction,
    ModelCommand,
    Relation,
    RelationType,
    Sample,
    Segment,
)
from contracts.registry import ConfluentRegistry, RegistryUnavailable, SchemaNotFound
from contracts.topics import ANNOTATIONS_VALIDATED, prefixed
from contracts.wire import Serializer, WireError
from runtime.errors import DeliveryFailed
from runtime.kafka.delivery import DeliveryProducer
from runtime.kafka.records import OutputRecord
from runtime.service import clock
from sealing import writing

from rxtract.errors import UserError
from rxtract.kafka import client_config
from rxtract.models.orders import DELIVERY_TIMEOUT_S, new_command, publish
from rxtract.sealed import patient_keys

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from clinical_ner.notes import AnnotatedNote

    from rxtract.addresses import StackAddresses

REQUESTED_BY = "dataset import"
SOURCE = "import"
"""Of all imported notes."""
_AT_ONCE = 500
_NAMESPACE = uuid.uuid5(uuid.NAMESPACE_DNS, "import.rxtract.behealthy.in")


def publish_import(
    addresses: StackAddresses, notes: Sequence[AnnotatedNote], name: str, digest: str, model_name: str
) -> ModelCommand:
    """Publish every note's annotation, wait until the broker has all of them, then order a training.

    Raises:
        UserError: Kafka or the registry does not answer, or a note cannot be published; nothing was ordered then.
    """
    addresses.need("bootstrap_servers", "schema_registry_url")
    now_ms = clock.now_ms()
    _publish_annotations(addresses, words(notes, name, digest, now_ms))
    command = new_command(ModelAction.RETRAIN, model_name, REQUESTED_BY, reason="annotations")
    command = replace(command, command_id=str(uuid.uuid5(_NAMESPACE, f"{model_name}\x1f{digest}")))
    try:
        publish(addresses, command)
    except DeliveryFailed as error:
        raise UserError(
            f"the annotations are stored, but the training was not ordered ({error}): run it again"
        ) from None
    return command


def words(notes: Sequence[AnnotatedNote], name: str, digest: str, now_ms: int) -> Iterator[AnnotationValidated]:
    """The notes as the words of an annotator who is the import. A text that comes twice makes two notes."""
    seen: Counter[str] = Counter()
    for note in notes:
        key = sha256(f"{digest}\x1f{note.text}\x1f{seen[note.text]}".encode("utf-8", "surrogatepass")).hexdigest()[:24]
        seen[note.text] += 1
        yield _word(note, f"import-{key}", name, digest, now_ms)


def _word(note: AnnotatedNote, note_id: str, name: str, digest: str, now_ms: int) -> AnnotationValidated:
    entities = tuple(
        Entity(
            entity_id=f"e{number}",
            label=EntityLabel(str(span.label)),
            text=note.text[span.start : span.end],
            start=span.start,
            end=span.end,
            confidence=1.0,
        )
        for number, span in enumerate(note.spans, 1)
    )
    return AnnotationValidated(
        annotation_id=annotation_id(SOURCE, note_id, 1, name, 1),
        source=SOURCE,
        note_id=note_id,
        revision=1,
        text=note.text,
        segment=Segment(city="", specialty=""),
        patient_ref=f"import-{digest[:16]}-{note.group}" if note.group else note_id,
        doctor_ref="",
        written_at=now_ms,
        predicted_entities=(),
        predicted_relations=(),
        entities=entities,
        relations=tuple(
            Relation(
                type=RelationType.TREATS,
                treatment_id=entities[treatment].entity_id,
                disease_id=entities[disease].entity_id,
                confidence=1.0,
            )
            for treatment, disease in note.pairs
        ),
        sample=Sample.IMPORTED,
        predictions_shown=False,
        outcome=AnnotationOutcome.ACCEPTED,
        changes=AnnotationChanges(kept=0, added=len(entities), removed=0, moved=0, relabelled=0),
        annotator=name,
        sequence=1,
        seconds_spent=0.0,
        annotated_at=now_ms,
        dataset_digest=digest,
    )


def _publish_annotations(addresses: StackAddresses, annotations: Iterator[AnnotationValidated]) -> None:
    topic = prefixed(addresses.topic_prefix, ANNOTATIONS_VALIDATED)
    try:
        registry = ConfluentRegistry(addresses.schema_registry_url)
        serialize = writing(Serializer.for_topic(AnnotationValidated, registry, topic), patient_keys(addresses))
    except SchemaNotFound:
        raise UserError(f"no schema for {topic}: run `rxtract schemas apply`") from None
    except RegistryUnavailable:
        raise UserError(f"the registry at {addresses.schema_registry_url} does not answer") from None
    producer = DeliveryProducer(client_config(addresses, "rxtract-cli"))
    try:
        while batch := list(islice(annotations, _AT_ONCE)):
            records = [
                OutputRecord(topic, note_key(word.source, word.note_id).encode(), serialize(word)) for word in batch
            ]
            producer.send(records).wait(DELIVERY_TIMEOUT_S)
    except WireError as error:
        raise UserError(f"a note of the set cannot be published ({error}); no training was ordered") from None
    except DeliveryFailed as error:
        raise UserError(f"{error}; no training was ordered: run the same command again") from None
    finally:
        producer.close(DELIVERY_TIMEOUT_S)
