"""The commands that look at topics and dead letters, as typed, on real servers with topics of their own."""

import json
import time

import pytest
from contracts.apply import apply_topics
from contracts.files import schema_text
from contracts.identity import note_key
from contracts.reasons import Reason
from contracts.records import NoteSubmitted, Origin
from contracts.registry import ConfluentRegistry
from contracts.topics import NOTES_SUBMITTED, load_topics, prefixed, subject_of
from contracts.wire import Serializer
from runtime.kafka.deadletter import dead_letter
from runtime.kafka.delivery import DeliveryProducer
from runtime.kafka.records import InputRecord, OutputRecord
from rxtract.app import build
from rxtract.errors import UserError
from typer.testing import CliRunner

pytestmark = pytest.mark.stack


@pytest.fixture
def environment(stack, topic_prefix, monkeypatch):
    addresses = stack.addresses
    for name, value in addresses.as_environment().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("RXTRACT_TOPIC_PREFIX", topic_prefix)
    only = {NOTES_SUBMITTED: load_topics()[NOTES_SUBMITTED]}  # twenty topics for each test would take a second each
    apply_topics({"bootstrap.servers": addresses.bootstrap_servers}, only, prefix=topic_prefix)
    registry = ConfluentRegistry(addresses.schema_registry_url)
    registry.register(subject_of(prefixed(topic_prefix, NOTES_SUBMITTED)), schema_text(NoteSubmitted.SCHEMA_NAME))
    return addresses


@pytest.fixture
def publish(environment, topic_prefix):
    producer = DeliveryProducer({"bootstrap.servers": environment.bootstrap_servers})
    topic = prefixed(topic_prefix, NOTES_SUBMITTED)
    serialize = Serializer.for_topic(NoteSubmitted, ConfluentRegistry(environment.schema_registry_url), topic)

    def send(note: NoteSubmitted, *, refused: Reason | None = None) -> bytes:
        value = serialize(note)
        record = OutputRecord(topic, note_key(note.source, note.note_id).encode(), value)
        if refused is not None:
            record = dead_letter(InputRecord(topic, 0, 0, 0, record.key, value), refused, "ingestor")
        producer.send([record]).wait(30)
        return value

    yield send
    producer.close(30)


def run(*argv: str) -> str:
    result = CliRunner().invoke(build(argv), argv, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


SOURCE = "clinic"


def note(note_id: str, text: str = "c/o fever x 3 days", source: str = SOURCE) -> NoteSubmitted:
    return NoteSubmitted(
        source=source, note_id=note_id, revision=1, prescription_id="SYNTHETIC-1", patient_ref="SYNTHETIC-P", doctor_ref="SYNTHETIC-D",
        city="Pune", specialty="medicine", written_at=int(time.time() * 1000), text=text, language="en", origin=Origin.LIVE,
    )  # fmt: skip


def test_tap_prints_decoded_records_and_ends_where_the_topic_ends(publish):
    publish(note("synthetic-a"))
    publish(note("synthetic-b"))
    lines = run("tap", NOTES_SUBMITTED, "--from-start", "--no-follow", "--json").splitlines()
    assert {json.loads(line)["value"]["note_id"] for line in lines} == {"synthetic-a", "synthetic-b"}


def test_tap_colours_no_control_characters_into_the_terminal(publish):
    publish(note("synthetic-a", text="evil \x1b[2J text"))
    shown = run("tap", NOTES_SUBMITTED, "--from-start", "--no-follow")
    assert "\x1b[2J" not in shown
    assert "evil" in shown


def test_why_tells_where_a_note_stands(publish):
    publish(note("synthetic-a"))
    publish(note("synthetic-a", text="  "), refused=Reason.EMPTY_TEXT)
    told = run("why", "synthetic-a")
    assert NOTES_SUBMITTED in told
    assert "Refused: EMPTY_TEXT" in told


def test_why_tells_two_sources_with_one_id_apart(publish):
    publish(note("rx|1/2", source="clinic-a"))
    publish(note("rx|1/2", source="clinic-b"))
    publish(note("1/2", source="clinic-a"))
    told = run("why", "rx|1/2")
    assert "2 notes have this id, of clinic-a, clinic-b" in told
    found = json.loads(run("why", "rx|1/2", "--source", "clinic-b", "--json"))
    assert [(one["key"], one["value"]["source"]) for one in found] == [("clinic-b|rx|1/2", "clinic-b")]
    assert [one["key"] for one in json.loads(run("why", "1/2", "--json"))] == ["clinic-a|1/2"]


def test_why_says_that_an_unknown_note_is_unknown(environment):
    with pytest.raises(UserError, match="no record of synthetic-none"):
        run("why", "synthetic-none")


def test_dead_letters_are_listed_shown_and_replayed_byte_for_byte(publish, topic_prefix, tmp_path):
    original = publish(note("synthetic-a", text=" "), refused=Reason.EMPTY_TEXT)
    (row,) = json.loads(run("dlq", "list", "--json"))
    assert row["reason"] == "EMPTY_TEXT"
    assert row["bytes"] == len(original)
    listed = run("dlq", "list").splitlines()  # 80 columns wide
    assert any(row["place"] in line and "EMPTY_TEXT" in line for line in listed)
    assert "…" not in "".join(listed)
    shown = json.loads(run("dlq", "show", NOTES_SUBMITTED, row["place"], "--json"))
    assert shown["headers"]["rxtract.reason"] == "EMPTY_TEXT"

    assert "1 sent" in run("dlq", "replay", NOTES_SUBMITTED, "--all")
    back = run("tap", NOTES_SUBMITTED, "--from-start", "--no-follow", "--json").splitlines()
    assert json.loads(back[0])["value"] == shown["value"]
    assert "__streams.errors.exception" not in json.loads(back[0])["headers"]

    mended = tmp_path / "mended.json"
    mended.write_text(json.dumps({**shown, "value": {**shown["value"], "text": "c/o cough"}}))
    assert "1 mended" in run("dlq", "replay", NOTES_SUBMITTED, row["place"], "--with", str(mended))
    texts = [
        json.loads(line)["value"]["text"]
        for line in run("tap", NOTES_SUBMITTED, "--from-start", "--no-follow", "--json").splitlines()
    ]
    assert sorted(texts) == [" ", "c/o cough"]


def test_a_letter_that_was_tried_too_often_stays(publish):
    publish(note("synthetic-a", text=" "), refused=Reason.EMPTY_TEXT)
    assert "0 sent" in run("dlq", "replay", NOTES_SUBMITTED, "--all", "--max-attempts", "1")


@pytest.mark.parametrize(
    ("argv", "line"),
    [
        (("tap", "no.such.topic"), "no topic"),
        (("dlq", "show", NOTES_SUBMITTED, "nonsense"), "is not PARTITION:OFFSET"),
        (("dlq", "show", NOTES_SUBMITTED, "0:999"), "nothing at 0:999"),
        (("dlq", "replay", NOTES_SUBMITTED), "say which"),
    ],
)
def test_what_a_user_gets_wrong_is_one_line(environment, argv, line):
    with pytest.raises(UserError, match=line) as error:
        run(*argv)
    assert "\n" not in str(error.value)


def test_topics_and_schemas_are_applied_once(environment):
    assert "changed" in run("topics", "apply")
    assert "changed" in run("schemas", "apply")
    assert "nothing to change" in run("topics", "apply")
    assert "nothing to change" in run("schemas", "apply")
    assert "as the files say" in run("schemas", "check")
