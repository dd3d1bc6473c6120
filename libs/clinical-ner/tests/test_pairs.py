"""The native pairing rule against the same rule in plain Python, and against sentences read by a person."""

from __future__ import annotations

import ctypes

import numpy as np
import pytest
from clinical_ner.native import library
from hypothesis import given, settings
from hypothesis import strategies as st

MAX_GAP, MARGIN, LIST_GAP = 25, 3, 2
DISEASE, TREATMENT = 1, 2


def gap(left, right):
    return max(right[5] - left[6], left[5] - right[6]) - 1


def listed_with(rows, diseases, at):
    first = last = diseases.index(at)
    while first > 0 and gap(rows[diseases[first - 1]], rows[diseases[first]]) <= LIST_GAP:
        first -= 1
    while last + 1 < len(diseases) and gap(rows[diseases[last]], rows[diseases[last + 1]]) <= LIST_GAP:
        last += 1
    return diseases[first : last + 1]


def reference(rows):
    pairs = []
    for index, row in enumerate(rows):
        if row[1] != TREATMENT:
            continue
        diseases = [at for at, other in enumerate(rows) if other[1] == DISEASE and other[4] == row[4]]
        near = sorted((gap(row, rows[at]), at) for at in diseases)
        if not near or near[0][0] > MAX_GAP:
            continue
        place = listed_with(rows, diseases, near[0][1])
        rivals = [distance for distance, at in near if at not in place]
        if not rivals or rivals[0] - near[0][0] >= MARGIN:
            pairs += [(index, at) for at in place]
    return pairs


def native(rows):
    function = library().cn_pair_entities
    function.restype = ctypes.c_int64
    function.argtypes = [ctypes.c_void_p, ctypes.c_int64, ctypes.c_void_p, ctypes.c_int64]
    array, pairs = np.array(rows, np.int32).reshape(-1, 7), np.zeros((500, 2), np.int32)
    count = function(array.ctypes.data, len(array), pairs.ctypes.data, 500)
    return [tuple(pair) for pair in pairs[:count].tolist()]


@st.composite
def entities(draw):
    rows, token, sentence = [], 0, 0
    for _ in range(draw(st.integers(0, 12))):
        if draw(st.integers(0, 4)) == 0:
            sentence += 1
        first = token + draw(st.integers(0, 12))
        last = first + draw(st.integers(0, 3))
        rows.append((0, draw(st.sampled_from([DISEASE, TREATMENT])), first, last, sentence, first, last))
        token = last + 1
    return rows


@settings(max_examples=400, deadline=None)
@given(entities())
def test_the_native_rule_is_the_stated_one(rows):
    assert native(rows) == reference(rows)


def row(kind, first, last, sentence=0):
    return (0, kind, first, last, sentence, first, last)


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([], []),
        ([row(DISEASE, 0, 0), row(TREATMENT, 3, 3)], [(1, 0)]),
        ([row(DISEASE, 0, 0), row(TREATMENT, 40, 40)], []),
        ([row(DISEASE, 0, 0), row(TREATMENT, 3, 3, sentence=1)], []),
        ([row(DISEASE, 0, 0), row(TREATMENT, 3, 3), row(DISEASE, 6, 6)], []),
        ([row(DISEASE, 0, 0), row(DISEASE, 2, 2), row(TREATMENT, 5, 5)], [(2, 0), (2, 1)]),
        ([row(DISEASE, 0, 0), row(TREATMENT, 3, 3), row(TREATMENT, 5, 5)], [(1, 0), (2, 0)]),
    ],
    ids=["none", "one", "too far", "other sentence", "unsure", "list of diseases", "two treatments"],
)
def test_pairs_a_person_would_make(rows, expected):
    assert native(rows) == expected


def test_a_note_full_of_pairs_is_bounded(model):
    text = "Pt c/o pain, diagnosed HTN; started dialysis x 5 days. " * 3_000
    (note,) = model.tagger().tag([text])
    assert len(note.pairs) <= 4_096
    assert all(note.entities[t].label != note.entities[d].label for t, d in note.pairs)
