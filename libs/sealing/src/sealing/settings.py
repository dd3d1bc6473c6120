"""Whether texts are sealed, and where the keys are."""

from pathlib import Path
from typing import Literal

from pydantic import Field
from runtime.errors import SettingsError
from runtime.service.settings import SECRET, ServiceSettings

from sealing.keys import PatientKeys
from sealing.masters import MasterKeys
from sealing.store import SqliteKeyStore


class SealingSettings(ServiceSettings):
    """The settings of a service that seals or opens texts."""

    sealing: Literal["off", "on"] = Field(
        "off", description="on: texts are sealed under a key of each patient; the same for all services of a cluster"
    )
    key_store_file: Path | None = Field(
        None,
        description="file of the key store, on this machine's disk, that services share and `rxtract keys init` makes; needed where texts are sealed",
    )
    master_key_file: Path | None = Field(
        None,
        description="file with the master key that wraps the patients' keys, 64 hexadecimal digits; needed where texts are sealed",
        json_schema_extra=SECRET,
    )

    def patient_keys(self) -> PatientKeys | None:
        """The keys of patients; None where sealing is off.

        Raises:
            SettingsError: A file is missing or cannot be used: one line that says what to do.
            KeyStoreAway: The store is there and does not answer.
        """
        if self.sealing == "off":
            return None
        return open_keys(self.key_store_file, self.master_key_file)


def open_keys(store: Path | None, master: Path | None) -> PatientKeys:
    """Open the key store.

    Raises:
        SettingsError: See `SealingSettings.patient_keys`.
    """
    if store is None:
        raise SettingsError(
            "RXTRACT_KEY_STORE_FILE is not set and RXTRACT_SEALING is on: name the file of the key store"
        )
    if master is None:
        raise SettingsError(
            "RXTRACT_MASTER_KEY_FILE is not set and RXTRACT_SEALING is on: name the file with the master key"
        )
    return PatientKeys(SqliteKeyStore(store), MasterKeys(master))
