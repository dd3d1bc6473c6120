"""Whether there are labels enough to train and judge: pure and cheap, asked before every job."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from lifecycle.collection import collect
from lifecycle.roles import Role
from lifecycle.segments import leading

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from annotations.trust import Trust
    from contracts.records import AnnotationValidated

    from lifecycle.gate_config import GateConfig


def missing_labels(
    annotations: Iterable[AnnotationValidated],
    since: Mapping[str, int],
    config: GateConfig,
    roles_key: bytes,
    trust: Trust,
) -> dict[str, int]:
    """Return for each leading segment how many labelled notes are missing before a drift run may start.

    Its gate needs `min_recent_notes` notes of a segment that training does not see, and as many to learn from. A new label
    falls into one of the two by chance, so the number is what is to be expected. One segment that lacks none is enough.
    `since` names the segments that drift, and from when on the labels of each count (UTC ms): those from before the drift say
    nothing about the new language, and those that a refused model was judged on would refuse it again.
    """
    found = collect(annotations, roles_key, config.shares, trust=trust)
    wanted = ((Role.RECENT, config.shares.recent), (Role.TRAIN, config.shares.train))
    return {
        segment: max(
            math.ceil(max(0, config.min_recent_notes - len(found.of(role, segment, since=since[segment]))) / share)
            for role, share in wanted
        )
        for segment in leading(since)
    }
