"""Writer schemas by id, asked of the registry once each."""

import time
from collections.abc import Callable

from contracts import safety
from contracts.registry import Registry, SchemaNotFound

from ledger.domain.identity import Layout

_ASK_AGAIN_S = 10.0
_MOST = 10_000


class Schemas:
    """Layouts of writer schemas.

    Args:
        registry: Where they are asked for.
        clock: Monotonic seconds.
    """

    def __init__(self, registry: Registry, clock: Callable[[], float] = time.monotonic) -> None:
        self._registry = registry
        self._clock = clock
        self._known: dict[int, Layout] = {}
        self._unknown_until: dict[int, float] = {}

    def layout(self, schema_id: int) -> Layout | None:
        """How records of a schema are read; None: the registry has no such schema, or one that must not be parsed.

        Raises:
            RegistryUnavailable: Wait and try again.
        """
        known = self._known.get(schema_id)
        if known is not None:
            return known
        if self._clock() < self._unknown_until.get(schema_id, 0.0):
            return None
        try:
            made = Layout(safety.checked(self._registry.schema(schema_id)))
        except (SchemaNotFound, safety.UnsafeSchemaError):
            if len(self._unknown_until) >= _MOST:
                self._unknown_until.clear()
            self._unknown_until[schema_id] = self._clock() + _ASK_AGAIN_S
            return None
        self._known[schema_id] = made
        return made
