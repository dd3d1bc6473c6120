"""The scorekeeper between real servers: records in, measurements, metrics, rows and a page out, with itself killed."""

from __future__ import annotations

import os
import shutil
import time
import uuid
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from confluent_kafka import Consumer, TopicPartition
from contracts.apply import apply_schemas, apply_topics
from contracts.identity import event_id, note_key
from contracts.records import (
    AnnotationChanges,
    AnnotationOutcome,
    AnnotationValidated,
    DriftDetected,
    DriftDirection,
    DriftLevel,
    EntitiesExtracted,
    Entity,
    EntityLabel,
    ModelEvent,
    ModelEventKind,
    ModelRef,
    QualityMeasured,
    Relation,
    RelationType,
    Review,
    ReviewReason,
    Sample,
    Segment,
)
from contracts.registry import ConfluentRegistry
from contracts.topics import load_topics
from contracts.wire import Deserializer, Serializer
from embedded_stack.services import ServiceProcess
from outcomes.questions import NoRecordsAtRest, open_records
from playwright.sync_api import expect, sync_playwright
from prometheus_client.parser import text_string_to_metric_families
from runtime.kafka.delivery import DeliveryProducer
from runtime.kafka.records import OutputRecord
from runtime.service.secret_files import hash_token
from rxtract.app import build
from typer.testing import CliRunner

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

pytestmark = [pytest.mark.stack, pytest.mark.timeout(240)]

CHROMIUM = shutil.which("chromium")
CANARY = "zebra-quartz-canary"
RECORDS = {
    "entities.extracted.v1": EntitiesExtracted,
    "annotations.validated.v1": AnnotationValidated,
    "drift.detected.v1": DriftDetected,
    "model.events.v1": ModelEvent,
}


SOURCE = "clinic-app"


def entities() -> tuple[Entity, ...]:
    disease = Entity(entity_id="e1", label=EntityLabel.DISEASE, text="dengue", start=0, end=6, confidence=0.9)
    treatment = Entity(entity_id="e2", label=EntityLabel.TREATMENT, text=CANARY, start=10, end=29, confidence=0.9)
    return disease, treatment


def note(
    note_id: str, city: str = "Pune", serial: int = 1, revision: int = 1, reason: str = "NONE"
) -> EntitiesExtracted:
    at = int(time.time() * 1000) - 1000
    return EntitiesExtracted(
        event_id=event_id(SOURCE, note_id, revision, serial, 1), source=SOURCE, note_id=note_id, revision=revision, rules_version="r1",
        rules_serial=1, patient_ref="p", model=model(serial),
        segment=Segment(city=city, specialty="general"), written_at=at, accepted_at=at, extracted_at=at + 500, note_confidence=0.8,
        entities=entities(),
        relations=(Relation(type=RelationType.TREATS, treatment_id="e2", disease_id="e1", confidence=0.8),),
        review=Review(requested=reason != "NONE", reason=ReviewReason(reason)),
    )  # fmt: skip


def model(serial: int) -> ModelRef:
    return ModelRef(name="rxtract-ner", version=str(serial), serial=serial)


def audit(note_id: str, *, right: bool, city: str = "Pune", serial: int = 1) -> AnnotationValidated:
    at, found = int(time.time() * 1000) - 500, entities()
    return AnnotationValidated(
        annotation_id=str(uuid.uuid4()), source=SOURCE, note_id=note_id, revision=1, text=f"dengue for {CANARY}", written_at=at - 500,
        segment=Segment(city=city, specialty="general"), patient_ref="p", doctor_ref="d", model=model(serial),
        predicted_entities=found, predicted_relations=(), entities=found if right else found[:1], relations=(),
        sample=Sample.AUDIT,
        inclusion_probability=0.5, predictions_shown=True, annotator="v-1", sequence=1, seconds_spent=18.0, annotated_at=at,
        outcome=AnnotationOutcome.ACCEPTED if right else AnnotationOutcome.CORRECTED, supersedes=(),
        changes=AnnotationChanges(kept=1, added=0, removed=0, moved=0, relabelled=0),
    )  # fmt: skip


