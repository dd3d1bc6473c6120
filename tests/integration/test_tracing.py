"""A note's trace, from the HTTP door to the desk and the scorekeeper, as a collector sees it."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from contracts.apply import apply_schemas, apply_topics
from contracts.registry import ConfluentRegistry
from contracts.topics import load_topics
from embedded_stack.services import ServiceProcess
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from runtime.web.client_tokens import hash_token

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.stack, pytest.mark.timeout(240)]

TRACE = "0af7651916cd43dd8448eb211c80319c"
PARENT = "b7ad6b7169203331"
TOKEN = "token-of-the-test"
CANARY = "zebra-quartz-canary"
EXTRACTOR = Path(__file__).parents[1] / "faults/extractor_process.py"


class Collector:
    """Takes OTLP over HTTP and keeps it."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        bodies = self.bodies

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                assert self.path == "/v1/traces"
                assert "gzip" not in self.headers.get("content-encoding", "")
                bodies.append(self.rfile.read(int(self.headers["content-length"])))
                self.send_response(200)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)

    def spans(self) -> dict[str, list[Any]]:
        """By the service that made them."""
        found: dict[str, list[Any]] = {}
        for body in list(self.bodies):
            for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
                names = {one.key: one.value.string_value for one in resource.resource.attributes}
                spans = [span for scope in resource.scope_spans for span in scope.spans]
                found.setdefault(names["service.name"], []).extend(spans)
        return found


@contextmanager
def collector() -> Iterator[Collector]:
    made = Collector()
    thread = threading.Thread(target=made.server.serve_forever, daemon=True)
    thread.start()
    try:
        yield made
    finally:
        made.server.shutdown()
        thread.join(10)
        made.server.server_close()


def note(note_id: str) -> dict[str, Any]:
    return {
        "note_id": note_id, "revision": 1, "text": f"UNSURE fever, {CANARY}, paracetamol 500 mg", "prescription_id": "RX-1",
        "patient_ref": "PATIENT-77", "doctor_ref": "DOCTOR-88", "city": "Pune", "specialty": "general",
        "written_at": int(time.time() * 1000),
    }  # fmt: skip


def test_one_trace_goes_through_four_services(stack: Any, topic_prefix: str, tmp_path: Path) -> None:
    apply_topics({"bootstrap.servers": stack.addresses.bootstrap_servers}, load_topics(), prefix=topic_prefix)
    apply_schemas(ConfluentRegistry(stack.addresses.schema_registry_url), prefix=topic_prefix)
    key = tmp_path / "key"
    key.write_bytes(b"k" * 40)
    people = tmp_path / "desk.tokens"
    people.write_text(f"lead:lead:{hash_token(TOKEN)}\n")
    with collector() as seen, ExitStack() as ending:
        common = {
            **stack.addresses.as_environment(),
            "RXTRACT_TOPIC_PREFIX": topic_prefix,
            "RXTRACT_GROUP_PREFIX": topic_prefix,
            "RXTRACT_TRACING_ENDPOINT": f"http://127.0.0.1:{seen.server.server_address[1]}",
            "RXTRACT_TRACING_RATIO": "0",  # the sender's own decision counts
            "OTEL_BSP_SCHEDULE_DELAY": "200",
        }
        own = {
            "ingestor": {
                "RXTRACT_PSEUDONYM_KEY_FILE": str(key),
                "RXTRACT_HTTP_TOKENS": f"clinic:{hash_token(TOKEN)}",
                "RXTRACT_HTTP_PORT_FILE": str(tmp_path / "http.port"),
            },
            "review_desk": {
                "RXTRACT_DESK_KEY_FILE": str(key),
                "RXTRACT_PSEUDONYM_KEY_FILE": str(key),
                "RXTRACT_DESK_TOKENS_FILE": str(people),
            },
            "scorekeeper": {"RXTRACT_RECORDS_DIR": str(tmp_path / "records"), "RXTRACT_SINK_EVERY_S": "0.5"},
        }
        services = [ServiceProcess(name, tmp_path, {**common, **more}) for name, more in own.items()]
        for service in services:
            ending.callback(service.kill)
            service.start()
        with (tmp_path / "extractor.log").open("wb") as log:
            extractor = subprocess.Popen(
                [sys.executable, str(EXTRACTOR)], env={**os.environ, **common}, stdout=log, stderr=log
            )
        ending.callback(extractor.kill)
        for service in services:
            service.wait_ready(90)
        send(tmp_path, "N-1", f"00-{TRACE}-{PARENT}-01")
        send(tmp_path, "N-2", None)  # nobody decided and our share is 0: no trace
        wanted = {f"rxtract-{name}" for name in ("ingestor", "extractor", "review-desk", "scorekeeper")}
        until(lambda: wanted <= set(seen.spans()), lambda: f"spans only of {set(seen.spans())}")
        found = seen.spans()
        spans = [span for listed in found.values() for span in listed]
        assert {span.trace_id.hex() for span in spans} == {TRACE}
        (door,), (tagged,) = found["rxtract-ingestor"], found["rxtract-extractor"]
        assert door.parent_span_id.hex() == PARENT
        assert tagged.parent_span_id == door.span_id
        for reader in ("rxtract-review-desk", "rxtract-scorekeeper"):
            assert [span.parent_span_id for span in found[reader]] == [tagged.span_id]
        everything = b"".join(seen.bodies)
        assert not [word for word in (CANARY, "PATIENT", "DOCTOR", "N-1", "RX-1") if word.encode() in everything]


def test_a_collector_that_is_away_costs_no_note_and_no_slow_end(stack: Any, topic_prefix: str, tmp_path: Path) -> None:
    topics = {name: topic for name, topic in load_topics().items() if name.startswith("notes.")}
    apply_topics({"bootstrap.servers": stack.addresses.bootstrap_servers}, topics, prefix=topic_prefix)
    apply_schemas(ConfluentRegistry(stack.addresses.schema_registry_url), prefix=topic_prefix)
    key = tmp_path / "key"
    key.write_bytes(b"k" * 40)
    environment = {
        **stack.addresses.as_environment(),
        "RXTRACT_TOPIC_PREFIX": topic_prefix,
        "RXTRACT_GROUP_PREFIX": topic_prefix,
        "RXTRACT_TRACING_ENDPOINT": "http://127.0.0.1:1",
        "RXTRACT_TRACING_RATIO": "1",
        "RXTRACT_PSEUDONYM_KEY_FILE": str(key),
        "RXTRACT_HTTP_TOKENS": f"clinic:{hash_token(TOKEN)}",
        "RXTRACT_HTTP_PORT_FILE": str(tmp_path / "http.port"),
    }
    service = ServiceProcess("ingestor", tmp_path, environment)
    service.start()
    try:
        service.wait_ready(90)
        send(tmp_path, "N-1", None)
    finally:
        service.end(grace_s=30)  # half of what a pod is given
    assert service.exit_code() == 0
    assert CANARY not in service.log_path.read_text()


def send(folder: Path, note_id: str, traceparent: str | None) -> None:
    headers = {"Authorization": f"Bearer {TOKEN}"} | ({"traceparent": traceparent} if traceparent else {})
    url = f"http://127.0.0.1:{(folder / 'http.port').read_text().strip()}/v1/notes"
    assert httpx.post(url, json=note(note_id), headers=headers, timeout=20).status_code == 202


def until(condition: Any, why: Any, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, why()
        time.sleep(0.1)
