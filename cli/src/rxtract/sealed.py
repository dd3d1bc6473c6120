"""The command line's own grant: texts are opened where the environment, or the stack's file, names the key store and its master key."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from rxtract.errors import UserError

if TYPE_CHECKING:
    from sealing import PatientKeys

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
