"""How long the demo may take: figures with their goals, printed by every run and held by the long test of a warm machine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

RECOVERED_GOAL_S = 180.0
DEMO_GOAL_S = 360.0


@dataclass(frozen=True, slots=True)
class Figure:
    """Seconds that something took, and may take on a warm machine without other work."""

    name: str
    what: str
    seconds: float
    goal_s: float

    @property
    def held(self) -> bool:
        """Whether it took no longer than it may."""
        return self.seconds <= self.goal_s

    def line(self) -> str:
        """Return it in words."""
        missed = "" if self.held else ", missed: a cold cache or other work on the machine?"
        return f"{self.what}: {self.seconds:.0f} s (goal {self.goal_s:.0f} s{missed})"

    def to_dict(self) -> dict[str, Any]:
        """Return it as `--json` prints it."""
        return {"name": self.name, "seconds": self.seconds, "goal_s": self.goal_s, "held": self.held}


def figures(seconds: float, recovered_s: float | None) -> list[Figure]:
    """Return the figures of a run; those of the second act only when it was played."""
    found = [Figure("demo", "the whole demo", round(seconds, 1), DEMO_GOAL_S)]
    if recovered_s is not None:
        what = "from the first shifted note to the new model serving"
        found.insert(0, Figure("recovered", what, recovered_s, RECOVERED_GOAL_S))
    return found
