"""One statistic of one segment: one ADWIN, the last means, and whether it has moved."""

import base64
import math
from dataclasses import dataclass, field
from itertools import takewhile
from typing import Any, Protocol

from river.drift import ADWIN

from drift.config import DriftConfig
from drift.direction import distance, has_direction, worsening

_SD_OF_STEPS = 0.8862
"""sqrt(pi) / 2: the sd of independent normal values is so much of their mean step without sign."""


class Window(Protocol):
    """River's adaptive window itself, which ADWIN wraps: the wrapper empties it after a cut, ADWIN's paper does not."""

    def update(self, x: float) -> bool:
        """Add a value; True when an older part of the window was cut off."""

    def get_width(self) -> float:
        """Values in the window."""

    def get_total(self) -> float:
        """Their sum."""

    def __getstate__(self) -> bytes:
        """Its state as plain bytes."""

    def __setstate__(self, state: bytes) -> None:
        """Take a state over. Check its digest first: damaged bytes are taken silently or end the process."""


def new_window(config: DriftConfig) -> Window:
    """An empty window; ``clock=1`` compares after every block, not every 32nd."""
    adwin = ADWIN(  # type: ignore[no-untyped-call]
        delta=config.delta, clock=1, min_window_length=config.min_window_length, grace_period=config.grace_period
    )
    window: Window = adwin._helper  # noqa: SLF001 - what River offers no other way: state as bytes, a window that is not emptied
    return window


@dataclass(slots=True)
class Moved:
    """A change for the worse.

    Attributes:
        before: Where the statistic came from, in sds from the reference.
        began_at: Record time, UTC milliseconds.
        blocks: Blocks since it began, the first one included.
        confirmed: Whether it has lasted long enough to be believed.
        by_promotion: Whether it began with the model that is watched.
    """

    before: float
    began_at: int
    blocks: int
    confirmed: bool = False
    by_promotion: bool = False


