"""Dead letters in a browser: listed for people of the review desk, opened, mended and sent again by leads. All of it is logged."""

import json
from collections.abc import Mapping
from typing import Annotated, Any
from urllib.parse import parse_qs, urlencode

from contracts.identity import split_note_key
from contracts.records import AccessAction
from contracts.records import Seen as Part
from contracts.topics import DLQ_SUFFIX, NOTES_ACCEPTED, NOTES_SUBMITTED, WEBHOOK_DELIVERIES
from fastapi import Query
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from runtime.errors import Recoverable
from runtime.kafka.letters import LetterError, summary
from runtime.kafka.seen import Seen
from runtime.service.logs import get_logger
from runtime.web.people import LEAD, Person
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from scorekeeper.adapters.letters import Letters
from scorekeeper.http.door import ASK, Door
from scorekeeper.http.page import Page

MOST_LISTED = 100
SENT_FROM_HERE = frozenset({NOTES_SUBMITTED, NOTES_ACCEPTED, WEBHOOK_DELIVERIES})
"""What this service may write: notes, and what sources are told. Orders and requests go back by command alone."""
_MOST_FORM_BYTES = 8 << 20
_TITLE = "Dead letters"
_FIRST_BYTES = 4_096
Name = Annotated[str, Query(max_length=100)]
_log = get_logger(__name__)


