"""Key store in a PostgreSQL database, shared by services and replicas of several machines. Needs the extra `postgres`."""

import os
import socket
import sqlite3
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

import psycopg
from psycopg import errors, sql
from runtime.errors import SettingsError

from sealing.errors import KeyStoreAway, StaleMaster
from sealing.store import LAYOUT, URL_VARIABLE, Erasure, StoredKey, writing_backup

T = TypeVar("T")
_Db = psycopg.Connection[tuple[Any, ...]]
SCHEMA = "rxtract_keys"
READER, SEALER, ERASER = f"{SCHEMA}_reader", f"{SCHEMA}_sealer", f"{SCHEMA}_eraser"
CONNECT_S = 5
ANSWER_S = 5
WORK_S = 600
"""For what goes through all keys: a rotation, a backup, a restore."""
_REWRAPPED_AT_ONCE = 5_000
_LOCK = 7_239_512_201
"""Whoever adds keys shares it; whoever destroys them, or changes the master key, has it alone."""
_KEY = "key_id, subject, master_id, wrapped, made_at"
_TABLES = f"""
CREATE SCHEMA {SCHEMA};
CREATE TABLE {SCHEMA}.keys(
  key_id text PRIMARY KEY, subject text NOT NULL, master_id text NOT NULL, wrapped bytea, made_at bigint NOT NULL, erased_at bigint
);
CREATE UNIQUE INDEX one_live_key ON {SCHEMA}.keys(subject) WHERE wrapped IS NOT NULL;
CREATE INDEX keys_of_subject ON {SCHEMA}.keys(subject);
CREATE TABLE {SCHEMA}.erasures(number bigint PRIMARY KEY, subject text NOT NULL, keys bigint NOT NULL, at bigint NOT NULL);
CREATE TABLE {SCHEMA}.facts(name text PRIMARY KEY, value text NOT NULL);
CREATE TABLE {SCHEMA}.changes(generation bigint NOT NULL);
"""
_RIGHTS = f"""
GRANT USAGE ON SCHEMA {SCHEMA} TO {READER}, {SEALER}, {ERASER};
GRANT SELECT ON ALL TABLES IN SCHEMA {SCHEMA} TO {READER}, {SEALER}, {ERASER};
GRANT INSERT ({_KEY}) ON {SCHEMA}.keys TO {SEALER};
GRANT UPDATE (wrapped, erased_at) ON {SCHEMA}.keys TO {ERASER};
GRANT INSERT ON {SCHEMA}.erasures TO {ERASER};
GRANT UPDATE ON {SCHEMA}.changes TO {ERASER};
"""
"""Who made the store owns it, and alone may rotate and restore."""
_WRONG = {
    "28": "the server refuses the user or the password",
    "3D": "there is no such database",
    "42P01": "the database holds no key store: `rxtract keys init` makes it, `rxtract keys restore` puts one back",
    "42501": f"the user has no right to this: GRANT {READER} (opens), {SEALER} (seals, too) or {ERASER} (erases) to it; its owner alone rotates and restores",
}
"""What a person mends, by the class of SQLSTATE or all of it; anything else is waited for."""
_WRONG_AT_THE_DOOR = {
    "authentication failed": _WRONG["28"],
    "no encryption": "the server takes nobody without TLS: ask for it in the URL (sslmode=verify-full)",
    "no pg_hba.conf entry": _WRONG["28"],
    "root certificate file": "the file that the URL names for sslrootcert is not there",
    "does not exist": _WRONG["3D"],
    "does not support SSL": "the server speaks no TLS and the URL asks for it (sslmode)",
    "certificate": "the server's certificate is not one that the URL lets us trust (sslmode, sslrootcert)",
}
"""By what libpq says where a connection is refused: it gives no SQLSTATE there. In another language it is waited for."""


