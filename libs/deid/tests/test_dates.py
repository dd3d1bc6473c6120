"""Dates in all written forms; what looks like one and is a dose, a duration or a fraction; shifting."""

from datetime import date, timedelta

import pytest
from deid import Kind, find
from deid.dates import shifted
from hypothesis import given
from hypothesis import strategies as st

WRITTEN = (
    "12/03/2024", "12/3/24", "12-03-2024", "12-3-24", "12.03.2024", "12.3.24", "12 / 03 / 2024", "2024-03-12", "2024/03/12", "12 March 2024", "12th March 2024",
    "12th of March, 2024", "12 Mar 24", "12-Mar-2024", "12-Mar-24", "12/Mar/2024", "12MAR2024", "March 12, 2024", "Mar 12 2024", "March 12th, 2024", "Mar. 12, 2024",
    "March 2024", "Mar 2024", "Mar-24", "Mar'24", "12 March", "12th March", "March 12", "03/2024", "12.III.2024", "fifth of March 2021", "5th to 7th May 2020",
    "12-14 March 2024", "Jul 19   2007", "12 MARCH 2024", "12 march 2024", "may 2024",
)  # fmt: skip


def dates(text):
    return [text[span.start : span.end] for span in find(text) if span.kind is Kind.DATE]


@pytest.mark.parametrize("written", WRITTEN)
@pytest.mark.parametrize("template", ["Seen on {} in OPD.", "{}: afebrile", "(dated {})", "operated {}, well"])
def test_written_forms(written, template):
    assert dates(template.format(written)) == [written]


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("LMP 12/3", "12/3"),
        ("EDD: 3/7", "3/7"),
        ("review on 15/4", "15/4"),
        ("DOB 12031980", "12031980"),
        ("2024-03-12T10:20", "2024-03-12"),
    ],
)
def test_what_a_word_in_front_makes_a_date(text, written):
    assert dates(text) == [written]


@pytest.mark.parametrize(
    "text",
    [
        "fever x 3/7", "since 2/52, 1/12", "1-0-1, 0-0-1, 1/2 tab", "BP 120/80, pain on VAS 4/5", "insulin 10-8-12 units", "Inj Mixtard 20-10-12 before meals",
        "may 5 tabs", "12 may be repeated", "Hb 10.2, INR 2.4", "power 4/5, VA 6/12", "7.5 mg, 1.25 mg", "ratio 1:2, 24/7", "grade 2/4 murmur on 3/6", "8-10-12 mg", "T12-L1", "5-6 days",
        "on 3/7 antibiotics", "in 2019", "Mar 10 mg",
    ],
)  # fmt: skip
def test_no_dates(text):
    assert dates(text) == []


@pytest.mark.parametrize(
    ("written", "later"),
    [
        ("12/03/2024", "21/04/2024"), ("12-3-24", "21-4-24"), ("2024-03-12", "2024-04-21"), ("12th March 2024", "21st April 2024"), ("MAR 12, 2024", "APR 21, 2024"),
        ("12-Mar-24", "21-Apr-24"), ("Mar'24", "Apr'24"), ("12.III.2024", "21.IV.2024"), ("30/12/1999", "08/02/2000"), ("03/25/2024", "05/04/2024"), ("5 May 2020", "14 June 2020"),
    ],
)  # fmt: skip
def test_forty_days_later_in_the_same_form(written, later):
    assert shifted(written, 40) == later


@pytest.mark.parametrize("written", ["31/02/2024", "5th to 7th May 2020", "fifth of March 2021", "12031980"])
def test_what_cannot_be_shifted_is_said_so(written):
    assert shifted(written, 40) is None


@given(
    st.dates(date(1945, 1, 1), date(2030, 12, 31)),
    st.integers(-365, 365),
    st.sampled_from(["%d/%m/%Y", "%Y-%m-%d", "%d %B %Y", "%d-%b-%Y", "%B %d, %Y"]),
)
def test_distances_between_dates_stay(day, days, form):
    moved = shifted(day.strftime(form), days)
    assert moved is not None
    month = (day + timedelta(days=days)).strftime(form)
    assert moved.replace(" 0", " ").lstrip("0") == month.replace(" 0", " ").lstrip("0")
