"""British and American spelling, singular and plural: other ways to write the same name."""

from __future__ import annotations

import re

_BRITISH_TO_AMERICAN = (
    ("haem", "hem"),
    ("anaem", "anem"),
    ("aemi", "emi"),
    ("oedem", "edem"),
    ("oesoph", "esoph"),
    ("oestr", "estr"),
    ("tumour", "tumor"),
    ("paediatr", "pediatr"),
    ("orthopaed", "orthoped"),
    ("ischaem", "ischem"),
    ("gynaec", "gynec"),
    ("diarrhoea", "diarrhea"),
    ("caesar", "cesar"),
    ("anaesth", "anesth"),
    ("labour", "labor"),
    ("leukaem", "leukem"),
    ("dyspnoea", "dyspnea"),
    ("apnoea", "apnea"),
    ("foet", "fet"),
    ("goitre", "goiter"),
    ("fibre", "fiber"),
    ("sulph", "sulf"),
    ("isation", "ization"),
    ("behaviour", "behavior"),
    ("faec", "fec"),
    ("caec", "cec"),
    ("coeliac", "celiac"),
)
_COUNTED = re.compile(
    r"(?:tumou?r|fracture|ulcer|infection|syndrome|disorder|carcinoma|cancer|cyst|stone|abscess|fistula|defect|lesion"
    r"|adenoma|sarcoma|lymphoma|melanoma|glioma|hernia|polyp|stroke|seizure|headache|bleed|wound|burn|effusion"
    r"|aneurysm|malformation|anomaly|injury|deformity|disease|stent|implant|graft|inhibitor|blocker|antagonist|vaccine"
    r"|injection|infusion|antibody|transplant|fibroid|thrombosis|stenosis|metastasis)$"
)


def american(text: str) -> str:
    """Return `text` with American spelling."""
    for british_way, american_way in _BRITISH_TO_AMERICAN:
        text = text.replace(british_way, american_way)
    return text


def british(text: str) -> str:
    """Return `text` with British spelling where that is safe."""
    for word, other in (("tumor", "tumour"), ("hemo", "haemo"), ("anemia", "anaemia"), ("edema", "oedema")):
        if other not in text:
            text = text.replace(word, other)
    return text


def plural(text: str) -> str:
    """Return the plural of a name whose last word is counted; any other name as it is."""
    if not _COUNTED.search(text):
        return text
    if text.endswith(("sis",)):
        return text[:-2] + "es"
    if text.endswith("y"):
        return text[:-1] + "ies"
    return text + ("es" if text.endswith("s") else "s")


def singular(word: str) -> str:
    """Return a key that a word shares with its plural; not always an English word."""
    if len(word) <= 4 or word.endswith(("ss", "us")):
        return word
    if word.endswith("ies"):
        return word[:-3] + "y"
    for ending in ("ses", "sis"):
        if word.endswith(ending):
            return word[: -len(ending)] + "s"
    return word.removesuffix("s")
