"""Webhooks on a real broker: receivers that fail, are slow, answer 410, die and come back; nothing is lost and nobody waits for another."""

from __future__ import annotations

import base64
import json
import re
import threading
import time
from collections import Counter, defaultdict
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from contracts.apply import apply_schemas, apply_topics
from contracts.identity import event_id, note_key
from contracts.reasons import Reason
from contracts.records import EntitiesExtracted, ModelRef, Review, Segment
from contracts.registry import ConfluentRegistry
from contracts.topics import ENTITIES_EXTRACTED, NOTES_SUBMITTED, WEBHOOK_DELIVERIES, dlq_of, load_topics
from contracts.wire import Serializer
from embedded_stack.services import ServiceProcess
from runtime.kafka.deadletter import dead_letter
from runtime.kafka.delivery import DeliveryProducer
from runtime.kafka.records import InputRecord, OutputRecord
from rxtract.addresses import StackAddresses
from rxtract.reading import TopicReader
from rxtract.replay import replay

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = [pytest.mark.stack, pytest.mark.slow, pytest.mark.timeout(280)]

WITHIN_S = 60
GUIDE = Path(__file__).parents[2] / "docs" / "guides" / "webhooks.md"
OLD, NEW = (f"whsec_{base64.b64encode(letter * 32).decode()}" for letter in (b"o", b"n"))
Answer = int | float


