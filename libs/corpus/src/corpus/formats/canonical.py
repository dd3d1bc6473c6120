"""What only our own JSON lines hold: what a note says of its spans, relations and pairs by place, tokens, the labels that were annotated."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clinical_ner.meaning import Experiencer, Prescription, RelationType, Status, Time
from clinical_ner.notes import Label, Span, SpanMeaning

from corpus.formats.found import InvalidRecord

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from enum import StrEnum

    from corpus.formats.found import FoundNote

MEANING_WORDS: dict[str, type[StrEnum]] = {"status": Status, "time": Time, "experiencer": Experiencer}
_NUMBERS = frozenset({"frequency", "period", "duration"})
_TYPE_WORDS = {int: "whole number", bool: "true or false", str: "string"}
_NEGATIONS = {"negated": True, "affirmed": False}
_OURS = ("status", "time", "experiencer", "negated", "prescription")
Relations = tuple[tuple[str, int, int], ...]


def add_ours(note: FoundNote, record: Mapping[str, Any], items: Sequence[Any]) -> None:
    """Give a note what our own lines hold beside text and spans.

    Raises:
        InvalidRecord: A word, a place or a type is unknown.
    """
    named = record.get("negation")
    if named is not None and str(named).lower() not in _NEGATIONS:
        raise InvalidRecord('"negation" must be "Negated" or "Affirmed"', "negation")
    negated = None if named is None else _NEGATIONS[str(named).lower()]
    if len(items) == len(note.spans):
        for span, item in zip(note.spans, items, strict=True):
            span.meaning = _meaning(item, negated=negated)
    tokens = _list(record, "tokens")
    if tokens:
        note.tokens = _token_offsets(tokens, note.text)
    given = record.get("relations")
    ours = isinstance(given, list) and all(
        "treatment" in one or "disease" in one for one in given if isinstance(one, dict)
    )
    extra: dict[str, Any] = {}
    if given is not None and ours:
        note.relations = None
        extra["relations"] = [_relation(one) for one in _list(record, "relations")]
    if "pairs" in record:
        extra["pairs"] = [_pair(one) for one in _list(record, "pairs")]
    note.extra = extra
    annotates = record.get("annotates")
    if annotates is not None:
        if not isinstance(annotates, list) or not set(map(str, annotates)) <= set(Label):
            raise InvalidRecord('"annotates" must be a list of labels, as ["DISEASE"]', "annotates")
        note.meta = {**note.meta, "annotates": ",".join(sorted(map(str, annotates)))}


def places_of(
    note: FoundNote, spans: Sequence[Span], place: Mapping[int, int]
) -> tuple[tuple[tuple[int, int], ...], Relations | None]:
    """Return pairs and relations of our own lines by the places of the spans that were kept.

    Raises:
        InvalidRecord: One does not name a treatment and a disease.
    """
    relations: Relations | None = None
    if "relations" in note.extra:
        relations = tuple((kind, *_ends(ends, spans, place, "relation")) for kind, ends in note.extra["relations"])
    if "pairs" in note.extra:
        return tuple(_ends(pair, spans, place, "pair") for pair in note.extra["pairs"]), relations
    return tuple((treatment, disease) for kind, treatment, disease in relations or () if kind == "TREATS"), relations


def _ends(pair: Sequence[Any], spans: Sequence[Span], place: Mapping[int, int], what: str) -> tuple[int, int]:
    ends = [place.get(end) if type(end) is int else None for end in pair]
    treatment, disease = ends
    if (
        treatment is None
        or disease is None
        or spans[treatment].label is not Label.TREATMENT
        or spans[disease].label is not Label.DISEASE
    ):
        raise InvalidRecord(f"{what} {list(pair)} does not name a treatment span and a disease span of this note", what)
    return treatment, disease


def _relation(one: Any) -> tuple[str, list[Any]]:
    if not isinstance(one, dict):
        raise InvalidRecord('"relations" must hold {"type": "TREATS", "treatment": 1, "disease": 0}', "relation")
    kind = _word(one.get("type", ""), "type of a relation", RelationType)
    return str(kind), [one.get("treatment"), one.get("disease")]


def _pair(one: Any) -> list[int]:
    if not (isinstance(one, list) and len(one) == 2 and all(type(end) is int for end in one)):
        raise InvalidRecord('"pairs" must hold [treatment span, disease span], counted from 0', "pair")
    return one


def _meaning(item: object, *, negated: bool | None) -> SpanMeaning:
    span = {key: item[key] for key in _OURS if key in item} if isinstance(item, dict) else {}
    words = {name: _word(span.get(name), name, names) for name, names in MEANING_WORDS.items()}
    own = span.get("negated")
    if own is not None and not isinstance(own, bool):
        raise InvalidRecord('"negated" of a span must be true or false', "negated")
    return SpanMeaning(
        **words, negated=negated if own is None else own, prescription=_prescription(span.get("prescription"))
    )


def _word(value: object, name: str, names: type[StrEnum]) -> str | None:
    if value is None:
        return None
    if not isinstance(value, str) or value not in set(names):
        raise InvalidRecord(f"unknown {name} {str(value)[:20]!r}: known are {', '.join(names)}", name)
    return value


def _prescription(given: object) -> dict[str, str | int | bool] | None:
    if given is None:
        return None
    if not isinstance(given, dict):
        raise InvalidRecord('"prescription" of a span must be an object of attributes', "prescription")
    for name, value in given.items():
        if name not in Prescription._fields:
            raise InvalidRecord(
                f"unknown attribute {name[:20]!r}: known are {', '.join(Prescription._fields)}", "attribute"
            )
        wanted = int if name in _NUMBERS else bool if name == "as_needed" else str
        if value is not None and type(value) is not wanted:
            raise InvalidRecord(f'the attribute "{name}" must be a {_TYPE_WORDS[wanted]}', "attribute")
    return {name: value for name, value in given.items() if value is not None}


def _token_offsets(tokens: list[Any], text: str) -> list[tuple[int, int]]:
    position, found = 0, []
    for token in tokens:
        if isinstance(token, dict):
            token = [token.get("start"), token.get("end")]  # noqa: PLW2901 - Prodigy's and spaCy's tokens in our form
        if not (isinstance(token, list) and len(token) == 2 and all(type(edge) is int for edge in token)):
            raise InvalidRecord('"tokens" must be a list of [start, end]', "tokens")
        if not position <= token[0] < token[1] <= len(text):
            raise InvalidRecord(f"token {token} is outside the text or before its predecessor", "token")
        position = token[1]
        found.append((token[0], token[1]))
    return found


def _list(record: Mapping[str, Any], name: str) -> list[Any]:
    value = record.get(name) or []
    if not isinstance(value, list):
        raise InvalidRecord(f'"{name}" must be a list', f"{name} no list")
    return value
