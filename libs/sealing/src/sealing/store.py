"""Where wrapped keys are kept: the interfaces, and SQLite for services of one machine; `sealing.postgres` is for several.

An erasure leaves the key's id behind without its bytes, so that what it sealed is known as erased and not as damaged.
"""

import json
import os
import sqlite3
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Protocol, TypeVar

from runtime.errors import SettingsError

from sealing.errors import KeyStoreAway, StaleMaster

VARIABLE = "RXTRACT_KEY_STORE_FILE"
URL_VARIABLE = "RXTRACT_KEY_STORE_URL"
BUSY_MS = 5_000
LAYOUT = "1"
T = TypeVar("T")
_TABLES = """
CREATE TABLE keys(
  key_id TEXT PRIMARY KEY, subject TEXT NOT NULL, master_id TEXT NOT NULL, wrapped BLOB, made_at INTEGER NOT NULL, erased_at INTEGER
) WITHOUT ROWID;
CREATE UNIQUE INDEX one_live_key ON keys(subject) WHERE wrapped IS NOT NULL;
CREATE TABLE erasures(number INTEGER PRIMARY KEY, subject TEXT NOT NULL, keys INTEGER NOT NULL, at INTEGER NOT NULL);
CREATE TABLE facts(name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
"""


@dataclass(frozen=True, slots=True)
class StoredKey:
    """A patient's key as it is kept.

    Attributes:
        key_id: Random; says nothing of the patient.
        subject: Whose: a pseudonym.
        master_id: The master key that wraps it.
        wrapped: None once it was destroyed.
        made_at: UTC milliseconds.
    """

    key_id: str
    subject: str
    master_id: str
    wrapped: bytes | None
    made_at: int


@dataclass(frozen=True, slots=True)
class Erasure:
    """One erasure: its number in this store, whose, how many keys it destroyed, and when (UTC ms)."""

    number: int
    subject: str
    keys: int
    at: int


class KeyStore(Protocol):
    """Keeps wrapped keys durably. Every method raises KeyStoreAway when the store does not answer."""

    def live(self, subjects: Sequence[str]) -> dict[str, StoredKey]:
        """The usable key of each subject that has one."""

    def find(self, key_id: str) -> StoredKey | None:
        """A key by its id, destroyed ones too; None: the store has never had it."""

    def add(self, keys: Sequence[StoredKey]) -> None:
        """Keep new keys, durable when this returns; of a subject that has one by now the new one is dropped.

        Raises:
            StaleMaster: They are wrapped by another master key than the store's current one.
        """

    def generation(self) -> int:
        """Rises with every erasure, rotation and restore: what was remembered of the store is void then."""

    def master(self) -> str:
        """The id of the master key that wraps new keys."""

    def erasures(self, after: int = 0) -> list[Erasure]:
        """Erasures with a number above one."""


class OperatedStore(KeyStore, Protocol):
    """What an operator does with a store, beside what services do."""

    def store_id(self) -> str:
        """Names the store; its backups have the same."""

    def counts(self) -> tuple[int, int]:
        """Usable and destroyed keys."""

    def wrapped_by(self) -> dict[str, int]:
        """Usable keys by the master key that wraps them."""

    def every_live(self) -> list[StoredKey]:
        """All usable keys."""

    def has(self, subject: str) -> bool:
        """Whether the store has or had a key of a subject."""

    def erase(self, subject: str, now_ms: int) -> Erasure:
        """Destroy all keys of a subject, durably; an erasure that finds none is noted too."""

    def rewrap(self, keys: Iterable[StoredKey], master: str) -> None:
        """Let a master key be the current one, and put other wrappings in place. Keys destroyed meanwhile stay so."""

    def back_up(self, to: Path) -> None:
        """Write a whole copy, a key store in a file, readable by its owner alone.

        Raises:
            SettingsError: The file is there already, or cannot be written.
        """

    def take_over(self, backup: Path, erasures: Sequence[Erasure]) -> int:
        """Become what a backup holds; erasures that it does not know are done again. Returns how many."""

    def close(self) -> None:
        """Let go of the file or the server."""


