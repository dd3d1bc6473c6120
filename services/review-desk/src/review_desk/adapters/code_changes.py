"""Which codes people propose for mentions, and what leads decided of them, in Redis, as the topic of changes has it."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace

from contracts.records import DeskChange, DeskChanged

from review_desk.adapters.store import KEEP_S, Store


@dataclass(frozen=True, slots=True)
class Proposed:
    """A code for a mention.

    Attributes:
        by: Pseudonym of whoever proposed it.
        at: When it was changed last, UTC milliseconds.
    """

    subject: str
    mention: str
    label: str
    system: str
    code: str
    display: str
    by: str
    at: int


@dataclass(frozen=True, slots=True)
class CodeChange:
    """What is known of a mention: the proposal that waits for a lead, and the code that one accepted."""

    at: int
    waiting: Proposed | None = None
    accepted: Proposed | None = None


class CodeChanges:
    """The newest change of a mention counts, however often it is read."""

    def __init__(self, store: Store) -> None:
        self._redis = store.redis
        self._key = store.key("code-changes")

    def put(self, event: DeskChanged) -> None:
        """Apply a change."""
        known = self.get(event.subject)
        if known is not None and known.at > event.changed_at:
            return
        changed = _changed(known or CodeChange(0), event)
        self._redis.hset(self._key, event.subject, json.dumps(asdict(changed)))
        self._redis.expire(self._key, KEEP_S)

    def get(self, subject: str) -> CodeChange | None:
        """What is known of one mention."""
        return self.each([subject])[0]

    def each(self, subjects: Sequence[str]) -> list[CodeChange | None]:
        """What is known of each of these mentions, in their order; asked for at once."""
        found = self._redis.hmget(self._key, list(subjects)) if subjects else []
        return [None if one is None else _read(one) for one in found]

    def all(self) -> list[CodeChange]:
        """Every mention of which something is known, the newest change first."""
        return sorted(map(_read, self._redis.hvals(self._key)), key=lambda one: -one.at)


def _changed(known: CodeChange, event: DeskChanged) -> CodeChange:
    if event.kind is DeskChange.CODE_REFUSED:
        return replace(known, at=event.changed_at, waiting=None)
    proposed = Proposed(
        subject=event.subject,
        mention=event.mention or "",
        label=event.label or "",
        system=event.code_system or "",
        code=event.code or "",
        display=event.code_display or "",
        by=event.changed_by,
        at=event.changed_at,
    )
    if event.kind is DeskChange.CODE_ACCEPTED:
        return CodeChange(event.changed_at, None, proposed)
    return replace(known, at=event.changed_at, waiting=proposed)


def _read(text: str) -> CodeChange:
    found = json.loads(text)
    waiting, accepted = (Proposed(**found[name]) if found[name] else None for name in ("waiting", "accepted"))
    return CodeChange(found["at"], waiting, accepted)
