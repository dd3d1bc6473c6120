"""Sealing on the whole stack: planted identifiers are searched in every store, a patient is erased, and the stores are read again."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import psycopg
import pyarrow.parquet as pq
import pytest
from clinical_ner.config import TrainingConfig
from clinical_ner.tracking import log_and_register
from clinical_ner.train import train
from confluent_kafka import OFFSET_BEGINNING, Consumer, TopicPartition
from contracts.records import NoteSubmitted
from corpus import generate
from outcomes.questions import NoRecordsAtRest, open_records
from redis import Redis
from runtime.kafka.deadletter import REASON
from runtime.service.pseudonyms import Pseudonyms
from runtime.service.secret_files import read_key
from rxtract import bringup
from rxtract.backfill.doors import as_body
from rxtract.bringup import Running, bring_up
from rxtract.observer import Observer
from rxtract.reading import TopicReader
from rxtract.senders import KafkaSender
from sealing import SqliteKeyStore
from sealing.texts import taken_out

from tests.raw_files import in_files

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from embedded_stack.postgres import PostgresServer

pytestmark = [pytest.mark.stack, pytest.mark.long, pytest.mark.timeout(900)]

ERASED, OTHER = "MRN-ERASED-0001", "MRN-OTHER-0002"
EACH = 20
ROOT = Path(__file__).parents[2]
SUBMITTED = "notes.submitted.v1"


def canary(patient: str, number: int) -> str:
    return f"Zq{'era' if patient == ERASED else 'oth'}canary{number:03d}x"


def note(patient: str, number: int, **changes: Any) -> NoteSubmitted:
    name = canary(patient, number)
    return NoteSubmitted(
        source="platform", note_id=f"{patient}-{number}", revision=1, prescription_id=f"rx-{patient}-{number}", patient_ref=patient,
        doctor_ref="D1", city="Pune", specialty="general", written_at=int(time.time() * 1000) - 5_000, language="en",
        text=f"{name}, phone {9_000_000_000 + number}. K/c/o diabetes mellitus. Tab Metformin 500 mg BD for 5 days.", **changes,
    )  # fmt: skip


def everything(running: Running) -> Iterator[tuple[str, bytes]]:
    """Every record of every topic, raw: topic, and all its bytes."""
    consumer = Consumer(
        {"bootstrap.servers": running.addresses.bootstrap_servers, "group.id": "raw", "enable.auto.commit": False}
    )
    topics = consumer.list_topics(timeout=20).topics
    places = [
        TopicPartition(name, number, OFFSET_BEGINNING) for name, one in topics.items() for number in one.partitions
    ]
    ends = {(p.topic, p.partition): consumer.get_watermark_offsets(p, timeout=20) for p in places}
    consumer.assign([p for p in places if ends[p.topic, p.partition][0] < ends[p.topic, p.partition][1]])
    open_places = {place for place, (low, high) in ends.items() if low < high}
    deadline = time.monotonic() + 60
    while open_places:
        assert time.monotonic() < deadline, f"not read to the end: {sorted(open_places)}"
        for found in consumer.consume(1_000, 1.0):
            if not found.error():
                headers = b"".join(name.encode() + (value or b"") for name, value in found.headers() or [])
                yield found.topic(), (found.key() or b"") + (found.value() or b"") + headers
        for topic, number in list(open_places):
            position = consumer.position([TopicPartition(topic, number)])[0].offset
            if position >= ends[topic, number][1]:
                open_places.discard((topic, number))
    consumer.close()


def in_topics(running: Running, words: list[str], *, without: tuple[str, ...] = ()) -> dict[str, int]:
    hits: dict[str, int] = {}
    for topic, value in everything(running):
        if topic not in without and any(word.encode() in value for word in words):
            hits[topic] = hits.get(topic, 0) + 1
    return hits


def in_redis(running: Running, words: list[str]) -> list[str]:
    redis = Redis.from_url(running.addresses.redis_url)
    redis.config_set("rdbcompression", "no")  # a dump shows what it holds
    hits = []
    for key in redis.scan_iter(count=1000):
        dumped = key + (redis.dump(key) or b"")
        hits += [key.decode(errors="replace") for word in words if word.encode() in dumped]
    return hits


def in_metrics(running: Running, words: list[str]) -> list[str]:
    pages = {name: httpx.get(url).text for name, url in running.addresses.metrics.items()}
    return [name for name, page in pages.items() if any(word in page for word in words)]


def is_of_the_broker(path: Path) -> bool:
    """Its segments keep what was submitted in clear until they are deleted; what a reader gets is looked at as records."""
    return path.suffix == ".log" and any(part.startswith(SUBMITTED) for part in path.parts)


def command(running: Running, *arguments: str, code: int = 0) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-m", "rxtract", *arguments, "--stack", str(running.data_dir)],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == code, (arguments, done.stdout, done.stderr)
    return done


def at_rest(running: Running) -> str:
    """All rows that lie in the Parquet files, as any reader without keys decodes them: the files themselves are compressed."""
    files = Path(running.addresses.records_dir).rglob("*.parquet")
    return repr([pq.ParquetFile(path).read().to_pylist() for path in files])


def rows(running: Running, patient: str) -> list[Any]:
    try:
        records = open_records(Path(running.addresses.records_dir))
    except NoRecordsAtRest:
        return []
    return records.execute("SELECT entities FROM notes WHERE patient_ref = ?", [patient]).fetchall()


def until(condition: Callable[[], object], what: str, seconds: float = 90) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.3)


def small_champion(running: Running, _say: Callable[[str], None]) -> str:
    """What is sealed does not depend on how well it was found: a model of few notes is enough."""
    folder = running.data_dir / "small-model"
    train(generate(seed=3, n=150), TrainingConfig(averaged_fits=1), 0).save(folder)
    running.model_version = log_and_register(
        folder, tracking_uri=running.addresses.mlflow_url, alias="champion"
    ).version
    return "a small one"


def shown_by_the_desk(running: Running) -> str:
    """The text of the note that the desk gives to a validator next; empty when none waits."""
    door = {"Authorization": f"Bearer {running.addresses.desk_token}"}
    answer = httpx.get(f"{running.addresses.desk_url}/api/next", headers=door, timeout=20)
    assert answer.status_code in {200, 204}, answer.text
    return answer.text if answer.status_code == 200 else ""


@contextlib.contextmanager
def notes_flowing(running: Running, each_s: float = 0.1, at_once: int = 20) -> Iterator[list[int]]:
    """Notes of other patients, some at a time, until the block ends; how many."""
    sent, over = [0], threading.Event()

    def send() -> None:
        with contextlib.closing(KafkaSender(running.addresses)) as door:
            next_s = time.monotonic()
            while not over.wait(max(0.0, next_s - time.monotonic())):
                next_s += each_s  # what was late is caught up
                door.send([note(f"MRN-FLOW-{number}", number) for number in range(sent[0], sent[0] + at_once)])
                sent[0] += at_once

    flow = threading.Thread(target=send)
    flow.start()
    try:
        yield sent
    finally:
        over.set()
        flow.join()


def test_a_sealed_stack_shows_no_identifier_and_forgets_a_patient(tmp_path, monkeypatch):
    monkeypatch.setenv("RXTRACT_SEALING", "on")
    monkeypatch.setattr(bringup, "_ensure_champion", small_champion)
    debug = {"RXTRACT_LOG_LEVEL": "DEBUG"}
    env = {name: dict(debug) for name in ("ingestor", "extractor", "drift-watcher", "trainer", "review-desk", "ledger")}
    env["scorekeeper"] = debug | {"RXTRACT_SINK_EVERY_S": "1"}
    with (
        bring_up(tmp_path, ephemeral=False, close_loop=True, service_env=env) as running,
        Observer(running.addresses) as observer,
        contextlib.closing(KafkaSender(running.addresses)) as door,
    ):
        names = Pseudonyms(read_key(Path(running.addresses.pseudonym_key_file), "key"))
        erased, other = names.of("patient", ERASED), names.of("patient", OTHER)
        door.send([note(patient, number) for number in range(EACH) for patient in (ERASED, OTHER)])
        refused = note(ERASED, EACH)
        door.send([replace(refused, written_at=1)])
        door.send_raw([(b"platform|unreadable", b"\x00\x00\x00\x00\x01" + refused.text.encode())])
        answer = httpx.post(
            f"{running.addresses.ingest_url}/v1/notes",
            headers={"Authorization": f"Bearer {running.addresses.ingest_token}"},
            json=as_body(replace(refused, source="local", written_at=1, note_id="by-http")),
        )
        assert answer.status_code in {207, 422}, answer.text
        assert observer.wait(lambda seen: len(seen.events) >= 2 * EACH, 90, lambda: None)
        until(lambda: len(rows(running, erased)) == EACH and len(rows(running, other)) == EACH, "rows at rest")
        until(lambda: sum(topic == f"{SUBMITTED}.dlq" for topic, _ in everything(running)) >= 3, "dead letters")

        planted = [canary(patient, number) for patient in (ERASED, OTHER) for number in range(EACH + 1)]
        assert in_topics(running, planted, without=(SUBMITTED,)) == {}
        assert in_topics(running, ["Metformin", "diabetes"], without=(SUBMITTED,)) == {}
        assert in_redis(running, [*planted, "Metformin", "diabetes"]) == []
        stored = at_rest(running)
        assert [word for word in (*planted, "Metformin", "diabetes", "500 mg") if word in stored] == []
        asked = "SELECT count(*) AS notes FROM entities WHERE text ILIKE '%metformin%'"
        assert json.loads(command(running, "sql", asked, "--json").stdout) == [{"notes": 2 * EACH}], "with the grant"
        assert in_metrics(running, [*planted, ERASED, OTHER]) == []
        assert in_files(running.data_dir, planted, without=is_of_the_broker) == []

        # Whoever holds the grant reads on.
        story = json.loads(command(running, "why", f"{OTHER}-0", "--json").stdout)
        assert any(canary(OTHER, 0) in json.dumps(seen) for seen in story)
        letters = command(running, "dlq", "list", SUBMITTED, "--json").stdout
        assert letters.count("IMPOSSIBLE_TIME") >= 2
        assert json.loads(command(running, "keys", "status", "--json").stdout)["keys"] >= 3

        until(lambda: "canary" in shown_by_the_desk(running), "the desk shows a note with its text")

        before = observer.look(lambda seen: len(seen.events))
        with notes_flowing(running) as sent:
            until(lambda: observer.look(lambda seen: len(seen.events)) > before, "notes flow")
            done = json.loads(command(running, "erase", "--patient", ERASED, "--verify", "--json").stdout)
        assert done["seconds"] < 60
        flowed = 2 * EACH + sent[0]
        assert observer.wait(lambda seen: len(seen.events) >= flowed, 120, lambda: None), "notes that flowed meanwhile"
        assert (done["patient"], done["keys_destroyed"], done["rows_at_rest"], done["in_clear"]) == (erased, 1, 0, {})
        gone = [canary(ERASED, number) for number in range(EACH + 1)]
        assert in_topics(running, gone[:EACH]) == {}, "submitted notes too"
        assert in_redis(running, gone) == []
        assert in_files(running.data_dir, gone, without=is_of_the_broker) == []
        assert rows(running, erased) == []
        assert len(rows(running, other)) == EACH
        story = command(running, "why", f"{ERASED}-0", "--json").stdout
        assert "Metformin" not in story
        assert canary(OTHER, 1) in command(running, "why", f"{OTHER}-1", "--json").stdout
        until(
            lambda: not any(name in shown_by_the_desk(running) for name in gone),
            "the desk shows nothing of the patient",
        )

        # Twice is once, and who is unknown is named as such.
        again = json.loads(command(running, "erase", "--patient", ERASED, "--json").stdout)
        assert (again["number"], again["erased_at"]) == (done["number"], done["erased_at"])
        assert (
            "no text was ever sealed for this patient"
            in command(running, "erase", "--patient", "nobody", code=2).stderr
        )

        # Read again, a note of the patient is ERASED, and the ledger has one effect for each.
        command(running, "reextract", "--since", "1970-01-01", "--json")

        def letters_of_erased() -> int:
            return sum(
                topic == "notes.accepted.v1.dlq" and REASON.encode() + b"ERASED" in value
                for topic, value in everything(running)
            )

        until(lambda: letters_of_erased() >= EACH, "the patient's notes as ERASED")
        until(lambda: observer.look(lambda seen: seen.duplicates) >= EACH, "the others' notes once more")
        account = json.loads(command(running, "reconcile", "--json").stdout)
        assert account["lost"] == 0
        assert in_topics(running, gone[:EACH]) == {}

        # A new visit is a new beginning, and the master key changes under it.
        command(running, "keys", "rotate")
        door.send([note(ERASED, EACH + 5)])
        until(
            lambda: canary(ERASED, EACH + 5) in command(running, "why", f"{ERASED}-{EACH + 5}", "--json").stdout,
            "a new visit",
        )
        until(lambda: len(rows(running, erased)) == 1, "its row")


def run_by_the_page(heading: str, tmp_path: Path) -> None:
    """Run the commands below a heading of the runbook."""
    page = (ROOT / "docs/runbooks/restore.md").read_text()
    (commands,) = re.findall(r"```sh\n(.*?)```", page.partition(f"## {heading}\n")[2].partition("\n## ")[0], re.DOTALL)
    places = {name: str(tmp_path / name.lower()) for name in ("DATA", "KEYS", "SECRETS", "COPY")}
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-euc", commands], env={**os.environ, **places, "PATH": path}, capture_output=True, text=True, timeout=120, check=False
    )  # fmt: skip
    assert done.returncode == 0, (heading, done.stdout, done.stderr)


def readable(running: Running, patient: str) -> dict[str, int]:
    """How many records of a patient show a text or words to whoever has the grant, by topic."""
    counts = {"notes.accepted.v1": 0, "entities.extracted.v1": 0}
    for seen in TopicReader(running.addresses).read(list(counts)):
        if seen.record is not None and seen.record.patient_ref == patient:
            counts[seen.topic] += bool(taken_out(seen.record).strip(b"\0"))
    return counts


def test_who_loses_the_machine_restores_it_and_no_note_is_unreadable(tmp_path, monkeypatch):
    monkeypatch.setenv("RXTRACT_SEALING", "on")
    data, env = tmp_path / "data", {"scorekeeper": {"RXTRACT_SINK_EVERY_S": "1"}}
    with monkeypatch.context() as first:
        first.setattr(bringup, "_ensure_champion", small_champion)
        with (
            bring_up(data, ephemeral=False, close_loop=True, service_env=env) as running,
            contextlib.closing(KafkaSender(running.addresses)) as door,
        ):
            names = Pseudonyms(read_key(Path(running.addresses.pseudonym_key_file), "key"))
            erased, other = names.of("patient", ERASED), names.of("patient", OTHER)
            door.send([note(patient, number) for number in range(EACH) for patient in (ERASED, OTHER)])
            until(lambda: len(rows(running, erased)) == EACH and len(rows(running, other)) == EACH, "rows at rest")
            whole = {"notes.accepted.v1": EACH, "entities.extracted.v1": EACH}
            assert readable(running, other) == readable(running, erased) == whole
    run_by_the_page("Back up", tmp_path)
    SqliteKeyStore(data / "secrets/keys.db").erase(erased, int(time.time() * 1000))
    run_by_the_page("After every erasure", tmp_path)
    shutil.rmtree(data)
    run_by_the_page("Restore", tmp_path)
    with (
        bring_up(data, ephemeral=False, close_loop=True, service_env=env) as running,
        contextlib.closing(KafkaSender(running.addresses)) as door,
    ):
        assert readable(running, other) == whole
        assert readable(running, erased) == dict.fromkeys(whole, 0), "who was erased after the backup stays so"
        until(lambda: rows(running, erased) == [], "their rows go again")
        assert len(rows(running, other)) == EACH
        door.send([note(OTHER, EACH)])
        until(
            lambda: readable(running, other) == dict.fromkeys(whole, EACH + 1),
            "notes go on, under the patient's old key",
        )
        # Nothing is open, too, while the ledger has not read the newest note.
        account: dict[str, Any] = {}

        def accounted_for() -> bool:
            account.update(json.loads(command(running, "reconcile", "--json").stdout))
            return (account["open"], account["submitted"]) == (0, 2 * EACH + 1)

        until(accounted_for, "every note has its effect")
        assert (account["lost"], account["submitted"]) == (0, 2 * EACH + 1)
        assert json.loads(command(running, "keys", "status", "--json").stdout)["destroyed"] == 1


MANY = 1_000
"""Notes of one patient."""
PER_S = 500


def test_a_patient_with_1000_notes_is_erased_within_a_minute_while_500_a_second_flow(
    postgres: PostgresServer, tmp_path, monkeypatch, capsys
):
    """With the keys in PostgreSQL, which is then frozen: nothing goes on in clear, and nothing is lost."""
    with psycopg.connect(postgres.url(), autocommit=True) as db:
        db.execute("CREATE DATABASE figure")
    monkeypatch.setenv("RXTRACT_SEALING", "on")
    monkeypatch.setenv("RXTRACT_KEY_STORE_URL", postgres.url(database="figure"))
    monkeypatch.setattr(bringup, "_ensure_champion", small_champion)
    env = {"scorekeeper": {"RXTRACT_SINK_EVERY_S": "1"}}
    with (
        bring_up(tmp_path, ephemeral=False, close_loop=True, service_env=env) as running,
        Observer(running.addresses) as observer,
        contextlib.closing(KafkaSender(running.addresses)) as door,
    ):
        monkeypatch.delenv("RXTRACT_KEY_STORE_URL")  # commands find it in the stack's own file
        names = Pseudonyms(read_key(Path(running.addresses.pseudonym_key_file), "key"))
        erased = names.of("patient", ERASED)
        door.send([note(ERASED, number) for number in range(MANY)])
        door.send([note(OTHER, number) for number in range(EACH)])
        until(lambda: len(rows(running, erased)) == MANY, "rows at rest", 240)
        with notes_flowing(running, 0.1, PER_S // 10) as sent:
            until(lambda: observer.look(lambda seen: len(seen.events)) > MANY + EACH + PER_S, "notes flow")
            began_s, before = time.monotonic(), sent[0]
            done = json.loads(
                command(
                    running, "erase", "--patient", ERASED, "--certificate", str(tmp_path / "done.json"), "--json"
                ).stdout
            )
            rate = (sent[0] - before) / (time.monotonic() - began_s)
        with capsys.disabled():
            took = f"{MANY} notes erased in {done['seconds']} s while {rate:.0f} notes/s came"
            print(f"\n{took} (load {os.getloadavg()[0]:.0f})")  # noqa: T201 - the figure
        assert done["seconds"] < 60
        assert (done["keys_destroyed"], done["rows_at_rest"]) == (1, 0)
        gone = [canary(ERASED, 0)[:-4]]  # what all their canaries begin with
        assert in_topics(running, gone) == {}
        assert in_redis(running, gone) == []
        assert in_files(running.data_dir, gone, without=is_of_the_broker) == []
        assert gone[0] not in at_rest(running)
        assert rows(running, erased) == []
        assert "Metformin" not in command(running, "why", f"{ERASED}-7", "--json").stdout
        flowed = MANY + EACH + sent[0]
        assert observer.wait(lambda seen: len(seen.events) >= flowed, 300, lambda: None), "notes that flowed meanwhile"
        assert observer.look(lambda seen: len(seen.events)) == flowed

        # The server is frozen: the door says so, the Kafka door waits, and nothing comes out in clear.
        postgres.pause()
        try:
            until(lambda: by_http(running, 1).status_code == 503, "503 without the key store")
            door.send([note(OTHER, EACH)])
            assert "the key store does not answer" in command(running, "keys", "status", code=2).stderr
            assert by_http(running, 2).status_code == 503
            assert in_topics(running, [canary(OTHER, EACH), canary(OTHER, 501)], without=(SUBMITTED,)) == {}
            assert observer.look(lambda seen: len(seen.events)) == flowed
        finally:
            postgres.resume()
        until(lambda: by_http(running, 3).status_code == 202, "202 again")
        assert observer.wait(lambda seen: len(seen.events) >= flowed + 2, 120, lambda: None), "what waited goes on"
        command(running, "keys", "rotate")
        assert canary(OTHER, 1) in command(running, "why", f"{OTHER}-1", "--json").stdout
        assert json.loads(command(running, "keys", "status", "--json").stdout)["under_older_masters"] == 0
        until(
            lambda: json.loads(command(running, "reconcile", "--json").stdout)["open"] == 0, "every note has its effect"
        )
        assert json.loads(command(running, "reconcile", "--json").stdout)["lost"] == 0


def by_http(running: Running, number: int) -> httpx.Response:
    """A note of a patient whose key nobody remembers."""
    return httpx.post(
        f"{running.addresses.ingest_url}/v1/notes",
        headers={"Authorization": f"Bearer {running.addresses.ingest_token}"},
        json=as_body(replace(note(f"MRN-HTTP-{number}", 500 + number), source="local")),
        timeout=30,
    )
