"""Who gets in, for how long, and what is not even read: the whole application, with a desk that only tells who asked."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any, cast

import pytest
from contracts import files
from contracts.identity import note_key
from contracts.records import AccessAction, AccessLogged, AnnotationValidated, ReviewRequested, Seen
from contracts.topics import ANNOTATIONS_VALIDATED, REVIEW_REQUESTED
from review_desk.adapters.sessions import Sessions
from review_desk.adapters.store import Entry
from review_desk.desk import AS_THE_MODEL, Desk, Handed, Held, Looked, Reviewer
from review_desk.domain.tasks import Queue, Task
from review_desk.http.access import Access, Proxy
from review_desk.http.app import DeskApi, DeskPage, make_app
from review_desk.http.limits import BYTES_IN_FLIGHT_EACH, MAX_BODY_BYTES, MAX_LOGIN_BYTES
from review_desk.metrics import METRICS
from review_desk.page.pages import Pages
from review_desk.projection import verdict_of
from runtime.errors import Recoverable
from runtime.service import logs
from runtime.service.metrics import Metrics
from runtime.service.pseudonyms import Pseudonyms
from runtime.service.secret_files import hash_token
from runtime.web.access_log import AccessLog
from runtime.web.people import People
from starlette.testclient import TestClient

SESSION_S = 600
NO_PROXY = Proxy("", "", "", "")
PROXY = Proxy("X-Forwarded-User", "X-Forwarded-Groups", "rxtract-lead", hash_token("proxy-secret"))
FROM_PROXY = {"X-Forwarded-User": "olga", "X-Rxtract-Proxy-Secret": "proxy-secret"}


REQUEST = ReviewRequested.from_json(files.example_files(REVIEW_REQUESTED)[0].read_bytes())
KEY = note_key(REQUEST.source, REQUEST.note_id)
PAGE = f"/notes/{REQUEST.source}/{REQUEST.note_id}"
SAID = AnnotationValidated.from_json(files.example_files(ANNOTATIONS_VALIDATED)[0].read_bytes())
OPINION = replace(verdict_of(SAID), revision=REQUEST.revision)


class WhoAsks:
    """In place of `Desk`, with one note for whoever asks.

    Attributes:
        queue: From which it is handed out.
        shown_by: Whose marks are shown to who only looks.
    """

    queue, shown_by, predicts = Queue.OPEN, AS_THE_MODEL, True

    def next(self, _who: Reviewer, _segment: str, holding: list[str], *_: object) -> Handed | None:
        if holding:
            return None
        request = replace(REQUEST, show_predictions=self.predicts)
        task = Task(1, 1, 0, 0, 0, 0.5, "UNCERTAIN", "Pune", "general", 0, double=False)
        entry = Entry(KEY, task, {"v-1": OPINION}, None)
        return Handed(entry, self.queue, request, "lease", "why", 1, None)

    def look(self, _who: Reviewer, note: str, _of: str = "") -> Looked | None:
        known = note == KEY
        return Looked(REQUEST, ((39, 64, "DISEASE"),), self.shown_by) if known else None

    def figures(self, who: Reviewer) -> dict[str, Any]:
        return {"who": who.annotator, "leads": who.leads}

    def keep(self, _who: Reviewer, _held: list[Held]) -> list[str]:
        return []

    def give_back(self, _who: Reviewer, _held: list[Held]) -> None:
        """Nobody waits for it here."""


class House:
    """A desk's door with a token file and a clock that a test moves."""

    def __init__(self, folder: Path, proxy: Proxy = NO_PROXY) -> None:
        self.now_s = 1_000_000.0
        self.logged: list[AccessLogged] = []
        self.silent = False
        self._file = folder / "tokens"
        self.admit("anna:validator")
        metrics = Metrics(METRICS)
        metrics.build_all()
        people = People(self._file, "X_FILE", clock=lambda: self.now_s)
        sessions = Sessions(b"s" * 32, SESSION_S, clock=lambda: self.now_s)
        log = AccessLog("review-desk", Pseudonyms(b"k" * 32), self._publish)
        access = Access(people, sessions, proxy, b"a" * 32, note_key=b"n" * 32, log=log)
        desk = cast("Desk", WhoAsks())
        api = DeskApi(desk, access, metrics, lease_s=9, session_s=SESSION_S, secure_cookie=False)
        self.desk = cast("WhoAsks", desk)
        self.app = make_app(api, DeskPage(desk, access, Pages()))

    def _publish(self, records: Sequence[AccessLogged]) -> None:
        if self.silent:
            raise Recoverable("the access log does not answer")
        self.logged += records

    def admit(self, *people: str) -> None:
        """Write the token file anew: each name:role has the token token-name."""
        lines = [f"{one}:{hash_token('token-' + one.partition(':')[0])}" for one in people]
        self._file.write_text("\n".join(lines))

    def pass_s(self, seconds: float) -> None:
        self.now_s += seconds

    def client(self) -> TestClient:
        return TestClient(self.app, follow_redirects=False)


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


