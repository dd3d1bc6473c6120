"""What the detector decides by. One configuration for every statistic; chosen by evidence, see docs/decisions/drift-detection.md."""

from dataclasses import asdict, dataclass
from typing import Any

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS


@dataclass(frozen=True, slots=True)
class DriftConfig:
    """All thresholds. Distances and changes are in sds of 25-note means of the model's reference.

    Attributes:
        block_notes: A block closes at this many notes.
        small_block_notes: A segment with few notes closes a block of this many once it is `small_block_ms` old.
        delta: ADWIN's confidence. River's default of 0.002 gives 2 cuts per 100,000 notes on a stream in blocks, this 0.7.
        min_window_length: Shortest half that ADWIN compares: 2, so that a large shift shows after a few blocks.
        grace_period: Blocks before ADWIN first compares. River's default of 10 would blind a young segment for 250 notes; below 4
            two blocks against two are compared, which is no evidence.
        min_blocks: Blocks since a change began before it is believed.
        most_a_block: A block counts as at most so far from the last ones' mean, so that one clinic's batch of odd notes
            does not speak for all notes.
        min_change: Least change for the worse; times how much the segment's first means varied against the reference's.
        baseline_blocks: A segment's own past is at most its first so many blocks; the last `recent_blocks` are never part of it.
        slow_change: Change of the last blocks against that past which counts without ADWIN: ADWIN forgets a slow drift, and with
            few blocks behind it sees nothing. Times the same; more while the past is short.
        least_noise: `min_change` and `slow_change` shrink to no less than this part of themselves where a segment varies little.
        critical_distance: From the reference: beyond what is acceptable.
        critical_confidence: Fall of the confidence that is critical by itself.
        critical_statistics: So many statistics at once are critical.
        return_change: Within this of where it came from, a statistic is back.
        recent_blocks: The mean of so many blocks is "now"; as many must be back before an episode ends.
        cool_down_ms: Record time after an episode in which the segment begins no other.
        candidate_blocks: A change that is not confirmed within so many blocks is forgotten.
        promotion_distance: How much farther from its reference than its predecessor a new model must be for a rollback.
        expiry_ms: A segment without notes for so long (record time) is forgotten.
        max_segments: Bound of one source partition; the longest idle one goes first.
        max_clock_step_ms: One record moves the record clock by at most this, so that one wrong clock decides nothing.
    """

    block_notes: int = 25
    small_block_notes: int = 10
    small_block_ms: int = DAY_MS
    delta: float = 0.0002
    min_window_length: int = 2
    grace_period: int = 4
    min_blocks: int = 4
    most_a_block: float = 6.0
    min_change: float = 1.5
    baseline_blocks: int = 40
    slow_change: float = 3.0
    least_noise: float = 0.5
    critical_distance: float = 5.0
    critical_confidence: float = 3.0
    critical_statistics: int = 3
    return_change: float = 0.75
    recent_blocks: int = 8
    cool_down_ms: int = 6 * HOUR_MS
    candidate_blocks: int = 40
    promotion_distance: float = 3.0
    expiry_ms: int = 7 * DAY_MS
    max_segments: int = 1_000
    max_clock_step_ms: int = DAY_MS

    def to_dict(self) -> dict[str, Any]:
        """Plain data, kept with the state: state made by other arguments is not continued."""
        return asdict(self)
