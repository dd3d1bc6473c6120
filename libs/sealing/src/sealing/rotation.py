"""What an operator does with keys: make them, back them up, put them back, change the master key."""

import json
import sqlite3
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

from runtime.errors import SettingsError

from sealing.errors import KeyStoreAway, MasterKeyRefused
from sealing.keys import rewrapped
from sealing.masters import VARIABLE as MASTER
from sealing.masters import MasterKeys, master_id, new_master, read_masters, write_masters
from sealing.settings import Place, make_store, open_store
from sealing.store import VARIABLE as STORE
from sealing.store import Erasure, OperatedStore, journal_of


def initialise(store: Place, master: Path) -> None:
    """Make a key store, and its master key where there is none yet.

    Raises:
        SettingsError: There is a store already, or one of the two cannot be made.
        KeyStoreAway: The server of the store does not answer.
    """
    if isinstance(store, Path) and store.exists():
        raise SettingsError(f"{STORE} names a file that is there already: nothing was changed")
    if not master.exists():
        master.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_masters(master, [new_master()])
    make_store(store, next(iter(read_masters(master)))).close()


def prepare(store: Place, master: Path) -> str:
    """Put a new master key first into the file, so that it reaches all services before the store uses it. Returns its id.

    Raises:
        SettingsError: A file cannot be used; or a new key waits there already.
    """
    kept, known = open_store(store), read_masters(master)
    current = _current(kept, known)
    if next(iter(known)) != current:
        raise SettingsError(
            f"{MASTER} holds a new master key already: give this file to every service, then `rxtract keys rotate`"
        )
    new = new_master()
    write_masters(master, [new, *(key.hex() for key in known.values())])
    return master_id(bytes.fromhex(new))


def rotate(store: Place, master: Path) -> int:
    """Wrap all keys by a new master key while services run; no text is encrypted anew. Returns how many keys.

    It takes the one that `prepare` put first, or makes one. The file holds both master keys until the store has only the new one, so that
    whatever dies in between leaves both readable.

    Raises:
        SettingsError: A file cannot be used. Running it again is harmless.
    """
    kept, known = open_store(store), read_masters(master)
    current = _current(kept, known)
    name = next(iter(known))
    if name == current:
        name = prepare(store, master)
    masters = MasterKeys(master)
    masters.wrap_with(name)
    count = _rewrap_all(kept, masters, name)
    write_masters(master, [read_masters(master)[name].hex()])
    return count


def _current(store: OperatedStore, known: dict[str, bytes]) -> str:
    current = store.master()
    if current not in known:
        raise MasterKeyRefused(
            f"{MASTER} does not hold the master key of this key store ({current}): nothing was changed"
        )
    return current


def _rewrap_all(store: OperatedStore, masters: MasterKeys, name: str) -> int:
    keys = store.every_live()
    store.rewrap([rewrapped(key, masters) for key in keys], name)
    # Behind that step every new key is wrapped by the new one; what came between the reading and it is left.
    late = [key for key in store.every_live() if key.master_id != name]
    if late:
        store.rewrap([rewrapped(key, masters) for key in late], name)
    return len(keys) + len(late)


def back_up(store: Place, to: Path) -> None:
    """Write a whole copy of the store while services run. Raises SettingsError."""
    open_store(store).back_up(to)


def restore(store: Place, master: Path, backup: Path, certificates: Iterable[Path] = ()) -> int:
    """Let the store be what a backup holds, and do the erasures since then again. Returns how many those were.

    Erasures are known from the store itself, where it can still be read, from the journal beside a file, and from certificates of erasures.
    A backup of one kind of store may be put into one of the other: so a cluster moves from a file to a database.

    Args:
        store: What is restored; made where it is not there.
        master: The file of the master key.
        backup: A file of `back_up`.
        certificates: Files that `rxtract erase` wrote.

    Raises:
        SettingsError: The backup is none, of another store, or not wrapped by the master key; a certificate is none. Nothing was changed.
    """
    held = _checked(backup, master)
    erasures = [*_certified(certificates), *(_journal(store) if isinstance(store, Path) else [])]
    present, new = _present(store, held)
    erasures += [] if new else _of_store(present, held)
    distinct = {(one.subject, one.at): one for one in erasures}
    return present.take_over(backup, list(distinct.values()))


def _present(store: Place, held: dict[str, str]) -> tuple[OperatedStore, bool]:
    """The store, and whether it was made now."""
    if isinstance(store, Path) and store.exists():
        try:
            return open_store(store), False
        except SettingsError:
            raise SettingsError(
                f"{STORE} names a file that is no key store: move it away first; nothing was changed"
            ) from None
    try:
        return make_store(store, held["master"]), True
    except SettingsError:
        if isinstance(store, Path):
            raise
        return open_store(store), False  # a database that has one; or this says what is wrong with it


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


def _of_store(present: OperatedStore, held: dict[str, str]) -> list[Erasure]:
    try:
        found, name = present.erasures(), present.store_id()
    except KeyStoreAway as error:
        raise SettingsError(f"{error}; nothing was changed") from None
    if name != held["store"]:
        raise SettingsError("the backup is of another key store than the one that is named: nothing was changed")
    return found


def _certified(certificates: Iterable[Path]) -> list[Erasure]:
    found = []
    for path in certificates:
        try:
            one = json.loads(path.read_text(encoding="utf-8"))
            found.append(Erasure(0, str(one["patient"]), 0, int(one["erased_at"])))
        except (OSError, ValueError, KeyError, TypeError):
            raise SettingsError(f"{path.name} is no certificate of `rxtract erase`: nothing was changed") from None
    return found


def _journal(store: Path) -> list[Erasure]:
    path = journal_of(store)
    if not path.exists():
        return []
    lines = path.read_text(encoding="utf-8").splitlines()
    return [Erasure(**json.loads(line)) for line in lines if line]
