"""Our own check rejects what must be rejected, and nothing else; `tests/fhir` holds HAPI against the same Bundles."""

import pytest
from rxtract_fhir import PROFILES, Guide, check, document

from tests.fhir.bad import BAD, good
from tests.fhir.kinds import every_meaning, every_prescription


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("guide", Guide)
@pytest.mark.parametrize("refuted", [True, False])
def test_what_we_write_is_right(profile, guide, refuted):
    for note in (every_meaning(), every_prescription()):
        assert check(document(note, profile, guide=guide, refuted=refuted), guide) == []


@pytest.mark.parametrize("name", BAD)
def test_what_is_wrong_is_said_with_its_place(name):
    bundle = good()
    assert check(bundle) == []
    BAD[name].spoil(bundle)
    found = [str(one) for one in check(bundle)]
    assert any(BAD[name].words in one for one in found), found


@pytest.mark.parametrize("value", [None, [], "Bundle", 7, {}, {"resourceType": "Patient"}])
def test_what_is_no_bundle_is_none(value):
    assert [str(one) for one in check(value)] == ["Bundle: no Bundle: resourceType must be Bundle"]


def _places(value, path=()):
    if isinstance(value, dict | list):
        for name, one in value.items() if isinstance(value, dict) else enumerate(value):
            yield (*path, name)
            yield from _places(one, (*path, name))


@pytest.mark.parametrize("junk", [None, 0, "", "x", [], [[]], {}, {"coding": 7}, [{"reference": 7}]])
def test_no_bundle_whatever_stands_in_it_breaks_the_check(junk):
    bundle = good()
    for *path, last in list(_places(bundle)):
        inner = bundle
        for name in path:
            inner = inner[name]
        inner[last], kept = junk, inner[last]
        check(bundle)
        inner[last] = kept
    assert check(bundle) == []


def test_a_bundle_nested_without_end_is_judged():
    bundle = good()
    deep = bundle["entry"][0]["resource"]
    for _ in range(900):
        deep["extension"] = {"x": 1}
        deep = deep["extension"]
    assert any("nested too deep" in str(one) for one in check(bundle))
