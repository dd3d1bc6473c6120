"""Records at rest as tables for DuckDB, and the questions that are always asked."""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

import duckdb
from contracts.records import AssertionStatus, AssertionTime, Experiencer

from outcomes.records_at_rest import MANIFEST, SCHEMA, DamagedManifest, Manifest

# One row a note: the highest (revision, model serial, rules serial), whatever lies in the files. A note is a source and its id.
_NOTES = """
CREATE VIEW notes AS
SELECT * EXCLUDE (place) FROM (
  SELECT *, row_number() OVER (PARTITION BY source, note_id
    ORDER BY revision DESC, model_serial DESC, rules_serial DESC, extracted_at DESC) AS place
  FROM kept
) WHERE place = 1
"""


def _known(name: str, words: type[StrEnum]) -> str:
    """A column of what is said; what is not, and what a newer writer says, is UNKNOWN."""
    listed = ", ".join(f"'{word.value}'" for word in words)
    return f"""CASE WHEN one.assertion."{name}" IN ({listed}) THEN one.assertion."{name}" ELSE 'UNKNOWN' END AS "{name}\""""


_ENTITIES = f"""
CREATE VIEW entities AS
SELECT source, note_id, revision, model_version, rules_version, patient_ref, city, specialty, written_at, day, one.entity_id,
  one.label, one.text, one."start" AS "start", one."end" AS "end", one.confidence,
  {_known("status", AssertionStatus)}, {_known("time", AssertionTime)}, {_known("experiencer", Experiencer)}, one.prescription
FROM (SELECT *, unnest(entities) AS one FROM notes)
"""  # noqa: S608 - of our own words
# What the patient has, or is given, now: what a question counts unless it says otherwise.
_FACTS = """
CREATE VIEW facts AS
SELECT * EXCLUDE (status, "time", experiencer) FROM entities
WHERE status = 'PRESENT' AND "time" = 'CURRENT' AND experiencer = 'PATIENT'
"""
_RELATIONS = """
CREATE VIEW relations AS
SELECT r.source, r.note_id, r.patient_ref, r.city, r.specialty, r.written_at, r.day, r.one.type, t.text AS treatment, d.text AS disease,
  r.one.confidence
FROM (SELECT source, note_id, patient_ref, city, specialty, written_at, day, unnest(relations) AS one FROM notes) r
JOIN entities t ON t.source = r.source AND t.note_id = r.note_id AND t.entity_id = r.one.treatment_id
JOIN entities d ON d.source = r.source AND d.note_id = r.note_id AND d.entity_id = r.one.disease_id
"""
_PAIRS = """
CREATE VIEW pairs AS SELECT * EXCLUDE (type) FROM relations WHERE type = 'TREATS'
"""


@dataclass(frozen=True, slots=True)
class Question:
    """A ready question; ``$k`` is the least number of patients that a row must rest on.

    Patients, not notes: five notes of one patient would show words that nobody but that patient has.
    """

    name: str
    words: str
    sql: str


# Where a record is sealed its words are empty: it says nothing here.
READY = (
    Question(
        "diseases-by-city-and-week",
        "How many notes say that the patient has a disease now (PRESENT, CURRENT, PATIENT), by city and week.",
        """SELECT date_trunc('week', CAST(day AS DATE))::DATE AS week, city, lower(text) AS disease,
  count(DISTINCT (source, note_id)) AS notes
FROM facts WHERE label = 'DISEASE' AND text <> '' GROUP BY ALL HAVING count(DISTINCT patient_ref) >= $k
ORDER BY week DESC, notes DESC, city, disease LIMIT 200""",
    ),
    Question(
        "treatments-per-disease",
        "Which treatments are given now for a disease (relations of type TREATS).",
        """SELECT lower(disease) AS disease, lower(treatment) AS treatment, count(DISTINCT (source, note_id)) AS notes
FROM pairs WHERE treatment <> '' AND disease <> '' GROUP BY ALL HAVING count(DISTINCT patient_ref) >= $k ORDER BY notes DESC, disease, treatment LIMIT 200""",
    ),
    Question(
        "rising-mentions",
        "What more patients have, or are given, in the last seven days than in the seven before (PRESENT, CURRENT, PATIENT), as a share of notes.",
        """WITH last AS (SELECT max(CAST(day AS DATE)) AS day FROM notes),
totals AS (SELECT count(*) FILTER (WHERE CAST(n.day AS DATE) > last.day - 7) AS now_notes,
  count(*) FILTER (WHERE CAST(n.day AS DATE) <= last.day - 7 AND CAST(n.day AS DATE) > last.day - 14) AS before_notes
  FROM notes n, last),
mentions AS (SELECT lower(text) AS mention, label,
  count(DISTINCT patient_ref) FILTER (WHERE CAST(e.day AS DATE) > last.day - 7) AS patients,
  count(DISTINCT (source, note_id)) FILTER (WHERE CAST(e.day AS DATE) > last.day - 7) AS now,
  count(DISTINCT (source, note_id)) FILTER (WHERE CAST(e.day AS DATE) <= last.day - 7 AND CAST(e.day AS DATE) > last.day - 14) AS before
  FROM facts e, last WHERE text <> '' GROUP BY 1, 2)
SELECT mention, label, now AS notes_this_week, before AS notes_week_before,
  round((now + 0.5) / (now_notes + 1) / ((before + 0.5) / (before_notes + 1)), 2) AS times_as_often
FROM mentions, totals WHERE patients >= $k AND before_notes > 0
  AND (now + 0.5) / (now_notes + 1) > (before + 0.5) / (before_notes + 1)
ORDER BY times_as_often DESC, now DESC, mention LIMIT 50""",
    ),
    Question(
        "diseases-by-status",
        "How many notes name a disease, by what they say of it: every status, time and experiencer.",
        """SELECT lower(text) AS disease, status, "time", experiencer, count(DISTINCT (source, note_id)) AS notes
FROM entities WHERE label = 'DISEASE' AND text <> '' GROUP BY ALL HAVING count(DISTINCT patient_ref) >= $k
ORDER BY notes DESC, disease, status, "time", experiencer LIMIT 200""",
    ),
    Question(
        "treatments-by-status",
        "How many notes name a treatment, by what they say of it: allergies and refusals, past and planned ones too.",
        """SELECT lower(text) AS treatment, status, "time", experiencer, count(DISTINCT (source, note_id)) AS notes
FROM entities WHERE label = 'TREATMENT' AND text <> '' GROUP BY ALL HAVING count(DISTINCT patient_ref) >= $k
ORDER BY notes DESC, treatment, status, "time", experiencer LIMIT 200""",
    ),
    Question(
        "relations-by-type",
        "What treatments have to do with diseases, by type: given, completed, planned, causing, failing and so on.",
        """SELECT type, lower(treatment) AS treatment, lower(disease) AS disease, count(DISTINCT (source, note_id)) AS notes
FROM relations WHERE treatment <> '' AND disease <> '' GROUP BY ALL HAVING count(DISTINCT patient_ref) >= $k
ORDER BY notes DESC, type, treatment, disease LIMIT 200""",
    ),
)
READY_BY_NAME = {question.name: question for question in READY}


