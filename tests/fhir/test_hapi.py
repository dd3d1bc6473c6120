"""HAPI's validator as the referee of base R4: all that we write is right, and what our check rejects it rejects too."""

import pytest
from rxtract_fhir import PROFILES, as_bytes, coded, document
from terminology import Coder

from tests.fhir import generated, hapi
from tests.fhir.bad import BAD, good
from tests.fhir.kinds import every_meaning, every_prescription, note

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
SAMPLE = 8


@pytest.mark.usefixtures("validator")
def test_hapi_finds_no_error_in_what_we_write_and_one_in_each_bad_bundle():
    """One Java process judges all: it takes most of its time to read the definitions of R4."""
    coder = Coder.open()
    said = [note(), every_meaning(), every_prescription(), *generated.notes(SAMPLE)]
    right = {
        f"{profile} {number}": document(one, profile, coded(one, coder), refuted=profile == "r4")
        for number, one in enumerate(said)
        for profile in PROFILES
    }
    wrong = {}
    for name, one in BAD.items():
        if one.in_r4:
            wrong[name] = good()
            one.spoil(wrong[name])
    judged = dict(zip([*right, *wrong], hapi.judge([*right.values(), *wrong.values()], timeout_s=580), strict=True))
    assert {name: found for name in right if (found := hapi.errors(judged[name]))} == {}
    assert [name for name in wrong if not hapi.errors(judged[name])] == []
    assert as_bytes(right["op-consult 1"])
