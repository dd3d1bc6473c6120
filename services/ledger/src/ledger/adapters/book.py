"""What is open, what was counted and how far was read: one SQLite file, changed by one transaction, so that a kill loses nothing of one alone.

A submission has a row while it is open or lost: its identity, and the place (topic, partition, offset) of the record that must be
answered next. The newest are in memory too, so that those that come and go between two commits never touch the disk, and others are asked
for there only while there are more than memory holds. What is counted is counted for the minute in which the note was submitted, so that
every span of time adds up: submitted = effects + dead letters + open + lost.
"""

import contextlib
import fcntl
import sqlite3
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO

from runtime.errors import SettingsError

from ledger.domain.account import Account, Totals, Waiting
from ledger.domain.identity import begin_of, note_of

Partition = tuple[str, int]
"""Topic and partition."""
Place = tuple[int, int, int]
"""Stage (`SUBMITTED` or `ACCEPTED`), partition and offset."""

SUBMITTED, ACCEPTED = 0, 1
FILE = "ledger.sqlite"
KEPT_MINUTES = 31 * 24 * 60
"""Older minutes are counted together."""
MOST_NAMED = 10_000
"""So many lost notes are named at most; all are counted."""
_IN_MEMORY = 100_000
"""Submissions, at about 400 bytes."""
_MINUTE_MS = 60_000
_BUSY_S = 10.0
_PAST_ANY_NUMBER = b"\xff" * 11
"""Behind whatever revision follows a note's source and id: a number of Avro has at most ten bytes."""
_VERSION = 2
_TABLES = """
create table notes (
    id integer primary key, identity blob not null, stage integer not null, part integer not null, place integer not null,
    minute integer not null, seen_ms integer not null, lost integer not null default 0, at_ms integer not null default 0
);
create index by_identity on notes (identity);
create index by_place on notes (stage, part, place);
create table minutes (
    minute integer primary key, submitted integer not null, effects integer not null, dead_letters integer not null,
    lost integer not null, late integer not null
);
create table positions (topic text, part integer, next integer not null, begun integer not null, primary key (topic, part));
create table passed (at_ms integer, stage integer, part integer, next integer not null, primary key (at_ms, stage, part));
create table facts (name text primary key, value text not null);
"""
_FROM_VERSION_1 = "alter table notes add column at_ms integer not null default 0"
_COLUMNS = ("submitted", "effects", "dead_letters", "lost", "late")
_SUBMITTED, _EFFECTS, _DEAD, _LOST, _LATE = range(5)
_ADD = """
insert into minutes values (?, ?, ?, ?, ?, ?) on conflict (minute) do update set
    submitted = submitted + excluded.submitted, effects = effects + excluded.effects,
    dead_letters = dead_letters + excluded.dead_letters, lost = lost + excluded.lost, late = late + excluded.late
"""


class _Row:
    """An open or lost submission in memory; `following` is another one of the same note."""

    __slots__ = ("at_ms", "following", "id", "identity", "kept", "lost", "minute", "place", "seen_ms")

    def __init__(  # one is made of every note: arguments by name would cost a tenth of it
        self,
        number: int,
        identity: bytes,
        place: Place,
        minute: int,
        seen_ms: int,
        lost: int,
        at_ms: int,
        following: "_Row | None",
    ) -> None:
        self.id = number
        self.identity = identity
        self.place = place
        self.minute = minute
        self.seen_ms = seen_ms
        self.lost = lost
        self.at_ms = at_ms
        self.following = following
        self.kept = False


