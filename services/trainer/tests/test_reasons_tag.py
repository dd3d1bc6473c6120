import json

import pytest
from trainer.adapters.models import MOST_TAG_CHARS, reasons_tag


@pytest.mark.parametrize("reasons", [[], ["one", "two"], ["long " * 40] * 60, ["\u00e9" * 5_000], ["x" * 5_000] * 3])
def test_a_successor_can_always_read_the_reasons(reasons):
    text = reasons_tag(reasons)
    assert len(text) <= MOST_TAG_CHARS
    read = json.loads(text)
    assert read == [reason[: MOST_TAG_CHARS // 4] for reason in reasons][: len(read)]


def test_what_fits_is_kept_whole():
    assert json.loads(reasons_tag(["one", "two"])) == ["one", "two"]
