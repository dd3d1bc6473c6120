import pytest
from corpus.spelling import american, british, plural, singular


@pytest.mark.parametrize(
    ("one", "many"),
    [
        ("hip fracture", "hip fractures"),
        ("lung abscess", "lung abscesses"),
        ("bone metastasis", "bone metastases"),
        ("knee injury", "knee injuries"),
        ("asthma", "asthma"),
        ("hepatitis", "hepatitis"),
    ],
)
def test_a_name_and_its_plural_share_a_key(one, many):
    assert plural(one) == many
    assert [singular(word) for word in many.split()] == [singular(word) for word in one.split()]


@pytest.mark.parametrize(
    "name", ["anaemia", "oesophageal tumour", "haemorrhage", "paediatric diarrhoea", "immunisation"]
)
def test_spellings_meet_in_the_american_one(name):
    assert american(british(american(name))) == american(name) != name
