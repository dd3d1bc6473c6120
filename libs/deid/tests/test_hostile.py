"""Input that was made to hurt: long, strange, repeated; time grows with length and no more."""

import itertools
import math
import time

import pytest
from deid import find, find_all
from hypothesis import given
from hypothesis import strategies as st

MEGABYTE = 1_000_000
PIECES = (
    "9", "9 ", "1-", "12/", "a@", "a.", "A. ", "Dr. ", "Mr. A. ", "Name: ", "S/o ", "H.No. 1, ", "Ram ", "Ramesh Kumar ", "(", "x" * 40, "ab-", "'", "+91", "no. ", "id#", "99 ", "90 y",
    "Mar 1 to ", "12th of ", "r/o ", "Road, ", "560001 ", "Pune, ", ", ", "\n", "é", "😀", "12-3-", "UHID ", "A/", "://", "www.", "X" * 60, "2345 ", "\u2010", " ",
)  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("piece", PIECES)
def test_time_grows_with_length_alone(piece):
    """4 times the text takes 4 times the work, 16 times if it grows with the square; the best of five, as the machine may be busy."""
    texts = [(piece * (size // len(piece) + 1))[:size] for size in (MEGABYTE // 100, MEGABYTE // 25)]
    best = [math.inf, math.inf]
    for _ in range(5):
        best = [min(known, seconds(text)) for known, text in zip(best, texts, strict=True)]
        if best[1] < 8 * best[0]:
            return
    pytest.fail(f"4 times the text took {best[1] / best[0]:.1f} times the processor time")


def seconds(text: str) -> float:
    """Processor time, not the clock's."""
    began = time.process_time()
    find(text)
    return time.process_time() - began


@pytest.mark.slow
def test_a_megabyte_of_all_of_it():
    text = "".join(PIECES) * (MEGABYTE // len("".join(PIECES)))
    spans = find(text)
    assert all(one.end <= other.start for one, other in itertools.pairwise(spans))


@given(st.text())
def test_any_text_is_valid(text):
    for span in find(text):
        assert text[span.start : span.end].strip()


@pytest.mark.parametrize("text", ["", " ", "\ud800", "\x00", "٣٤٥٦٧٨٩٠١٢", "नाम: रमेश कुमार", "\u200b\u202e"])
def test_strange_texts(text):
    assert isinstance(find(text), list)


def test_a_batch_says_what_each_says_alone():
    texts = ["Mr. Ramesh", "", "12/03/2024", "no name here"]
    assert find_all(texts) == [find(text) for text in texts]
