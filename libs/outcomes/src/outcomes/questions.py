"""Records at rest as tables for DuckDB, and the questions that are always asked."""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

import duckdb
from contracts.records import AssertionStatus, AssertionTime, Experiencer
from duckdb.func import FunctionNullHandling, PythonUDFType
from duckdb.sqltypes import BLOB, INTEGER, VARCHAR

from outcomes.records_at_rest import CODES, CODES_SCHEMA, MANIFEST, SCHEMA, DamagedManifest, Manifest
from outcomes.sealed_rows import OpenWords, opening

# One row a note: the highest (revision, model serial, rules serial), whatever lies in the files. A note is a source and its id.
_NOTES = """
CREATE VIEW notes AS
SELECT * EXCLUDE (place, sealed){opened} FROM (
  SELECT *, row_number() OVER (PARTITION BY source, note_id
    ORDER BY revision DESC, model_serial DESC, rules_serial DESC, extracted_at DESC) AS place
  FROM kept
) WHERE place = 1
"""

_OPENED = " REPLACE (opened(source, note_id, revision, encryption_key_id, sealed, entities) AS entities)"


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
# The codes of the event that counts for a note, by the newest tables that coded it. `category` is what ICD-10 counts by: its first three.
_CODES = """
CREATE VIEW codes AS
SELECT e.*, c.system, c.code, c.display, c.version, c.score, c.how, c.place,
  CASE WHEN c.system = 'http://hl7.org/fhir/sid/icd-10' THEN left(c.code, 3) ELSE c.code END AS category
FROM (SELECT source, note_id, unnest(codes, recursive := true) FROM (
  SELECT k.source, k.note_id, k.codes, row_number() OVER (PARTITION BY k.source, k.note_id ORDER BY k.table_serial DESC) AS newest
  FROM kept_codes k JOIN notes n ON n.source = k.source AND n.note_id = k.note_id AND n.event_id = k.entities_event_id
) WHERE newest = 1) c
JOIN entities e ON e.source = c.source AND e.note_id = c.note_id AND e.entity_id = c.entity_id
"""
_CODED_FACTS = """
CREATE VIEW coded_facts AS
SELECT * EXCLUDE (status, "time", experiencer) FROM codes
WHERE status = 'PRESENT' AND "time" = 'CURRENT' AND experiencer = 'PATIENT'
"""


@dataclass(frozen=True, slots=True)
class Question:
    """A ready question; ``$k`` is the least number of patients that a row must rest on.

    Patients, not notes: five notes of one patient would show words that nobody but that patient has.
    """

    name: str
    words: str
    sql: str


