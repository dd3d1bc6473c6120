"""De-identification of clinical notes: find what identifies people, replace it, keep the labels.

>>> import deid
>>> text = "Name: Ramesh Kumar, ph 98765 43210. K/c/o Parkinson's disease."
>>> spans = deid.find(text)
>>> [(text[span.start : span.end], str(span.kind)) for span in spans]
[('Ramesh Kumar', 'NAME'), ('98765 43210', 'PHONE')]
>>> deid.replace(text, spans).text
"Name: [NAME], ph [PHONE]. K/c/o Parkinson's disease."

This is pseudonymisation: what is left may still tell who it is. `docs/deidentification.md` says what is found and what
is not, measured on what.
"""

from deid.finder import find, find_all
from deid.offsets import OffsetMap
from deid.replacing import Replaced, Style, deidentified, replace
from deid.spans import Kind, Span
from deid.surrogates import Surrogates

__all__ = [
    "Kind", "OffsetMap", "Replaced", "Span", "Style", "Surrogates", "deidentified", "find", "find_all", "replace",
]  # fmt: skip
