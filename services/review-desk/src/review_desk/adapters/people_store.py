"""What Redis keeps of the people at the desk: whose labels are held, what their decisions showed, and the notes that check them. No text."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import astuple
from typing import Any

from annotations.trust import Trust
from annotations.watch import DecisionFigures
from contracts.records import AnnotatorJudged

KEEP_S = 31 * 24 * 3600
KEEP_DECISIONS = 1_000
"""Of each person: what an honest week may hold is looked at in part, which only holds people less often."""
TRUST, KNOWN = "trust", "known"
MOST_KNOWN = 2_000


def trust_of(judged: Mapping[str, str]) -> Trust:
    """Trust as the newest judgement of each person says."""
    return Trust.of(AnnotatorJudged.from_json(event) for event in judged.values())


class PeopleStore:
    """The desk's keys of people.

    Args:
        redis: Client that decodes answers.
        prefix: Put before keys, for servers that are shared.
    """

    def __init__(self, redis: Any, prefix: str) -> None:
        self._redis = redis
        self._prefix = f"{prefix}rxtract:desk:"

    def _key(self, *parts: str) -> str:
        return self._prefix + ":".join(parts)

    def judged(self) -> dict[str, AnnotatorJudged]:
        """The newest judgement of each person who was ever judged."""
        found = self._redis.hgetall(self._key(TRUST))
        return {annotator: AnnotatorJudged.from_json(event) for annotator, event in found.items()}

    def set_judged(self, event: AnnotatorJudged) -> bool:
        """Keep a judgement; false when a newer one of the person is known."""
        known = self._redis.hget(self._key(TRUST), event.annotator)
        if known is not None and AnnotatorJudged.from_json(known).judged_at > event.judged_at:
            return False
        self._redis.hset(self._key(TRUST), event.annotator, event.to_json())
        self._redis.expire(self._key(TRUST), KEEP_S)
        return True

    def decided(self, annotator: str, since_ms: int = 0) -> list[str]:
        """The notes that a person has decided, since a moment, oldest first."""
        found = self._redis.zrangebyscore(self._key("decided", annotator), since_ms, "+inf")
        return [one.partition(" ")[2] for one in found]

    def add_decisions(self, annotator: str, decisions: Mapping[str, DecisionFigures]) -> None:
        """Keep what decisions show, by their annotation's id; the same one twice is one."""
        key = self._key("shown", annotator)
        with self._redis.pipeline(transaction=False) as pipeline:
            for identity, decision in decisions.items():
                pipeline.zadd(key, {f"{identity} {json.dumps(astuple(decision))}": decision.at})
            pipeline.zremrangebyrank(key, 0, -KEEP_DECISIONS - 1)
            pipeline.expire(key, KEEP_S)
            pipeline.execute()

    def decisions(self, annotator: str, after_ms: int) -> list[DecisionFigures]:
        """What a person's last decisions behind a moment showed, oldest first."""
        found = self._redis.zrangebyscore(self._key("shown", annotator), f"({after_ms}", "+inf")
        return [DecisionFigures(*json.loads(one.partition(" ")[2])) for one in found]

    def known(self) -> list[str]:
        """Notes whose answer is sure."""
        return list(self._redis.zrange(self._key(KNOWN), 0, -1))

    def begin_check(self, annotator: str, note: str, seconds: int) -> None:
        """A note is shown to a person as a hidden check; a draft and a lease may outlive it by far."""
        self._redis.set(self._key("check", annotator, note), "1", ex=seconds)

    def is_checked(self, annotator: str, note: str) -> bool:
        """Whether a note waits for a person's answer to a hidden check."""
        return bool(self._redis.exists(self._key("check", annotator, note)))

    def end_check(self, annotator: str, note: str) -> None:
        """It was answered."""
        self._redis.delete(self._key("check", annotator, note))


def held_people(judged: Iterable[AnnotatorJudged]) -> Sequence[AnnotatorJudged]:
    """Those whose labels wait for a lead to look."""
    return [event for event in judged if any(one.until is None for one in event.held)]