class Book:
    """The account of all submissions. Belongs to one thread; `account` may be asked from any.

    Args:
        folder: Made when it is not there, readable by us alone: it names notes.
        cluster: Kafka's id of the cluster.
        in_memory: So many submissions are kept in memory as well.

    Raises:
        SettingsError: Another ledger has the folder, or it is damaged, or another cluster's.
    """

    def __init__(self, folder: Path, cluster: str, in_memory: int = _IN_MEMORY) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._lock = _lock(folder)
        try:
            self._db = _opened(folder / FILE)
            self._check(cluster)
        except sqlite3.DatabaseError as error:
            self._lock.close()
            raise SettingsError(
                f"RXTRACT_LEDGER_DIR cannot be used ({type(error).__name__}): give an empty folder; the account begins anew from what the topics hold"
            ) from None
        except SettingsError:
            self._lock.close()
            raise
        self._in_memory = in_memory
        self._rows: dict[bytes, _Row] = {}
        self._places: dict[Place, _Row] = {}
        self._changed: dict[int, _Row] = {}
        self._deleted: list[tuple[int]] = []
        self._elsewhere = self._ask("select count(*) from notes")
        """How many are on disk alone: those whose id is before the first one since memory was emptied."""
        self._first_id = self._next_id = self._ask("select coalesce(max(id), 0) from notes") + 1
        self._deltas: dict[int, list[int]] = {}
        self._totals = [self._ask(f"select coalesce(sum({name}), 0) from minutes") for name in _COLUMNS]  # noqa: S608 - our own words
        self._oldest_minute = int(self._fact("oldest_minute") or 0)
        self.positions: dict[Partition, int] = {}
        """The next offset of every partition; set them together with what the records before changed."""
        self.begun: dict[Partition, int] = {}
        """The first offset that was read of every partition."""
        for topic, part, following, begun in self._db.execute("select topic, part, next, begun from positions"):
            self.positions[topic, part], self.begun[topic, part] = following, begun
        self._db.execute("begin immediate")

    # -- what records change

    def submit(self, identity: bytes, place: Place, at_ms: int, now_ms: int) -> None:
        """A note was submitted: an effect must follow.

        Args:
            identity: The note's.
            place: Of the record that must be answered.
            at_ms: When it was submitted, as the record says; UTC milliseconds.
            now_ms: UTC milliseconds.
        """
        self.submit_all([identity], [place], [at_ms], now_ms)

    def submit_all(
        self, identities: Sequence[bytes], places: Sequence[Place], at_ms: Sequence[int], now_ms: int
    ) -> None:
        """As `submit`, for each of some notes in order."""
        number, rows, by_place, changed = self._next_id, self._rows, self._places, self._changed
        minutes: list[int] = []
        for identity, place, at in zip(identities, places, at_ms, strict=True):
            minute = self._minute(at, now_ms)
            minutes.append(minute)
            row = _Row(number, identity, place, minute, now_ms, 0, at, rows.get(identity))
            rows[identity] = by_place[place] = changed[number] = row
            number += 1
        self._next_id = number
        for minute, notes in Counter(minutes).items():
            self._count(minute, _SUBMITTED, notes)

    def refuse_at_once(self, at_ms: int, now_ms: int) -> None:
        """A note was submitted and refused in one."""
        minute = self._minute(at_ms, now_ms)
        self._count(minute, _SUBMITTED)
        self._count(minute, _DEAD)

    def move(self, identity: bytes, origin: Place | None, place: Place, at_ms: int) -> bool:
        """A submitted note was accepted: what must be answered now is the accepted record. False: no submission is open that it could be.

        Args:
            identity: The note's, as the accepted record says.
            origin: Of the submitted record that it was made of, where the accepted one says so.
            place: Of the accepted record.
            at_ms: When it was accepted, as the record says; UTC milliseconds.
        """
        row: _Row | None
        if origin is not None:
            row = self._at(origin)
            if row is not None and not _is(row.identity, identity):
                return False
        else:
            row = self._of(identity, SUBMITTED)
        if row is None:
            row = self._of(identity, _gone(SUBMITTED))
        if row is None:
            return False
        if not row.lost:  # a lost one waits for an effect, wherever that comes from
            self._move(row, identity, place)
            row.at_ms = at_ms
        return True

    def move_at_once(self, identity: bytes, origin: Place, place: Place, at_ms: int) -> bool:
        """As `move`, for a note that waits at its origin in memory, as nearly all do. False, with nothing changed: `move` must decide."""
        row = self._places.get(origin)
        if row is None or row.identity != identity or row.lost:
            return False
        del self._places[origin]
        self._places[place] = self._changed[row.id] = row
        row.place, row.at_ms = place, at_ms
        return True

    def answer(self, identity: bytes) -> bool:
        """An entity event names a note: whatever of it is open or lost has its effect. False: nothing was."""
        self._fetch("identity = ?", (identity,))
        row = self._rows.pop(identity, None)
        if row is None:
            return False
        while row is not None:
            self._end(row, _EFFECTS)
            row = row.following
        return True

    def answer_all(self, identities: Sequence[bytes | None]) -> None:
        """As `answer`, for each of some notes in order; None is none."""
        rows, places, changed = self._rows, self._places, self._changed
        minutes: list[int] = []
        for identity in identities:
            row = None if identity is None else rows.get(identity)
            if row is not None and row.following is None and not (row.lost or row.kept or self._elsewhere):
                del rows[row.identity], places[row.place], changed[row.id]  # it came and goes between two commits
                minutes.append(row.minute)
            elif identity is not None and (row is not None or self._elsewhere):
                self.answer(identity)
        for minute, notes in Counter(minutes).items():
            self._count(minute, _EFFECTS, notes)

    def refuse(self, place: Place, identity: bytes | None = None) -> bool:
        """A dead letter names a place: the submission that waits there has its effect. False: none does.

        Args:
            place: Of the record that was refused.
            identity: The note's, for a lost one whose place is an earlier record's.
        """
        row = self._at(place)
        if row is not None:
            self._unchain(row)
            self._end(row, _DEAD)
            return True
        lost = [] if identity is None else [one for one in self._all(identity) if one.lost]
        for one in lost:
            self._unchain(one)
            self._end(one, _DEAD)
        return bool(lost)

    # -- what logs and groups change

    def cut(self, stage: int, partition: int, end: int, now_ms: int) -> int:
        """A log was cut off: the records from `end` on are gone, and others will have their places. How many submissions waited there."""
        self._write()
        self._let_go()
        found = self._db.execute(
            "update notes set stage = ?, place = ? where stage = ? and part = ? and place >= ?",
            (_gone(stage), now_ms, stage, partition, end),
        )
        return found.rowcount

    def note_passed(self, at_ms: int, passed: Mapping[tuple[int, int], int], keep_ms: int) -> None:
        """Remember how far the judged groups had committed at a time, by stage and partition."""
        self._db.execute("delete from passed where at_ms < ? or at_ms > ?", (at_ms - keep_ms, at_ms))
        rows = [(at_ms, stage, part, following) for (stage, part), following in passed.items()]
        self._db.executemany("insert or replace into passed values (?, ?, ?, ?)", rows)

    def judge(self, until_ms: int) -> int:
        """Whatever a group had committed past at `until_ms`, and that is open still, is lost. How many became so.

        Call it when every effect that came until `lost_after_s` later has been read.
        """
        self._write()
        lost = 0
        newest = self._db.execute("select max(at_ms) from passed where at_ms <= ?", (until_ms,)).fetchone()[0]
        rows = list(self._db.execute("select stage, part, next from passed where at_ms = ?", (newest,)))
        conditions = [("stage = ? and part = ? and place < ?", row) for row in rows]
        conditions += [("stage = ? and place <= ?", (_gone(stage), until_ms)) for stage in (SUBMITTED, ACCEPTED)]
        for condition, values in conditions:
            found = self._db.execute(
                f"update notes set lost = 1 where lost = 0 and {condition} returning minute, stage, part, place",  # noqa: S608 - our own words
                values,
            ).fetchall()
            for minute, *place in found:
                self._count(minute, _LOST)
                row = self._places.get((place[0], place[1], place[2]))
                if row is not None:
                    row.lost = 1
            lost += len(found)
        return lost

    def commit(self, now_ms: int) -> None:
        """Make everything until now last, together."""
        self._write()
        if len(self._places) > self._in_memory:
            self._let_go()
        elif self._elsewhere and self._elsewhere + len(self._places) <= self._in_memory // 2:
            self._fetch("true", ())
            self._write()
        self._count_old_together(now_ms // _MINUTE_MS - KEPT_MINUTES)
        self._db.executemany(_ADD, [(minute, *counted) for minute, counted in self._deltas.items()])
        self._deltas = {}
        places = [(topic, part, at, self.begun[topic, part]) for (topic, part), at in self.positions.items()]
        self._db.executemany("insert or replace into positions values (?, ?, ?, ?)", places)
        self._db.execute("commit")
        self._db.execute("begin immediate")

    def close(self) -> None:
        """Let the folder go; what was not committed is read again."""
        with contextlib.suppress(sqlite3.Error):
            self._db.execute("rollback")
        self._db.close()
        self._lock.close()

    # -- what is asked

    @property
    def waiting(self) -> int:
        """Submissions that the next commit writes."""
        return len(self._changed)

    @property
    def totals(self) -> Totals:
        """All that was ever counted, as of now."""
        submitted, effects, dead, lost, late = self._totals
        return Totals(submitted, effects, dead, submitted - effects - dead - lost, lost, late)

    def oldest_open_ms(self) -> int | None:
        """When the oldest open submission was first seen, UTC milliseconds; None: none is open. As of the last commit."""
        found = self._db.execute("select min(seen_ms) from notes where lost = 0").fetchone()[0]
        return None if found is None else int(found)

    # -- within

    def _check(self, cluster: str) -> None:
        version = self._ask("pragma user_version")
        if version not in {0, 1, _VERSION}:
            raise SettingsError("RXTRACT_LEDGER_DIR holds the account of another release: give an empty folder")
        if version == 0:
            self._db.executescript(_TABLES)
            self._db.execute("insert into facts values ('cluster', ?)", (cluster,))
        elif version == 1:
            self._db.execute(_FROM_VERSION_1)
        if version != _VERSION:
            self._db.execute(f"pragma user_version = {_VERSION}")
        if self._fact("cluster") != cluster:
            raise SettingsError(
                "RXTRACT_LEDGER_DIR holds the account of another cluster: give an empty folder, or that of this one"
            )

    def _minute(self, at_ms: int, now_ms: int) -> int:
        """The minute of a record's time, which anybody may have written: never ahead of now."""
        minute = (at_ms if 0 < at_ms < now_ms else now_ms) // _MINUTE_MS
        return minute if minute >= self._oldest_minute else 0

    def _count(self, minute: int, what: int, by: int = 1) -> None:
        minute = minute if minute >= self._oldest_minute else 0
        counted = self._deltas.get(minute)
        if counted is None:
            counted = self._deltas[minute] = [0] * len(_COLUMNS)
        counted[what] += by
        self._totals[what] += by

    def _add(self, identity: bytes, place: Place, minute: int, seen_ms: int, *, lost: int = 0, at_ms: int = 0) -> None:
        row = _Row(self._next_id, identity, place, minute, seen_ms, lost, at_ms, self._rows.get(identity))
        self._next_id += 1
        self._changed[row.id] = self._rows[identity] = self._places[place] = row

    def _move(self, row: _Row, identity: bytes, place: Place) -> None:
        del self._places[row.place]
        if row.identity == identity:
            self._places[place] = row
        else:
            self._unchain(row)
            row.identity = identity
            row.following = self._rows.get(identity)
            self._rows[identity] = self._places[place] = row
        row.place = place
        self._changed[row.id] = row

    def _unchain(self, row: _Row) -> None:
        one = self._rows[row.identity]
        if one is not row:
            while one.following is not row:
                assert one.following is not None  # noqa: S101 - every row is in its note's chain
                one = one.following
            one.following = row.following
        elif row.following is None:
            del self._rows[row.identity]
        else:
            self._rows[row.identity] = row.following

    def _end(self, row: _Row, outcome: int) -> None:
        """It has its effect; its note's chain is the caller's."""
        del self._places[row.place]
        self._changed.pop(row.id, None)
        if row.kept:
            self._deleted.append((row.id,))
        self._count(row.minute, outcome)
        if row.lost:
            self._count(row.minute, _LOST, -1)
            self._count(row.minute, _LATE)

    def _at(self, place: Place) -> _Row | None:
        row = self._places.get(place)
        if row is None and self._elsewhere:
            self._fetch("stage = ? and part = ? and place = ?", place)
            row = self._places.get(place)
        return row

    def _of(self, identity: bytes, stage: int) -> _Row | None:
        """The oldest of a note that is at a stage."""
        found = [row for row in self._all(identity) if row.place[0] == stage]
        return min(found, key=lambda row: row.id) if found else None

    def _all(self, identity: bytes) -> list[_Row]:
        self._fetch("identity = ?", (identity,))
        row, found = self._rows.get(identity), []
        while row is not None:
            found.append(row)
            row = row.following
        return found

    def _fetch(self, condition: str, values: tuple[object, ...]) -> None:
        """Take what is on disk alone into memory."""
        if not self._elsewhere:
            return
        found = self._db.execute(
            f"delete from notes where id < ? and {condition} returning identity, stage, part, place, minute, seen_ms, lost, at_ms",  # noqa: S608 - our own words
            (self._first_id, *values),
        ).fetchall()
        for identity, stage, part, place, minute, seen_ms, lost, at_ms in found:
            self._add(identity, (stage, part, place), minute, seen_ms, lost=lost, at_ms=at_ms)
        self._elsewhere -= len(found)

    def _write(self) -> None:
        """Make the rows on disk those in memory."""
        self._db.executemany("delete from notes where id = ?", self._deleted)
        self._db.executemany(
            "insert or replace into notes values (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [
                (row.id, row.identity, *row.place, row.minute, row.seen_ms, row.lost, row.at_ms)
                for row in self._changed.values()
            ],
        )
        for row in self._changed.values():
            row.kept = True
        self._changed, self._deleted = {}, []

    def _let_go(self) -> None:
        """Keep on disk alone what the disk has."""
        self._elsewhere += len(self._places)
        self._first_id = self._next_id
        self._rows, self._places = {}, {}

    def _count_old_together(self, oldest: int) -> None:
        """Once a day: what is older is one row, so that the table stays small."""
        if oldest < self._oldest_minute + 24 * 60:
            return
        names = ", ".join(f"coalesce(sum({name}), 0)" for name in _COLUMNS)
        sums = self._db.execute(f"select {names} from minutes where minute < ?", (oldest,)).fetchone()  # noqa: S608 - our own words
        self._db.execute("delete from minutes where minute < ?", (oldest,))
        self._db.execute("insert or replace into minutes values (0, ?, ?, ?, ?, ?)", sums)
        self._db.execute("update notes set minute = 0 where minute < ?", (oldest,))
        self._db.execute("insert or replace into facts values ('oldest_minute', ?)", (str(oldest),))
        self._oldest_minute = oldest
        old = [minute for minute in self._deltas if 0 < minute < oldest]
        for minute in old:
            counted = self._deltas.pop(minute)
            before = self._deltas.get(0, [0] * len(_COLUMNS))
            self._deltas[0] = [one + other for one, other in zip(before, counted, strict=True)]

    def _ask(self, question: str) -> int:
        return int(self._db.execute(question).fetchone()[0])

    def _fact(self, name: str) -> str | None:
        found = self._db.execute("select value from facts where name = ?", (name,)).fetchone()
        return None if found is None else str(found[0])


