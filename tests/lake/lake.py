"""Synthetic notes as a lake has them."""

import pyarrow as pa
from corpus import simulate

COLUMNS = ("note_id", "source", "revision", "patient_ref", "city", "specialty", "written_at", "text")


def notes_table(count, seed=5):
    notes = [note.fields() for note in simulate(seed=seed, n=count)]
    table = pa.table({name: [note[name] for note in notes] for name in COLUMNS})
    place = table.schema.get_field_index("written_at")
    return table.set_column(place, "written_at", table["written_at"].cast(pa.timestamp("ms", tz="UTC")))
