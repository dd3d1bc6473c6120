"""What an operator does with keys: make them, back them up, put them back, change the master key."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path

from runtime.errors import SettingsError

from sealing.errors import KeyStoreAway, MasterKeyRefused
from sealing.keys import rewrapped
from sealing.masters import VARIABLE as MASTER
from sealing.masters import MasterKeys, master_id, new_master, read_masters, write_masters
from sealing.store import VARIABLE as STORE
from sealing.store import Erasure, SqliteKeyStore, journal_of


def initialise(store: Path, master: Path) -> None:
    """Make a key store, and its master key where there is none yet.

    Raises:
        SettingsError: There is a store already, or a file cannot be written.
    """
    if store.exists():
        raise SettingsError(f"{STORE} names a file that is there already: nothing was changed")
    if not master.exists():
        master.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_masters(master, [new_master()])
    SqliteKeyStore.create(store, next(iter(read_masters(master)))).close()


def rotate(store: Path, master: Path) -> int:
    """Wrap all keys by a new master key while services run; no text is encrypted anew. Returns how many keys.

    The file holds both master keys until the store has only the new one, so that whatever dies in between leaves both readable.

    Raises:
        SettingsError: A file cannot be used. Running it again is harmless.
    """
    kept = SqliteKeyStore(store)
    old = read_masters(master)
    if kept.master() not in old:
        raise MasterKeyRefused(
            f"{MASTER} does not hold the master key of this key store ({kept.master()}): nothing was changed"
        )
    new = new_master()
    write_masters(master, [new, *(key.hex() for key in old.values())])
    masters = MasterKeys(master)
    name = master_id(bytes.fromhex(new))
    masters.wrap_with(name)
    count = _rewrap_all(kept, masters, name)
    write_masters(master, [new])
    return count


def _rewrap_all(store: SqliteKeyStore, masters: MasterKeys, name: str) -> int:
    keys = store.every_live()
    store.rewrap([rewrapped(key, masters) for key in keys], name)
    # Behind that step every new key is wrapped by the new one; what came between the reading and it is left.
    late = [key for key in store.every_live() if key.master_id != name]
    if late:
        store.rewrap([rewrapped(key, masters) for key in late], name)
    return len(keys) + len(late)


def back_up(store: Path, to: Path) -> None:
    """Write a whole copy of the store while services run. Raises SettingsError."""
    SqliteKeyStore(store).back_up(to)


def restore(store: Path, master: Path, backup: Path) -> int:
    """Let the store be what a backup holds, and do the erasures since then again. Returns how many those were.

    Erasures are known from the store itself, where it can still be read, and from the journal beside it.

    Raises:
        SettingsError: The backup is none, of another store, or not wrapped by the master key; nothing was changed.
    """
    held = _checked(backup, master)
    erasures = _journal(store)
    if store.exists():
        erasures += _of_store(store, held)
        present = SqliteKeyStore(store)
    else:
        SqliteKeyStore.create(store, held["master"]).close()
        present = SqliteKeyStore(store)
    distinct = {(one.subject, one.at): one for one in erasures}
    return present.take_over(backup, list(distinct.values()))


def _checked(backup: Path, master: Path) -> dict[str, str]:
    try:
        with closing(sqlite3.connect(f"{backup.absolute().as_uri()}?mode=ro", uri=True)) as copy:
            facts = dict(copy.execute("SELECT name, value FROM facts").fetchall())
            whole = copy.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    except sqlite3.Error:
        facts, whole = {}, False
    if not whole or "master" not in facts:
        raise SettingsError(f"{backup.name} is no whole backup of a key store: give another one; nothing was changed")
    if facts["master"] not in read_masters(master):
        raise MasterKeyRefused(
            f"{MASTER} does not hold the master key of this backup ({facts['master']}): put its line back first; nothing was changed"
        )
    return facts


def _of_store(store: Path, held: dict[str, str]) -> list[Erasure]:
    try:
        present = SqliteKeyStore(store)
        found, name = present.erasures(), present.store_id()
    except KeyStoreAway:
        raise SettingsError(
            f"{STORE} names a file that is no key store: move it away first; nothing was changed"
        ) from None
    if name != held["store"]:
        raise SettingsError(f"the backup is of another key store than {STORE} names: nothing was changed")
    return found


def _journal(store: Path) -> list[Erasure]:
    path = journal_of(store)
    if not path.exists():
        return []
    lines = path.read_text(encoding="utf-8").splitlines()
    return [Erasure(**json.loads(line)) for line in lines if line]
