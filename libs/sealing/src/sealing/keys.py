"""Patients' keys in use: found or made, unwrapped, and remembered until the store says that something changed."""

import os
import secrets
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import NamedTuple

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from runtime.service.clock import now_ms

from sealing.errors import KeyErased, KeyStoreAway, KeyUnknown, MasterKeyRefused, StaleMaster
from sealing.masters import MasterKeys
from sealing.store import KeyStore, StoredKey

KEY_BYTES = 32
LOOK_EVERY_S = 1.0
"""How often the store is asked whether something changed: so long an erased key may still be in use."""
MOST_REMEMBERED = 100_000
_TRIES = 3
_NOT_MET = -1
"""The generation of a store that has not answered yet."""


class Key(NamedTuple):
    """A patient's key, ready to use."""

    key_id: str
    cipher: AESGCM


class PatientKeys:
    """Keys of patients by pseudonym or by id. May be used from several threads.

    Args:
        store: Keeps them.
        masters: Wrap them.
        clock: Monotonic seconds.

    Raises:
        MasterKeyRefused: The store's keys are wrapped by a master key that the file does not have.

    A store that does not answer yet is met by whoever asks for a key first; every method raises KeyStoreAway.
    """

    def __init__(self, store: KeyStore, masters: MasterKeys, clock: Callable[[], float] = time.monotonic) -> None:
        self._store = store
        self._masters = masters
        self._clock = clock
        self._lock = threading.Lock()
        self._by_subject: dict[str, Key] = {}
        self._by_id: dict[str, Key] = {}
        self._generation = _NOT_MET
        self._looked_at_s = clock()
        with suppress(KeyStoreAway):
            self._meet()

    @property
    def store(self) -> KeyStore:
        """Where they are kept."""
        return self._store

    def of(self, key_id: str) -> Key:
        """The key with this id.

        Raises:
            KeyErased: It was destroyed.
            KeyUnknown: The store has never had it.
        """
        self._look()
        return self._by_id.get(key_id) or self._fetch(key_id)

    def prepare(self, subjects: Sequence[str]) -> dict[str, Key]:
        """Find or make the keys of many subjects in one transaction; they are durable when this returns."""
        self._look()
        keys = {subject: self._by_subject.get(subject) for subject in subjects}
        wanted = [subject for subject, key in keys.items() if key is None]
        generation = self._generation
        for _ in range(_TRIES):
            found = self._store.live(wanted) if wanted else {}
            keys |= {subject: self._remember(stored, generation) for subject, stored in found.items()}
            wanted = [subject for subject in wanted if subject not in found]
            if not wanted:
                return {subject: key for subject, key in keys.items() if key is not None}
            try:
                self._store.add([self._made(subject) for subject in wanted])
            except StaleMaster:
                self._follow()
        raise KeyStoreAway("the key store changes faster than it can be read: trying again")

    def for_subject(self, subject: str) -> Key:
        """The key under which a subject's texts are sealed now; made when there is none."""
        self._look()
        return self._by_subject.get(subject) or self.prepare([subject])[subject]

    def _look(self) -> None:
        """Once a second ask the store whether anything changed; then nothing that is remembered counts."""
        if self._generation == _NOT_MET:
            try:
                self._meet()
            except MasterKeyRefused as error:
                raise KeyStoreAway(str(error)) from None
        now_s = self._clock()
        if now_s - self._looked_at_s < LOOK_EVERY_S:
            return
        generation = self._store.generation()
        self._looked_at_s = now_s
        if generation != self._generation or len(self._by_id) > MOST_REMEMBERED:
            with self._lock:
                self._by_subject, self._by_id = {}, {}
                self._generation = generation

    def _meet(self) -> None:
        """Raises MasterKeyRefused, KeyStoreAway."""
        wanted, generation = self._store.master(), self._store.generation()
        self._masters.wrap_with(wanted)
        self._generation, self._looked_at_s = generation, self._clock()

    def _fetch(self, key_id: str) -> Key:
        generation = self._generation
        stored = self._store.find(key_id)
        if stored is None:
            raise KeyUnknown
        return self._remember(stored, generation)

    def _remember(self, stored: StoredKey, generation: int) -> Key:
        if stored.wrapped is None:
            raise KeyErased
        key = Key(stored.key_id, AESGCM(self._unwrapped(stored.master_id, stored.wrapped, stored)))
        with self._lock:
            # What was asked before an erasure that others have noticed by now is used once and not remembered.
            if generation == self._generation:
                self._by_id[key.key_id] = self._by_subject[stored.subject] = key
        return key

    def _unwrapped(self, master: str, wrapped: bytes, stored: StoredKey) -> bytes:
        try:
            return self._masters.unwrap(master, wrapped, _about(stored.key_id, stored.subject))
        except MasterKeyRefused as error:
            # It fitted at the start, so somebody is at work on it: wait, as for a store that is away.
            raise KeyStoreAway(str(error)) from None

    def _made(self, subject: str) -> StoredKey:
        key_id = secrets.token_hex(8)
        wrapped = self._masters.wrap(os.urandom(KEY_BYTES), _about(key_id, subject))
        return StoredKey(key_id, subject, self._masters.current, wrapped, now_ms())

    def _follow(self) -> None:
        """The master key was rotated: the file holds the new one by now."""
        self._masters.wrap_with(self._store.master())


def rewrapped(stored: StoredKey, masters: MasterKeys) -> StoredKey:
    """A key under the current master key instead. Raises MasterKeyRefused."""
    about = _about(stored.key_id, stored.subject)
    raw = masters.unwrap(stored.master_id, stored.wrapped or b"", about)
    return StoredKey(stored.key_id, stored.subject, masters.current, masters.wrap(raw, about), stored.made_at)


def _about(key_id: str, subject: str) -> bytes:
    return f"{key_id}|{subject}".encode()
