"""Names in running text and behind labels; eponyms, drugs and diseases that stay."""

import pytest
from deid import Kind, find


def names(text):
    return [text[span.start : span.end] for span in find(text) if span.kind is Kind.NAME]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Name: Vetriselvan Kottarakkara  Age: 45", ["Vetriselvan Kottarakkara"]),
        ("PATIENT NAME : SHYLOMITHRA DEV", ["SHYLOMITHRA DEV"]),
        ("Smt. Jharokha Devi, 60 yrs", ["Jharokha Devi"]),
        ("S/O Ramkishun Prajwal, r/o Patna", ["Ramkishun Prajwal"]),
        ("w/o kishanlal age 40", ["kishanlal"]),
        ("Ref by Dr. K. S. Thiruvengadam", ["K. S. Thiruvengadam"]),
        ("Dr.Wankhade advised rest", ["Wankhade"]),
        ("Mr. Okafor denies chest pain.", ["Okafor"]),
        ("B/o Nirmala Bai, day 2", ["Nirmala Bai"]),
        ("C/O Mr. Gurbachan", ["Gurbachan"]),
        ("Suresh Patil came with fever. Suresh was given ORS.", ["Suresh Patil", "Suresh"]),
        ("Spoke to daughter Meenal Joshi over phone.", ["Meenal Joshi"]),
    ],
)
def test_names(text, expected):
    assert names(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "Parkinson's disease on Syndopa", "Hodgkin lymphoma, Burkitt lymphoma", "Bell's palsy, Crohn's disease", "Wilson disease with KF ring", "Down syndrome, Turner syndrome",
        "Foley catheter, Ryle's tube", "Murphy's sign positive, Babinski negative", "Kaplan-Meier curve, Cox regression", "Koch's abdomen, Pott's spine", "Addison's, Cushing's, Graves'",
        "E. Coli and S. Typhi grown", "Tab Dolo 650, Tab Pan D, Tab Glycomet GP 1, Cap Becosules", "Inj Monocef, Inj Augmentin, Syp Ascoril", "Dr advised rest. Seen by Dr on duty.",
        "Name of drug: Metformin", "Mother had diabetes. Sister healthy.", "Sharma et al. reported 20 cases", "C/O FEVER AND COUGH", "R/O DENGUE", "Patient Advised Bed Rest",
        "Mr and Mrs both tested", "Vitamin B 12, Hepatitis B, Factor V Leiden", "Thank you. Regards.", "Ringer Lactate 500 ml", "Colles fracture, Whipple procedure",
    ],
)  # fmt: skip
def test_no_names(text):
    assert names(text) == []
