"""What can go wrong with keys, each with the one line that says what to do."""

from runtime.errors import Recoverable, SettingsError


class KeyStoreAway(Recoverable):
    """The key store does not answer: nothing is sealed or opened until it does, and nothing goes on in clear."""


class MasterKeyRefused(SettingsError):
    """The master key cannot be used with this key store."""


class StaleMaster(Exception):
    """The master key was rotated since we read it: read the file again."""


class KeyErased(Exception):
    """The key was destroyed by an erasure: what it sealed is gone."""


class KeyUnknown(Exception):
    """The store has never had this key, or holds another in its place: it is another store, one from another time, or was changed."""
