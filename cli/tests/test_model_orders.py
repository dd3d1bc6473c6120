"""What an order of an operator may name."""

import pytest
from rxtract.errors import UserError
from rxtract.models.orders import checked_segment


@pytest.mark.parametrize(
    "segment", [None, "all", "city=Pune", "specialty=cardiology", "city=Navi Mumbai|specialty=ent"]
)
def test_a_segment_is_named_by_its_key(segment):
    assert checked_segment(segment) == segment


@pytest.mark.parametrize(
    "segment", ["Pune", "town=Pune", "city=", "city=Pune,specialty=ent", "city=Pune|", "city=A|city=B", ""]
)
def test_what_is_no_key_of_a_segment_is_refused_in_one_line(segment):
    with pytest.raises(UserError, match="city=Pune") as raised:
        checked_segment(segment)
    assert "\n" not in str(raised.value)
