"""Synthetic notes as the extractor would leave them: texts of the corpus, its spans, and what the shipped rules say of them."""

from clinical_ner.meaning import shipped_reader
from corpus import simulate
from rxtract_fhir.notes import Directions, Entity, Model, Note, Relation, words_of

from tests.fhir.kinds import MADE, WRITTEN


def notes(count: int, seed: int = 23) -> list[Note]:
    """As many notes as asked for, the same for the same seed."""
    given = [one.truth for one in simulate(seed, count)]
    texts, spans = [one.text for one in given], [one.spans for one in given]
    read = shipped_reader()
    model = Model("rxtract-ner", "7, serial 9", read.rules_version)
    return [
        _note(number, text, each, meaning, model)
        for number, (text, each, meaning) in enumerate(zip(texts, spans, read.read(texts, spans), strict=True))
    ]


def _note(number, text, spans, meaning, model):
    entities = tuple(
        Entity(
            f"e{place}",
            str(span.label),
            words_of(text[span.start : span.end]),
            *map(str, said[:3]),
            None if way is None else Directions(*way),
        )
        for place, (span, said, way) in enumerate(zip(spans, meaning.assertions, meaning.prescriptions, strict=True), 1)
    )
    bonds = tuple(Relation(str(one.type), f"e{one.treatment + 1}", f"e{one.disease + 1}") for one in meaning.relations)
    return Note(
        "synthetic", f"n{number}", 1, f"event {number}", f"p{number % 50}", WRITTEN, MADE, model, entities, bonds
    )
