"""Compiled Python for our children, also where the environment says not to write any."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def bytecode_env(cache_root: Path) -> dict[str, str]:
    """Environment for a Python child.

    Containers often set PYTHONDONTWRITEBYTECODE; then every start compiles every import anew (MLflow: 11 s instead of 5).
    In that case the child keeps its compiled modules in our cache, and the installed packages stay untouched.
    """
    if not os.environ.get("PYTHONDONTWRITEBYTECODE") or os.environ.get("PYTHONPYCACHEPREFIX"):
        return {}
    return {"PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": str(cache_root / "bytecode")}
