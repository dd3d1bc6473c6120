"""Identities that follow from the decision: a replay gives the same ones."""

import uuid

_NAMESPACE = uuid.uuid5(uuid.NAMESPACE_DNS, "drift.rxtract.behealthy.in")
_SEPARATOR = "\x1f"


def episode_id(serial: int, segment: str, partition: int, offset: int) -> str:
    """Identity of the episode that the record at this source offset opened."""
    return _identity("episode", str(serial), segment, str(partition), str(offset))


def command_id(serial: int, segment: str, partition: int, offset: int, level: str) -> str:
    """Identity of the command that a level asks for. A rollback gives its own level name."""
    return _identity("command", str(serial), segment, str(partition), str(offset), level)


def _identity(*parts: str) -> str:
    return str(uuid.uuid5(_NAMESPACE, _SEPARATOR.join(parts)))
