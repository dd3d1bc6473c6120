"""Computed identities are version 5 UUIDs, and differ where their parts do."""

import uuid

from contracts import identity
from contracts.identity import annotation_id, event_id
from hypothesis import given
from hypothesis import strategies as st

PARTS = st.lists(st.text(st.characters(exclude_categories=["Cs"])), min_size=1, max_size=5)


@given(PARTS)
def test_an_identity_is_the_standard_uuid5(parts):
    wanted = str(uuid.uuid5(identity._NAMESPACE, identity._SEPARATOR.join(parts)))
    assert identity._identity(*parts) == wanted


def test_the_namespace_never_moves():
    assert str(identity._NAMESPACE) == "598b86bc-4ea1-55fd-bcf0-62084a04eadc"
    assert event_id("n1", 1, "7") == event_id("n1", 1, "7")


def test_identities_differ_where_their_parts_do():
    assert (
        len({event_id("n1", 1, "7"), event_id("n1", 2, "7"), event_id("n11", 1, "7"), annotation_id("n1", 1, "7", 1)})
        == 4
    )
