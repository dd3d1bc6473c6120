"""The native rule of pairs against the same rule in plain Python, and against sentences read by a person."""

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


def reference(rows, clauses, links):
    pairs = []

    def counts(disease, treatment):
        return disease[5] > treatment[6] or links[treatment[5]] > links[disease[6] + 1]

    for index, row in enumerate(rows):
        if row[1] != TREATMENT:
            continue
        same = [k for k, other in enumerate(rows) if other[1] == DISEASE and clauses[other[5]] == clauses[row[5]]]
        near = sorted((gap(row, rows[k]), k) for k in same if counts(rows[k], row))
        if not near or near[0][0] > MAX_GAP:
            continue
        place = listed_with(rows, same, near[0][1])
        rivals = [distance for distance, at in near if at not in place]
        if not rivals or rivals[0] - near[0][0] >= MARGIN:
            pairs += [(index, at) for at in place]
    return pairs


def native(rows, clauses, links):
    function = library().cn_pair_entities
    function.restype = ctypes.c_int64
    function.argtypes = [ctypes.c_void_p, ctypes.c_int64, *[ctypes.c_void_p] * 3, ctypes.c_int64]
    array, pairs = np.array(rows, np.int32).reshape(-1, 7), np.zeros((500, 2), np.int32)
    tokens = [np.array(each, np.int32) for each in (clauses, links)]
    count = function(array.ctypes.data, len(array), *[each.ctypes.data for each in tokens], pairs.ctypes.data, 500)
    return [tuple(pair) for pair in pairs[:count].tolist()]


@st.composite
def notes(draw):
    rows, token = [], 0
    for _ in range(draw(st.integers(0, 12))):
        first = token + draw(st.integers(0, 12))
        last = first + draw(st.integers(0, 3))
        rows.append((0, draw(st.sampled_from([DISEASE, TREATMENT])), first, last, 0, first, last))
        token = last + 1
    size = token + 2
    breaks = draw(st.lists(st.booleans(), min_size=size, max_size=size))
    rare = draw(st.integers(1, 6))
    clauses = np.cumsum([b and at % rare == 0 for at, b in enumerate(breaks)]).tolist()
    linking = draw(st.lists(st.integers(0, 1), min_size=size, max_size=size))
    return rows, clauses, [0, *np.cumsum(linking).tolist()][:size]


@settings(max_examples=500, deadline=None)
@given(notes())
def test_the_native_rule_is_the_stated_one(note):
    assert native(*note) == reference(*note)


def row(kind, first, last):
    return (0, kind, first, last, 0, first, last)


@pytest.mark.parametrize(
    ("rows", "link_at", "break_at", "expected"),
    [
        ([], None, None, []),
        ([row(DISEASE, 0, 0), row(TREATMENT, 3, 3)], 1, None, [(1, 0)]),
        ([row(DISEASE, 0, 0), row(TREATMENT, 3, 3)], None, None, []),
        ([row(TREATMENT, 0, 0), row(DISEASE, 3, 3)], None, None, [(0, 1)]),
        ([row(DISEASE, 0, 0), row(TREATMENT, 40, 40)], 1, None, []),
        ([row(DISEASE, 0, 0), row(TREATMENT, 3, 3)], 1, 2, []),
        ([row(DISEASE, 0, 0), row(TREATMENT, 3, 3), row(DISEASE, 6, 6)], 1, None, []),
        ([row(DISEASE, 0, 0), row(DISEASE, 2, 2), row(TREATMENT, 5, 5)], 3, None, [(2, 0), (2, 1)]),
        ([row(DISEASE, 0, 0), row(TREATMENT, 3, 3), row(TREATMENT, 5, 5)], 1, None, [(1, 0), (2, 0)]),
    ],
    ids=["none", "linked", "no link", "for", "too far", "break", "unsure", "list of diseases", "two treatments"],
)
def test_pairs_a_person_would_make(rows, link_at, break_at, expected):
    links = [int(link_at is not None and at > link_at) for at in range(50)]
    clauses = [int(break_at is not None and at >= break_at) for at in range(50)]
    assert native(rows, clauses, links) == expected


@pytest.mark.parametrize(
    ("text", "paired"),
    [
        ("K/c/o typhoid fever on dialysis BD.", True),
        ("K/c/o typhoid fever on Tab. Metformin 500mg BD.", True),
        ("dialysis given for typhoid fever.", True),
        ("K/c/o typhoid fever Rx dialysis BD.", False),
        ("K/c/o typhoid fever\nTab. Metformin 500mg BD.", False),
        ("K/c/o typhoid fever. Started dialysis BD.", False),
    ],
)
def test_the_words_of_a_note_decide(model, text, paired):
    (note,) = model.tagger().tag([text])
    labels = [str(entity.label) for entity in note.entities]
    assert sorted(labels) == ["DISEASE", "TREATMENT"]
    treatment, disease = labels.index("TREATMENT"), labels.index("DISEASE")
    assert note.pairs == (((treatment, disease),) if paired else ())


def test_a_note_full_of_pairs_is_bounded(model):
    text = "K/c/o HTN on dialysis BD. " * 6_000
    (note,) = model.tagger().tag([text])
    assert len(note.pairs) == 4_096
    assert all(note.entities[t].label != note.entities[d].label for t, d in note.pairs)
