"""The names that `runtime.service.known_variables` knows, from the services' settings: ``python -m runtime.service.variables_reference ingestor.settings ...``."""

import sys
from collections.abc import Sequence

from runtime.service.settings import own_variables
from runtime.service.settings_reference import settings_of


def names(modules: Sequence[str]) -> str:
    """Every variable that a service reads, one a line."""
    return "".join(
        f"{name}\n" for name in sorted({name for one in settings_of(modules) for name in own_variables(one)})
    )


if __name__ == "__main__":
    sys.stdout.write(names(sys.argv[1:]))