class NotAllowed(Exception):
    """What is answered instead: status and words for the person."""

    def __init__(self, status: int, words: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(words)
        self.status = status
        self.words = words
        self.headers = headers


class LettersApi:
    """The pages. They wait for Kafka, so each runs in a thread.

    Args:
        page: Renders.
        door: Knows people, and logs what they see and do.
        letters: Reads and sends.
    """

    def __init__(self, page: Page, door: Door, letters: Letters) -> None:
        self._page = page
        self._door = door
        self._letters = letters

    def index(self, request: Request, topic: Name = "", reason: Name = "", sent: Name = "") -> Response:
        """The newest, without what is in them."""
        return self._answered(lambda: self._index(request, topic.removesuffix(DLQ_SUFFIX), reason, sent))

    def show(self, request: Request, topic: str, partition: int, offset: int) -> Response:
        """One whole, with its text."""
        return self._answered(lambda: self._show(request, topic, partition, offset))

    async def replay(self, request: Request) -> Response:
        """Send one again: as it was, or as it was mended."""
        body = bytearray()
        async for part in request.stream():
            body += part
            if len(body) > _MOST_FORM_BYTES:
                return HTMLResponse(self._page.closed("That is more than a record may have.", _TITLE), 413)
        form = {name: values[-1] for name, values in parse_qs(body.decode("utf-8", "replace")).items()}
        return await run_in_threadpool(lambda: self._answered(lambda: self._replay(request, form)))

    def _answered(self, answer: Any) -> Response:
        try:
            found: Response = answer()
        except NotAllowed as refused:
            words = self._page.closed(refused.words, _TITLE)
            return HTMLResponse(words, refused.status, dict(refused.headers or {}))
        except Recoverable as error:
            return HTMLResponse(self._page.closed(str(error), _TITLE), 503, {"Retry-After": "1"})
        return found

    # -- answers

    def _index(self, request: Request, topic: str, reason: str, sent: str) -> Response:
        person = self._person(request)
        known = self._letters.topics()
        if topic and topic not in known:
            raise NotAllowed(404, "There is no such topic with dead letters.")
        found = self._letters.newest([topic] if topic else known, MOST_LISTED)
        rows = sorted(
            (row for row in found if reason in {"", row["reason"]}), key=lambda row: row["timestamp_ms"], reverse=True
        )[:MOST_LISTED]
        self._door.logged(person, AccessAction.EXAMPLES, [_note(row) for row in rows], [Part.IDENTITY])
        for row in rows:
            row["href"] = f"/letters/{_contract(row['topic'], known)}/{row['place'].replace(':', '/')}"
        reasons = sorted({row["reason"] for row in found if row["reason"]})
        chosen = {"topic": topic, "reason": reason, "topics": known, "reasons": reasons, "sent": sent}
        return HTMLResponse(self._page.letters(rows, is_lead=person.role == LEAD, **chosen))

    def _show(self, request: Request, topic: str, partition: int, offset: int) -> Response:
        person = self._lead(request)
        letter = self._found(topic, partition, offset)
        self._door.logged(person, AccessAction.LOOK, [_note(summary(letter))], [Part.IDENTITY, Part.TEXT])
        return HTMLResponse(self._letter_page(person, topic, letter))

    def _letter_page(self, person: Person, topic: str, letter: Seen, **context: Any) -> str:
        fields = letter.fields()
        value = letter.value or b""
        command = f"rxtract dlq replay {topic} {letter.partition}:{letter.offset}"
        return self._page.letter(
            summary(letter),
            topic=topic,
            headers=[(name, (text or b"").decode(errors="replace")) for name, text in letter.headers],
            problem=letter.problem,
            text=context.pop("text", None)
            or (None if fields is None else json.dumps(fields, ensure_ascii=False, indent=2)),
            raw=value[:_FIRST_BYTES].decode(errors="replace") if fields is None else "",
            left_out=max(0, len(value) - _FIRST_BYTES) if fields is None else 0,
            proof=self._door.proof(person),
            can_send=topic in SENT_FROM_HERE,
            command=command,
            **context,
        )

    def _replay(self, request: Request, form: Mapping[str, str]) -> Response:
        person = self._lead(request)
        if not self._door.proves(person, form.get("proof", "")):
            raise NotAllowed(403, "This form is from before a restart, or not from here. Open the letter again.")
        topic, _, place = form.get("letter", "").partition(" ")
        partition, _, offset = place.partition(":")
        if topic not in SENT_FROM_HERE or not (partition.isdecimal() and offset.isdecimal()):
            raise NotAllowed(404, "Letters of this topic are sent again by command.")
        letter = self._found(topic, int(partition), int(offset))
        text = form.get("fields", "") if form.get("how") == "mended" else None
        try:
            record = self._letters.again(letter, None if text is None else _fields(text))
        except LetterError as error:
            self._door.logged(person, AccessAction.LOOK, [_note(summary(letter))], [Part.IDENTITY, Part.TEXT])
            return HTMLResponse(self._letter_page(person, topic, letter, wrong=str(error), text=text), 422)
        # Before it is sent, as whatever is shown: what cannot be logged is not done.
        self._door.logged(person, AccessAction.REPLAY, [_note(summary(letter))], [Part.IDENTITY])
        self._letters.send(record)
        _log.info("a dead letter was sent again", topic=topic, place=place, mended=text is not None)
        how = "mended" if text is not None else "as it was"
        return RedirectResponse(f"/letters?{urlencode({'topic': topic, 'sent': f'{place} {how}'})}", 303)

    # -- who asks, and for what

    def _person(self, request: Request) -> Person:
        person = self._door.person(request)
        if person is None:
            raise NotAllowed(401, "Log in with any name and your token of the review desk as password.", ASK)
        return person

    def _lead(self, request: Request) -> Person:
        person = self._person(request)
        if person.role != LEAD:
            raise NotAllowed(403, "A letter holds the text of a note as it came: leads alone open, mend and send them.")
        return person

    def _found(self, topic: str, partition: int, offset: int) -> Seen:
        if topic not in self._letters.topics():
            raise NotAllowed(404, "There is no such topic with dead letters.")
        letter = self._letters.one(topic, partition, offset)
        if letter is None:
            raise NotAllowed(404, "There is no letter at this place: the topic keeps them for 14 days.")
        return letter


def _fields(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        raise LetterError("that is no JSON: it must be one object with the record's fields") from None
    if not isinstance(found, dict):
        raise LetterError("that is no JSON object: it must hold the record's fields")
    return found


def _contract(topic: str, known: list[str]) -> str:
    """A topic's contract name, without the cluster's prefix."""
    plain = topic.removesuffix(DLQ_SUFFIX)
    return next((name for name in known if plain.endswith(name)), plain)


def _note(row: Mapping[str, Any]) -> str:
    """The note of a letter for the access log; its place where its key names none."""
    try:
        split_note_key(row["key"] or "")
    except ValueError:
        return f"{row['topic']} {row['place']}"
    return str(row["key"])
