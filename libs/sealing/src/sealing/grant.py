"""For downstream readers who may open texts: records of any Avro client, as dictionaries, opened with the key store and its master key.

Whoever holds both has the grant; there is no smaller one.
"""

from pathlib import Path
from typing import Any, TypeVar

from contracts import records
from contracts.reasons import Reason
from contracts.record import Record
from contracts.wire import WireError

from sealing.codec import unseal
from sealing.settings import Place, open_keys
from sealing.texts import SEALED_RECORDS

R = TypeVar("R", bound=Record)


class NotReadable(Exception):
    """The texts cannot be opened.

    Attributes:
        reason: ERASED: gone for good, drop what you hold of it. UNKNOWN_KEY: the grant is not for this cluster's store.
            BROKEN_SEAL: the record was changed.
    """

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason.sentence)
        self.reason = reason


class Grant:
    """Opens records of the topics.

    Args:
        key_store: The cluster's key store: a file on this machine, or the URL of its PostgreSQL database.
        master_key_file: Its master key.

    Raises:
        SettingsError: A file is missing, or the two do not belong together.
    """

    def __init__(self, key_store: Place, master_key_file: Path) -> None:
        self._keys = open_keys(key_store, master_key_file)

    def open(self, record_name: str, fields: dict[str, Any]) -> dict[str, Any]:
        """The same record with its texts.

        Args:
            record_name: For example "EntitiesExtracted".
            fields: As an Avro client gives them; times as UTC milliseconds. Left as it is.

        Raises:
            NotReadable: Says why.
            RecordError: `fields` is no such record.
            KeyStoreAway: The key store does not answer.
            ValueError: Such records hold no texts of a patient.
        """
        if record_name not in SEALED_RECORDS:
            raise ValueError(
                f"{record_name} holds no text of a patient; those that do: {', '.join(sorted(SEALED_RECORDS))}"
            )
        kind: type[Record] = getattr(records, record_name)
        record = kind.from_dict(fields)
        return self.open_record(record).to_dict()

    def open_record(self, record: R) -> R:
        """A record that nobody else holds, opened in place. Raises as `open`."""
        if record.sealed is not None:  # type: ignore[attr-defined]
            try:
                unseal(record, self._keys)
            except WireError as error:
                raise NotReadable(error.reason) from None
        return record
