"""The page of threats says of every topic with texts of patients how long it is kept, and no store is forgotten."""

import re
from pathlib import Path

import pytest
from contracts.apply import SHORT_RETENTION_MS
from contracts.topics import load_topics
from sealing.texts import SEALED_RECORDS

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs/security/threats.md").read_text()
DAY_MS = 86_400_000
WITH_TEXTS = {
    name: topic
    for name, topic in load_topics().items()
    if topic.record in SEALED_RECORDS | {"DriftWords", "AccessLogged"}
}


@pytest.mark.parametrize("name", sorted(WITH_TEXTS))
def test_the_page_says_how_long_a_topic_is_kept(name):
    kept_ms = SHORT_RETENTION_MS.get(name, WITH_TEXTS[name].retention_ms)  # of a cluster that seals
    kept = "for ever" if kept_ms == -1 else "1 day" if kept_ms == DAY_MS else f"{kept_ms // DAY_MS} days"
    (row,) = re.findall(rf"^\| `{re.escape(name)}` \|.*$", PAGE, re.MULTILINE)
    assert f"| {kept} |" in row


def test_the_page_of_sealing_names_every_record_that_is_sealed():
    page = (ROOT / "docs/security/sealing.md").read_text()
    for name, topic in load_topics().items():
        if topic.record in SEALED_RECORDS:
            assert f"`{name}`" in page