class NoRecordsAtRest(LookupError):
    """The folder has no manifest."""


class NoSelect(ValueError):
    """What was asked is not one SELECT: it might write."""


UNREADABLE = (duckdb.Error, DamagedManifest, OSError)
"""What asking raises when the files are not as they should be."""


def open_records(folder: Path) -> duckdb.DuckDBPyConnection:
    """Open a folder as the tables notes, entities, facts, relations and pairs, as they are visible now. No other file can be read.

    Raises:
        NoRecordsAtRest: There is no such folder, or nothing was ever written to it.
        DamagedManifest: Nobody knows which files count.
    """
    if not (folder / MANIFEST).exists():
        raise NoRecordsAtRest(f"no records at rest in {folder.name}: the scorekeeper writes them, is it up?")
    paths = [str(folder / one.path) for one in Manifest.read(folder).files]
    connection = duckdb.connect()
    listed = ", ".join(f"'{path.replace(chr(39), chr(39) * 2)}'" for path in paths)
    # Every column of now, which a file from before may lack.
    connection.register("nothing", SCHEMA.empty_table())
    connection.execute("CREATE TABLE columns_of_now AS SELECT * FROM nothing")
    connection.unregister("nothing")
    files = f"SELECT * FROM read_parquet([{listed}], hive_partitioning=false, union_by_name=true)"  # noqa: S608
    connection.execute(
        f"CREATE VIEW kept AS SELECT * FROM columns_of_now{f' UNION ALL BY NAME {files}' if paths else ''}"  # noqa: S608
    )
    for view in (_NOTES, _ENTITIES, _FACTS, _RELATIONS, _PAIRS):
        connection.execute(view)
    connection.execute(f"SET allowed_paths=[{listed}]; SET enable_external_access=false; SET lock_configuration=true")
    return connection


def newest_row(connection: duckdb.DuckDBPyConnection, source: str, note_id: str) -> dict[str, Any] | None:
    """The row of a note that counts, with every column; None when there is none. Times are UTC milliseconds."""
    asked = connection.execute(
        # A time with a zone needs a package more to become Python's.
        "SELECT * REPLACE (epoch_ms(written_at) AS written_at, epoch_ms(accepted_at) AS accepted_at, "
        "epoch_ms(extracted_at) AS extracted_at) FROM kept WHERE source = $source AND note_id = $note_id "
        "ORDER BY revision DESC, model_serial DESC, rules_serial DESC, extracted_at DESC LIMIT 1",
        {"source": source, "note_id": note_id},
    )
    names = [column[0] for column in asked.description or ()]
    row = asked.fetchone()
    return None if row is None else dict(zip(names, row, strict=True))


def select(connection: duckdb.DuckDBPyConnection, sql: str) -> duckdb.DuckDBPyConnection:
    """Ask a question of one's own. What may be read may also be written, as DuckDB sees it, so only a SELECT is taken.

    Raises:
        NoSelect: It is none, or not one alone.
        duckdb.Error: It is wrong.
    """
    statements = connection.extract_statements(sql)
    if [one.type for one in statements] != [duckdb.StatementType.SELECT]:
        raise NoSelect("give one SELECT: the records can be read, not written")
    return connection.execute(statements[0])


def ask(connection: duckdb.DuckDBPyConnection, question: Question, k: int) -> list[tuple[Any, ...]]:
    """The rows of a ready question."""
    return connection.execute(question.sql, {"k": k}).fetchall()
