"""One segment: its blocks, its statistics, and the episode of drift that it may be in."""

from dataclasses import dataclass, field
from typing import Any, NamedTuple

from contracts.records import DriftDirection, DriftLevel, StatisticsObserved

from drift.blocks import OpenBlock
from drift.config import DriftConfig
from drift.direction import distance, worsening
from drift.ranges import SeenRanges
from drift.reference import References
from drift.track import Track, new_window

_TIMES_KEPT = 64


class Movement(NamedTuple):
    """A statistic that moved, in sds from the reference."""

    name: str
    before: float
    after: float


class LevelChange(NamedTuple):
    """A new level of a segment.

    Attributes:
        began_at: Record time at which the change began, UTC milliseconds.
        by_promotion: Whether it began with the model that is watched.
        why: Ends an episode for another reason than the notes; empty otherwise.
    """

    level: DriftLevel
    direction: DriftDirection
    movements: tuple[Movement, ...]
    began_at: int
    by_promotion: bool = False
    why: str = ""


@dataclass(slots=True)
class Episode:
    """Drift that was announced and has not ended.

    Attributes:
        id: Set by who knows the source offset.
        names: The statistics that moved so far, and where each came from.
    """

    level: DriftLevel
    began_at: int
    id: str = ""
    names: dict[str, float] = field(default_factory=dict)


