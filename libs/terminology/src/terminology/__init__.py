"""Codes for the words of clinical notes: ICD-10 for diseases, the FDA's UNII for substances, a customer's own beside them.

    from terminology import Coder

    coder = Coder.open()
    coder.code("k/c/o T2DM")          # Coded(code="E11.9", system="http://hl7.org/fhir/sid/icd-10", ...)
    coder.code("Pan-D", label="TREATMENT").codings   # one for each substance
    coder.code("MS", context="mid-diastolic murmur")  # mitral stenosis
    coder.code("MS")                  # None: ambiguous

Only `terminology.build` needs the package's extra `build`; looking up needs numpy and rapidfuzz.
"""

from terminology.coder import THRESHOLD, Coded, Coder, store
from terminology.errors import TerminologyRefused
from terminology.table import Coding

__all__ = ["THRESHOLD", "Coded", "Coder", "Coding", "TerminologyRefused", "store"]