class SqliteKeyStore:
    """`OperatedStore` in a file on this machine's own disk: never on a network file system, whose locks do not hold.

    Every commit is synced to disk (WAL, synchronous=FULL); what is deleted is overwritten (secure_delete). The file is opened anew
    when another has taken its place, and never made: `create` does that, once.

    Args:
        path: The file.

    Raises:
        SettingsError: There is no such file, or it is none of ours.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None
        self._inode = -1
        if not path.is_file():
            raise SettingsError(
                f"{VARIABLE} names no key store: `rxtract keys init` makes it, `rxtract keys restore` puts one back"
            )
        try:
            layout = self._ask(lambda db: _fact(db, "layout"))
        except (KeyStoreAway, KeyError):
            layout = ""
        if layout != LAYOUT:
            raise SettingsError(
                f"{VARIABLE} is no key store that can be read: put back a copy with `rxtract keys restore`"
            )

    @classmethod
    def create(cls, path: Path, master: str) -> "SqliteKeyStore":
        """Make an empty store whose keys are wrapped by this master key.

        Raises:
            SettingsError: There is a file already, or the folder cannot be written to.
        """
        draft = path.with_name(f"{path.name}.part")
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            if path.exists():
                raise SettingsError(f"{VARIABLE} names a file that is there already: nothing was changed")
            draft.unlink(missing_ok=True)
            os.close(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
            with closing(sqlite3.connect(draft)) as db:
                db.executescript(_TABLES)
                facts = {"layout": LAYOUT, "master": master, "generation": "1", "store": os.urandom(8).hex()}
                db.executemany("INSERT INTO facts VALUES(?, ?)", facts.items())
                db.commit()
                db.execute("PRAGMA journal_mode=WAL")
            os.link(draft, path)  # never over a store that came meanwhile
            draft.unlink()
        except FileExistsError:
            raise SettingsError(f"{VARIABLE} names a file that is there already: nothing was changed") from None
        except (OSError, sqlite3.Error) as error:
            raise SettingsError(
                f"{VARIABLE} cannot be made ({type(error).__name__}): give a file on this machine's disk"
            ) from None
        return cls(path)

    def live(self, subjects: Sequence[str]) -> dict[str, StoredKey]:
        """See `KeyStore`."""
        return self._ask(lambda db: _live(db, subjects))

    def find(self, key_id: str) -> StoredKey | None:
        """See `KeyStore`."""
        return self._ask(lambda db: next(_keys(db, "key_id = ?", key_id), None))

    def add(self, keys: Sequence[StoredKey]) -> None:
        """See `KeyStore`."""

        def write(db: sqlite3.Connection) -> None:
            current = _fact(db, "master")
            if any(key.master_id != current for key in keys):
                raise StaleMaster
            rows = [(key.key_id, key.subject, key.master_id, key.wrapped, key.made_at) for key in keys]
            db.executemany("INSERT OR IGNORE INTO keys VALUES(?, ?, ?, ?, ?, NULL)", rows)

        self._ask(_in_one(write))

    def generation(self) -> int:
        """See `KeyStore`."""
        return self._ask(lambda db: int(_fact(db, "generation")))

    def master(self) -> str:
        """See `KeyStore`."""
        return self._ask(lambda db: _fact(db, "master"))

    def store_id(self) -> str:
        """Names the store; its backups have the same."""
        return self._ask(lambda db: _fact(db, "store"))

    def counts(self) -> tuple[int, int]:
        """Usable keys, and destroyed ones."""
        return self._ask(
            lambda db: tuple(db.execute("SELECT count(wrapped), count(*) - count(wrapped) FROM keys").fetchone())
        )

    def wrapped_by(self) -> dict[str, int]:
        """Usable keys by the master key that wraps them."""
        query = "SELECT master_id, count(*) FROM keys WHERE wrapped IS NOT NULL GROUP BY master_id"
        return self._ask(lambda db: dict(db.execute(query).fetchall()))

    def every_live(self) -> list[StoredKey]:
        """All usable keys."""
        return self._ask(lambda db: list(_keys(db, "wrapped IS NOT NULL")))

    def erasures(self, after: int = 0) -> list[Erasure]:
        """See `KeyStore`."""
        query = "SELECT number, subject, keys, at FROM erasures WHERE number > ? ORDER BY number"
        return self._ask(lambda db: [Erasure(*row) for row in db.execute(query, (after,))])

    def has(self, subject: str) -> bool:
        """Whether the store has or had a key of a subject."""
        return self._ask(lambda db: next(_keys(db, "subject = ?", subject), None)) is not None

    def erase(self, subject: str, now_ms: int) -> Erasure:
        """Destroy all keys of a subject, durably, and overwrite their bytes; an erasure that finds none is noted too."""

        def write(db: sqlite3.Connection) -> Erasure:
            found = db.execute(
                "SELECT count(*) FROM keys WHERE subject = ? AND wrapped IS NOT NULL", (subject,)
            ).fetchone()[0]
            db.execute(
                "UPDATE keys SET wrapped = NULL, erased_at = ? WHERE subject = ? AND wrapped IS NOT NULL",
                (now_ms, subject),
            )
            number = db.execute(
                "INSERT INTO erasures(subject, keys, at) VALUES(?, ?, ?)", (subject, found, now_ms)
            ).lastrowid
            _next_generation(db)
            return Erasure(number or 0, subject, found, now_ms)

        # Noted beside the store first: a backup that is put back must not bring the patient back.
        self._note(subject, now_ms)
        erased = self._ask(_in_one(write))
        self._ask(_emptied)
        return erased

    def rewrap(self, keys: Iterable[StoredKey], master: str) -> None:
        """Put other wrappings in place, and let a master key be the current one, in one step. Keys destroyed meanwhile stay so."""

        def write(db: sqlite3.Connection) -> None:
            rows = [(key.master_id, key.wrapped, key.key_id) for key in keys]
            db.executemany("UPDATE keys SET master_id = ?, wrapped = ? WHERE key_id = ? AND wrapped IS NOT NULL", rows)
            _set_fact(db, "master", master)
            _next_generation(db)

        self._ask(_in_one(write))
        self._ask(_emptied)

    def back_up(self, to: Path) -> None:
        """Write a whole copy, readable by its owner alone.

        Raises:
            SettingsError: The file is there already, or cannot be written.
        """
        with _new_file(to), closing(sqlite3.connect(to)) as copy:
            self._ask(lambda db: db.backup(copy))
            copy.execute("PRAGMA journal_mode=DELETE")

    def take_over(self, backup: Path, erasures: Sequence[Erasure]) -> int:
        """Become what a backup holds; erasures that it does not know are done again. Returns how many."""
        with closing(sqlite3.connect(f"{backup.absolute().as_uri()}?mode=ro", uri=True)) as copy:
            self._ask(copy.backup)
        known = {(one.subject, one.at) for one in self.erasures()}
        missing = [one for one in erasures if (one.subject, one.at) not in known]
        for one in missing:
            self.erase(one.subject, one.at)
        self._ask(_in_one(_next_generation))
        return len(missing)

    def close(self) -> None:
        """Let the file go."""
        with self._lock:
            self._close()

    def _note(self, subject: str, now_ms: int) -> None:
        line = json.dumps(asdict(Erasure(0, subject, 0, now_ms)))
        how = os.O_WRONLY | os.O_CREAT | os.O_APPEND
        try:
            with os.fdopen(os.open(journal_of(self._path), how, 0o600), "w", encoding="utf-8") as file:
                file.write(f"{line}\n")
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise KeyStoreAway(
                f"the journal of erasures beside the key store cannot be written ({type(error).__name__}): nothing was erased"
            ) from None

    def _ask(self, question: Callable[[sqlite3.Connection], T]) -> T:
        try:
            with self._lock:
                return question(self._opened())
        except (sqlite3.Error, OSError) as error:
            # What SQLite says may name the statement; its kind is enough to tell a lock from a damaged file.
            raise KeyStoreAway(
                f"the key store does not answer ({type(error).__name__}): nothing is read or written until it does; "
                "`rxtract keys status` looks at it"
            ) from None

    def _opened(self) -> sqlite3.Connection:
        inode = self._path.stat().st_ino
        if self._connection is not None and inode != self._inode:
            self._close()
        if self._connection is None:
            db = sqlite3.connect(
                f"{self._path.absolute().as_uri()}?mode=rw",
                uri=True,
                check_same_thread=False,
                isolation_level=None,
                timeout=BUSY_MS / 1000,
            )
            db.execute("PRAGMA synchronous=FULL")
            db.execute("PRAGMA secure_delete=ON")
            self._connection, self._inode = db, inode
        return self._connection

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


@contextmanager
def _new_file(to: Path) -> Iterator[None]:
    """A file for its owner alone; what was written to it is on disk afterwards. Raises SettingsError."""
    try:
        os.close(os.open(to, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        yield
        with to.open("rb") as file:
            os.fsync(file.fileno())
    except FileExistsError:
        raise SettingsError(f"{to.name} is there already: a backup never overwrites one") from None
    except (OSError, sqlite3.Error) as error:
        raise SettingsError(f"{to.name} cannot be written ({type(error).__name__})") from None


@contextmanager
def writing_backup(to: Path) -> Iterator[sqlite3.Connection]:
    """A new key store in a file, without keys, erasures and facts: whoever asks puts them in.

    Raises:
        SettingsError: The file is there already, or cannot be written.
    """
    with _new_file(to), closing(sqlite3.connect(to)) as copy:
        copy.executescript(_TABLES)
        yield copy
        copy.commit()


def journal_of(store: Path) -> Path:
    """The file beside a store that repeats its erasures; it is kept when the store is lost."""
    return store.with_name(f"{store.name}.erasures")


@contextmanager
def _transaction(db: sqlite3.Connection) -> Iterator[None]:
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        db.execute("ROLLBACK")
        raise
    db.execute("COMMIT")


def _in_one(write: Callable[[sqlite3.Connection], T]) -> Callable[[sqlite3.Connection], T]:
    def run(db: sqlite3.Connection) -> T:
        with _transaction(db):
            return write(db)

    return run


def _keys(db: sqlite3.Connection, where: str, *values: str) -> Iterator[StoredKey]:
    query = f"SELECT key_id, subject, master_id, wrapped, made_at FROM keys WHERE {where}"  # noqa: S608 - fixed conditions of ours
    return (StoredKey(*row) for row in db.execute(query, values).fetchall())


def _live(db: sqlite3.Connection, subjects: Sequence[str]) -> dict[str, StoredKey]:
    found: dict[str, StoredKey] = {}
    for begin in range(0, len(subjects), 500):
        some = subjects[begin : begin + 500]
        marks = ",".join("?" * len(some))
        found |= {key.subject: key for key in _keys(db, f"wrapped IS NOT NULL AND subject IN ({marks})", *some)}
    return found


def _emptied(db: sqlite3.Connection) -> None:
    """The journal may hold the bytes that were destroyed: it is written back and cut off."""
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()


def _fact(db: sqlite3.Connection, name: str) -> str:
    row = db.execute("SELECT value FROM facts WHERE name = ?", (name,)).fetchone()
    return str(row[0]) if row else ""


def _set_fact(db: sqlite3.Connection, name: str, value: str) -> None:
    db.execute("UPDATE facts SET value = ? WHERE name = ?", (value, name))


def _next_generation(db: sqlite3.Connection) -> None:
    # Past every number that a store of before or after a restore may have had.
    db.execute(
        "UPDATE facts SET value = max(CAST(value AS INTEGER) + 1, CAST(strftime('%s', 'now') AS INTEGER)) WHERE name = 'generation'"
    )
