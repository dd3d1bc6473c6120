"""Logs are JSON lines and cannot carry a note, whatever is thrown at them."""

import json
import logging
import subprocess
import sys

from runtime.service.logs import Seldom

CANARY = "canary-phrase-that-is-a-note"

PROGRAM = f"""
import logging, threading
from runtime.service import logs
from runtime.errors import Recoverable
logs.configure("test", LEVEL)
log = logs.get_logger("runtime.test")
log.info("plain", count=3)
logging.getLogger("uvicorn.error").warning("third party")
logging.getLogger("aiokafka.producer").debug("sending {CANARY}")
logging.getLogger("confluent_kafka").warning("BROKER down")
try:
    "{CANARY}\\ud800".encode()
except UnicodeEncodeError:
    log.exception("caught")
    logging.getLogger("uvicorn.error").error("Exception in ASGI application", exc_info=True)
try:
    raise Recoverable("the registry is away")
except Recoverable:
    log.exception("waits")
class Note:
    def __repr__(self): return "{CANARY}"
log.warning("an object", note=Note())
def crash(): raise ValueError("{CANARY}")
thread = threading.Thread(target=crash); thread.start(); thread.join()
crash()
"""


def run(level: str) -> list[dict]:
    program = PROGRAM.replace("LEVEL", repr(level))
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert done.stdout == ""
    assert CANARY not in done.stderr
    return [json.loads(line) for line in done.stderr.splitlines()]


def test_lines_are_json_of_one_shape_and_hold_no_note() -> None:
    for level in ("INFO", "DEBUG"):
        lines = run(level)
        assert all({"event", "level", "logger", "service", "timestamp"} <= line.keys() for line in lines)
        events = [line["event"] for line in lines]
        assert events == [
            "plain",
            "third party",
            "BROKER down",
            "caught",
            "Exception in ASGI application",
            "waits",
            "an object",
            "crashed",
            "crashed",
        ]


def test_an_exception_is_told_by_type_and_place_and_our_own_messages_in_full() -> None:
    lines = {line["event"]: line for line in run("INFO")}
    assert lines["caught"]["error"] == "UnicodeEncodeError"
    assert "message" not in lines["caught"]
    assert lines["waits"]["message"] == "the registry is away"
    assert lines["crashed"]["error"] == "ValueError"
    assert lines["crashed"]["where"]


def test_a_library_that_repeats_itself_is_shown_now_and_then_and_counted() -> None:
    now = [0.0]
    seldom = Seldom("aiokafka", 5.0, lambda: now[0])
    shown: list[str] = []

    def say(name: str, message: str, *values: object, level: int = logging.ERROR) -> None:
        record = logging.LogRecord(name, level, "", 0, message, values, None)
        if seldom.filter(record):
            shown.append(record.getMessage())

    for second in range(20):  # 75 a second: two kinds, many values
        for _ in range(75):
            now[0] += 1 / 75
            say("aiokafka.client", "Unable connect to node %s", second)
            say("aiokafka.group", "Group Coordinator Request failed: %s", second)
        say("runtime.stream.loop", "ours", level=logging.INFO)
    assert shown.count("ours") == 20
    assert 8 <= len(shown) - 20 <= 12
    assert any("like it were left out" in line for line in shown)
    assert dict(seldom.taken()) == {"Unable connect to node %s": 1500, "Group Coordinator Request failed: %s": 1500}
    assert seldom.taken() == []


def test_a_services_own_package_says_what_its_level_lets_through() -> None:
    program = """
import logging
from runtime.service import logs
logs.configure("city-counter", "DEBUG")
for name in ("city_counter.handler", "other.module"):
    logging.getLogger(name).debug("counted")
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert [json.loads(line)["logger"] for line in done.stderr.splitlines()] == ["city_counter.handler"]
