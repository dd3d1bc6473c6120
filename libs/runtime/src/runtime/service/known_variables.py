"""Which RXTRACT_ variables there are, so that a misspelt one is named instead of ignored.

One file of variables may serve every service and the command line, so what any of them reads is known to all. The services'
part is a generated file (`runtime.service.variables_reference`), since an image holds one service alone.
"""

import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from pathlib import Path

from runtime.errors import SettingsError

ENV_PREFIX = "RXTRACT_"
GENERATED = Path(__file__).with_name("known_variables.txt")
OF_TOOLS = frozenset(
    {
        "RXTRACT_ANSWER_URL",
        "RXTRACT_ARTIFACTS",
        "RXTRACT_BENCH_MODELS",
        "RXTRACT_BUILD_NETWORK",
        "RXTRACT_CACHE_DIR",
        "RXTRACT_COLOUR",
        "RXTRACT_DESK_LEAD_TOKEN",
        "RXTRACT_DESK_TOKEN",
        "RXTRACT_DESK_URL",
        "RXTRACT_GIT_REVISION",
        "RXTRACT_IMAGES",
        "RXTRACT_INGEST_TOKEN",
        "RXTRACT_INGEST_URL",
        "RXTRACT_OPERATOR",
        "RXTRACT_SCHEMAS_DIR",
        "RXTRACT_SCORE_URL",
        "RXTRACT_TEST_STACK",
    }
)
"""What steers the command line, builds and tests; no service reads it."""
_ALIKE = 0.75
"""From here on a known name is suggested."""
_SURELY_MEANT = 0.85
"""From here on nobody can have meant anything else."""


@dataclass(frozen=True, slots=True)
class UnknownVariable:
    """A variable that nobody reads, and the one that may have been meant; "" when none is like it."""

    name: str
    meant: str

    def __str__(self) -> str:
        return f"unknown variable {self.name}" + (f", did you mean {self.meant}?" if self.meant else "")


@cache
def every_variable() -> frozenset[str]:
    """What any service or the command line reads."""
    return OF_TOOLS | frozenset(GENERATED.read_text(encoding="ascii").split())


def unknown_variables(
    known: Collection[str] | None = None, environ: Mapping[str, str] | None = None
) -> list[UnknownVariable]:
    """Every RXTRACT_ variable of the environment that has a value and is not known, by name.

    Args:
        known: Names; by default what any service or the command line reads.
        environ: By default that of this process.
    """
    names = every_variable() if known is None else known
    given = os.environ if environ is None else environ
    found = sorted(
        name
        for name, value in given.items()
        if value and name.upper().startswith(ENV_PREFIX) and name.upper() not in names
    )
    return [UnknownVariable(name, _nearest(name, names, _ALIKE)) for name in found]


def refuse_misspelt(own: Collection[str], environ: Mapping[str, str] | None = None) -> list[UnknownVariable]:
    """The unknown variables of a service's environment; none of its own settings is among what was meant.

    A name that is almost one of the service's own settings, which is not set, has one reading only, and starting with the
    default in its place would do something else than was asked for: another cluster's topics, a door without tokens.

    Args:
        own: The variables of the service's own settings.
        environ: By default that of this process.

    Raises:
        SettingsError: Such a name, one line each. Anything else that is unknown is returned, to be named in the log.
    """
    given = os.environ if environ is None else environ
    there = {name.upper() for name, value in given.items() if value}
    unknown = unknown_variables(every_variable().union(own), given)
    free = set(own) - there
    misspelt = [one for one in unknown if one.meant in free and _nearest(one.name, free, _SURELY_MEANT) == one.meant]
    if misspelt:
        raise SettingsError("\n".join(map(str, misspelt)))
    return unknown


def _nearest(name: str, names: Collection[str], least: float) -> str:
    bodies = [one.removeprefix(ENV_PREFIX) for one in sorted(names)]
    found = get_close_matches(name.upper().removeprefix(ENV_PREFIX), bodies, 1, least)
    return f"{ENV_PREFIX}{found[0]}" if found else ""
