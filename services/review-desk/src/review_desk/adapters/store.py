"""The queue in Redis: pointers, priorities, leases, and which notes are finished. No note's text; every key expires.

A note is named by its key, `source|note_id` (`contracts.identity`).

All of it is a projection of the topics. What one follower keeps up lives as long as that follower (`renew`), what belongs to a note for
`KEEP_S` from its last change. `READY` says that the projection is whole: a wiped Redis has no such key, and nothing is handed
out until the follower has read the topics again. `building` says the same of a projection that is being read: without it a wipe in the
middle would leave half a queue that calls itself whole. Commands are those of Redis 6.2 and older.
"""

import json
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from annotations.trust import ALL_TRUSTED, Trust
from annotations.verdicts import newest
from redis import Redis
from redis.exceptions import RedisError

from review_desk.adapters.people_store import KNOWN, MOST_KNOWN, TRUST, trust_of
from review_desk.domain.tasks import DeskVerdict, Queue, Task, Verdicts, known_answer, queue_of, score_of

KEEP_S = 31 * 24 * 3600
# A rebuild looks so far back for verdicts: what was said up to `KEEP_S` before a request, the oldest of which is about that old as well.
LOOK_BACK_S = 2 * KEEP_S
AGE_S = KEEP_S - 24 * 3600  # a task leaves the queues a day before its key does: no queue names what is not there
READY = "ready-6"  # with another number the next release reads the topics anew: what is kept has another shape
SWEEP_AT_ONCE = 1_000
KEEP_DOUBLES = 500
MOST_WORDS = 12
OURS = (RedisError, OSError)
_LASTING = (
    READY,
    "offsets",
    "drift",
    "words-of",
    "models",
    "annotators",
    TRUST,
    "guidelines",
    "reservations",
    "commented",
)

# KEYS lease; ARGV holder, seconds. Gives who holds it now: taking, keeping and telling are one step.
_HOLD = """
local now = redis.call('GET', KEYS[1])
if now and now ~= ARGV[1] then return now end
redis.call('SET', KEYS[1], ARGV[1], 'EX', ARGV[2])
return ARGV[1]
"""
# KEYS building, ready; ARGV seconds. Only what was built without a break is whole.
_READY = """
if redis.call('DEL', KEYS[1]) == 0 then return 0 end
redis.call('SET', KEYS[2], '1', 'EX', ARGV[1])
return 1
"""
_RELEASE = "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0"


@dataclass(frozen=True, slots=True)
class Entry:
    """A note of the queue with all verdicts on it and who holds it."""

    note: str
    task: Task
    verdicts: Verdicts
    holder: str | None
    trust: Trust = ALL_TRUSTED

    @property
    def queue(self) -> Queue | None:
        """Where it waits; None when finished."""
        return queue_of(self.task, self.verdicts, self.trust)


