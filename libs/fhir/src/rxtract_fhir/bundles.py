"""From an extracted note to a document Bundle: pure, and byte for byte the same for the same note, codes and profile."""

from __future__ import annotations

from collections import defaultdict
from html import escape
from typing import TYPE_CHECKING, Any

import orjson

from rxtract_fhir.codings import NO_CODES, Guide
from rxtract_fhir.kinds import Section, kind_of
from rxtract_fhir.notes import Relation
from rxtract_fhir.profiles import ABDM, Profile, profile_named
from rxtract_fhir.resources import (
    TERMINOLOGY,
    Context,
    Resource,
    Stated,
    clinical,
    concept,
    device,
    encounter,
    head,
    narrative,
    note_name,
    note_system,
    patient,
    practitioner,
    provenance,
    reference,
    stated,
)
from rxtract_fhir.treatments import is_drug

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from rxtract_fhir.codings import Codes
    from rxtract_fhir.kinds import Kind
    from rxtract_fhir.notes import Directions, Entity, Note

_NOTHING = "The machine found nothing for this section"
_REASONS = frozenset(("TREATS", "TREATED", "PLANNED", "TREATS_FAILED", "REFUSED"))
"""Relations in which the disease is what a treatment is for."""
_PRESCRIBED = "MedicationRequest"


def document(
    note: Note,
    profile: str | Profile = "op-consult",
    codes: Codes = NO_CODES,
    *,
    guide: Guide = Guide.NOW,
    refuted: bool = False,
) -> dict[str, Any]:
    """Return a note as a document Bundle, with the Composition first.

    Args:
        note: The note.
        profile: op-consult or prescription (ABDM's records), or r4.
        codes: Of its mentions; codes of a system that the profile does not allow are left out.
        guide: Whose version of ABDM's guide the codes keep.
        refuted: State also what the note denies, as refuted, not taken or not done; else it is left out.

    Raises:
        FhirRefused: There is no such profile, or a time of the note cannot be written.
    """
    chosen = profile if isinstance(profile, Profile) else profile_named(profile)
    context = Context.of(note, chosen, guide, codes)
    kept, stands_for = _once(_kinds(context, refuted=refuted))
    bonds = _between(note.relations, stands_for)
    found = [one for entity, kind in _of_profile(chosen, kept, bonds) for one in _stated(context, entity, kind)]
    reasons = _reasons(bonds, found)
    resources = [clinical(context, one, reasons.get(one.id, ()), _reactions(note, one, stands_for)) for one in found]
    made = [_composition(context, found), patient(context), practitioner(context), encounter(context), device(context), *resources]  # fmt: skip
    made.append(provenance(context, [made[0]["id"], *(one.id for one in found)]))
    return _bundle(context, made)


def as_bytes(bundle: Mapping[str, Any]) -> bytes:
    """Return a Bundle as one line of JSON in UTF-8, without a line end."""
    return orjson.dumps(bundle)


def _kinds(context: Context, *, refuted: bool) -> list[tuple[Entity, Kind]]:
    """Return the entities that become something."""
    codes, found = context.codes.of, []
    for entity in context.note.entities:
        drug = entity.label == "TREATMENT" and is_drug(
            entity.words, entity.directions, (one.system for one in codes.get(entity.entity_id, ()))
        )
        kind = kind_of(entity, drug=drug, refuted=refuted)
        if kind is not None and entity.words:
            found.append((entity, kind))
    return found


def _once(found: Sequence[tuple[Entity, Kind]]) -> tuple[list[tuple[Entity, Kind]], dict[str, str]]:
    """Keep of each thing one mention: of a drug named twice there would be two orders. Also return which stands for each.

    Of two mentions the one with directions stays; of two with different directions both.
    """
    same: dict[tuple[Kind, str], dict[Directions | None, str]] = {}
    for entity, kind in found:
        same.setdefault((kind, entity.words.lower()), {}).setdefault(entity.directions, entity.entity_id)
    for ways in same.values():
        if len(ways) > 1:
            ways.pop(None, None)
    stands_for = {}
    for entity, kind in found:
        ways = same[kind, entity.words.lower()]
        stands_for[entity.entity_id] = ways.get(entity.directions) or next(iter(ways.values()))
    return [one for one in found if stands_for[one[0].entity_id] == one[0].entity_id], stands_for


def _between(relations: Iterable[Relation], stands_for: Mapping[str, str]) -> list[Relation]:
    """Return what a treatment is for, between the mentions that stay."""
    return [
        Relation(one.type, stands_for[one.treatment_id], stands_for[one.disease_id])
        for one in relations
        if one.type in _REASONS and one.treatment_id in stands_for and one.disease_id in stands_for
    ]