class Rig:
    """Topics of one test, and scorekeepers on them."""

    def __init__(self, stack: Any, prefix: str, folder: Path, ending: ExitStack) -> None:
        self.prefix, self.folder, self._ending = prefix, folder, ending
        self.records_dir = folder / "records"
        self._config = {"bootstrap.servers": stack.addresses.bootstrap_servers}
        registry = ConfluentRegistry(stack.addresses.schema_registry_url)
        apply_topics(self._config, load_topics(), prefix=prefix)
        apply_schemas(registry, prefix=prefix)
        self._write = {name: Serializer.for_topic(one, registry, prefix + name) for name, one in RECORDS.items()}
        self._read = Deserializer.for_topic(QualityMeasured, registry, f"{prefix}quality.measured.v1")
        self._producer = DeliveryProducer(self._config)
        self._env = stack.addresses.as_environment()

    def scorekeeper(self, name: str = "scorekeeper", **env: str) -> ServiceProcess:
        own = {
            "RXTRACT_TOPIC_PREFIX": self.prefix,
            "RXTRACT_RECORDS_DIR": str(self.records_dir),
            "RXTRACT_SCORE_PORT_FILE": str(self.folder / f"{name}.port"),
            "RXTRACT_SINK_EVERY_S": "0.3",
            "RXTRACT_LEASE_S": "2",
        }
        service = ServiceProcess("scorekeeper", self.folder, {**self._env, **own, **env}, name=name)
        self._ending.callback(service.kill)
        service.start()
        return service

    def send(self, topic: str, *records: Any, key: str = "k") -> None:
        sent = []
        for one in records:
            own = note_key(one.source, one.note_id) if hasattr(one, "note_id") else key
            sent.append(OutputRecord(self.prefix + topic, own.encode(), self._write[topic](one)))
        self._producer.send(sent).wait(20)

    def refuse(self, reason: bytes) -> None:
        letter = OutputRecord(f"{self.prefix}notes.submitted.v1.dlq", b"k", b"bytes", (("rxtract.reason", reason),))
        self._producer.send([letter]).wait(20)

    def measured(self) -> list[QualityMeasured]:
        consumer = Consumer({**self._config, "group.id": "unused", "enable.auto.commit": False})
        place = TopicPartition(f"{self.prefix}quality.measured.v1", 0, 0)
        _, end = consumer.get_watermark_offsets(place, timeout=10)
        consumer.assign([place])
        found: list[QualityMeasured] = []
        deadline = time.monotonic() + 20
        while len(found) < end and time.monotonic() < deadline:
            message = consumer.poll(0.5)
            if message is not None and message.error() is None:
                found.append(self._read(message.value()))
        consumer.close()
        return found

    def url(self, name: str = "scorekeeper") -> str:
        return f"http://127.0.0.1:{(self.folder / f'{name}.port').read_text().strip()}"

    def kpi(self, service: ServiceProcess, name: str, **labels: str) -> float | None:
        wanted = {"window": "week", "city": "", "version": "", **labels}
        for family in text_string_to_metric_families(httpx.get(service.metrics_url, timeout=10).text):
            for sample in family.samples:
                if sample.name == name and sample.labels == wanted:
                    return float(sample.value)
        return None

    def rows(self) -> tuple[int, int]:
        """All rows in the files, and notes."""
        try:
            records = open_records(self.records_dir)
        except NoRecordsAtRest:
            return 0, 0
        with records:
            (kept,) = records.execute("SELECT count(*) FROM kept").fetchall()[0]
            (notes,) = records.execute("SELECT count(*) FROM notes").fetchall()[0]
        return kept, notes


def until(condition: Callable[[], Any], seconds: float = 30) -> Any:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := condition():
            return found
        time.sleep(0.05)
    raise AssertionError("not within the time")


