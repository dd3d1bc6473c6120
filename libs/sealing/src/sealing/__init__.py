"""Texts sealed per patient: what is stored is ciphertext, and destroying a patient's key erases it wherever it lies.

`docs/security/sealing.md` says what is sealed where, who can open it, and what each service does without the key store.
"""

from sealing.batch import BatchSeals
from sealing.codec import (
    Missing,
    OpeningReader,
    SealingWriter,
    WordsOpener,
    opening_words,
    preparing,
    reading,
    seal,
    unseal,
    writing,
)
from sealing.erasures import Erasures
from sealing.errors import KeyErased, KeyStoreAway, KeyUnknown, MasterKeyRefused
from sealing.grant import Grant, NotReadable
from sealing.keys import PatientKeys
from sealing.letters import opening_decoders, sealed_again
from sealing.masters import MasterKeys
from sealing.settings import Place, SealingSettings, open_keys, open_store, place_of
from sealing.store import Erasure, KeyStore, OperatedStore, SqliteKeyStore, StoredKey

__all__ = [
    "BatchSeals", "Erasure", "Erasures", "Grant", "KeyErased", "KeyStore", "KeyStoreAway", "KeyUnknown", "MasterKeyRefused", "MasterKeys", "Missing",
    "NotReadable", "OpeningReader", "OperatedStore", "PatientKeys", "Place", "SealingSettings", "SealingWriter", "SqliteKeyStore", "StoredKey", "WordsOpener", "open_keys", "open_store", "opening_decoders", "opening_words",
    "place_of", "preparing", "reading", "seal", "sealed_again", "unseal", "writing",
]  # fmt: skip