@dataclass(slots=True)
class Track:
    """What is known of one statistic.

    Attributes:
        recent: The last means, oldest first, in sds from the reference.
        baseline_blocks: How many of the first means make the baseline; the last ones never do.
        baseline_sum: Their sum.
        baseline_steps: Sum of the steps between them, without sign.
        inherited: Its distance under the model before, when that is known.
    """

    name: str
    window: Window
    recent: list[float] = field(default_factory=list)
    baseline_blocks: int = 0
    baseline_sum: float = 0.0
    baseline_steps: float = 0.0
    blocks: int = 0
    inherited: float | None = None
    moved: Moved | None = None

    def update(self, z: float, times: list[int], config: DriftConfig) -> None:
        """Take the next scaled mean.

        Args:
            z: In sds from the reference.
            times: When the last blocks began, the newest last.
            config: Thresholds.
        """
        self.blocks += 1
        if self.recent:
            z = min(max(z, self.now - config.most_a_block), self.now + config.most_a_block)
        self.recent.append(z)
        if len(self.recent) > config.recent_blocks:
            self._leave(self.recent.pop(0), config)
        cut, moved = self._cut(z, times), self.moved
        if moved is not None:
            moved.blocks += 1
            self._follow(moved, config)
        elif cut is not None and worsening(self.name, cut.before, self._since(cut)) >= self._least_change(config):
            self.moved = cut
            self._confirm(cut, config)
        else:
            self._look_back(times, config)

    @property
    def now(self) -> float:
        """The mean of the last means; 0 before the first."""
        return sum(self.recent) / len(self.recent) if self.recent else 0.0

    @property
    def after(self) -> float:
        """The mean since the change began, as far as the last means reach."""
        return self.now if self.moved is None else self._since(self.moved)

    def _leave(self, z: float, config: DriftConfig) -> None:
        """The oldest of the last means becomes part of the baseline, while that is short and nothing has moved."""
        if self.moved is None and self.baseline_blocks < config.baseline_blocks:
            self.baseline_blocks += 1
            self.baseline_sum += z
            self.baseline_steps += abs(self.recent[0] - z)

    def is_settled(self, config: DriftConfig) -> bool:
        """Whether the last means speak for the model: enough of them, and no change under way."""
        return self.moved is None and len(self.recent) >= config.recent_blocks

    def is_back(self, config: DriftConfig) -> bool:
        """Whether the last means lie where the statistic came from, or on its good side."""
        if self.moved is None:
            return True
        if len(self.recent) < config.recent_blocks:
            return False
        return worsening(self.name, self.moved.before, self.now) < config.return_change

    def _cut(self, z: float, times: list[int]) -> Moved | None:
        window = self.window
        width, total = window.get_width(), window.get_total()
        if not window.update(z):
            return None
        kept = int(window.get_width())
        dropped = width + 1 - kept
        if dropped <= 0:
            return None
        return Moved((total + z - window.get_total()) / dropped, times[max(0, len(times) - kept)], kept)

    def _since(self, moved: Moved) -> float:
        values = self.recent[-moved.blocks :]
        return sum(values) / len(values)

    def _follow(self, moved: Moved, config: DriftConfig) -> None:
        """Confirm a change, or forget one that went back or never was confirmed."""
        if moved.confirmed:
            return
        if self._confirm(moved, config):
            return
        gone = worsening(self.name, moved.before, self._since(moved)) < config.return_change
        if (gone and moved.blocks >= config.min_blocks) or moved.blocks > config.candidate_blocks:
            self.moved = None

    def _confirm(self, moved: Moved, config: DriftConfig) -> bool:
        lasted = moved.blocks >= config.min_blocks
        moved.confirmed = lasted and worsening(self.name, moved.before, self._since(moved)) >= self._least_change(
            config
        )
        return moved.confirmed

    def _look_back(self, times: list[int], config: DriftConfig) -> None:
        """See what ADWIN does not: a model that began badly, and a slow drift, which it follows and forgets."""
        n = config.recent_blocks
        if self.inherited is not None and self.blocks == n and self._is_worse_than_predecessor(config):
            self.moved = Moved(self.inherited, times[max(0, len(times) - n)], n, confirmed=True, by_promotion=True)
        elif self.baseline_blocks >= n:
            baseline = self.baseline_sum / self.baseline_blocks
            change = worsening(self.name, baseline, self.now)
            if change < config.slow_change * config.least_noise:
                return  # as nearly always: the rest costs more than all of the above
            # A short baseline is unsure of itself: ask for more by as much as the difference of two means varies more.
            unsure = math.sqrt((1 / self.baseline_blocks + 1 / n) / (1 / config.baseline_blocks + 1 / n))
            lasted = self._lasted(baseline, config)
            if lasted >= config.min_blocks and change >= config.slow_change * self._noise(config) * unsure:
                self.moved = Moved(baseline, times[max(0, len(times) - lasted)], lasted, confirmed=True)

    def _lasted(self, before: float, config: DriftConfig) -> int:
        """How many of the last means, in a row up to now, lie away from where the statistic came from."""
        back = config.return_change * self._noise(config)
        values = reversed(self.recent)
        return sum(1 for _ in takewhile(lambda z: worsening(self.name, before, z) >= back, values))

    def _least_change(self, config: DriftConfig) -> float:
        return config.min_change * self._noise(config)

    def _noise(self, config: DriftConfig) -> float:
        """How much the first means varied, against the reference's: live notes come in blocks, or are more alike.

        Taken from steps, which a single shift among those means hardly touches: a young segment must not call its shift noise.
        """
        if self.baseline_blocks < config.recent_blocks:
            return 1.0
        return max(config.least_noise, _SD_OF_STEPS * self.baseline_steps / self.baseline_blocks)

    def _is_worse_than_predecessor(self, config: DriftConfig) -> bool:
        """Compare with the model before, each by its own reference. Counts may rightly change with a better model."""
        if self.inherited is None or not has_direction(self.name):
            return False
        far = distance(self.name, self.now)
        farther = far - distance(self.name, self.inherited)
        return far >= config.critical_distance and farther >= config.promotion_distance

    def to_plain(self) -> dict[str, Any]:
        """As JSON takes it."""
        moved = self.moved
        return {
            "window": base64.b64encode(self.window.__getstate__()).decode(),
            "recent": self.recent,
            "baseline": [self.baseline_blocks, self.baseline_sum, self.baseline_steps],
            "blocks": self.blocks,
            "inherited": self.inherited,
            "moved": moved and [moved.before, moved.began_at, moved.blocks, moved.confirmed, moved.by_promotion],
        }

    @classmethod
    def from_plain(cls, name: str, plain: dict[str, Any], config: DriftConfig) -> "Track":
        """Back from `to_plain`. The digest was checked before."""
        window = new_window(config)
        window.__setstate__(base64.b64decode(plain["window"], validate=True))
        moved = plain["moved"] and Moved(*plain["moved"])
        known, total, steps = plain["baseline"]
        recent, inherited = list(plain["recent"]), plain["inherited"]
        return cls(name, window, recent, known, total, steps, plain["blocks"], inherited, moved)
