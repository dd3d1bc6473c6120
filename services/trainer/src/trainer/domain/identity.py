"""Identities that follow from the story, so that a trainer that dies and starts again says the same."""

import uuid

from contracts.records import ModelEventKind

_NAMESPACE = uuid.uuid5(uuid.NAMESPACE_DNS, "trainer.rxtract.behealthy.in")


def event_id(command_id: str, kind: ModelEventKind, *more: str) -> str:
    """Identity of an event: one of each kind a command, unless more tells them apart (a deferral's number)."""
    return _identity("event", command_id, kind.value, *more)


def first_command_id(model_name: str, attempt: int = 0) -> str:
    """Identity of the command for the first model."""
    return _identity("first", model_name, *_again(attempt))


def annotations_command_id(model_name: str, learnt: int, threshold: int, attempt: int = 0) -> str:
    """Identity of the command that new annotations ask for, by how many were learnt from before."""
    return _identity("annotations", model_name, str(learnt), str(threshold), *_again(attempt))


def schedule_command_id(model_name: str, period: int, attempt: int = 0) -> str:
    """Identity of the command of one period of the schedule."""
    return _identity("schedule", model_name, str(period), *_again(attempt))


def quality_command_id(model_name: str, version: str, serial: int, attempt: int = 0) -> str:
    """Identity of the rollback that a version's audited quality asks for, each time it serves."""
    return _identity("quality", model_name, version, str(serial), *_again(attempt))


def _again(attempt: int) -> tuple[str, ...]:
    """The first attempt has no number: topics that are kept for ever know it so."""
    return (f"attempt {attempt}",) if attempt else ()


def _identity(*parts: str) -> str:
    return str(uuid.uuid5(_NAMESPACE, "\x1f".join(parts)))
