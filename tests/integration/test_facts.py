"""What a note says of its entities, from the accepted note to the numbers: nobody counts what the patient has not."""

from __future__ import annotations

import sys
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from clinical_ner.notes import AnnotatedNote, Label, Span
from clinical_ner.tracking import log_and_register
from clinical_ner.train import train
from corpus import generate
from embedded_stack.services import ServiceProcess
from outcomes.questions import NoRecordsAtRest, open_records
from prometheus_client.parser import text_string_to_metric_families
from rxtract.app import build
from typer.testing import CliRunner

if TYPE_CHECKING:
    from collections.abc import Iterator

sys.path.insert(0, str(Path(__file__).parents[1] / "faults"))  # extractor_rig

pytestmark = [pytest.mark.stack, pytest.mark.timeout(300)]

NOTE = "No h/o DM, father had MI, allergic to penicillin"
STATED = {"DM": "NEGATED", "MI": "PRESENT", "penicillin": "ALLERGY"}
PLAIN = "DM on penicillin"


def annotated(text: str, **labels: Label) -> AnnotatedNote:
    found = [Span(text.index(words), text.index(words) + len(words), label) for words, label in labels.items()]
    return AnnotatedNote(text, tuple(sorted(found, key=lambda span: span.start)))


def lessons() -> list[AnnotatedNote]:
    """Notes of the corpus, and how the three words of this test look in others."""
    disease, treatment = Label.DISEASE, Label.TREATMENT
    ours = [
        annotated("No h/o DM, mother had MI, allergic to penicillin", DM=disease, MI=disease, penicillin=treatment),
        annotated("k/c/o DM on penicillin", DM=disease, penicillin=treatment),
        annotated("old MI, no DM", MI=disease, DM=disease),
        annotated("father had MI", MI=disease),
        annotated("DM on penicillin", DM=disease, penicillin=treatment),
    ]
    return [*generate(1, 120), *ours * 8]


@pytest.fixture
def rig(stack: Any, topic_prefix: str, tmp_path: Path) -> Iterator[Any]:
    from extractor_rig import Rig

    made = Rig(stack.addresses, topic_prefix, tmp_path)
    yield made
    made.close()


def kpi(service: ServiceProcess, name: str) -> float | None:
    for family in text_string_to_metric_families(httpx.get(service.metrics_url, timeout=10).text):
        for sample in family.samples:
            if sample.name == name and sample.labels == {"window": "week", "city": "", "version": ""}:
                return float(sample.value)
    return None


def notes_at_rest(folder: Path) -> int:
    try:
        with open_records(folder) as records:
            return int(records.execute("SELECT count(*) FROM notes").fetchall()[0][0])
    except NoRecordsAtRest:
        return 0


def test_what_the_patient_has_not_is_told_apart_and_counted_by_nobody(
    rig: Any, stack: Any, topic_prefix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from extractor_rig import note, until

    train(lessons(), seed=1).save(tmp_path / "model")
    name = f"model-{uuid.uuid4().hex[:8]}"
    log_and_register(tmp_path / "model", tracking_uri=stack.addresses.mlflow_url, name=name, alias="champion")
    extractor = rig.start(
        module="extractor",
        RXTRACT_MLFLOW_URL=stack.addresses.mlflow_url,
        RXTRACT_MODEL_NAME=name,
        RXTRACT_REVIEW_BELOW="1",
    )
    until(lambda: extractor.ready, 60, "the extractor to be ready")
    rig.send([note("stated", NOTE)])
    rig.drained(60)

    (event,) = rig.events()
    said = {entity.text: entity.assertion for entity in event.entities}
    assert {text: one.status for text, one in said.items()} == STATED
    assert (said["DM"].experiencer, said["MI"].experiencer) == ("PATIENT", "FAMILY")
    assert NOTE[said["DM"].cue_start : said["DM"].cue_end].lower().startswith("no")
    assert event.relations == ()
    assert event.rules_version
    (request,) = rig.reviews()
    assert (request.entities, request.rules_version) == (event.entities, event.rules_version)

    records = tmp_path / "records"
    env = {
        **stack.addresses.as_environment(),
        "RXTRACT_TOPIC_PREFIX": topic_prefix,
        "RXTRACT_RECORDS_DIR": str(records),
        "RXTRACT_SCORE_PORT_FILE": str(tmp_path / "score.port"),
        "RXTRACT_SINK_EVERY_S": "0.3",
    }
    service = ServiceProcess("scorekeeper", tmp_path, env)
    try:
        service.start()
        service.wait_ready()
        until(lambda: kpi(service, "rxtract_kpi_notes") == 1, 30, "the note to be counted")
        assert kpi(service, "rxtract_kpi_facts") == 0
        assert kpi(service, "rxtract_kpi_set_apart_ratio") == 1
        until(lambda: notes_at_rest(records) == 1, 30, "the note at rest")
        monkeypatch.setenv("RXTRACT_RECORDS_DIR", str(records))
        for question in (
            "diseases-by-city-and-week",
            "treatments-per-disease",
            "rising-mentions",
            "SELECT * FROM facts",
        ):
            assert asked(question) == "[]"
        assert all(f'"{word}"' in asked("treatments-by-status") for word in ("penicillin", "ALLERGY"))

        # Of a note that says the patient has it the same numbers count what it says: they are not blind.
        rig.send([note("plain", PLAIN)])
        until(lambda: (kpi(service, "rxtract_kpi_facts") or 0) > 0, 60, "the facts of a plain note")
        until(lambda: notes_at_rest(records) == 2, 30, "the plain note at rest")
        assert '"plain"' in asked("SELECT DISTINCT note_id FROM facts")
        assert '"stated"' not in asked("SELECT DISTINCT note_id FROM facts")
    finally:
        service.kill()


def asked(question: str) -> str:
    answer = CliRunner().invoke(build(["sql"]), ["sql", "--json", "--least-patients", "1", question])
    assert answer.exit_code == 0, answer.output
    return answer.output.strip()