class PostgresKeyStore:
    """`OperatedStore` in a database. Every commit is on the server's disk, and on that of its synchronous standbys, before it is answered.

    What is destroyed is out of every question's reach at once. Its bytes may lie on in the server's files and log, still wrapped: once the
    master key was rotated they open nothing.

    May be used from several threads: one asks at a time, over one connection, which is made anew when it is lost.

    Args:
        url: As libpq reads it, for example postgresql://user:password@host/database?sslmode=verify-full.

    Raises:
        SettingsError: The URL is none, the server refuses us, or its database holds no key store. A server that does not answer is
            waited for by whoever asks.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._lock = threading.Lock()
        self._connection: _Db | None = None
        self._line: socket.socket | None = None
        try:
            self.master()
        except _Refused as refused:
            raise SettingsError(f"{URL_VARIABLE}: {refused.line}") from None
        except KeyStoreAway:
            return

    @classmethod
    def create(cls, url: str, master: str) -> "PostgresKeyStore":
        """Make an empty store, and the roles to grant, where they are not there.

        Raises:
            SettingsError: There is a store already, or the user may not make it.
            KeyStoreAway: The server does not answer.
        """
        try:
            with psycopg.connect(url, connect_timeout=CONNECT_S, application_name="rxtract") as db:
                _made(db, master)
        except errors.DuplicateSchema:
            raise SettingsError(
                f"{URL_VARIABLE}: the database holds a key store already: nothing was changed"
            ) from None
        except errors.InsufficientPrivilege:
            raise SettingsError(
                f"{URL_VARIABLE}: this user may not make a key store: it needs CREATE on the database and, unless an administrator makes "
                f"the roles {READER}, {SEALER} and {ERASER} (NOLOGIN) first, CREATEROLE; nothing was changed"
            ) from None
        except psycopg.Error as error:
            raise _as_ours(error) from None
        return cls(url)

    def live(self, subjects: Sequence[str]) -> dict[str, StoredKey]:
        """See `KeyStore`."""
        found = self._ask(lambda db: _keys(db, "wrapped IS NOT NULL AND subject = ANY(%s)", list(subjects)))
        return {key.subject: key for key in found}

    def find(self, key_id: str) -> StoredKey | None:
        """See `KeyStore`."""
        return next(iter(self._ask(lambda db: _keys(db, "key_id = %s", key_id))), None)

    def add(self, keys: Sequence[StoredKey]) -> None:
        """See `KeyStore`."""
        # Two writers who meet at the same patients wait for each other in the same order.
        rows = sorted(keys, key=lambda key: key.subject)

        def write(db: _Db) -> None:
            db.execute("SELECT pg_advisory_xact_lock_shared(%s)", (_LOCK,))
            current = _fact(db, "master")
            if any(key.master_id != current for key in rows):
                raise StaleMaster
            db.execute(
                f"INSERT INTO keys({_KEY}) SELECT * FROM unnest(%s::text[], %s::text[], %s::text[], %s::bytea[], %s::bigint[]) "  # noqa: S608 - names of ours
                "ON CONFLICT DO NOTHING",
                tuple([getattr(key, name) for key in rows] for name in _KEY.split(", ")),
            )

        self._ask(write)

    def generation(self) -> int:
        """See `KeyStore`."""
        return self._ask(_generation)

    def master(self) -> str:
        """See `KeyStore`."""
        return self._ask(lambda db: _fact(db, "master"))

    def erasures(self, after: int = 0) -> list[Erasure]:
        """See `KeyStore`."""
        return self._ask(lambda db: _erasures(db, after))

    def store_id(self) -> str:
        """See `OperatedStore`."""
        return self._ask(lambda db: _fact(db, "store"))

    def counts(self) -> tuple[int, int]:
        """See `OperatedStore`."""
        live, destroyed = self._ask(
            lambda db: _row(db, "SELECT count(wrapped), count(*) - count(wrapped) FROM keys"), WORK_S
        )
        return live, destroyed

    def wrapped_by(self) -> dict[str, int]:
        """See `OperatedStore`."""
        query = "SELECT master_id, count(*) FROM keys WHERE wrapped IS NOT NULL GROUP BY master_id"
        return self._ask(lambda db: {str(name): int(count) for name, count in db.execute(query).fetchall()}, WORK_S)

    def every_live(self) -> list[StoredKey]:
        """See `OperatedStore`."""
        return self._ask(lambda db: _keys(db, "wrapped IS NOT NULL"), WORK_S)

    def has(self, subject: str) -> bool:
        """See `OperatedStore`."""
        return bool(self._ask(lambda db: _keys(db, "subject = %s LIMIT 1", subject)))

    def erase(self, subject: str, now_ms: int) -> Erasure:
        """See `OperatedStore`."""
        return self._ask(lambda db: _erased(db, subject, now_ms))

    def rewrap(self, keys: Iterable[StoredKey], master: str) -> None:
        """See `OperatedStore`. New keys are under the new master key first; the others follow, some thousands at a time."""

        def change(db: _Db) -> None:
            db.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
            db.execute("UPDATE facts SET value = %s WHERE name = 'master'", (master,))
            _next_generation(db)

        self._ask(change, WORK_S)
        rows = list(keys)
        for begin in range(0, len(rows), _REWRAPPED_AT_ONCE):
            some = rows[begin : begin + _REWRAPPED_AT_ONCE]
            self._ask(lambda db, some=some: _rewrapped(db, some), WORK_S)  # type: ignore[misc]

    def back_up(self, to: Path) -> None:
        """See `OperatedStore`. What is written is a key store in a file, as SQLite reads it."""

        def read(db: _Db) -> None:
            with writing_backup(to) as copy:
                keys = db.execute(f"SELECT {_KEY}, erased_at FROM keys").fetchall()  # noqa: S608 - names of ours
                copy.executemany("INSERT INTO keys VALUES(?, ?, ?, ?, ?, ?)", keys)
                done = db.execute("SELECT number, subject, keys, at FROM erasures").fetchall()
                copy.executemany("INSERT INTO erasures VALUES(?, ?, ?, ?)", done)
                facts = [*db.execute("SELECT name, value FROM facts").fetchall(), ("generation", str(_generation(db)))]
                copy.executemany("INSERT INTO facts VALUES(?, ?)", facts)

        self._ask(read, WORK_S, isolation="REPEATABLE READ")

    def take_over(self, backup: Path, erasures: Sequence[Erasure]) -> int:
        """See `OperatedStore`."""
        with closing(sqlite3.connect(f"{backup.absolute().as_uri()}?mode=ro", uri=True)) as copy:
            return self._ask(lambda db: _taken_over(db, copy, erasures), WORK_S)

    def close(self) -> None:
        """Let the connection go."""
        with self._lock:
            self._close()

    def _ask(self, question: Callable[[_Db], T], answer_s: float = ANSWER_S, isolation: str = "READ COMMITTED") -> T:
        try:
            with self._lock, self._transaction(answer_s, isolation) as db:
                return question(db)
        except (psycopg.Error, OSError) as error:
            raise _as_ours(error) from None

    @contextmanager
    def _transaction(self, answer_s: float, isolation: str) -> Iterator[_Db]:
        # A server that is frozen cancels nothing itself: its line is cut a little later.
        db = self._opened()
        clock = threading.Timer(answer_s + 1, self._cut)
        clock.daemon = True
        clock.start()
        try:
            db.execute(
                f"BEGIN ISOLATION LEVEL {isolation}; SET LOCAL statement_timeout = {int(answer_s * 1000)}; "
                f"SET LOCAL search_path = {SCHEMA}; SELECT CASE current_setting('synchronous_commit') WHEN 'remote_apply' THEN '' "
                "ELSE set_config('synchronous_commit', 'on', true) END"
            )
            yield db
            db.execute("COMMIT")
        except BaseException:
            self._close()  # undone by the server
            raise
        finally:
            clock.cancel()

    def _opened(self) -> _Db:
        if self._connection is None or self._connection.broken:
            self._close()
            # Prepared statements do not pass a pool of connections.
            db = psycopg.connect(
                self._url,
                autocommit=True,
                prepare_threshold=None,
                connect_timeout=CONNECT_S,
                application_name="rxtract",
            )
            self._connection, self._line = db, socket.socket(fileno=os.dup(db.fileno()))
            _check(db)
        return self._connection

    def _cut(self) -> None:
        if self._line is not None:
            with suppress(OSError):
                self._line.shutdown(socket.SHUT_RDWR)

    def _close(self) -> None:
        if self._line is not None:
            self._line.close()
            self._line = None
        if self._connection is not None:
            self._connection.close()
            self._connection = None


class _Refused(KeyStoreAway):
    """What a person has to mend at the server; at the start it ends a service, later it is waited for."""

    def __init__(self, line: str) -> None:
        super().__init__(f"the key store refuses us: {line}")
        self.line = line


def _as_ours(error: Exception) -> KeyStoreAway:
    """What the server's own words may name is a statement or an address: its kind and SQLSTATE are enough."""
    state = getattr(error, "sqlstate", None) or ""
    wrong = _WRONG.get(state) or _WRONG.get(state[:2])
    if wrong is None and isinstance(error, psycopg.ProgrammingError) and not state:
        wrong = "it is no address of a database: postgresql://user:password@host/database"
    if wrong is None and isinstance(error, psycopg.OperationalError) and not state:
        wrong = next((line for words, line in _WRONG_AT_THE_DOOR.items() if words in str(error)), None)
    if wrong is not None:
        return _Refused(wrong)
    kind = f"{type(error).__name__} {state}".strip()
    return KeyStoreAway(
        f"the key store does not answer ({kind}): nothing is read or written until it does; `rxtract keys status` looks at it"
    )


