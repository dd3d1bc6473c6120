"""The training: the desk's own page on synthetic notes with known answers. Nothing of it is published, and nothing of it counts."""

from typing import Annotated, Any

from fastapi import FastAPI, Query
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException
from starlette.requests import Request

from review_desk.adapters.store import Store
from review_desk.domain.lessons import Judged, Lesson, judge, lessons
from review_desk.http.access import Access
from review_desk.http.bodies import DecisionBody, DraftBody, KeepBody, LeaseBody, Strict

BASE = "/training"
SOURCE = "training"
_KEEP_S = 24 * 3600


class TrainingApi:
    """The endpoints of the desk, under another path, as far as a lesson needs them.

    What a person has done is kept for a day, in Redis: which lessons, and which of them were right.
    """

    def __init__(self, store: Store, access: Access) -> None:
        self._store = store
        self._access = access

    def add_routes(self, app: FastAPI) -> None:
        """Add the endpoints to an application."""
        task = f"{BASE}/api/tasks/{SOURCE}/{{note_id}}/{{revision:int}}"
        app.add_api_route(f"{BASE}/api/next", self.next, methods=["GET"], include_in_schema=False)
        app.add_api_route(f"{BASE}/api/queue", self.queue, methods=["GET"], include_in_schema=False)
        app.add_api_route(f"{BASE}/api/keep", self.keep, methods=["POST"], include_in_schema=False)
        app.add_api_route(f"{BASE}/api/restart", self.restart, methods=["POST"], include_in_schema=False)
        app.add_api_route(f"{task}/decision", self.decision, methods=["POST"], include_in_schema=False)
        app.add_api_route(f"{task}/skip", self.leave, methods=["POST"], include_in_schema=False)
        app.add_api_route(f"{task}/unreadable", self.leave, methods=["POST"], include_in_schema=False)
        app.add_api_route(f"{task}/again", self.again, methods=["POST"], include_in_schema=False)
        app.add_api_route(f"{task}/draft", self.draft, methods=["PUT"], include_in_schema=False)

    def next(self, request: Request, holding: Annotated[list[str] | None, Query(max_length=200)] = None) -> Response:
        """The next lesson; 204 after the last one."""
        done = self._done(request)
        held = {key.removeprefix(f"{SOURCE}|") for key in holding or []}
        for lesson in lessons():
            if lesson.note_id not in done and lesson.note_id not in held:
                return JSONResponse(_task(lesson))
        return Response(status_code=204)

    def queue(self, request: Request) -> JSONResponse:
        """How far the person is."""
        done = self._done(request)
        right = sum(result == "1" for result in done.values())
        return JSONResponse({"training": {"lessons": len(lessons()), "done": len(done), "right": right}})

    def keep(self, request: Request, _body: KeepBody) -> JSONResponse:
        """A lesson is nobody's but the person's."""
        self._access.reviewer(request)
        return JSONResponse({"lost": []})

    def draft(self, request: Request, note_id: str, revision: int, _body: DraftBody) -> JSONResponse:
        """Drafts of lessons stay in the browser."""
        self._lesson(request, note_id, revision)
        return JSONResponse({"saved": True})

    def again(self, request: Request, note_id: str, revision: int, _body: Strict) -> JSONResponse:
        """Do a lesson once more."""
        self._lesson(request, note_id, revision)
        self._store.redis.hdel(self._key(request), note_id)
        return JSONResponse({"lease": SOURCE, "sequence": 1})

    def decision(self, request: Request, note_id: str, revision: int, body: DecisionBody) -> JSONResponse:
        """Judge an answer."""
        lesson = self._lesson(request, note_id, revision)
        decision = body.corrected()
        judged = judge(lesson, decision.marks, decision.pairs)
        self._finish(request, note_id, right=judged.is_right)
        return JSONResponse({"feedback": _plain(lesson, judged)})

    def leave(self, request: Request, note_id: str, revision: int, _body: LeaseBody) -> JSONResponse:
        """A lesson that is passed over is not right."""
        lesson = self._lesson(request, note_id, revision)
        self._finish(request, note_id, right=False)
        return JSONResponse({"feedback": _plain(lesson, judge(lesson, (), ()))})

    def restart(self, request: Request, _body: Strict) -> JSONResponse:
        """Begin at the first lesson again."""
        self._access.reviewer(request)
        self._store.redis.delete(self._key(request))
        return JSONResponse({"done": True})

    def _lesson(self, request: Request, note_id: str, revision: int) -> Lesson:
        self._access.reviewer(request)
        for lesson in lessons():
            if lesson.note_id == note_id and revision == 1:
                return lesson
        raise HTTPException(404, "there is no such lesson")

    def _finish(self, request: Request, note_id: str, *, right: bool) -> None:
        self._store.redis.hset(self._key(request), note_id, str(int(right)))
        self._store.redis.expire(self._key(request), _KEEP_S)

    def _done(self, request: Request) -> dict[str, str]:
        return dict(self._store.redis.hgetall(self._key(request)))

    def _key(self, request: Request) -> str:
        return self._store.key("training", self._access.reviewer(request).annotator)


def _task(lesson: Lesson) -> dict[str, Any]:
    usual = {"status": "PRESENT", "time": "CURRENT", "experiencer": "PATIENT"}
    return {
        "source": SOURCE,
        "note_id": lesson.note_id,
        "revision": 1,
        "lease": SOURCE,
        "lease_s": _KEEP_S,
        "sequence": 1,
        "text": lesson.text,
        "segment": {"city": "training", "specialty": "synthetic note"},
        "model_version": "0",
        "note_confidence": None,
        "sample": "TRAINING",
        "show_predictions": bool(lesson.found),
        "why": f"training {lesson.note_id} of {len(lessons())}",
        "entities": [
            {**span._asdict(), "confidence": confidence, "assertion": usual, "prescription": None}
            for span, confidence in lesson.found
        ],
        "pairs": [],
        "opinions": [],
        "draft": None,
    }


def _plain(lesson: Lesson, judged: Judged) -> dict[str, Any]:
    return {
        "right": judged.is_right,
        "text": lesson.text,
        "teaches": lesson.teaches,
        "missing": judged.missing,
        "extra": judged.extra,
        "restated": judged.restated,
        "pairs": judged.pairs,
    }