def account(folder: Path, now_ms: int, since_ms: int | None = None, *, named: bool = True) -> Account:
    """The account as of the last commit, of the notes that were submitted since a time (its minute; a month ago at most) or ever.

    Args:
        folder: Of the book.
        now_ms: UTC milliseconds.
        since_ms: UTC milliseconds; None: all.
        named: Whether lost notes are named.

    Raises:
        sqlite3.Error: There is no book yet.
    """
    with _reading(folder / FILE) as db:
        first = 0 if since_ms is None else since_ms // _MINUTE_MS
        names = ", ".join(f"coalesce(sum({name}), 0)" for name in _COLUMNS)
        counted = db.execute(f"select {names} from minutes where minute >= ?", (first,)).fetchone()  # noqa: S608 - our own words
        is_open, oldest_ms = db.execute(
            "select count(*), min(seen_ms) from notes where lost = 0 and minute >= ?", (first,)
        ).fetchone()
        lost = db.execute(
            "select identity from notes where lost = 1 and minute >= ? order by id limit ?",
            (first, MOST_NAMED if named else 0),
        ).fetchall()
        submitted, effects, dead, lost_count, late = counted
        oldest_s = 0.0 if oldest_ms is None else max(0.0, (now_ms - oldest_ms) / 1000)
        notes = tuple(note for (identity,) in lost if (note := note_of(identity)) is not None)
        return Account(Totals(submitted, effects, dead, is_open, lost_count, late), oldest_s, notes)