def _check(db: _Db) -> None:
    """Raises psycopg.Error, _Refused."""
    query = f"SELECT (SELECT value FROM {SCHEMA}.facts WHERE name = 'layout'), current_setting('fsync')"  # noqa: S608 - names of ours
    layout, fsync = _row(db, query)
    if layout != LAYOUT:
        raise _Refused(f"the key store was made by another release ({layout}): use one that knows it")
    if fsync != "on":
        raise _Refused("the server runs with fsync off, so a power cut would lose keys and their notes: switch it on")


def _made(db: _Db, master: str) -> None:
    db.execute(_TABLES)
    db.execute(f"SET LOCAL search_path = {SCHEMA}")
    for role in (READER, SEALER, ERASER):
        if db.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (role,)).fetchone() is None:
            db.execute(sql.SQL("CREATE ROLE {} NOLOGIN").format(sql.Identifier(role)))
    db.execute(_RIGHTS)
    facts = {"layout": LAYOUT, "master": master, "store": os.urandom(8).hex()}
    for fact in facts.items():
        db.execute("INSERT INTO facts VALUES(%s, %s)", fact)
    db.execute("INSERT INTO changes VALUES(1)")


def _row(db: _Db, query: str) -> tuple[Any, ...]:
    found = db.execute(query).fetchone()
    if found is None:
        raise psycopg.DataError("no row where there is always one")
    return tuple(found)


