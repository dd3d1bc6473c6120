"""A model registry in memory."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

from model_registry.version import Version, number_of

if TYPE_CHECKING:
    from pathlib import Path


class FakeModels:
    def __init__(self) -> None:
        self.versions: dict[str, Version] = {}
        self.aliases: dict[str, str] = {}
        self.registrations = 0
        self.fails_once: Exception | None = None

    def _fail_once(self) -> None:
        error, self.fails_once = self.fails_once, None
        if error is not None:
            raise error

    def add(self, **tags: str) -> Version:
        number = str(len(self.versions) + 1)
        self.versions[number] = Version(
            "m", number, {"artifact_sha256": "ab", "serial": number, **tags}, f"run{number}"
        )
        return self.versions[number]

    def by_alias(self, alias):
        return self.versions.get(self.aliases.get(alias, ""))

    def version(self, number):
        return self.versions.get(number)

    def of_command(self, command_id):
        return next((one for one in self.versions.values() if one.tags.get("command_id") == command_id), None)

    def tables(self, version):
        return b"tables"

    def register(self, folder: Path, result, tags, trigger, check):
        check()
        self._fail_once()
        self.registrations += 1
        return self.add(**tags, gate=result["decision"].lower(), **{"gate.reasons": '["numbers"]'})

    def judge(self, version, folder, result, champion):
        self._fail_once()
        return self._tag(version, gate=result["decision"].lower(), **{"gate.champion": number_of(champion)})

    def set_alias(self, alias, version):
        self.aliases[alias] = version.version

    def drop_alias(self, alias):
        self.aliases.pop(alias, None)

    def promote(self, version, champion, command_id, kind):
        serial = str(1 + max(int(one.tags["serial"]) for one in self.versions.values()))
        left = champion and champion.version
        self._tag(version, moved_by=command_id, serial=serial, moving=json.dumps({"kind": kind, "from": left}))
        self.aliases["champion"] = version.version
        return self.finish_move(self.versions[version.version])

    def finish_move(self, champion):
        if champion.move.left is not None:
            self._tag(self.versions[champion.move.left], served="true", left_by=champion.move.kind)
            self.aliases["previous"] = champion.move.left
        return self._tag(champion, served="true")

    def forget_move(self, champion):
        self._tag(champion, moving="")

    def _tag(self, version: Version, **tags: str) -> Version:
        self.versions[version.version] = replace(version, tags={**self.versions[version.version].tags, **tags})
        return self.versions[version.version]
