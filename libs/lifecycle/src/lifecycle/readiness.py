"""Whether there are labels enough to train and judge: pure and cheap, asked before every job."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from lifecycle.collection import collect
from lifecycle.roles import Role

if TYPE_CHECKING:
    from collections.abc import Iterable

    from contracts.records import AnnotationValidated

    from lifecycle.gate_config import GateConfig

DRIFT = "drift"


def missing_labels(
    annotations: Iterable[AnnotationValidated],
    trigger: str,
    segment: str | None,
    config: GateConfig,
    roles_key: bytes,
) -> int:
    """Return how many labelled notes of the segment are missing before training may start; 0 when it may.

    Only a drift run waits: its gate needs `min_recent_notes` notes of the segment that training does not see, and as
    many to learn from. A new label falls into one of the two by chance, so the number is what is to be expected.
    """
    if trigger != DRIFT:
        return 0
    found = collect(annotations, roles_key, config.shares)
    wanted = ((Role.RECENT, config.shares.recent), (Role.TRAIN, config.shares.train))
    return max(
        math.ceil(max(0, config.min_recent_notes - len(found.of(role, segment))) / share) for role, share in wanted
    )
