"""Services and the command line with a broker that wants TLS and a login; what is wrong is one line and an exit code."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from embedded_stack.services import ServiceProcess
from runtime.web.client_tokens import hash_token

sys.path.insert(0, str(Path(__file__).parent))
from secured_kafka import USER, Authority, secured_stack

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.stack, pytest.mark.timeout(240)]

TOKEN = "token-of-the-test"
EXTRACTOR = Path(__file__).parents[1] / "faults/extractor_process.py"


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The environment of a client that may come in."""
    folder = tmp_path_factory.mktemp("secured")
    (folder / "other.pem").write_bytes(Authority("another").pem)
    with secured_stack(folder) as (_, client):
        yield {**client, "RXTRACT_SASL_USERNAME": USER}


def run(environment: dict[str, str], *command: str) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("RXTRACT_")}
    return subprocess.run(
        [sys.executable, "-m", *command],
        env=clean | environment,
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )


def ingestor_settings(folder: Path) -> dict[str, str]:
    key = folder / "key"
    key.write_bytes(b"k" * 40)
    return {
        "RXTRACT_PSEUDONYM_KEY_FILE": str(key),
        "RXTRACT_HTTP_TOKENS": f"clinic:{hash_token(TOKEN)}",
        "RXTRACT_HTTP_PORT_FILE": str(folder / "http.port"),
    }


def test_a_note_goes_through_a_secured_broker(secured: dict[str, str], tmp_path: Path) -> None:
    for part in ("topics", "schemas"):
        applied = run(secured, "rxtract", part, "apply")
        assert applied.returncode == 0, applied.stderr
    again = run(secured, "runtime.service.contract", "topics", "schemas")
    assert again.stdout == "topics: nothing to change\nschemas: nothing to change\n", again.stderr
    ingestor = ServiceProcess("ingestor", tmp_path, {**secured, **ingestor_settings(tmp_path)})
    with ingestor:
        ingestor.wait_ready(60)
        url = f"http://127.0.0.1:{(tmp_path / 'http.port').read_text().strip()}"
        with (tmp_path / "extractor.log").open("wb") as log:  # Faust and aiokafka log in by themselves
            extractor = subprocess.Popen(
                [sys.executable, str(EXTRACTOR)], env={**os.environ, **secured}, stdout=log, stderr=log
            )
        try:
            told = {**secured, "RXTRACT_INGEST_URL": url, "RXTRACT_INGEST_TOKEN": TOKEN}
            for door in ("http", "kafka"):
                sent = run(told, "rxtract", "simulate", "--door", door, "--notes", "5", "--rate", "0")
                assert sent.returncode == 0, sent.stderr
            assert entities(secured, 10, tmp_path / "extractor.log") == 10
        finally:
            extractor.kill()
            extractor.wait(10)
    assert read_by_ourselves(secured) == 5


def read_by_ourselves(environment: dict[str, str]) -> int:
    """Submitted notes as `runtime.stream.swollen` reads them after a death; it logs in by a client of its own."""
    from confluent_kafka import Consumer, TopicPartition
    from runtime.service.settings import ServiceSettings
    from runtime.stream.swollen import SwollenReader

    settings = ServiceSettings.load(
        **{name.removeprefix("RXTRACT_").lower(): value for name, value in environment.items()}
    )
    consumer = Consumer({**settings.kafka_client_config(), "group.id": "t"})
    topic = "notes.submitted.v1"
    numbers = consumer.list_topics(topic, timeout=10).topics[topic].partitions
    ends = {(topic, one): consumer.get_watermark_offsets(TopicPartition(topic, one), timeout=10)[1] for one in numbers}
    consumer.close()
    reader = SwollenReader(settings)
    began_s = time.monotonic()
    assert reader.look(dict.fromkeys(ends, 0)) == {}
    assert time.monotonic() - began_s < 10
    return sum(len(row) for place, end in ends.items() for row in reader.rows(place, 0, end))


def entities(environment: dict[str, str], wanted: int, log: Path) -> int:
    """Records on the entities' topic, once there are so many."""
    from confluent_kafka import Consumer, TopicPartition
    from runtime.service.settings import ServiceSettings

    told = {name.removeprefix("RXTRACT_").lower(): value for name, value in environment.items()}
    consumer = Consumer({**ServiceSettings.load(**told).kafka_client_config(), "group.id": "t"})
    topic = "entities.extracted.v1"
    deadline = time.monotonic() + 60
    while True:
        partitions = consumer.list_topics(topic, timeout=10).topics[topic].partitions
        ends = [consumer.get_watermark_offsets(TopicPartition(topic, one), timeout=10) for one in partitions]
        if (found := sum(high for _, high in ends)) >= wanted:
            consumer.close()
            return found
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.2)


WRONG: dict[str, tuple[dict[str, str], str]] = {
    "another authority": ({"RXTRACT_SSL_CA_LOCATION": "other.pem"}, "no TLS with Kafka at"),
    "no such file": ({"RXTRACT_SSL_CA_LOCATION": "nowhere.pem"}, "RXTRACT_SSL_CA_LOCATION"),
    "wrong password": ({"RXTRACT_SASL_PASSWORD": "guessed-secret"}, "refuses the login"),
    "wrong user": ({"RXTRACT_SASL_USERNAME": "nobody"}, "refuses the login"),
    "a mechanism that the broker has not": ({"RXTRACT_SASL_MECHANISM": "PLAIN"}, "refuses the login"),
    "no such mechanism": ({"RXTRACT_SASL_MECHANISM": "SCRAM-SHA-1000"}, "RXTRACT_SASL_MECHANISM"),
}


COMMANDS: dict[str, tuple[str, ...]] = {
    "ingestor": ("ingestor",),
    "extractor": ("extractor",),
    "contract": ("runtime.service.contract", "topics"),
    "command line": ("rxtract", "topics", "apply"),
}


def each_with_one_and_all_with_all() -> list[Any]:
    """Every case and every command once; all of one with all of the other are long, since each pair is a process of its own."""
    pairs = [(case, command) for case in WRONG for command in COMMANDS]
    few = {(case, list(COMMANDS)[number % len(COMMANDS)]) for number, case in enumerate(WRONG)}
    return [pytest.param(*pair, marks=() if pair in few else pytest.mark.long) for pair in pairs]


@pytest.mark.parametrize(("case", "command"), each_with_one_and_all_with_all())
def test_what_is_wrong_is_one_line(secured: dict[str, str], tmp_path: Path, case: str, command: str) -> None:
    changes, expected = WRONG[case]
    place = Path(secured["RXTRACT_SSL_CA_LOCATION"]).parent
    told = {name: str(place / value) if value.endswith(".pem") else value for name, value in changes.items()}
    ended = run({**secured, **ingestor_settings(tmp_path), **told}, *COMMANDS[command])
    assert ended.returncode == 2, ended.stderr
    assert ended.stderr.count("\n") == 1, ended.stderr
    assert expected in ended.stderr
    assert "guessed-secret" not in ended.stderr


def test_a_broker_that_is_away_is_waited_for(secured: dict[str, str], tmp_path: Path) -> None:
    environment = {**secured, **ingestor_settings(tmp_path), "RXTRACT_BOOTSTRAP_SERVERS": "127.0.0.1:1"}
    with ServiceProcess("ingestor", tmp_path, environment) as ingestor:
        deadline = time.monotonic() + 60
        while not ingestor.health_url:
            assert time.monotonic() < deadline
            time.sleep(0.1)
        assert httpx.get(f"{ingestor.health_url}/live", timeout=5).status_code == 200
        assert not ingestor.is_ready()
        assert ingestor.running()