def login(client: TestClient, name: str = "anna") -> dict[str, Any]:
    answer = client.post("/api/login", json={"token": f"token-{name}"})
    assert answer.status_code == 200, answer.text
    return cast("dict[str, Any]", answer.json())


def test_a_session_ends_at_its_time_whatever_the_browser_keeps(house: House) -> None:
    with house.client() as client:
        login(client)
        house.pass_s(SESSION_S - 1)
        assert client.get("/api/queue").status_code == 200
        house.pass_s(1)
        kept = {"Cookie": "; ".join(f"{name}={value}" for name, value in client.cookies.items())}
        assert client.get("/api/queue", headers=kept).status_code == 401


def test_whoever_leaves_the_token_file_is_out_and_a_new_role_counts_at_once(house: House) -> None:
    house.admit("anna:lead")
    house.pass_s(10)
    with house.client() as client:
        login(client)
        assert client.get("/api/queue").json()["leads"] is True
        house.admit("anna:validator")
        house.pass_s(10)
        assert client.get("/api/queue").json()["leads"] is False
        assert client.get("/api/session").json()["role"] == "validator"
        house.admit("ben:validator")
        house.pass_s(10)
        assert client.get("/api/queue").status_code == 401
        assert client.get("/").headers["location"] == "/login"


def test_a_new_token_of_the_same_person_ends_what_the_old_one_began(house: House, tmp_path: Path) -> None:
    with house.client() as client:
        login(client)
        (tmp_path / "tokens").write_text(f"anna:validator:{hash_token('another')}")
        house.pass_s(10)
        assert client.get("/api/queue").status_code == 401


ANNA = (b"authorization", b"Bearer token-anna")


