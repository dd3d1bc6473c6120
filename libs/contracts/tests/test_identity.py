"""Computed identities are version 5 UUIDs, and differ where their parts do."""

import uuid

import pytest
from contracts import identity
from contracts.identity import annotation_id, event_id, is_source, note_key, split_note_key
from hypothesis import given
from hypothesis import strategies as st

PARTS = st.lists(st.text(st.characters(exclude_categories=["Cs"])), min_size=1, max_size=5)


@given(PARTS)
def test_an_identity_is_the_standard_uuid5(parts):
    wanted = str(uuid.uuid5(identity.NAMESPACE, identity._SEPARATOR.join(parts)))
    assert identity._identity(*parts) == wanted


def test_the_namespace_never_moves():
    assert str(identity.NAMESPACE) == "598b86bc-4ea1-55fd-bcf0-62084a04eadc"
    name = "clinic|n1|1|7|0"
    assert event_id("clinic", "n1", 1, 7, 0) == str(uuid.uuid5(identity.NAMESPACE, name))


def test_identities_differ_where_their_parts_do():
    events = {
        event_id("a", "n1", 1, 7, 0),
        event_id("b", "n1", 1, 7, 0),
        event_id("a", "n1", 2, 7, 0),
        event_id("a", "n11", 1, 7, 0),
        event_id("a", "n1", 1, 8, 0),
        event_id("a", "n1", 1, 7, 1),
        annotation_id("a", "n1", 1, "7", 1),
        annotation_id("b", "n1", 1, "7", 1),
    }
    assert len(events) == 8


SOURCES = st.from_regex("[a-z0-9-]{1,40}", fullmatch=True)
IDS = st.text(st.characters(exclude_categories=["Cs"]))


@given(SOURCES, IDS)
def test_a_note_key_is_split_at_its_first_bar(source, note_id):
    assert is_source(source)
    assert split_note_key(note_key(source, note_id)) == (source, note_id)


@given(SOURCES, IDS, SOURCES, IDS)
def test_two_notes_never_share_a_key(source, note_id, other, other_id):
    assert (note_key(source, note_id) == note_key(other, other_id)) == ((source, note_id) == (other, other_id))


@pytest.mark.parametrize("source", ["", "s" * 41, "Clinic", "a b", "a|b", "a\n", "\u0661", "a_b"])
def test_what_is_no_source(source):
    assert not is_source(source)


def test_a_key_without_a_bar_is_no_key_of_a_note():
    with pytest.raises(ValueError, match=r"source\|note_id"):
        split_note_key("n1")