# Where a record is sealed and may not be opened its words are empty: it says nothing here.
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
    Question(
        "diseases-by-code",
        "How many patients have a disease now, by its code: one row for htn and hypertension, with how many spellings it had.",
        """SELECT code, max(display) AS disease, count(DISTINCT patient_ref) AS patients, count(DISTINCT (source, note_id)) AS notes,
  count(DISTINCT lower(text)) AS spellings
FROM coded_facts WHERE label = 'DISEASE' GROUP BY system, code HAVING count(DISTINCT patient_ref) >= $k
ORDER BY patients DESC, notes DESC, code LIMIT 200""",
    ),
    Question(
        "substances-by-code",
        "How many patients are given a substance now, by its code: brands, combinations and generic names in one row.",
        """SELECT code, max(display) AS substance, count(DISTINCT patient_ref) AS patients, count(DISTINCT (source, note_id)) AS notes,
  count(DISTINCT lower(text)) AS names
FROM coded_facts WHERE label = 'TREATMENT' GROUP BY system, code HAVING count(DISTINCT patient_ref) >= $k
ORDER BY patients DESC, notes DESC, code LIMIT 200""",
    ),
    Question(
        "mentions-without-code",
        "Frequent mentions that the tables of codes do not know, the most frequent first: what a list or a CSV of your own should name next.",
        """SELECT min(text) AS mention, label, count(DISTINCT patient_ref) AS patients, count(DISTINCT (source, note_id)) AS notes
FROM entities e WHERE text <> ''
  AND EXISTS (SELECT 1 FROM notes n JOIN kept_codes k ON k.entities_event_id = n.event_id WHERE n.source = e.source AND n.note_id = e.note_id)
  AND NOT EXISTS (SELECT 1 FROM codes c WHERE c.source = e.source AND c.note_id = e.note_id AND c.entity_id = e.entity_id)
GROUP BY lower(text), label HAVING count(DISTINCT patient_ref) >= $k
ORDER BY notes DESC, mention, label LIMIT 200""",
    ),
    Question(
        "rising-categories",
        "Which categories of diseases more patients have in the last seven days than in the seven before, as a share of all patients.",
        """WITH last AS (SELECT max(CAST(day AS DATE)) AS day FROM notes),
totals AS (SELECT count(DISTINCT patient_ref) FILTER (WHERE CAST(n.day AS DATE) > last.day - 7) AS now_all,
  count(DISTINCT patient_ref) FILTER (WHERE CAST(n.day AS DATE) <= last.day - 7 AND CAST(n.day AS DATE) > last.day - 14) AS before_all
  FROM notes n, last),
found AS (SELECT category, min_by(display, length(code)) AS disease,
  count(DISTINCT patient_ref) FILTER (WHERE CAST(c.day AS DATE) > last.day - 7) AS now,
  count(DISTINCT patient_ref) FILTER (WHERE CAST(c.day AS DATE) <= last.day - 7 AND CAST(c.day AS DATE) > last.day - 14) AS before
  FROM coded_facts c, last WHERE label = 'DISEASE' GROUP BY 1)
SELECT category, disease, now AS patients_this_week,
  CASE WHEN before = 0 OR before >= $k THEN before END AS patients_week_before,
  round((now + 0.5) / (now_all + 1) / ((greatest(before, CASE WHEN before = 0 THEN 0 ELSE $k END) + 0.5) / (before_all + 1)), 2) AS times_as_often
FROM found, totals WHERE now >= $k AND before_all > 0
  AND (now + 0.5) / (now_all + 1) > (before + 0.5) / (before_all + 1)
ORDER BY times_as_often DESC, now DESC, category LIMIT 50""",
    ),
)
READY_BY_NAME = {question.name: question for question in READY}


class NoRecordsAtRest(LookupError):
    """The folder has no manifest."""


class NoSelect(ValueError):
    """What was asked is not one SELECT: it might write."""


UNREADABLE = (duckdb.Error, DamagedManifest, OSError)
"""What asking raises when the files are not as they should be."""


SUCCESS = "_SUCCESS"
"""What Spark and its like leave beside the files of a job that ended well."""


def visible_files(folder: Path) -> list[Path]:
    """Return the files of a folder that count: those that its manifest names, or all that a job of a cluster finished.

    Raises:
        NoRecordsAtRest: There is no such folder, or nothing was ever written to it.
        DamagedManifest: Nobody knows which files count.
    """
    if (folder / MANIFEST).exists():
        return [folder / one.path for one in Manifest.read(folder).files]
    if (folder / SUCCESS).exists():
        return sorted(path for path in folder.rglob("*.parquet") if not path.name.startswith(("_", ".")))
    raise NoRecordsAtRest(
        f"no records at rest in {folder.name}: the scorekeeper writes them (is it up?), or `rxtract batch`, or a Spark job that ended"
    )


def open_records(*folders: Path, opens: OpenWords | None = None) -> duckdb.DuckDBPyConnection:
    """Open folders as the tables notes, entities, facts, relations, pairs, codes and coded_facts, as they are visible now. No other file can be read.

    Args:
        folders: Of records.
        opens: Opens the words of sealed rows, of those alone that a question reads; without it their words are empty.

    Raises:
        NoRecordsAtRest: There is no such folder, or nothing was ever written to it.
        DamagedManifest: Nobody knows which files count.
    """
    paths = [str(path) for folder in folders for path in visible_files(folder)]
    connection = duckdb.connect()
    listed = _listed(paths)
    # Every column of now, which a file from before may lack.
    connection.register("nothing", SCHEMA.empty_table())
    connection.execute("CREATE TABLE columns_of_now AS SELECT * FROM nothing")
    connection.unregister("nothing")
    files = f"SELECT * FROM read_parquet([{listed}], hive_partitioning=false, union_by_name=true)"  # noqa: S608
    connection.execute(
        f"CREATE VIEW kept AS SELECT * FROM columns_of_now{f' UNION ALL BY NAME {files}' if paths else ''}"  # noqa: S608
    )
    coded = [str(path) for folder in folders for path in code_files(folder)]
    _keep_codes(connection, coded)
    if opens is not None:
        _let_open(connection, opens)
    opened = "" if opens is None else _OPENED
    for view in (
        _NOTES.format(opened=opened),
        _ENTITIES,
        _FACTS,
        _RELATIONS,
        _PAIRS,
        _CODES,
        _CODED_FACTS,
    ):
        connection.execute(view)
    listed = _listed([*paths, *coded])
    connection.execute(f"SET allowed_paths=[{listed}]; SET enable_external_access=false; SET lock_configuration=true")
    return connection


