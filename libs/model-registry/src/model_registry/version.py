"""A registered version of a model, or of the rules: one class for all who read or write the registry."""

from __future__ import annotations

import json
from collections.abc import Mapping  # noqa: TC003 - a dataclass keeps its annotations resolvable
from dataclasses import dataclass, field

CHAMPION, PREVIOUS, CHALLENGER = "champion", "previous", "challenger"
"""Aliases."""
SERIAL_TAG, DIGEST_TAG, RULES_TAG = "serial", "artifact_sha256", "rules_version"
COMMAND_TAG = "command_id"
MOVED_BY_TAG = "moved_by"
MOVING_TAG = "moving"
"""On a version from before its alias moves until the event that says so is out: where from, and by which kind of event."""
LEFT_BY_TAG = "left_by"
"""On a version that served: by which kind of event it was left last."""
GATE_TAG, REASONS_TAG = "gate", "gate.reasons"
AGAINST_TAG = "gate.champion"
"""Which champion the gate's verdict compares with. A verdict says nothing against another one."""
NO_CHAMPION = "none"


@dataclass(frozen=True, slots=True)
class Version:
    """A registered version.

    Attributes:
        name: The registered model.
        version: Its number there, as text.
        tags: As MLflow keeps them.
        run_id: The run that logged it.
        aliases: Those that point at it, where the registry was asked for them.
        created_at_ms: When it was registered, UTC; 0 where that was not asked.
    """

    name: str
    version: str
    tags: Mapping[str, str] = field(default_factory=dict)
    run_id: str = ""
    aliases: tuple[str, ...] = ()
    created_at_ms: int = 0

    @classmethod
    def of(cls, name: str, version: str, serial: int, sha256: str) -> Version:
        """A version of which no more is known than what a service needs.

        >>> Version.of("rxtract-ner", "3", 7, "ab").serial
        7
        """
        return cls(name, version, {SERIAL_TAG: str(serial), DIGEST_TAG: sha256})

    @property
    def serial(self) -> int:
        """The number under which it serves: it rises with each promotion or rollback. 0 where none was given."""
        serial = self.tags.get(SERIAL_TAG, "")
        return int(serial) if serial.isascii() and serial.isdigit() else 0

    @property
    def sha256(self) -> str:
        """Digest that its downloaded file must have; "" where none was registered."""
        return self.tags.get(DIGEST_TAG, "")

    @property
    def uri(self) -> str:
        """The address of exactly this version."""
        return f"models:/{self.name}/{self.version}"

    @property
    def serves(self) -> bool:
        """Whether it is the champion."""
        return CHAMPION in self.aliases

    @property
    def awaits_approval(self) -> bool:
        """Whether it passed the gate and waits for a person: the alias stays on a challenger in no other case."""
        return CHALLENGER in self.aliases and self.gate == "pass"

    @property
    def trigger(self) -> str:
        """Why it was trained or released."""
        return self.tags.get("trigger", "")

    @property
    def gate(self) -> str:
        """What the gate decided; "" where it was not asked."""
        return self.tags.get(GATE_TAG, "")

    @property
    def gate_reasons(self) -> str:
        """Why the gate decided so: a JSON list, perhaps cut off where MLflow's tags end."""
        return self.tags.get(REASONS_TAG, "")

    @property
    def move(self) -> Move | None:
        """The move to this version whose event may not be out yet."""
        mark = self.tags.get(MOVING_TAG)
        if not mark:
            return None
        found = json.loads(mark)
        return Move(self.tags.get(MOVED_BY_TAG, ""), str(found["kind"]), found["from"])

    def is_judged_against(self, champion: Version | None) -> bool:
        """Whether the gate's verdict on it was given against this champion."""
        return bool(self.gate) and self.tags.get(AGAINST_TAG) == number_of(champion)


@dataclass(frozen=True, slots=True)
class Move:
    """One move of the champion's alias.

    Attributes:
        command_id: Who ordered it.
        kind: Of the event that says it.
        left: The version that was champion before.
    """

    command_id: str
    kind: str
    left: str | None


def number_of(champion: Version | None) -> str:
    """The champion's version as a verdict of the gate names it."""
    return champion.version if champion else NO_CHAMPION
