"""The control page, its examples and the dead letters in a real browser: axe at every size, forced colours and dark."""

import threading
from zoneinfo import ZoneInfo

import pytest
from contracts.reasons import Reason
from outcomes.folding import DeadLetter
from outcomes.kpis import Assumptions
from runtime.kafka.deadletter import dead_letter
from runtime.kafka.letters import summary
from runtime.kafka.records import InputRecord
from runtime.kafka.seen import Seen
from runtime.service.health import Liveness, Readiness
from runtime.service.pseudonyms import Pseudonyms
from runtime.service.secret_files import hash_token
from runtime.web.access_log import AccessLog
from runtime.web.people import People
from runtime.web.server import HttpServer, listen
from scorekeeper.domain.board import Board
from scorekeeper.http.app import make_app
from scorekeeper.http.door import Door
from scorekeeper.http.page import Page
from scorekeeper.http.questions import Questions

SIZES = ((1280, 800), (768, 1024), (390, 844))
LOOKS = [{}, {"forced_colors": "active"}, {"color_scheme": "dark"}]
NOW_MS = 1_790_000_000_000


class OneLetter:
    """What `scorekeeper.adapters.letters.Letters` offers, with one letter of each kind."""

    def __init__(self):
        key = b"clinic|a-note-with-a-rather-long-identity-0123456789"
        refused = dead_letter(
            InputRecord("notes.submitted.v1", 0, 3, NOW_MS, key, b'{"text": "c/o fever"}', ()),
            Reason.EMPTY_TEXT,
            "ingestor",
        )
        self._letter = Seen(
            refused.topic,
            0,
            7,
            NOW_MS,
            key,
            refused.value,
            (*refused.headers, ("content-type", b"application/json")),
            None,
            "WRONG_MAGIC_BYTE",
        )

    def topics(self):
        return ["notes.submitted.v1", "notes.accepted.v1"]

    def newest(self, _topics, _most):
        return [summary(self._letter)]

    def one(self, _topic, _partition, _offset):
        return self._letter


@pytest.fixture
def address(tmp_path):
    board = Board(ZoneInfo("Asia/Kolkata"), Assumptions())
    board.whole = True
    board.folded.dead_lettered(
        DeadLetter("notes.submitted.v1.dlq", "EMPTY_TEXT", NOW_MS, "notes.submitted.v1.dlq 0:7", None, "clinic|n1")
    )
    people = tmp_path / "people"
    people.write_text(f"lea:lead:{hash_token('t-lea')}\n")
    door = Door(People(people, "X"), AccessLog("scorekeeper", Pseudonyms(b"k" * 40), lambda _: None))
    stop = threading.Event()
    app = make_app(Page(board, Questions(tmp_path, 5), 5), door, board, stop, letters=OneLetter())
    listening = listen("127.0.0.1", 0, "X", None, backlog=16)
    server = HttpServer(app, stop, Liveness(), Readiness(), drain_s=0)
    thread = threading.Thread(target=server.run, args=([listening],))
    thread.start()
    yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    stop.set()
    thread.join(20)


@pytest.mark.slow
@pytest.mark.parametrize("look", LOOKS, ids=["plain", "forced", "dark"])
def test_nobody_is_kept_out(chromium, address, serious, look):
    context = chromium.new_context(bypass_csp=True, http_credentials={"username": "x", "password": "t-lea"}, **look)
    page = context.new_page()
    for path in ("/", "/examples/refused", "/letters", "/letters/notes.submitted.v1/0/7"):
        page.goto(address + path, wait_until="domcontentloaded")
        for width, height in SIZES:
            page.set_viewport_size({"width": width, "height": height})
            assert serious(page) == [], f"{path} at {width}"
            assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), (
                f"{path} scrolls sideways at {width}"
            )
    context.close()


@pytest.mark.slow
def test_a_letter_is_reached_and_mended_by_keyboard(chromium, address):
    context = chromium.new_context(http_credentials={"username": "x", "password": "t-lea"})
    page = context.new_page()
    page.goto(f"{address}/letters", wait_until="domcontentloaded")
    page.get_by_role("link", name="notes.submitted.v1.dlq 0:7").focus()
    page.keyboard.press("Enter")
    page.wait_for_url("**/letters/notes.submitted.v1/0/7")
    assert '"text": "c/o fever"' in page.get_by_label("Fields of the record").input_value()
    assert page.get_by_role("button", name="Send what stands here").is_enabled()
    context.close()