def waiting_of(folder: Path, source: str, note_id: str) -> tuple[Waiting, ...]:
    """What of a note has no effect yet as of the last commit, the oldest revision first.

    Args:
        folder: Of the book.
        source: Of the note.
        note_id: Of the note.

    Raises:
        sqlite3.Error: There is no book yet.
    """
    begin = begin_of(source, note_id)
    with _reading(folder / FILE) as db:
        rows = db.execute(
            "select identity, stage, at_ms, seen_ms, lost from notes where identity >= ? and identity < ?",
            (begin, begin + _PAST_ANY_NUMBER),
        ).fetchall()
    found = []
    for identity, stage, at_ms, seen_ms, lost in rows:
        note = note_of(identity)
        if note is not None:
            is_accepted = stage in {ACCEPTED, _gone(ACCEPTED)}
            found.append(Waiting(note.revision, is_accepted, at_ms or seen_ms, bool(lost)))
    return tuple(sorted(found))


@contextlib.contextmanager
def _reading(path: Path) -> Iterator[sqlite3.Connection]:
    db = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=_BUSY_S, isolation_level=None)
    try:
        db.execute("begin")  # one moment for all that is asked
        yield db
    finally:
        db.close()


def _opened(path: Path) -> sqlite3.Connection:
    db = sqlite3.connect(path, timeout=_BUSY_S, isolation_level=None, check_same_thread=False)
    db.execute("pragma journal_mode = wal")
    db.execute("pragma synchronous = normal")
    return db


def _lock(folder: Path) -> IO[str]:
    lock = (folder / "writer.lock").open("w", encoding="utf-8")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        lock.close()
        raise SettingsError(
            "another ledger writes into RXTRACT_LEDGER_DIR: end it, or give this one another folder"
        ) from None
    return lock


def _gone(stage: int) -> int:
    """The stage of a submission whose record the log has no more; its place is when that was seen."""
    return -1 - stage


def _is(kept: bytes, given: bytes) -> bool:
    """Whether a submitted record is that note; of one that could not be read the accepted record says which it was."""
    return kept == given or note_of(kept) is None
