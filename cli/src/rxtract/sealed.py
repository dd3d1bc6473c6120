"""The command line's own grant: texts are opened where the environment, or the stack's file, names the key store and its master key."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from rxtract.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sealing import PatientKeys, WordsOpener

    from rxtract.addresses import StackAddresses


def patient_keys(addresses: StackAddresses) -> PatientKeys | None:
    """Return the keys of patients; None where no key store is named: then nothing that is sealed is opened.

    Raises:
        UserError: A file cannot be used.
    """
    if not addresses.key_store_file or not addresses.master_key_file:
        if addresses.sealing == "on":
            raise UserError(
                "RXTRACT_SEALING is on: set RXTRACT_KEY_STORE_FILE and RXTRACT_MASTER_KEY_FILE too, or leave all three unset"
            )
        return None
    from runtime.errors import RxtractError
    from sealing import open_keys

    try:
        return open_keys(Path(addresses.key_store_file), Path(addresses.master_key_file))
    except RxtractError as error:
        raise UserError(str(error)) from None


def opener(stack: Path | None) -> OpensWords | None:
    """Return what opens the words of records at rest, once a sealed one is read; None where no key store is named."""
    from rxtract.addresses import read_addresses

    addresses = read_addresses(stack)
    return OpensWords(addresses) if addresses.key_store_file and addresses.master_key_file else None


class OpensWords:
    """Opens the key store when the first sealed row is read: records that are not sealed need none."""

    def __init__(self, addresses: StackAddresses) -> None:
        self._addresses = addresses
        self._opens: WordsOpener | None = None

    def __call__(self, **row: Any) -> Sequence[tuple[str, Mapping[str, Any] | None]] | None:
        """Return a row's words; see `outcomes.sealed_rows.OpenWords`.

        Raises:
            UserError: The key store or its master key cannot be used.
            RxtractError: The key store does not answer, or the words cannot be opened.
        """
        if self._opens is None:
            from sealing import opening_words

            self._opens = opening_words(patient_keys(self._addresses))
        return None if self._opens is None else self._opens(**row)
