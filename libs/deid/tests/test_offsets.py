"""The way of offsets through replacing, by properties."""

import itertools

import pytest
from deid import OffsetMap, Span, Surrogates, find, replace
from deid.spans import Kind, apart
from hypothesis import given
from hypothesis import strategies as st

KEY = b"a key of the tests alone........"
PIECES = st.lists(
    st.sampled_from(["Ramesh Kumar", " ", "12/03/2024", "\n", "Dr. Anita Rao", "fever", "9876543210", ", ", "दर्द", "😀", "Name: Sita", "tab dolo 650", "H.No. 4, MG Road, Pune 411001"]),
    max_size=12,
).map("".join)  # fmt: skip


@st.composite
def texts_and_spans(draw):
    text = draw(st.text(max_size=60))
    edges = sorted(draw(st.lists(st.integers(0, len(text)), max_size=8, unique=True)))
    return text, [
        Span(start, end, draw(st.sampled_from(Kind))) for start, end in zip(edges[::2], edges[1::2], strict=False)
    ]


@given(texts_and_spans(), st.integers(0, 60), st.integers(0, 60))
def test_untouched_words_stay_equal_and_touched_ones_grow(made, first, second):
    text, spans = made
    start, end = sorted((min(first, len(text)), min(second, len(text))))
    if start == end:
        return
    new = replace(text, spans, Surrogates(KEY))
    begin, finish = new.offsets.to_new(start, end)
    assert 0 <= begin <= finish <= len(new.text)
    touched = [span for span in spans if span.start < end and start < span.end]
    if not touched:
        assert new.text[begin:finish] == text[start:end]
        assert new.offsets.to_original(begin, finish) == (start, end)
    else:
        back = new.offsets.to_original(begin, finish)
        assert back[0] <= start
        assert back[1] >= end


@given(PIECES)
def test_what_is_found_is_ordered_inside_and_apart(text):
    spans = find(text)
    assert all(0 <= span.start < span.end <= len(text) for span in spans)
    assert all(one.end <= other.start for one, other in itertools.pairwise(spans))
    assert find(text) == spans


@given(PIECES, st.integers(0, 40), st.integers(1, 12))
def test_what_is_kept_is_never_touched(text, start, length):
    kept = (min(start, len(text)), min(start + length, len(text)))
    for span in find(text, [kept]):
        assert span.end <= kept[0] or span.start >= kept[1]


def test_an_earlier_kind_cuts_a_later_one():
    text = "H.No. 4, 9876543210, Pune"
    spans = apart(text, [Span(0, 25, Kind.ADDRESS), Span(9, 19, Kind.PHONE)])
    assert [(text[span.start : span.end], span.kind) for span in spans] == [
        ("H.No. 4", "ADDRESS"),
        ("9876543210", "PHONE"),
        ("Pune", "ADDRESS"),
    ]


@pytest.mark.parametrize("edits", [[(3, 2, 1)], [(0, 4, 1), (3, 5, 1)], [(0, 1, -1)]])
def test_edits_that_contradict_each_other_are_refused(edits):
    with pytest.raises(ValueError, match="in order"):
        OffsetMap(edits)