class Receiver:
    """An HTTP server of a source; judges each delivery by the function of the guide and answers as its script says."""

    def __init__(self) -> None:
        (code,) = re.findall(r"```python\n(.*?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL)
        names: dict[str, Any] = {}
        exec(code, names)  # noqa: S102 - what a reader copies is what is tried
        self._judged = names["judged"]
        self.secrets = [NEW]
        self.seen: set[str] = set()
        self.verdicts: Counter[str] = Counter()
        self.tries: Counter[str] = Counter()
        self.bodies: dict[str, dict[str, Any]] = {}
        self.script: Callable[[str, int], Answer] = lambda _note, _tries: 204
        """From a note's id and how often it was tried to a status; a fraction: so many seconds of silence, then 204."""
        receiver = self

        class Door(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                status = receiver._take({name.lower(): value for name, value in self.headers.items()}, body)
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Nobody reads it."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Door)
        self._server.daemon_threads = True
        self.port = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def _take(self, headers: dict[str, str], body: bytes) -> int:
        found = json.loads(body)
        note = str(found["data"]["note_id"])
        self.tries[note] += 1
        answer = self.script(note, self.tries[note])
        if isinstance(answer, float):
            time.sleep(answer)
            return 204
        if answer < 300:
            self.verdicts[self._judged(headers, body, self.secrets, self.seen)] += 1
            self.bodies[note] = found
        return answer

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


class Rig:
    """Topics of its own, a notifier, and a receiver for each source."""

    def __init__(self, stack: Any, prefix: str, folder: Path, ending: ExitStack) -> None:
        known = stack.addresses
        self._prefix, self._folder, self._ending = prefix, folder, ending
        config = {"bootstrap.servers": known.bootstrap_servers}
        apply_topics(config, load_topics(), prefix=prefix)
        registry = ConfluentRegistry(known.schema_registry_url)
        apply_schemas(registry, prefix=prefix)
        self._write = Serializer.for_topic(EntitiesExtracted, registry, prefix + ENTITIES_EXTRACTED)
        self._producer = DeliveryProducer(config)
        self.addresses = StackAddresses(known.bootstrap_servers, known.schema_registry_url, topic_prefix=prefix)
        self.file = folder / "webhooks.json"
        self._env = {
            **known.as_environment(), "RXTRACT_TOPIC_PREFIX": prefix, "RXTRACT_GROUP_PREFIX": prefix,
            "RXTRACT_WEBHOOKS_FILE": str(self.file), "RXTRACT_WEBHOOK_TIMEOUT_S": "2", "RXTRACT_WEBHOOK_PAUSE_S": "1",
            "RXTRACT_WEBHOOK_TRIES": "3",
        }  # fmt: skip

    def receiver(self) -> Receiver:
        made = Receiver()
        self._ending.callback(made.close)
        return made

    def tell(self, **receivers: Receiver | dict[str, object]) -> None:
        """Write the file: a receiver by its address, or whatever is given."""
        entries = {
            source.replace("_", "-"): one if isinstance(one, dict) else {"url": one.url, "secrets": [NEW]}
            for source, one in receivers.items()
        }
        draft = self.file.with_suffix(".part")
        draft.write_text(json.dumps(entries), encoding="utf-8")
        draft.replace(self.file)

    def start(self, name: str = "notifier") -> ServiceProcess:
        service = ServiceProcess("notifier", self._folder, self._env, name=name)
        self._ending.callback(service.kill)
        service.start()
        service.wait_ready()
        return service

    def extracted(self, source: str, *note_ids: str) -> None:
        now = int(time.time() * 1000)
        records = []
        for note_id in note_ids:
            event = EntitiesExtracted(
                event_id=event_id(source, note_id, 1, 1, 0), source=source, note_id=note_id, revision=1, rules_version="",
                rules_serial=0, patient_ref="p", model=ModelRef(name="m", version="1", serial=1),
                segment=Segment(city="Pune", specialty="x"), written_at=now, accepted_at=now, extracted_at=now,
                note_confidence=0.9, entities=(), relations=(), review=Review(requested=False),
            )  # fmt: skip
            key = note_key(source, note_id).encode()
            records.append(OutputRecord(self._prefix + ENTITIES_EXTRACTED, key, self._write(event)))
        self._producer.send(records).wait(20)

    def refused(self, source: str, note_id: str) -> None:
        key = note_key(source, note_id).encode()
        record = InputRecord(self._prefix + NOTES_SUBMITTED, -1, -1, 0, key, b"{}", ())
        self._producer.send([dead_letter(record, Reason.EMPTY_TEXT, "ingestor", source=source)]).wait(20)

    def letters(self) -> list[Any]:
        return list(TopicReader(self.addresses).read([self._prefix + dlq_of(WEBHOOK_DELIVERIES)]))

    def log(self, name: str = "notifier") -> str:
        return (self._folder / "logs" / f"{name}.log").read_text(encoding="utf-8")


@pytest.fixture
def rig(stack: Any, topic_prefix: str, tmp_path: Path) -> Iterator[Rig]:
    with ExitStack() as ending:
        yield Rig(stack, topic_prefix, tmp_path, ending)


def until(holds: Callable[[], object], within_s: float = WITHIN_S) -> None:
    deadline_s = time.monotonic() + within_s
    while not holds():
        assert time.monotonic() < deadline_s, "waited in vain"
        time.sleep(0.05)


def notes(count: int, name: str = "n") -> list[str]:
    return [f"{name}-{number}" for number in range(count)]


def test_each_source_hears_of_its_notes_and_none_waits_for_another(rig: Rig) -> None:
    good, slow, dead, gone = (rig.receiver() for _ in range(4))
    slow.script = lambda _note, _tries: 5.0  # longer than a receiver may take
    gone.script = lambda _note, _tries: 410
    dead.close()
    rig.tell(good=good, slow=slow, dead=dead, gone=gone)
    service = rig.start()
    for source in ("slow", "dead", "gone", "nobody"):
        rig.extracted(source, *notes(5, source))
    rig.extracted("good", *notes(40))
    rig.refused("good", "refused-1")
    until(lambda: len(good.bodies) == 41)
    assert good.verdicts["invalid"] == 0
    assert good.bodies["n-7"]["type"] == "note.extracted"
    assert good.bodies["refused-1"]["data"]["reason"] == "EMPTY_TEXT"
    assert all(note.startswith(("n-", "refused")) for note in good.bodies)
    until(lambda: gone.tries)
    assert sum(gone.tries.values()) <= 5, "after a 410 nothing more is sent"
    shown = httpx.get(service.metrics_url, timeout=10).text
    assert re.search(r'rxtract_webhook_tries_total\{result="gone",source="gone"\}', shown)
    assert 'rxtract_webhook_lag_records{source="dead"}' in shown
    assert not [line for line in rig.log().splitlines() if "n-7" in line or NEW in line or "/hook" in line]


def test_what_a_receiver_refuses_again_and_again_is_a_dead_letter_and_is_replayed_under_its_id(rig: Rig) -> None:
    receiver = rig.receiver()
    receiver.script = lambda note, _tries: 500 if note == "n-3" else 204
    rig.tell(clinic=receiver)
    rig.start()
    rig.extracted("clinic", *notes(10))
    until(lambda: len(receiver.bodies) == 9)
    until(rig.letters)
    (letter,) = rig.letters()
    assert (letter.header("rxtract.reason"), letter.header("rxtract.result")) == ("UNDELIVERED", "500")
    assert letter.record.delivery_id == event_id("clinic", "n-3", 1, 1, 0)
    assert receiver.tries["n-3"] == 3
    receiver.script = lambda _note, _tries: 204
    assert replay(rig.addresses, rig.letters()).sent == 1
    until(lambda: "n-3" in receiver.bodies)
    assert event_id("clinic", "n-3", 1, 1, 0) in receiver.seen
    assert receiver.verdicts["invalid"] == 0


def test_a_receiver_that_comes_back_gets_all_and_so_does_one_whose_notifier_was_killed(rig: Rig) -> None:
    receiver = rig.receiver()
    receiver.script = lambda _note, _tries: 503
    rig.tell(clinic=receiver)
    service = rig.start()
    rig.extracted("clinic", *notes(30))
    until(lambda: receiver.tries)
    receiver.script = lambda _note, tries: 204 if tries > 1 else 500
    until(lambda: len(receiver.bodies) >= 5)
    service.kill()  # in the midst of it
    rig.extracted("clinic", *notes(30, "later"))
    rig.start("again")
    until(lambda: len(receiver.bodies) == 60)
    assert receiver.verdicts["invalid"] == 0
    assert receiver.verdicts["new"] == 60, "repeats are known by their id"
    assert rig.letters() == []


def test_a_secret_is_exchanged_and_a_gone_receiver_moves_without_a_loss_or_a_restart(rig: Rig) -> None:
    receiver, moved = rig.receiver(), rig.receiver()
    receiver.secrets = [OLD]
    rig.tell(clinic={"url": receiver.url, "secrets": [OLD]})
    service = rig.start()
    rig.extracted("clinic", "n-1")
    until(lambda: receiver.verdicts["new"] == 1)
    rig.tell(clinic={"url": receiver.url, "secrets": [NEW, OLD]})
    until(lambda: "told no more, or elsewhere" in rig.log())
    rig.extracted("clinic", "n-2")
    until(lambda: receiver.verdicts["new"] == 2)
    receiver.secrets = [NEW]
    rig.extracted("clinic", "n-3")
    until(lambda: receiver.verdicts["new"] == 3)
    receiver.script = lambda _note, _tries: 410
    rig.extracted("clinic", "n-4", "n-5")
    until(lambda: receiver.tries["n-4"] + receiver.tries["n-5"])
    rig.file.write_text('{"clinic": {"url": "http://clinic.example.org/"}}', encoding="utf-8")  # a slip changes nothing
    until(lambda: "rxtract_webhook_file_refused 1.0" in httpx.get(service.metrics_url, timeout=10).text)
    rig.tell(clinic=moved)
    until(lambda: set(moved.bodies) == {"n-4", "n-5"})
    assert receiver.verdicts == {"new": 3}
    assert service.running()


@pytest.mark.long
def test_two_replicas_share_the_work(rig: Rig) -> None:
    receivers = {source: rig.receiver() for source in ("a", "b")}
    rig.tell(**receivers)
    rig.start("one")
    rig.start("two")
    for source in receivers:
        rig.extracted(source, *notes(60))
    until(lambda: all(len(one.bodies) == 60 for one in receivers.values()))
    by_note: dict[str, int] = defaultdict(int)
    for one in receivers.values():
        assert one.verdicts["new"] == 60
        for note, times in one.tries.items():
            by_note[note] += times
    assert sum(by_note.values()) < 240, "not each by each"
