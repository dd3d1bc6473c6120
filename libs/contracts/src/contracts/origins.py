"""Which notes count in live figures."""

from contracts.records import Origin


def counts_as_live(origin: Origin | None) -> bool:
    """Whether a note counts: live ones do, and what cannot say what it is (None)."""
    return origin is None or origin is Origin.LIVE