def _let_open(connection: duckdb.DuckDBPyConnection, opens: OpenWords) -> None:
    """Make `opened` a function of SQL; it has no side effects, so a row that no question reads is never opened."""
    (kind,) = connection.sql("SELECT entities FROM kept").types
    kinds: list[Any] = [VARCHAR, VARCHAR, INTEGER, VARCHAR, BLOB, kind]
    connection.create_function(
        "opened",
        opening(opens),
        kinds,
        kind,
        type=PythonUDFType.ARROW,
        null_handling=FunctionNullHandling.SPECIAL,
        side_effects=False,
    )


def code_files(folder: Path) -> list[Path]:
    """Return the files of codes that count; none where nobody codes.

    Raises:
        DamagedManifest: Nobody knows which files count.
    """
    return [folder / CODES / one.path for one in Manifest.read(folder / CODES).files]


def _keep_codes(connection: duckdb.DuckDBPyConnection, paths: list[str]) -> None:
    connection.register("nothing", CODES_SCHEMA.empty_table())
    connection.execute("CREATE TABLE codes_of_now AS SELECT * FROM nothing")
    connection.unregister("nothing")
    files = f"SELECT * FROM read_parquet([{_listed(paths)}], hive_partitioning=false, union_by_name=true)"  # noqa: S608
    connection.execute(
        f"CREATE VIEW kept_codes AS SELECT * FROM codes_of_now{f' UNION ALL BY NAME {files}' if paths else ''}"  # noqa: S608
    )


def _listed(paths: list[str]) -> str:
    return ", ".join(f"'{path.replace(chr(39), chr(39) * 2)}'" for path in paths)


def newest_row(connection: duckdb.DuckDBPyConnection, source: str, note_id: str) -> dict[str, Any] | None:
    """The row of a note that counts, with every column, sealed as it lies (`sealed_rows.opened_row` opens it); None when there is none.

    Times are UTC milliseconds.
    """
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


def newest_codes(
    connection: duckdb.DuckDBPyConnection, source: str, note_id: str, event_id: str
) -> tuple[str, list[dict[str, Any]]] | None:
    """Return what the newest tables gave the entities of an event: their version and codes, in their order; None before it was coded."""
    asked = connection.execute(
        "SELECT table_version, codes FROM kept_codes WHERE source = $source AND note_id = $note_id "
        "AND entities_event_id = $event_id ORDER BY table_serial DESC LIMIT 1",
        {"source": source, "note_id": note_id, "event_id": event_id},
    )
    row = asked.fetchone()
    return None if row is None else (row[0], sorted(row[1] or (), key=lambda one: (one["entity_id"], one["place"])))


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


def frequent_mentions(connection: duckdb.DuckDBPyConnection, k: int) -> list[tuple[str, str, int, int]]:
    """Mention, label, patients and notes of what at least `k` patients have, whatever is said of it; the most frequent first."""
    return connection.execute(
        """SELECT mode(text), label, count(DISTINCT patient_ref) AS patients, count(DISTINCT (source, note_id)) AS notes
FROM entities WHERE text <> '' GROUP BY lower(text), label HAVING count(DISTINCT patient_ref) >= $k
ORDER BY notes DESC, lower(text), label""",
        {"k": k},
    ).fetchall()


def ask(connection: duckdb.DuckDBPyConnection, question: Question, k: int) -> list[tuple[Any, ...]]:
    """The rows of a ready question."""
    return connection.execute(question.sql, {"k": k}).fetchall()
