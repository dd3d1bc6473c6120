"""What people may choose is what the rules may find: two lists, since the desk does not carry the rules with it."""

import re
from pathlib import Path

from clinical_ner import phrases
from review_desk.page import pages


def test_the_routes_are_those_of_the_rules() -> None:
    assert set(pages.ROUTES) == set(phrases.ROUTES)


def test_the_times_of_taking_are_those_of_the_rules() -> None:
    page = (Path(pages.__file__).parent / "desk.html").read_text(encoding="utf-8")
    (choices,) = re.findall(r'<select name="when".*?</select>', page)
    assert set(re.findall(r"<option>(\w+)</option>", choices)) == set(phrases.WHENS)
