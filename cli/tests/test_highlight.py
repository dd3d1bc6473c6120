"""Entities in colour, whoever judged them: the model's own assertion is a tuple, a record's has names alone."""

import pytest
from clinical_ner.meaning import Assertion as Judged
from clinical_ner.meaning import Experiencer as JudgedExperiencer
from clinical_ner.meaning import Status, Time
from contracts.records import Assertion, AssertionStatus, AssertionTime, Entity, EntityLabel, Experiencer
from rxtract.highlight import NO_FACT, OTHER_FACT, STYLES, highlight

NAMES = ("status", "time", "experiencer", "cue_start", "cue_end")
KINDS = {
    "record": (Assertion, AssertionStatus, AssertionTime, Experiencer),
    "model": (Judged, Status, Time, JudgedExperiencer),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("status", "person", "styles"),
    [("PRESENT", "PATIENT", STYLES), ("NEGATED", "PATIENT", NO_FACT), ("PRESENT", "FAMILY", OTHER_FACT)],
)
def test_an_entity_looks_like_what_is_said_of_it(kind, status, person, styles):
    make, statuses, times, people = KINDS[kind]
    judged = make(**dict(zip(NAMES, (statuses(status), times("CURRENT"), people(person), -1, -1), strict=True)))
    entity = Entity(
        entity_id="e", label=EntityLabel.DISEASE, text="flu", start=0, end=3, confidence=1.0, assertion=judged
    )
    (span,) = highlight("flu", [entity]).spans
    assert span.style == styles["DISEASE"]


def test_what_nobody_judged_has_its_full_colour():
    entity = Entity(entity_id="e", label=EntityLabel.TREATMENT, text="ors", start=0, end=3, confidence=1.0)
    (span,) = highlight("ors", [entity]).spans
    assert span.style == STYLES["TREATMENT"]