def _keys(db: _Db, where: str, *values: object) -> list[StoredKey]:
    query = f"SELECT {_KEY} FROM keys WHERE {where}"  # noqa: S608 - fixed conditions of ours
    return [StoredKey(*row) for row in db.execute(query, values).fetchall()]


def _erasures(db: _Db, after: int = 0) -> list[Erasure]:
    query = "SELECT number, subject, keys, at FROM erasures WHERE number > %s ORDER BY number"
    return [Erasure(*row) for row in db.execute(query, (after,)).fetchall()]


def _erased(db: _Db, subject: str, now_ms: int) -> Erasure:
    # Alone, so that numbers become visible in their order and no key is made meanwhile.
    db.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
    found = db.execute(
        "UPDATE keys SET wrapped = NULL, erased_at = %s WHERE subject = %s AND wrapped IS NOT NULL", (now_ms, subject)
    ).rowcount
    number = int(_row(db, "SELECT coalesce(max(number), 0) + 1 FROM erasures")[0])
    db.execute("INSERT INTO erasures VALUES(%s, %s, %s, %s)", (number, subject, found, now_ms))
    _next_generation(db)
    return Erasure(number, subject, found, now_ms)


def _rewrapped(db: _Db, keys: Sequence[StoredKey]) -> None:
    db.execute(
        "UPDATE keys SET master_id = new.master_id, wrapped = new.wrapped FROM unnest(%s::text[], %s::text[], %s::bytea[]) "
        "AS new(key_id, master_id, wrapped) WHERE keys.key_id = new.key_id AND keys.wrapped IS NOT NULL",
        ([key.key_id for key in keys], [key.master_id for key in keys], [key.wrapped for key in keys]),
    )
    _next_generation(db)


def _taken_over(db: _Db, copy: sqlite3.Connection, erasures: Sequence[Erasure]) -> int:
    db.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
    db.execute("DELETE FROM keys; DELETE FROM erasures")
    for table, columns in (("keys", f"{_KEY}, erased_at"), ("erasures", "number, subject, keys, at")):
        with db.cursor().copy(f"COPY {table}({columns}) FROM STDIN") as rows:
            for row in copy.execute(f"SELECT {columns} FROM {table}"):  # noqa: S608 - names of ours
                rows.write_row(row)
    for fact in copy.execute("SELECT name, value FROM facts WHERE name IN ('master', 'store')"):
        db.execute("UPDATE facts SET value = %s WHERE name = %s", (fact[1], fact[0]))
    _next_generation(db)
    known = {(one.subject, one.at) for one in _erasures(db)}
    missing = [one for one in erasures if (one.subject, one.at) not in known]
    for one in missing:
        _erased(db, one.subject, one.at)
    return len(missing)


def _fact(db: _Db, name: str) -> str:
    found = db.execute("SELECT value FROM facts WHERE name = %s", (name,)).fetchone()
    return str(found[0]) if found else ""


def _generation(db: _Db) -> int:
    return int(_row(db, "SELECT generation FROM changes")[0])


def _next_generation(db: _Db) -> None:
    # Past every number that the store had before a backup of its database was put back.
    db.execute(
        "UPDATE changes SET generation = greatest(generation + 1, extract(epoch FROM clock_timestamp())::bigint)"
    )
