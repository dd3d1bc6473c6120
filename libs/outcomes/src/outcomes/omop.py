"""Mentions as rows of NOTE_NLP, a table of OMOP's common data model (version 5.4), from records at rest.

What is not ours to know is left open: OMOP's concept ids need its vocabularies, so they are 0 ("no matching concept"), and the codes stand in
`term_modifiers`, from where a site maps them by its own CONCEPT table. A note's number is 63 bits of a hash of source and note_id, since
OMOP asks for a number; the map to both is given beside it.
"""

import hashlib
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import duckdb

NLP_SYSTEM_LENGTH = 250
MODIFIERS_LENGTH = 2_000
VARIANT_LENGTH = 250
"""Of the columns, in characters, as the model's definition bounds them."""

COLUMNS = (
    "note_nlp_id",
    "note_id",
    "section_concept_id",
    "snippet",
    "offset",
    "lexical_variant",
    "note_nlp_concept_id",
    "note_nlp_source_concept_id",
    "nlp_system",
    "nlp_date",
    "nlp_datetime",
    "term_exists",
    "term_temporal",
    "term_modifiers",
)
_ROWS = """
SELECT e.source, e.note_id, e.text, e."start", e.model_version, e.rules_version, CAST(n.day AS VARCHAR) AS day,
  epoch_ms(n.extracted_at) AS extracted_ms, e.label, e.status, e."time", e.experiencer,
  (SELECT list(c.system || '|' || c.code ORDER BY c.place) FROM codes c
    WHERE c.source = e.source AND c.note_id = e.note_id AND c.entity_id = e.entity_id) AS codes
FROM entities e JOIN notes n ON n.source = e.source AND n.note_id = e.note_id
WHERE e.text <> ''
ORDER BY e.source, e.note_id, e."start", e.entity_id
"""


def note_number(source: str, note_id: str) -> int:
    """Return a note's number: the same for the same note, above 0."""
    digest = hashlib.blake2b(f"{source}|{note_id}".encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return (int.from_bytes(digest, "big") >> 1) or 1


def omop_rows(connection: duckdb.DuckDBPyConnection) -> Iterator[tuple[Any, ...]]:
    """Yield a row of `COLUMNS` for each mention of the records, in an order that stays.

    `term_exists` is Y for what the patient has or is given (PRESENT or POSSIBLE, of the patient), N for the rest, also where nobody judged.
    """
    asked = connection.execute(_ROWS)
    number = 0
    while rows := asked.fetchmany(1_000):
        for row in rows:
            number += 1
            yield _row(number, row)


def _row(number: int, row: tuple[Any, ...]) -> tuple[Any, ...]:
    source, note_id, text, start, model, rules, day, extracted_ms, label, status, time, experiencer, codes = row
    said = {"label": label, "status": status, "time": time, "experiencer": experiencer}
    modifiers = [f"{name}={value}" for name, value in said.items()]
    modifiers += [f"code={code}" for code in codes or ()]
    exists = status in {"PRESENT", "POSSIBLE"} and experiencer == "PATIENT"
    return (
        number,
        note_number(source, note_id),
        0,
        "",
        str(start),
        text[:VARIANT_LENGTH],
        0,
        0,
        f"rxtract model {model} rules {rules}"[:NLP_SYSTEM_LENGTH],
        day,
        datetime.fromtimestamp(extracted_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S"),
        "Y" if exists else "N",
        {"CURRENT": "Present", "HISTORICAL": "Past", "PLANNED": "Planned"}.get(time, ""),
        ",".join(modifiers)[:MODIFIERS_LENGTH],
    )