@dataclass(slots=True)
class SegmentWatch:
    """What is known of one segment under one model.

    Attributes:
        times: When the last blocks began.
        cool_until: No new episode before this record time.
        seen_at: Record clock at its last record.
    """

    seen: SeenRanges = field(default_factory=SeenRanges)
    block: OpenBlock = field(default_factory=OpenBlock)
    tracks: dict[str, Track] = field(default_factory=dict)
    times: list[int] = field(default_factory=list)
    episode: Episode | None = None
    cool_until: int = 0
    seen_at: int = 0
    inherited: dict[str, float] = field(default_factory=dict)

    def add(
        self, record: StatisticsObserved, references: References, clock: int, config: DriftConfig
    ) -> list[LevelChange]:
        """Take a record whose range is new; what it decides, usually nothing."""
        decisions = []
        if self.block.n and self.block.is_old(clock, config):
            decisions.append(self._close(references, clock, config))
        self.block.add(record)
        if self.block.is_full(config):
            decisions.append(self._close(references, clock, config))
        return [decision for decision in decisions if decision is not None]

    def succeed(self, config: DriftConfig) -> "SegmentWatch":
        """The same segment under a newer model: ranges stay, everything else begins anew."""
        inherited = {name: track.now for name, track in self.tracks.items() if track.is_settled(config)}
        return SegmentWatch(seen=self.seen, seen_at=self.seen_at, inherited=inherited)

    def end(self, why: str) -> LevelChange | None:
        """Close the open episode, if there is one, for another reason than the notes."""
        if self.episode is None:
            return None
        return self._recovered(self.episode, why)

    def _close(self, references: References, clock: int, config: DriftConfig) -> LevelChange | None:
        block = self.block.close()
        self.times.append(block.began_at)
        if len(self.times) > _TIMES_KEPT:
            del self.times[0]
        # A small block's mean varies more than the reference's means of 25 notes.
        shrink = min(1.0, block.n / config.block_notes) ** 0.5
        for name, mean in block.means.items():
            reference = references.get(name)
            if reference is not None:
                self._track(name, config).update(reference.scaled(mean) * shrink, self.times, config)
        return self._decide(clock, config)

    def _track(self, name: str, config: DriftConfig) -> Track:
        track = self.tracks.get(name)
        if track is None:
            track = self.tracks[name] = Track(name, new_window(config), inherited=self.inherited.get(name))
        return track

    def _decide(self, clock: int, config: DriftConfig) -> LevelChange | None:
        moved = [track for track in self.tracks.values() if track.moved is not None and track.moved.confirmed]
        if not moved:
            return None
        if self.episode is not None and all(track.is_back(config) for track in moved):
            return self._recover(self.episode, clock, config)
        if self.episode is None:
            moved = self._still_away(moved, config)
            if not moved or clock < self.cool_until:
                return None
        level = _level(moved, config)
        if self.episode is not None and (level is DriftLevel.WARNING or self.episode.level is DriftLevel.CRITICAL):
            return None
        return self._announce(level, moved)

    def _still_away(self, moved: list[Track], config: DriftConfig) -> list[Track]:
        """Forget what went back before it was announced (during a cool-down, for example)."""
        for track in moved:
            if track.is_back(config):
                track.moved = None
        return [track for track in moved if track.moved is not None]

    def _announce(self, level: DriftLevel, moved: list[Track]) -> LevelChange:
        changes = [track.moved for track in moved if track.moved is not None]
        began_at = min(change.began_at for change in changes)
        if self.episode is None:
            self.episode = Episode(level, began_at)
        self.episode.level = level
        self.episode.names.update({track.name: track.moved.before for track in moved if track.moved is not None})
        return LevelChange(
            level,
            DriftDirection.WORSE,
            self._movements(self.episode),
            self.episode.began_at,
            by_promotion=any(change.by_promotion for change in changes),
        )

    def _recover(self, episode: Episode, clock: int, config: DriftConfig) -> LevelChange:
        for track in self.tracks.values():
            track.moved = None
        self.cool_until = clock + config.cool_down_ms
        return self._recovered(episode, "")

    def _recovered(self, episode: Episode, why: str) -> LevelChange:
        return LevelChange(
            DriftLevel.RECOVERED, DriftDirection.BETTER, self._movements(episode), episode.began_at, why=why
        )

    def _movements(self, episode: Episode) -> tuple[Movement, ...]:
        tracks = self.tracks
        return tuple(Movement(name, before, tracks[name].after) for name, before in episode.names.items())

    def to_plain(self) -> dict[str, Any]:
        """As JSON takes it."""
        episode, block = self.episode, self.block
        return {
            "seen": sorted(self.seen.last.items()),
            "block": [block.n, block.began_at, block.sums],
            "tracks": {name: track.to_plain() for name, track in self.tracks.items()},
            "times": self.times,
            "episode": episode and [episode.level.value, episode.began_at, episode.id, episode.names],
            "cool_until": self.cool_until,
            "seen_at": self.seen_at,
            "inherited": self.inherited,
        }

    @classmethod
    def from_plain(cls, plain: dict[str, Any], config: DriftConfig) -> "SegmentWatch":
        """Back from `to_plain`."""
        episode = None
        if plain["episode"]:
            level, began_at, known_as, names = plain["episode"]
            episode = Episode(DriftLevel(level), began_at, known_as, dict(names))
        return cls(
            seen=SeenRanges(dict(plain["seen"])),
            block=OpenBlock(*plain["block"]),
            tracks={name: Track.from_plain(name, track, config) for name, track in plain["tracks"].items()},
            times=list(plain["times"]),
            episode=episode,
            cool_until=plain["cool_until"],
            seen_at=plain["seen_at"],
            inherited=dict(plain["inherited"]),
        )


def _level(moved: list[Track], config: DriftConfig) -> DriftLevel:
    """How bad: beyond the acceptable distance, several statistics at once, or the confidence falling far."""
    if len(moved) >= config.critical_statistics or any(_is_critical(track, config) for track in moved):
        return DriftLevel.CRITICAL
    return DriftLevel.WARNING


def _is_critical(track: Track, config: DriftConfig) -> bool:
    if track.moved is None:
        return False
    fallen = worsening(track.name, track.moved.before, track.after)
    if track.name == "confidence" and fallen >= config.critical_confidence:
        return True
    return distance(track.name, track.after) >= config.critical_distance
