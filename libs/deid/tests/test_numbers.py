"""What numbers and codes are found, and which numbers of medicine are left alone."""

import pytest
from deid import Kind, find
from deid.checksums import verhoeff_digit, verhoeff_holds
from hypothesis import given
from hypothesis import strategies as st

AADHAAR = "23456789012" + verhoeff_digit("23456789012")


def found(text, *kinds):
    return [(text[span.start : span.end], span.kind) for span in find(text) if not kinds or span.kind in kinds]


@pytest.mark.parametrize(
    "written",
    [
        "9876543210", "98765 43210", "98765-43210", "987-654-3210", "9876 543 210", "+919876543210", "+91 98765 43210", "+91-98765-43210",
        "(+91) 9876543210", "0091 9876543210", "09876543210", "919876543210", "022-23456789", "022 2345 6789", "(022) 23456789", "0135-2712345",
        "05222-295414", "+91 80 2345 6789", "1800 123 4567", "+1 415 555 0132", "+44 20 7946 0958",
    ],
)  # fmt: skip
@pytest.mark.parametrize("template", ["Ph: {}", "seen today, {} given", "mobile {}.", "call {}, thanks", "({})"])
def test_phones(written, template):
    assert found(template.format(written), Kind.PHONE) == [
        (written.strip("()") if written.endswith(")") else written, Kind.PHONE)
    ]


@pytest.mark.parametrize("text", ["tel 2345678", "Contact no. 27123456", "Ph- 2345 678"])
def test_a_short_number_is_a_phone_behind_its_label(text):
    assert len(found(text, Kind.PHONE)) == 1


@pytest.mark.parametrize("gap", ["", " ", "-"])
def test_aadhaar_has_a_check_digit(gap):
    written = gap.join((AADHAAR[:4], AADHAAR[4:8], AADHAAR[8:]))
    assert found(f"id {written} seen") == [(written, Kind.AADHAAR)]
    other = written[:-1] + str((int(written[-1]) + 1) % 10)
    assert Kind.AADHAAR not in {kind for _, kind in found(f"id {other} seen")}
    assert found(f"Aadhaar no: {other}") == [(other, Kind.AADHAAR)]  # mistyped, and still somebody's


@given(st.text("0123456789", min_size=11, max_size=11), st.integers(0, 10), st.integers(1, 9))
def test_one_wrong_digit_breaks_the_check(digits, place, change):
    whole = digits + verhoeff_digit(digits)
    assert verhoeff_holds(whole)
    wrong = whole[:place] + str((int(whole[place]) + change) % 10) + whole[place + 1 :]
    assert not verhoeff_holds(wrong)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ABHA 91-1234-5678-9012 linked", [("91-1234-5678-9012", Kind.ABHA)]),
        ("health id 91123456789012", [("91123456789012", Kind.ABHA)]),
        ("ABHA address ravi.k12@abdm", [("ravi.k12@abdm", Kind.ABHA)]),
        ("PAN ABCPE1234F", [("ABCPE1234F", Kind.PAN)]),
        ("mail r.kumar+opd@hospital.co.in today", [("r.kumar+opd@hospital.co.in", Kind.EMAIL)]),
        ("pays by ravi99@okicici", [("ravi99@okicici", Kind.EMAIL)]),
        ("see https://example.org/a?b=1.", [("https://example.org/a?b=1", Kind.URL)]),
        ("UHID: 2023/00123", [("2023/00123", Kind.HOSPITAL_ID)]),
        ("MRN00012345", [("00012345", Kind.HOSPITAL_ID)]),
        ("IP No. 12345/23", [("12345/23", Kind.HOSPITAL_ID)]),
        ("OPD no 20230045", [("20230045", Kind.HOSPITAL_ID)]),
        ("Reg. No: MMC/2004/05/1234", [("MMC/2004/05/1234", Kind.HOSPITAL_ID)]),
        ("policy no P/171200/01/2023", [("P/171200/01/2023", Kind.POLICY)]),
        ("car KA 05 MH 1234 involved", [("KA 05 MH 1234", Kind.VEHICLE)]),
    ],
)
def test_codes(text, expected):
    assert found(text) == expected


@pytest.mark.parametrize(
    ("text", "age"),
    [
        ("92 yr old male", "92"),
        ("aged 94", "94"),
        ("95/M", "95"),
        ("a 101-year-old lady", "101"),
        ("Age: 90 yrs", "90"),
        ("91F with", "91"),
    ],
)
def test_ages_over_89(text, age):
    assert found(text) == [(age, Kind.AGE)]


@pytest.mark.parametrize(
    "text",
    [
        "BP 120/80 mmHg, PR 98/min, SpO2 95%, temp 98.6 F", "platelets 150000 /cumm, TLC 12,500, 2.5 lakh", "platelet count 210000",
        "tab metformin 500 mg 1-0-1 x 5/7, 2/52", "89 yr old male, 45/F", "Hb 9.8, Na 128, K 5.6, creatinine 1.2", "FBS 142, PPBS 210, HbA1c 9.2%",
        "GCS 15/15, power 4/5, VA 6/12 6/9, T score -2.8", "insulin 30/70 20-0-14 units", "colony count 1000000000", "pH 7.35, pCO2 40, HCO3 24",
        "lab no growth, case no 2, token no 5, bed no 12", "98/60 mmHg, 95 beats", "vitamin D 60000 IU weekly", "HLA-B27, CD4 350, CA-125 35, NCT trial",
        "Inj. enoxaparin 0.6 ml sc, 1 lakh units, 10,00,000 IU", "ICD I21.4, grade 3/5, EF 45%, 3x2x1 cm",
    ],
)  # fmt: skip
def test_numbers_of_medicine_stay(text):
    assert found(text) == []
