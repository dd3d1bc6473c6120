"""Notes of every kind that the contract allows, for tests."""

from itertools import product

from rxtract_fhir.notes import Directions, Entity, Model, Note, Relation

STATUSES = ("UNKNOWN", "PRESENT", "NEGATED", "POSSIBLE", "HYPOTHETICAL", "ALLERGY", "REFUSED")
TIMES = ("UNKNOWN", "CURRENT", "HISTORICAL", "PLANNED")
WHOSE = ("UNKNOWN", "PATIENT", "FAMILY", "OTHER")
WRITTEN, MADE = 1_796_011_200_000, 1_796_011_260_500
"""2026-11-30 at 09:30 in India, and a minute later."""


def entity(number, label="DISEASE", words="T2DM", status="PRESENT", time="CURRENT", whose="PATIENT", directions=None):
    return Entity(f"e{number}", label, words, status, time, whose, directions)


def drug(number, words="Metformin", directions=None, **said):
    return entity(number, "TREATMENT", words, directions=directions, **said)


def note(*entities, relations=(), **changed):
    made = Note("clinic", "n-1", 1, "5951ac63-46cf-5e73-8ed6-711b70537595", "6b2babcdef14", WRITTEN, MADE,
                Model("rxtract-ner", "7, serial 9", "2026.11"), entities, tuple(Relation(*one) for one in relations))  # fmt: skip
    return made._replace(**changed)


def every_meaning():
    """A note with a disease, a drug and something done for each status, time and experiencer."""
    kinds = (("DISEASE", "dengue"), ("TREATMENT", "metformin"), ("TREATMENT", "cholecystectomy"))
    return note(
        *(
            entity(number, label, f"{words} {number}", *said)
            for number, (said, (label, words)) in enumerate(product(product(STATUSES, TIMES, WHOSE), kinds), 1)
        )
    )


def every_prescription():
    """A note with drugs taken in every way that the contract can say."""
    ways = [
        Directions("tablet", "500 mg", "1 tablet", 2, 1, "d", "PC", None, 10, "d", "oral"),
        Directions("inhaler", None, "2 puffs", 4, 1, "d", None, True, None, None, "inhalation"),
        Directions("syrup", "250 mg/5ml", "5 ml", 1, 6, "h", None, None, 2, "wk", "oral"),
        Directions("injection", "60000 iu", None, 1, 1, "wk", "AC", None, 3, "mo", "intramuscular"),
        Directions("tablet", "0.25 mg", "0.5", 1, 1, "d", "HS", None, None, None, None),
        Directions("tablet", None, "1-2 tablets", 3, 1, "d", None, True, None, None, None),
        Directions("drops", None, "10 units", 1, 2, "mo", None, None, None, None, "ophthalmic"),
        Directions(None, None, "a pinch", None, None, None, "AC", None, 1, "d", "topical"),
        Directions(as_needed=True),
        Directions("cream", "2 %", None, None, None, None, None, None, None, None, "vaginal"),
        *(
            Directions(route=route)
            for route in ("intravenous", "subcutaneous", "nasal", "otic", "sublingual", "rectal")
        ),
    ]
    drugs = [drug(number, f"Drug{number}", way) for number, way in enumerate(ways, 1)]
    past = [drug(100 + number, f"Past{number}", way, time="HISTORICAL") for number, way in enumerate(ways[:3])]
    return note(*drugs, *past)