@pytest.fixture
def rig(stack: Any, topic_prefix: str, tmp_path: Path) -> Iterator[Rig]:
    with ExitStack() as ending:
        yield Rig(stack, topic_prefix, tmp_path, ending)


def test_records_become_measurements_metrics_rows_and_a_page(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    now = int(time.time() * 1000)
    rig.send("model.events.v1", ModelEvent(event_id="1", kind=ModelEventKind.PROMOTED, model_name="rxtract-ner",
             model_version="1", serial=1, reasons=(), occurred_at=now - 86_400_000))  # fmt: skip
    notes = [
        note(f"n{place}", "Pune" if place % 2 else "Delhi", reason="LOW_CONFIDENCE" if place < 4 else "NONE")
        for place in range(20)
    ]
    rig.send("entities.extracted.v1", *notes, note("n0", "Delhi", serial=2, reason="NONE"))
    rig.send("annotations.validated.v1", *(audit(f"n{place}", right=place != 5, city="Pune") for place in (1, 3, 5, 7)))
    rig.send("drift.detected.v1", DriftDetected(episode_id="ep", segment="city=Pune", level=DriftLevel.CRITICAL,
             direction=DriftDirection.WORSE, statistics=(), evidence="x", model=model(1), source_partition=0, source_offset=0,
             detected_at=now - 60_000, began_at=now - 60_000))  # fmt: skip
    rig.refuse(b"EMPTY_TEXT")
    service = rig.scorekeeper()
    service.wait_ready()

    # 20 notes, n0 as its newer model has it: 3 of 20 wait for people. 8 audited mentions, one of them wrong.
    until(lambda: rig.kpi(service, "rxtract_kpi_notes") == 20)
    assert rig.kpi(service, "rxtract_kpi_straight_through_ratio") == 17 / 20
    assert rig.kpi(service, "rxtract_kpi_notes", city="Pune") == 10
    assert rig.kpi(service, "rxtract_kpi_notes", version="2") == 1
    assert rig.kpi(service, "rxtract_kpi_validated_f1_ratio") == pytest.approx(2 * 7 / (2 * 7 + 1))
    assert rig.kpi(service, "rxtract_kpi_correction_ratio") == 0.25
    assert rig.kpi(service, "rxtract_kpi_notes_per_validator_hour") == pytest.approx(200)
    assert rig.kpi(service, "rxtract_kpi_person_time_saved_seconds") == pytest.approx(17 * 240 - 72)
    assert rig.kpi(service, "rxtract_kpi_refused_ratio") == 1 / 21
    assert rig.kpi(service, "rxtract_kpi_drift_episodes") == 1
    assert rig.kpi(service, "rxtract_kpi_model_age_seconds") == pytest.approx(86_400, abs=120)

    found = {one.segment: one for one in until(rig.measured)}
    assert set(found) == {"all", "city=Pune"}
    assert found["all"].notes == 4
    assert found["all"].labels[2].f1 == pytest.approx(14 / 15)
    assert found["all"].labels[2].f1_low < 14 / 15 < found["all"].labels[2].f1_high
    until(lambda: rig.rows() == (21, 20))

    monkeypatch.setenv("RXTRACT_SCORE_URL", rig.url())
    monkeypatch.setenv("RXTRACT_RECORDS_DIR", str(rig.records_dir))
    told = CliRunner().invoke(build(["quality"]), ["quality"])
    assert told.exit_code == 0, told.output
    assert "0.933" in told.output
    told = CliRunner().invoke(build(["sql"]), ["sql", "--json", "SELECT count(DISTINCT note_id) AS notes FROM pairs"])
    assert '"notes": 20' in told.output, told.output

    page = httpx.get(rig.url()).text
    assert "93.3 %" in page
    assert "EMPTY_TEXT" in page
    assert CANARY not in service.log_path.read_text()


@pytest.mark.skipif(CHROMIUM is None and os.environ.get("CI") != "true", reason="no chromium: run make tools")
def test_an_open_page_follows_the_notes_and_its_numbers_lead_to_them(rig: Rig) -> None:
    rig.send("entities.extracted.v1", *(note(f"n{place}") for place in range(20)))
    tokens = rig.folder / "desk.tokens"
    tokens.write_text(f"anna:validator:{hash_token('token-anna')}")
    (rig.folder / "pseudonym.key").write_bytes(b"k" * 32)
    key = str(rig.folder / "pseudonym.key")
    rig.scorekeeper(RXTRACT_SCORE_TOKENS_FILE=str(tokens), RXTRACT_PSEUDONYM_KEY_FILE=key).wait_ready()
    with sync_playwright() as playwright, playwright.chromium.launch(
        executable_path=CHROMIUM, args=["--no-sandbox"]
    ) as browser:  # fmt: skip
        page = browser.new_page(
            viewport={"width": 1280, "height": 900}, http_credentials={"username": "anna", "password": "token-anna"}
        )
        problems: list[str] = []
        page.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.goto(rig.url())
        expect(page.locator("#n-notes")).to_have_text("20")
        expect(page.locator("#live-words")).to_have_text("live")
        page.locator("#n-notes").focus()
        rig.send("entities.extracted.v1", note("late", "Delhi"))
        expect(page.locator("#n-notes")).to_have_text("21", timeout=15_000)
        expect(page.locator("#n-notes")).to_be_focused()
        assert page.evaluate("document.documentElement.scrollWidth") <= 1280
        page.locator("select[name=city]").select_option("Delhi")
        expect(page.locator("#n-notes")).to_have_text("1")
        page.locator("#n-notes").press("Enter")
        expect(page.locator("code").filter(has_text="rxtract why")).to_have_text(
            [f"rxtract why --source {SOURCE} late"]
        )
        assert problems == []


def test_killed_again_and_again_it_keeps_every_row_once_and_says_nothing_twice(rig: Rig) -> None:
    service = rig.scorekeeper(RXTRACT_SINK_EVERY_S="0.05")
    service.wait_ready()
    sent = 0
    for life in range(4):
        for _ in range(10):
            rig.send("entities.extracted.v1", *(note(f"n{sent + place}") for place in range(50)))
            sent += 50
        rig.send("annotations.validated.v1", audit(f"n{life}", right=life != 2))
        until(lambda: service.is_ready() and len(rig.measured()) >= 1)
        service.kill()
        service.start()
    service.wait_ready()
    until(lambda: rig.rows() == (sent, sent), 60)
    until(lambda: rig.kpi(service, "rxtract_kpi_notes") == sent)
    until(lambda: max(one.notes for one in rig.measured() if one.segment == "all") == 4)
    before = rig.measured()
    results = [(one.segment, one.notes, one.labels) for one in before]
    assert len(results) == len({(segment, notes) for segment, notes, _ in results})

    service.kill()
    service.start()
    service.wait_ready()
    until(lambda: rig.kpi(service, "rxtract_kpi_notes") == sent)
    assert rig.measured() == before


def test_a_second_one_exports_nothing_until_the_first_is_gone(rig: Rig) -> None:
    rig.send("entities.extracted.v1", note("a"))
    first = rig.scorekeeper("first")
    first.wait_ready()
    until(lambda: rig.kpi(first, "rxtract_kpi_notes") == 1)
    second = rig.scorekeeper("second", RXTRACT_RECORDS_DIR=str(rig.folder / "other"))
    until(lambda: second.metrics_url and "lease" in httpx.get(f"{second.health_url}/ready").json()["missing"])
    until(lambda: "another scorekeeper" in httpx.get(f"{second.health_url}/ready").text)
    assert rig.kpi(second, "rxtract_kpi_notes") is None
    assert httpx.get(f"{rig.url('second')}/api/kpis").status_code == 503
    first.kill()
    second.wait_ready()
    until(lambda: rig.kpi(second, "rxtract_kpi_notes") == 1)
