"""What an enricher measures beside what every consumer does."""

from runtime.service.metrics import METRICS as SHARED
from runtime.service.metrics import Kind, MetricSpec

MENTIONS = MetricSpec(
    "rxtract_mentions_total",
    Kind.COUNTER,
    "mentions",
    ("label", "result"),
    "Mentions that were asked for: result is coded, none (no code is sure enough), or sealed.",
)
DOCUMENTS = MetricSpec(
    "rxtract_fhir_documents_total",
    Kind.COUNTER,
    "documents",
    ("profile", "result"),
    "FHIR documents for records.fhir.v1: result is made, sealed (no key is here, so none is made), or refused (a dead letter).",
)
RECODED = MetricSpec(
    "rxtract_recoded_notes_total", Kind.COUNTER, "notes", (), "Notes of before that were coded anew by newer tables."
)
RECODE_WAITING = MetricSpec(
    "rxtract_recode_waiting_records",
    Kind.GAUGE,
    "records",
    (),
    "Records that are still to be looked at after a change of the tables; 0: all that can be read is coded by these.",
)
TABLE_SERIAL = MetricSpec(
    "rxtract_table_serial",
    Kind.GAUGE,
    "",
    (),
    "Serial of the tables that code: the UTC second at which the newest was made.",
)
NEWER_SERIAL = MetricSpec(
    "rxtract_table_newest_serial",
    Kind.GAUGE,
    "",
    (),
    "Highest serial that was seen on the topic of codes, ours included.",
)

METRICS: tuple[MetricSpec, ...] = (*SHARED, MENTIONS, DOCUMENTS, RECODED, RECODE_WAITING, TABLE_SERIAL, NEWER_SERIAL)
"""All of them."""
