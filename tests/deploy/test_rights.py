"""The rights that the chart gives a service in Kafka are what its code asks for."""

import re
from pathlib import Path

import pytest
import yaml
from contracts import topics
from review_desk.projection import TOPICS as FOLLOWED_BY_THE_DESK
from scorekeeper.fold import RECORD_TYPES as READ_BY_THE_SCOREKEEPER

ROOT = Path(__file__).resolve().parents[2]
RIGHTS = yaml.safe_load((ROOT / "deploy/helm/rxtract/files/users.yaml").read_text())
NAMED = re.compile(r"\b(Serializer|Deserializer)\.for_topic\([^)]*?\b(?:topics\.)?([A-Z]+_[A-Z]+)\)")


def sources(folder):
    return "\n".join(path.read_text() for path in sorted(ROOT.glob(f"{folder}/src/**/*.py")))


@pytest.mark.parametrize("service", RIGHTS)
def test_what_a_service_serialises_and_decodes_is_in_its_rights(service):
    code = sources(f"services/{service}")
    shared = sources("libs/serving") if "from serving" in code else ""
    found = NAMED.findall(code + shared)
    writes = {getattr(topics, name) for kind, name in found if kind == "Serializer"}
    reads = {getattr(topics, name) for kind, name in found if kind == "Deserializer"}
    reads |= {"review-desk": set(FOLLOWED_BY_THE_DESK), "scorekeeper": set(READ_BY_THE_SCOREKEEPER)}.get(service, set())
    # Their records have no serialiser: their ways are in tests/integration.
    assert reads or writes or service in {"enricher", "ingestor", "ledger"}
    assert writes <= set(RIGHTS[service]["writes"])
    assert reads <= set(RIGHTS[service]["reads"])


def test_restricted_words_are_read_by_the_review_desk_alone():
    assert [service for service, own in RIGHTS.items() if "drift.words.v1" in own["reads"]] == ["review-desk"]
    # The ledger reads which note it is, and nothing else of it.
    assert [service for service, own in RIGHTS.items() if "notes.submitted.v1" in own["reads"]] == [
        "ingestor",
        "ledger",
    ]


def test_every_group_that_code_names_is_in_somebodys_rights():
    code = "\n".join(sources(folder) for folder in ("libs/runtime", "services/*"))
    named = set(re.findall(r'(?:"group\.id":|NO_GROUP =) "([^"]+)"', code))
    assert named == {group for own in RIGHTS.values() for group in own["follows"]}


def test_a_service_of_which_too_little_is_said_is_refused(monkeypatch):
    """Without a group or a right to its dead letters it would fail in a cluster with rights, and nowhere before."""
    monkeypatch.syspath_prepend(str(ROOT / "deploy"))
    import chart_files

    monkeypatch.setattr(chart_files, "_REFUSES", {})
    with pytest.raises(SystemExit, match=r"_REFUSES"):
        chart_files.rights()
    monkeypatch.setattr(chart_files, "GROUPED", ())
    with pytest.raises(SystemExit, match="ingestor consumes"):
        chart_files.rights()
