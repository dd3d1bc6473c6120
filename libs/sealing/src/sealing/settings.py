"""Whether texts are sealed, and where the keys are."""

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import Field, SecretStr
from runtime.errors import SettingsError
from runtime.service.settings import SECRET, ServiceSettings

from sealing.keys import PatientKeys
from sealing.masters import MasterKeys
from sealing.store import OperatedStore, SqliteKeyStore

if TYPE_CHECKING:
    from sealing.postgres import PostgresKeyStore

Place = Path | str
"""Where a key store is: a file, or the URL of a PostgreSQL database."""


class SealingSettings(ServiceSettings):
    """The settings of a service that seals or opens texts."""

    sealing: Literal["off", "on"] = Field(
        "off", description="on: texts are sealed under a key of each patient; the same for all services of a cluster"
    )
    key_store_file: Path | None = Field(
        None,
        description="file of the key store, on this machine's disk, that services share and `rxtract keys init` makes; this or RXTRACT_KEY_STORE_URL is needed where texts are sealed",
    )
    key_store_url: SecretStr | None = Field(
        None,
        description="PostgreSQL database that is the key store of several machines, for example postgresql://user:password@host/keys?sslmode=verify-full, and `rxtract keys init` makes; images built with POSTGRES=1",
        json_schema_extra=SECRET,
    )
    master_key_file: Path | None = Field(
        None,
        description="file with the master key that wraps the patients' keys, 64 hexadecimal digits; needed where texts are sealed",
        json_schema_extra=SECRET,
    )

    def patient_keys(self) -> PatientKeys | None:
        """The keys of patients; None where sealing is off.

        Raises:
            SettingsError: A file is missing or cannot be used, or a database refuses us: one line that says what to do.
        """
        if self.sealing == "off":
            return None
        url = self.key_store_url.get_secret_value() if self.key_store_url is not None else None
        return open_keys(place_of(self.key_store_file, url), self.master_key_file)


def place_of(file: Path | None, url: str | None) -> Place | None:
    """The one place that is named, or None.

    Raises:
        SettingsError: Both are.
    """
    if file is not None and url:
        raise SettingsError(
            "RXTRACT_KEY_STORE_FILE and RXTRACT_KEY_STORE_URL are both set: keep one, there is one key store"
        )
    return file or url or None


def open_store(place: Place) -> OperatedStore:
    """Open a key store.

    Raises:
        SettingsError: There is none, or it cannot be used. A server that is away is waited for by whoever asks.
    """
    return SqliteKeyStore(place) if isinstance(place, Path) else _postgres()(place)


def make_store(place: Place, master: str) -> OperatedStore:
    """Make an empty key store whose keys are wrapped by this master key, named by its id.

    Raises:
        SettingsError: There is one already, or it cannot be made.
        KeyStoreAway: The server does not answer.
    """
    kind = SqliteKeyStore if isinstance(place, Path) else _postgres()
    return kind.create(place, master)  # type: ignore[arg-type]


def _postgres() -> "type[PostgresKeyStore]":
    try:
        from sealing.postgres import PostgresKeyStore
    except ImportError:
        raise SettingsError(
            "RXTRACT_KEY_STORE_URL is set and no client for PostgreSQL is installed: install rxtract-sealing[postgres] "
            "(images: build with POSTGRES=1)"
        ) from None
    return PostgresKeyStore


def open_keys(store: Place | None, master: Path | None) -> PatientKeys:
    """Open the key store.

    Raises:
        SettingsError: See `SealingSettings.patient_keys`.
    """
    if store is None:
        raise SettingsError(
            "RXTRACT_SEALING is on and neither RXTRACT_KEY_STORE_FILE nor RXTRACT_KEY_STORE_URL is set: name the key store"
        )
    if master is None:
        raise SettingsError(
            "RXTRACT_MASTER_KEY_FILE is not set and RXTRACT_SEALING is on: name the file with the master key"
        )
    return PatientKeys(open_store(store), MasterKeys(master))