def _of_profile(
    profile: Profile, found: list[tuple[Entity, Kind]], bonds: Iterable[Relation]
) -> list[tuple[Entity, Kind]]:
    """Keep what the profile has a place for: of a prescription what is prescribed, and the conditions that it is for."""
    if Section.PROBLEMS in profile.sections:
        return found
    wanted = {entity.entity_id for entity, kind in found if kind.resource == _PRESCRIBED}
    reasons = {one.disease_id for one in bonds if one.treatment_id in wanted}
    return [
        (entity, kind)
        for entity, kind in found
        if entity.entity_id in wanted or (entity.entity_id in reasons and _is_reason(kind))
    ]


def _is_reason(kind: Kind) -> bool:
    """A refuted condition is no reason."""
    return kind.resource == "Condition" and bool(kind.status)


def _stated(context: Context, entity: Entity, kind: Kind) -> list[Stated]:
    return stated(context, entity, kind, context.codes.of.get(entity.entity_id, ()))


def _reasons(bonds: Iterable[Relation], found: Sequence[Stated]) -> dict[str, list[str]]:
    """Return the ids of the conditions for which each treatment is, by the treatment's id."""
    conditions: dict[str, list[str]] = defaultdict(list)
    treatments = {}
    for one in found:
        if _is_reason(one.kind):
            conditions[one.entity.entity_id].append(one.id)
        treatments[one.entity.entity_id] = one.id
    reasons: dict[str, list[str]] = defaultdict(list)
    for bond in bonds:
        if bond.treatment_id in treatments:
            known = reasons[treatments[bond.treatment_id]]
            known += [one for one in conditions.get(bond.disease_id, ()) if one not in known]
    return reasons


def _reactions(note: Note, allergy: Stated, stands_for: Mapping[str, str]) -> list[str]:
    """Return by what an allergy showed itself, as the note relates it."""
    if allergy.kind.resource != "AllergyIntolerance":
        return []
    own = allergy.entity.entity_id
    caused = {one.disease_id for one in note.relations if one.type == "CAUSES" and stands_for.get(one.treatment_id) == own}  # fmt: skip
    return list(dict.fromkeys(one.words for one in note.entities if one.entity_id in caused and one.words))


def _composition(context: Context, found: Sequence[Stated]) -> Resource:
    profile = context.profile
    made = head(context, "Composition", context.ids.of("composition"), f"{profile.kind.title}, preliminary: made by a machine")  # fmt: skip
    shown = _sections(profile, found)
    # An empty PrescriptionRecord is not what ABDM's profile describes, so it does not say that it is one.
    if profile.record and (shown or Section.PROBLEMS in profile.sections):
        made = {"resourceType": made.pop("resourceType"), "id": made.pop("id"), "meta": {"profile": [ABDM + profile.record]}, **made}  # fmt: skip
    made["identifier"] = {"system": note_system(context.note), "value": note_name(context.note)}
    made["status"] = "preliminary"
    made["type"] = profile.kind.concept()
    made["subject"] = reference(context.patient)
    made["encounter"] = reference(context.encounter)
    made["date"] = context.written_at
    made["author"] = [reference(context.practitioner), reference(context.device)]
    made["title"] = profile.kind.title
    made["section"] = shown or [_empty(profile)]
    return made


def _sections(profile: Profile, found: Sequence[Stated]) -> list[Resource]:
    sections = []
    for section, heading in profile.sections.items():
        here = [one for one in found if one.kind.section is section]
        if here:
            lines = "".join(f"<li>{escape(one.line, quote=False)}</li>" for one in here)
            entries = [{**reference(one.id), "type": one.kind.resource} for one in here]
            text = narrative(f"<ul>{lines}</ul>")
            sections.append({"title": heading.title, "code": heading.concept(), "text": text, "entry": entries})
    return sections


def _empty(profile: Profile) -> Resource:
    heading = next(iter(profile.sections.values()))
    reason = concept("list-empty-reason", "unavailable")
    return {"title": heading.title, "code": heading.concept(), "text": narrative(_NOTHING), "emptyReason": reason}


def _bundle(context: Context, resources: Sequence[Resource]) -> dict[str, Any]:
    bundle_id = context.ids.of("bundle")
    meta: dict[str, Any] = {"versionId": "1", "lastUpdated": context.made_at}
    if context.profile.record:
        meta["profile"] = [ABDM + "DocumentBundle"]
    meta["security"] = [{"system": TERMINOLOGY + "v3-Confidentiality", "code": "V", "display": "very restricted"}]
    return {
        "resourceType": "Bundle",
        "id": bundle_id,
        "meta": meta,
        "identifier": {"system": "urn:ietf:rfc:3986", "value": "urn:uuid:" + bundle_id},
        "type": "document",
        "timestamp": context.made_at,
        "entry": [{"fullUrl": "urn:uuid:" + one["id"], "resource": one} for one in resources],
    }
