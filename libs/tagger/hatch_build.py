"""Puts a model into the wheel: the file that RXTRACT_SHIPPED_MODEL names becomes what `Tagger.open()` opens.

Without that variable the wheel holds none: images and a checkout have other ways to a model.
"""

from __future__ import annotations

import os
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class PutModel(BuildHookInterface):  # type: ignore[type-arg,misc]
    """Adds the model's tables to the wheel."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Run before the wheel is packed."""
        model = os.environ.get("RXTRACT_SHIPPED_MODEL")
        if self.target_name == "wheel" and version != "editable" and model:
            build_data["force_include"][os.path.abspath(model)] = "rxtract_tagger/_model/tables.npz"  # noqa: PTH100
