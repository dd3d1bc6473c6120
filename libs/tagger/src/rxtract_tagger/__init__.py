"""Diseases and treatments of clinical notes, in Python.

>>> from rxtract_tagger import Tagger
>>> note = Tagger.open().tag("k/c/o T2DM, no h/o asthma. Started tab metformin 500 mg BD")
>>> [(entity.label.value, entity.text, entity.assertion.status.value) for entity in note]
[('DISEASE', 'T2DM', 'PRESENT'), ('DISEASE', 'asthma', 'NEGATED'), ('TREATMENT', 'metformin', 'PRESENT')]

A notebook shows `note` in colour. `rxtract_tagger.local` reads Parquet files, `rxtract_tagger.spark` Spark tables.
"""

from clinical_ner.tagger import ArtifactRefused
from clinical_ner.tracking_download import ModelUnavailable

from rxtract_tagger.found import Found, FoundNote, FoundNotes
from rxtract_tagger.note_files import BadRow, NotesUnreadable
from rxtract_tagger.tagger import ModelIdentity, Tagger

__all__ = [
    "ArtifactRefused",
    "BadRow",
    "Found",
    "FoundNote",
    "FoundNotes",
    "ModelIdentity",
    "ModelUnavailable",
    "NotesUnreadable",
    "Tagger",
]
