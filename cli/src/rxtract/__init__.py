"""The rxtract command."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rxtract_tagger import Tagger as Tagger

__all__ = ["Tagger"]


def __getattr__(name: str) -> Any:
    """`from rxtract import Tagger` works where the command is installed; what it needs is imported only then."""
    if name == "Tagger":
        from rxtract_tagger import Tagger

        return Tagger
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