def post_in_pieces(house: House, path: str, pieces: int, *more: tuple[bytes, bytes]) -> tuple[int, int]:
    """Send 64 KiB pieces without saying how many; gives the answer's status and how many pieces were taken."""
    taken, statuses = [], []

    async def receive() -> dict[str, Any]:
        taken.append(1)
        return {"type": "http.request", "body": b"x" * 65_536, "more_body": len(taken) < pieces}

    async def send(message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            statuses.append(message["status"])

    asyncio.run(house.app(post_scope(path, more), receive, send))
    return statuses[0], len(taken)


def post_scope(path: str, more: Sequence[tuple[bytes, bytes]]) -> dict[str, Any]:
    return {
        "type": "http",
        "method": "POST",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": [(b"content-type", b"application/json"), (b"transfer-encoding", b"chunked"), *more],
        "scheme": "http",
        "server": ("desk", 80),
        "client": ("somebody", 1),
    }


def test_a_body_of_unsaid_length_is_read_no_further_than_allowed(house: House) -> None:
    status, taken = post_in_pieces(house, "/api/keep", 64, ANNA)
    assert status == 413
    assert taken * 65_536 <= MAX_BODY_BYTES + 65_536
    assert post_in_pieces(house, "/api/keep", 2, ANNA)[0] == 422  # no JSON, but no more than allowed
    with house.client() as client:
        client.headers["Authorization"] = "Bearer token-anna"
        said = client.post("/api/keep", content=b"x" * (MAX_BODY_BYTES + 1))
        assert (said.status_code, said.json()) == (413, {"error": "the body is larger than 1 MiB"})
        assert client.post("/api/keep", content=b"", headers={"Content-Length": "-1"}).status_code == 413


def test_of_somebody_unknown_no_more_is_read_than_a_login_needs(house: House) -> None:
    assert post_in_pieces(house, "/api/keep", 64) == (401, 0)
    assert post_in_pieces(house, "/api/tasks/N1/1/decision", 64) == (401, 0)
    assert post_in_pieces(house, "/api/login", 64) == (413, 1)
    with house.client() as client:
        assert client.post("/api/login", content=b"x" * (MAX_LOGIN_BYTES + 1)).status_code == 413


def test_one_persons_unfinished_bodies_end_at_a_budget(house: House) -> None:
    async def scenario() -> list[int]:
        statuses: list[int] = []
        never = asyncio.Event()

        async def begin() -> None:
            pieces = iter([b"x" * 1_000_000])

            async def receive() -> dict[str, Any]:
                for piece in pieces:
                    return {"type": "http.request", "body": piece, "more_body": True}
                await never.wait()
                return {"type": "http.disconnect"}

            async def send(message: dict[str, Any]) -> None:
                if message["type"] == "http.response.start":
                    statuses.append(message["status"])

            await house.app(post_scope("/api/keep", [ANNA]), receive, send)

        sent = [asyncio.create_task(begin()) for _ in range(50)]
        most = BYTES_IN_FLIGHT_EACH // 1_000_000
        for refused in islice(asyncio.as_completed(sent, timeout=60), len(sent) - most):
            await refused
        done, waiting = await asyncio.wait(sent, timeout=0.3)  # so that one refused too many is seen
        for task in waiting:
            task.cancel()
        assert len(waiting) == most
        assert len(done) == len(statuses)
        return statuses

    assert set(asyncio.run(scenario())) == {503}


def keep(client: TestClient, **headers: str) -> int:
    """A call that changes something; gives the status."""
    return client.post("/api/keep", json={"notes": []}, headers=headers).status_code


@pytest.mark.parametrize("authorization", ["Basic dXNlcjpwYXNz", "Bearer of-nobody", "Bearer", ""])
def test_only_a_tokens_owner_needs_no_csrf_token(house: House, authorization: str) -> None:
    with house.client() as client:
        assert keep(client, Authorization="Bearer token-anna") == 200
        csrf = login(client)["csrf"]
        sent = {"Authorization": authorization}  # a browser adds it by itself behind a proxy that asked for it
        assert keep(client, **sent) in {401, 403}
        assert keep(client, **sent, **{"X-CSRF-Token": "0" * 64}) in {401, 403}
        if not authorization.startswith("Bearer"):
            assert keep(client, **sent, **{"X-CSRF-Token": csrf}) == 200


def test_whoever_the_proxy_names_needs_the_pages_csrf_token(tmp_path: Path) -> None:
    with House(tmp_path, PROXY).client() as client:
        csrf = client.get("/api/session", headers=FROM_PROXY).json()["csrf"]
        assert keep(client, **FROM_PROXY) == 403
        assert keep(client, **FROM_PROXY, Authorization="Basic dXNlcjpwYXNz") == 403
        assert keep(client, **FROM_PROXY, **{"X-CSRF-Token": csrf}) == 200
        of_the_proxy = {"Authorization": "Bearer an-id-token"}
        assert keep(client, **FROM_PROXY, **of_the_proxy) == 403
        assert keep(client, **FROM_PROXY, **of_the_proxy, **{"X-CSRF-Token": csrf}) == 200
        assert keep(client, **(FROM_PROXY | {"X-Rxtract-Proxy-Secret": "wrong"})) == 401


SHOWN = [
    ((Queue.OPEN, True), (Seen.IDENTITY, Seen.TEXT, Seen.ENTITIES)),
    ((Queue.OPEN, False), (Seen.IDENTITY, Seen.TEXT)),
    ((Queue.LEAD, True), (Seen.IDENTITY, Seen.TEXT, Seen.ANNOTATIONS)),
]


@pytest.mark.parametrize(("handed", "seen"), SHOWN)
def test_who_was_handed_which_note_is_logged_whatever_the_log_level(
    house: House, capsys: pytest.CaptureFixture[str], handed: tuple[Queue, bool], seen: tuple[Seen, ...]
) -> None:
    logs.configure("review-desk", "ERROR")
    house.desk.queue, house.desk.predicts = handed
    with house.client() as client:
        client.get("/api/next")
        assert house.logged == []
        client.headers["Authorization"] = "Bearer token-anna"
        assert client.get("/api/next").status_code == 200
        assert client.get("/api/next", params={"holding": "x"}).status_code == 204
    [record] = house.logged
    assert (record.person, record.role, record.service) == ("anna", "validator", "review-desk")
    assert (record.action, record.seen) == (AccessAction.REVIEW, seen)
    assert record.note_ref == Pseudonyms(b"k" * 32).of("note", KEY)
    assert REQUEST.note_id not in str(record)
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(("shown_by", "marks"), [(AS_THE_MODEL, Seen.ENTITIES), ("as you left it", Seen.ANNOTATIONS)])
def test_who_looked_at_which_note_is_logged(house: House, shown_by: str, marks: Seen) -> None:
    house.desk.shown_by = shown_by
    with house.client() as client:
        client.headers["Authorization"] = "Bearer token-anna"
        assert client.get("/notes", params={"source": REQUEST.source, "note_id": "unknown"}).status_code == 404
        assert house.logged == []
        for path in (PAGE, f"/notes?source={REQUEST.source}&note_id={REQUEST.note_id}"):
            assert client.get(path).status_code == 200
    assert [(one.action, one.seen) for one in house.logged] == [
        (AccessAction.LOOK, (Seen.IDENTITY, Seen.TEXT, marks))
    ] * 2


def test_what_cannot_be_logged_is_not_shown(house: House) -> None:
    house.silent = True
    with house.client() as client:
        client.headers["Authorization"] = "Bearer token-anna"
        for path in ("/api/next", PAGE):
            answer = client.get(path)
            assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")
            assert REQUEST.text[:30] not in answer.text
        assert client.get("/api/queue").status_code == 200  # nothing of a note
