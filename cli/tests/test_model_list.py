import json
from types import SimpleNamespace

import pytest
from rxtract.commands.model import why


@pytest.mark.parametrize(
    ("reasons", "told"),
    [
        (["may have lost"], "may have lost"),
        (["one", "two"], "one\ntwo"),
        (["one", "two", "three", "four"], "one\ntwo\nand 2 more"),
    ],
)
def test_the_list_of_versions_tells_the_first_reasons_in_words(reasons, told):
    assert why(SimpleNamespace(gate_reasons=json.dumps(reasons))) == told


def test_a_version_without_reasons_or_with_reasons_cut_off_is_listed_too():
    assert why(SimpleNamespace(gate_reasons="")) == ""
    assert why(SimpleNamespace(gate_reasons='["cut o')) == '["cut o'
