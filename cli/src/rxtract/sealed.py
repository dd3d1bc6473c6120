"""The command line's own grant: texts are opened where the environment, or the stack's file, names the key store and its master key."""

from __future__ import annotations

from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rxtract.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import duckdb
    from sealing import PatientKeys, Place, WordsOpener

    from rxtract.addresses import StackAddresses


def patient_keys(addresses: StackAddresses) -> PatientKeys | None:
    """Return the keys of patients; None where no key store is named: then nothing that is sealed is opened.

    Raises:
        UserError: A file cannot be used.
    """
    place = place_of(addresses)
    if place is None or not addresses.master_key_file:
        if addresses.sealing == "on":
            raise UserError(
                "RXTRACT_SEALING is on: set RXTRACT_KEY_STORE_FILE (or RXTRACT_KEY_STORE_URL) and RXTRACT_MASTER_KEY_FILE too, or leave all unset"
            )
        return None
    from runtime.errors import RxtractError
    from sealing import open_keys

    try:
        return open_keys(place, Path(addresses.master_key_file))
    except RxtractError as error:
        raise UserError(str(error)) from None


def opener(stack: Path | None) -> OpensWords | None:
    """Return what opens the words of records at rest, once a sealed one is read; None where no key store is named."""
    from rxtract.addresses import read_addresses

    addresses = read_addresses(stack)
    return OpensWords(addresses) if place_of(addresses) is not None and addresses.master_key_file else None


def place_of(addresses: StackAddresses) -> Place | None:
    """Return where the key store is; None where none is named.

    Raises:
        UserError: Two are.
    """
    from runtime.errors import SettingsError
    from sealing import place_of as one_of

    try:
        return one_of(Path(addresses.key_store_file) if addresses.key_store_file else None, addresses.key_store_url)
    except SettingsError as error:
        raise UserError(str(error)) from None


def count_sealed(connection: duckdb.DuckDBPyConnection) -> int:
    """Return how many notes at rest are sealed."""
    # Which row of a note counts is worked out for all notes: where no row is sealed, nobody waits for that.
    if connection.execute("SELECT 1 FROM kept WHERE encryption_key_id IS NOT NULL LIMIT 1").fetchone() is None:
        return 0
    (count,) = connection.execute("SELECT count(*) FROM notes WHERE encryption_key_id IS NOT NULL").fetchone() or (0,)
    return int(count)


def say_sealed(notes: int) -> None:
    """Say why words are empty, where there are such notes; an answer without them looks like one without diseases."""
    if not notes:
        return
    from rich.console import Console

    Console(stderr=True, highlight=False).print(
        f"{notes:,} notes are sealed and their words are empty here: "
        "set RXTRACT_KEY_STORE_FILE (or RXTRACT_KEY_STORE_URL) and RXTRACT_MASTER_KEY_FILE to read them",
        style="yellow",
        soft_wrap=True,
    )


class OpensWords:
    """Opens the key store when the first sealed row is read: records that are not sealed need none."""

    def __init__(self, addresses: StackAddresses) -> None:
        self._addresses = addresses
        self._opens: WordsOpener | None = None
        self._refused: UserError | None = None

    def __call__(self, **row: Any) -> Sequence[tuple[str, Mapping[str, Any] | None]] | None:
        """Return a row's words; see `outcomes.sealed_rows.OpenWords`.

        Raises:
            UserError: The key store or its master key cannot be used, does not answer, or the words cannot be opened.
        """
        from contracts.wire import WireError
        from runtime.errors import RxtractError
        from sealing import opening_words

        try:
            if self._opens is None:
                self._opens = opening_words(patient_keys(self._addresses))
            return None if self._opens is None else self._opens(**row)
        except UserError as error:
            self._refused = error
        except RxtractError as error:
            self._refused = UserError(str(error))
        except WireError as error:
            self._refused = UserError(f"the words of note {row['note_id']} cannot be opened: {error.reason.sentence}")
        raise self._refused

    @contextmanager
    def told(self) -> Iterator[None]:
        """Raise what was refused while DuckDB asked for words: it says it in its own way, and names its inner parts.

        Raises:
            UserError: As above.
        """
        import duckdb

        try:
            yield
        except duckdb.Error:
            if self._refused is None:
                raise
            raise self._refused from None


def told(opens: OpensWords | None) -> AbstractContextManager[None]:
    """See `OpensWords.told`; nothing where nothing is opened."""
    return nullcontext() if opens is None else opens.told()