class Store:
    """The desk's keys in Redis.

    Args:
        redis: Client that decodes answers.
        prefix: Put before keys, for servers that are shared.
    """

    def __init__(self, redis: "Redis | Any", prefix: str) -> None:
        self._redis: Any = redis
        self._prefix = f"{prefix}rxtract:desk:"

    @property
    def redis(self) -> Any:
        """The client, for what stands beside the queue: a module of its own for each subject, under keys of this store."""
        return self._redis

    def key(self, *parts: str) -> str:
        """The name of a key."""
        return self._prefix + ":".join(parts)

    # What the follower does

    def offsets(self) -> dict[str, int]:
        """Next offsets by ``topic:partition``; empty when Redis knows nothing."""
        return {place: int(offset) for place, offset in self._redis.hgetall(self.key("offsets")).items()}

    def save_offsets(self, offsets: Mapping[str, int]) -> None:
        """Remember how far the topics were read."""
        if offsets:
            self._redis.hset(self.key("offsets"), mapping=dict(offsets))
            self._redis.expire(self.key("offsets"), KEEP_S)

    def begin_building(self, reader: str) -> None:
        """A reader has begun to build the projection; each replica of the desk is one."""
        self._redis.set(self.key("building", reader), "1", ex=KEEP_S)

    def is_building(self, reader: str) -> bool:
        """Whether all that this reader wrote since it began is still there."""
        return bool(self._redis.exists(self.key("building", reader)))

    def set_ready(self, reader: str) -> bool:
        """Say that the projection is whole; false, and nothing said, when Redis was wiped since the reader began."""
        return bool(self._redis.eval(_READY, 2, self.key("building", reader), self.key(READY), KEEP_S))

    def is_ready(self) -> bool:
        """Whether the projection is whole."""
        return bool(self._redis.exists(self.key(READY)))

    def renew(self) -> None:
        """Keep what belongs to no single note: none of it is written often, and all of it counts while it is followed."""
        taught = [self.key("taught", annotator) for annotator in self._redis.smembers(self.key("annotators"))]
        with self._redis.pipeline(transaction=False) as pipeline:
            for key in (*(self.key(name) for name in _LASTING), *taught):
                pipeline.expire(key, KEEP_S)
            pipeline.execute()

    def entries(self, notes: Sequence[str]) -> dict[str, Entry]:
        """What is known of notes; unknown ones are left out."""
        if not notes:
            return {}
        with self._redis.pipeline(transaction=False) as pipeline:
            pipeline.mget([self.key("task", note) for note in notes])
            pipeline.mget([self.key("lease", note) for note in notes])
            pipeline.hgetall(self.key(TRUST))
            for note in notes:
                pipeline.hgetall(self.key("verdicts", note))
            tasks, holders, judged, *verdicts = pipeline.execute()
        trust = trust_of(judged)
        return {
            note: Entry(note, Task.from_json(task), _verdicts(kept), holder, trust)
            for note, task, holder, kept in zip(notes, tasks, holders, verdicts, strict=True)
            if task is not None
        }

    def verdicts(self, notes: Sequence[str]) -> dict[str, dict[str, DeskVerdict]]:
        """The verdicts on notes, by note and annotator."""
        with self._redis.pipeline(transaction=False) as pipeline:
            for note in notes:
                pipeline.hgetall(self.key("verdicts", note))
            return {note: _verdicts(kept) for note, kept in zip(notes, pipeline.execute(), strict=True)}

    def apply(
        self, tasks: Mapping[str, Task], given: Iterable[tuple[str, DeskVerdict]], known: Mapping[str, Entry]
    ) -> None:
        """Write new tasks and new verdicts, and put each note where it belongs.

        Args:
            tasks: Newer tasks by note.
            given: Verdicts, each with its note.
            known: What Redis held for all these notes before.
        """
        new = list(given)
        before = self.verdicts([note for note in tasks if note not in known])
        trust = self.trust()
        verdicts = {
            note: dict(known[note].verdicts) if note in known else before.get(note, {})
            for note in {*tasks, *(note for note, _ in new)}
        }
        with self._redis.pipeline(transaction=False) as pipeline:
            for note, verdict in new:
                standing = newest(verdicts[note].get(verdict.annotator), verdict)
                verdicts[note][verdict.annotator] = standing
                self._write_verdict(pipeline, note, standing)
            for note, task in tasks.items():
                pipeline.set(self.key("task", note), task.to_json(), ex=KEEP_S)
            moves = _Moves()
            moves.enter(self.key("ages"), dict.fromkeys(tasks, time.time() + AGE_S))
            for note, on_note in verdicts.items():
                old = known[note].task if note in known else None
                task_now = tasks.get(note, old)
                if task_now is not None:
                    self._place(pipeline, moves, note, old, task_now, on_note, trust)
            moves.write(pipeline)
            pipeline.execute()

    def _write_verdict(self, pipeline: Any, note: str, verdict: DeskVerdict) -> None:
        pipeline.hset(self.key("verdicts", note), verdict.annotator, verdict.to_json())
        pipeline.expire(self.key("verdicts", note), KEEP_S)
        decided = self.key("decided", verdict.annotator)
        decision = f"{verdict.revision} {note}"  # a note counts once, however often a person changed his verdict on it
        if verdict.judges:
            pipeline.zadd(decided, {decision: verdict.at})
            pipeline.zremrangebyscore(decided, "-inf", verdict.at - KEEP_S * 1000)
            pipeline.expire(decided, KEEP_S)
        else:
            pipeline.zrem(decided, decision)

    def trust(self) -> Trust:
        """Whose labels are held."""
        return trust_of(self._redis.hgetall(self.key(TRUST)))

    def people_held(self) -> int:
        """How many people's labels wait for a lead."""
        return self.trust().people_held

    def place_again(self, notes: Sequence[str]) -> None:
        """Put notes where they belong now that somebody's answers on them are held, or count again."""
        entries = self.entries(notes)
        self.apply({note: entry.task for note, entry in entries.items()}, (), entries)

    def _place(
        self,
        pipeline: Any,
        moves: "_Moves",
        note: str,
        old: Task | None,
        task: Task,
        verdicts: Verdicts,
        trust: Trust,
    ) -> None:
        for segment in old.segments if old else ():
            for earlier in Queue:
                moves.leave(self.key("queue", earlier, segment), note)
        for earlier in Queue if old else ():
            moves.leave(self.key("since", earlier), note)
        queue = queue_of(task, verdicts, trust)
        known = known_answer(task, verdicts, trust)
        if known is None:
            moves.leave(self.key(KNOWN), note)
        else:
            moves.enter(self.key(KNOWN), {note: float(known.at)})
            pipeline.zremrangebyrank(self.key(KNOWN), 0, -MOST_KNOWN - 1)
        if queue is not None:
            moves.enter(self.key("since", queue), {note: float(task.requested_at)})
            for segment in task.segments:
                moves.enter(self.key("queue", queue, segment), {note: score_of(task)})
        for annotator, verdict in verdicts.items():
            answered_key = self.key("spoken", annotator)
            if verdict.revision == task.revision:
                pipeline.sadd(answered_key, note)
                pipeline.expire(answered_key, KEEP_S)
            else:
                pipeline.srem(answered_key, note)
        if (
            sum(
                one.judges and not one.adjudicates and not one.is_check
                for one in verdicts.values()
                if one.revision == task.revision
            )
            > 1
        ):
            pipeline.zadd(self.key("doubles"), {note: time.time()})
            pipeline.zremrangebyrank(self.key("doubles"), 0, -KEEP_DOUBLES - 1)
            pipeline.expire(self.key("doubles"), KEEP_S)

    def drop(self, *entries: Entry) -> None:
        """Give tasks up: their texts are gone."""
        with self._redis.pipeline(transaction=False) as pipeline:
            for entry in entries:
                for segment in entry.task.segments:
                    for queue in Queue:
                        pipeline.zrem(self.key("queue", queue, segment), entry.note)
                for queue in Queue:
                    pipeline.zrem(self.key("since", queue), entry.note)
                for annotator in entry.verdicts:
                    pipeline.srem(self.key("spoken", annotator), entry.note)
                pipeline.zrem(self.key("ages"), entry.note)
                pipeline.zrem(self.key(KNOWN), entry.note)
                pipeline.delete(self.key("task", entry.note), self.key("lease", entry.note))
            pipeline.execute()

    def sweep(self, now_s: float) -> int:
        """Give up what is older than the topic keeps texts; gives how many notes, at most `SWEEP_AT_ONCE`."""
        old = list(self._redis.zrangebyscore(self.key("ages"), "-inf", now_s, 0, SWEEP_AT_ONCE))
        if old:
            self.drop(*self.entries(old).values())
            self._redis.zrem(self.key("ages"), *old)
        return len(old)

    def claim_dead(self, partition: int, offset: int) -> bool:
        """Say that one is about to dead-letter a request; false when somebody has."""
        return bool(self._redis.set(self.key("dead", str(partition), str(offset)), "1", nx=True, ex=KEEP_S))

    def unclaim_dead(self, partition: int, offset: int) -> None:
        """It was not sent after all."""
        self._redis.delete(self.key("dead", str(partition), str(offset)))

    def set_drift(self, segment: str, level: str | None) -> None:
        """Remember that a segment drifts, or no more."""
        if level is None:
            self._redis.hdel(self.key("drift"), segment)
        else:
            self._redis.hset(self.key("drift"), segment, level)
            self._redis.expire(self.key("drift"), KEEP_S)

    def drifted(self) -> dict[str, str]:
        """Level by drifting segment."""
        return dict(self._redis.hgetall(self.key("drift")))

    def set_new_words(self, segment: str, words: Sequence[str]) -> None:
        """Remember the words that many people of a segment used and the model does not know; the newest record counts."""
        self._redis.hset(self.key("words-of"), segment, json.dumps(list(words)[:MOST_WORDS]))
        self._redis.expire(self.key("words-of"), KEEP_S)

    def new_words(self, segments: Iterable[str]) -> list[str]:
        """The new words of segments, each once."""
        wanted = list(segments)
        found = self._redis.hmget(self.key("words-of"), wanted) if wanted else []
        return list(dict.fromkeys(word for words in found if words for word in json.loads(words)))[:MOST_WORDS]

    def add_model(self, version: str, kind: str, at: int, taught_by: Mapping[str, int]) -> None:
        """Remember when a model version was trained, promoted or rolled back to, and by whose words it was trained."""
        self._redis.hset(self.key("models"), f"{kind}:{version}", at)
        self._redis.expire(self.key("models"), KEEP_S)
        for annotator, notes in taught_by.items():
            self._redis.hset(self.key("taught", annotator), version, notes)
            self._redis.expire(self.key("taught", annotator), KEEP_S)
            self._redis.sadd(self.key("annotators"), annotator)
            self._redis.expire(self.key("annotators"), KEEP_S)

    # What the page asks for

    def front(self, queue: Queue, segment: str, start: int, count: int) -> list[str]:
        """Notes at the front of a queue."""
        return list(self._redis.zrange(self.key("queue", queue, segment), start, start + count - 1))

    def unanswered(self, annotator: str, notes: Sequence[str]) -> list[str]:
        """Those of the notes on whose present revision a person has not spoken."""
        if not notes:
            return []
        answered_key = self._redis.smismember(self.key("spoken", annotator), list(notes))
        return [note for note, said in zip(notes, answered_key, strict=True) if not said]

    def forget(self, queue: Queue, segment: str, note: str) -> None:
        """Take a note out of a queue whose task is not there any more."""
        self._redis.zrem(self.key("queue", queue, segment), note)
        self._redis.zrem(self.key("since", queue), note)

    def next_turn(self) -> int:
        """Counts the notes handed out, so that the audit gets its share of turns."""
        turn = int(self._redis.incr(self.key("turns")))
        self._redis.expire(self.key("turns"), KEEP_S)
        return turn

    def hold(self, note: str, holder: str, lease_s: int) -> str:
        """Take or keep a lease; gives who holds it now."""
        return str(self._redis.eval(_HOLD, 1, self.key("lease", note), holder, lease_s))

    def release(self, note: str, holder: str) -> None:
        """Give a lease back, if it is still ours."""
        self._redis.eval(_RELEASE, 1, self.key("lease", note), holder)

    def note_held(self, annotator: str, note: str, lease_s: int) -> None:
        """Remember that a person opened a note, so that a reloaded page gets it back."""
        key = self.key("held", annotator)
        self._redis.zadd(key, {note: time.time() + lease_s})
        self._redis.zremrangebyscore(key, "-inf", time.time())
        self._redis.expire(key, lease_s)

    def not_held(self, annotator: str, note: str) -> None:
        """Forget that a person opened a note."""
        self._redis.zrem(self.key("held", annotator), note)

    def held(self, annotator: str) -> list[str]:
        """Notes that a person opened, oldest first."""
        return list(self._redis.zrangebyscore(self.key("held", annotator), time.time(), "+inf"))

    def oldest_s(self, now_ms: int) -> dict[str, float]:
        """How long ago the note was requested that has waited longest in each queue; 0 where none waits."""
        found = {queue: self._redis.zrange(self.key("since", queue), 0, 0, withscores=True) for queue in Queue}
        return {str(queue): max(0.0, now_ms - first[0][1]) / 1000 if first else 0.0 for queue, first in found.items()}

    def waiting(self) -> dict[str, int]:
        """How many notes wait in each queue."""
        return {str(queue): int(self._redis.zcard(self.key("queue", queue, "all"))) for queue in Queue}

    def decision_times(self, annotator: str, since_ms: int) -> list[int]:
        """When a person decided his notes since then (`KEEP_S` ago at most), each once, UTC milliseconds, oldest first."""
        found = self._redis.zrangebyscore(self.key("decided", annotator), since_ms, "+inf", withscores=True)
        return [int(at) for _, at in found]

    def taught(self, annotator: str) -> dict[str, int]:
        """How many of a person's notes each model version learnt from."""
        return {version: int(notes) for version, notes in self._redis.hgetall(self.key("taught", annotator)).items()}

    def models(self) -> dict[str, int]:
        """Times of ``kind:version``."""
        return {name: int(at) for name, at in self._redis.hgetall(self.key("models")).items()}

    def doubles(self) -> list[tuple[DeskVerdict, DeskVerdict]]:
        """The two verdicts on each of the last notes that two people labelled."""
        notes = list(self._redis.zrange(self.key("doubles"), 0, -1))
        pairs = []
        for entry in self.entries(notes).values():
            labelled = [
                verdict
                for _, verdict in sorted(entry.verdicts.items())
                if verdict.labels
                and not verdict.adjudicates
                and not verdict.is_check
                and verdict.revision == entry.task.revision
            ]
            if len(labelled) > 1:
                pairs.append((labelled[0], labelled[1]))
        return pairs


class _Moves:
    """Where the notes of a batch leave and enter, by key: one command for each key, however many notes."""

    def __init__(self) -> None:
        self._leave: dict[str, list[str]] = {}
        self._enter: dict[str, dict[str, float]] = {}

    def leave(self, key: str, note: str) -> None:
        self._leave.setdefault(key, []).append(note)

    def enter(self, key: str, scores: Mapping[str, float]) -> None:
        self._enter.setdefault(key, {}).update(scores)

    def write(self, pipeline: Any) -> None:
        """Leaving comes first: a note may leave where it enters again."""
        for key, notes in self._leave.items():
            pipeline.zrem(key, *notes)
        for key, scores in self._enter.items():
            if scores:
                pipeline.zadd(key, scores)
                pipeline.expire(key, KEEP_S)


def _verdicts(kept: Mapping[str, str]) -> dict[str, DeskVerdict]:
    return {annotator: DeskVerdict.from_json(verdict) for annotator, verdict in kept.items()}


def connect(url: str) -> "Redis":
    """A client that gives up soon."""
    return Redis.from_url(url, decode_responses=True, socket_timeout=5, socket_connect_timeout=2)
