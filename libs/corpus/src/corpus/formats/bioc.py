"""BioC as JSON (also PubTator's lines) and as XML: documents of passages, offsets count from the start of the document."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from corpus.formats.found import FoundNote, FoundRelation, FoundSpan, InvalidRecord
from corpus.formats.records import apply_words
from corpus.formats.xml_tree import Node, documents
from corpus.loaders_text import check_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from corpus.formats.report import Report
    from corpus.formats.source import Source

_LABELS = ("type", "label", "entity_type", "class")
_NO_ATTRIBUTES = {
    *_LABELS,
    "identifier",
    "normalized",
    "mesh",
    "umls",
    "accession",
    "biotype",
    "database",
    "name",
    "valid",
    "ncbi gene",
    "ncbi_gene",
    "note",
}


def note_of_document(path: Path, report: Report, record: Mapping[str, Any], line: int) -> list[FoundNote]:
    """Return each passage of a document as a note; they share a group, so that no split tears the document.

    Raises:
        InvalidRecord: A passage has no text, or an annotation no place.
    """
    ident = str(record.get("id") or "")
    notes = []
    for number, passage in enumerate(record.get("passages") or (), 1):
        text = passage.get("text")
        if not isinstance(text, str) or not text.strip():
            if passage.get("annotations"):
                raise InvalidRecord("a passage has annotations but no text: export it with its text", "text missing")
            continue
        check_text(text)
        base = int(passage.get("offset") or 0)
        spans = [span for one in passage.get("annotations") or () for span in _spans(path, report, one, base, line)]
        relations = [*_relations(passage.get("relations")), *_relations(record.get("relations"))]
        known = {span.ident for span in spans}
        here = [each for each in relations if each.head in known and each.tail in known]
        group = ident or f"{path.name}#{line}"
        notes.append(
            FoundNote(
                path,
                line,
                text,
                spans,
                here if relations else None,
                f"{group}.{number}",
                named=bool(ident),
                group=group,
            )
        )
    return notes


def _spans(path: Path, report: Report, one: Mapping[str, Any], base: int, line: int) -> Iterator[FoundSpan]:
    infons = {str(key).casefold(): str(value) for key, value in (one.get("infons") or {}).items()}
    label = next((infons[key] for key in _LABELS if key in infons), "")
    places = one.get("locations") or ()
    if not places or not all(
        isinstance(place.get("offset"), int) and isinstance(place.get("length"), int) for place in places
    ):
        raise InvalidRecord("an annotation without offset and length", "no place")
    if len(places) > 1:
        report.remark(path, line, "spans in several pieces, taken from the first to the last")
    start = min(place["offset"] for place in places) - base
    end = max(place["offset"] + place["length"] for place in places) - base
    span = FoundSpan(
        start, end, label, one.get("text") if len(places) == 1 else None, str(one.get("id") or ""), line=line
    )
    words = {name: value for name, value in infons.items() if name not in _NO_ATTRIBUTES}
    apply_words(report, path, line, [span], words)
    yield span


def _relations(given: Any) -> Iterator[FoundRelation]:
    for one in given or ():
        infons = {str(key).casefold(): str(value) for key, value in (one.get("infons") or {}).items()}
        ends = [str(node.get("refid")) for node in one.get("nodes") or ()]
        if len(ends) == 2:
            yield FoundRelation(infons.get("type") or infons.get("relation") or "", ends[0], ends[1])


def read_xml(source: Source, report: Report) -> Iterator[FoundNote]:
    """Read `<collection><document>...`, a document at a time."""
    for line, document in documents(source, report, "document"):
        record = {
            "id": document.said("id"),
            "passages": [_passage(passage) for passage in document.all("passage")],
            "relations": [_relation(each) for each in document.all("relation")],
        }
        try:
            yield from note_of_document(source.path, report, record, line)
        except (InvalidRecord, ValueError) as error:
            report.problem(source.path, line, str(error), getattr(error, "kind", "bioc"))


def _passage(node: Node) -> dict[str, Any]:
    inner = node.all("sentence")
    if inner and not node.said("text"):
        base = int(node.said("offset") or 0)
        text = ""
        for sentence in inner:
            text = text.ljust(int(sentence.said("offset") or 0) - base) + sentence.said("text")
        annotations = [each for sentence in inner for each in sentence.all("annotation")]
    else:
        text, annotations = node.said("text"), [*node.all("annotation")]
    return {
        "offset": int(node.said("offset") or 0),
        "text": text,
        "annotations": [_annotation(each) for each in annotations],
        "relations": [_relation(each) for each in node.all("relation")],
    }


def _annotation(node: Node) -> dict[str, Any]:
    return {
        "id": node.attributes.get("id", ""),
        "text": node.said("text"),
        "infons": {each.attributes.get("key", ""): each.text for each in node.all("infon")},
        "locations": [
            {"offset": int(each.attributes.get("offset", -1)), "length": int(each.attributes.get("length", 0))}
            for each in node.all("location")
        ],
    }


def _relation(node: Node) -> dict[str, Any]:
    return {
        "infons": {each.attributes.get("key", ""): each.text for each in node.all("infon")},
        "nodes": [{"refid": each.attributes.get("refid", "")} for each in node.all("node")],
    }
