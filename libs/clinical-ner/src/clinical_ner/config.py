"""What training is told: feature groups, windows, scheme, optimiser, augmentation, calibration.

All of it is data and travels in the artifact.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

from clinical_ner.native import GROUPS, MAX_CONJUNCTIONS, MAX_WINDOW
from clinical_ner.schemes import SCHEMES

CONFIG_VERSION = 1
DESCENT = "descent"
MAX_DROPOUT = 0.9
FEATURE_GROUPS = (
    *("lower", "prefix", "suffix", "shape", "short_shape", "pattern", "morphology", "classes", "grams", "edge"),
    *("clusters", "bag", "conjunctions"),
)
"""What `TrainingConfig.without` can switch off, for ablations."""


_ALONE = frozenset({"bag", "edge", "clusters"})


class ConfigError(ValueError):
    """A training configuration that cannot be used; the message names the field."""


@dataclass(frozen=True, slots=True, order=True)
class Conjunction:
    """Two words' values seen together: (feature group, offset) of the left one and of the right one."""

    left_group: str
    left_offset: int
    right_group: str
    right_offset: int


def default_groups() -> dict[str, tuple[int, ...]]:
    """Feature groups and the offsets at which a token sees them."""
    wide, near, here = (-2, -1, 0, 1, 2), (-1, 0, 1), (0,)
    affixes = {f"{side}{size}": near for side in ("prefix", "suffix") for size in range(1, 6)}
    return {
        "bias": here,
        "lower": wide,
        **affixes,
        "shape": wide,
        "short_shape": wide,
        "pattern": wide,
        "morphology": wide,
        "classes": wide,
        "grams4": here,
        "edge": near,
        "clusters": wide,
    }


def default_conjunctions() -> tuple[Conjunction, ...]:
    """Neighbours in pairs: their last letters, their words, their kinds (classes or telling suffixes)."""
    return tuple(
        Conjunction(group, left, group, left + 1) for group in ("suffix3", "lower", "kind") for left in (-1, 0)
    )


@dataclass(frozen=True, slots=True)
class TrainingConfig:
    """How to train; the defaults are what did best by cross-validation (docs/model-quality.md).

    `label_bias` is added to the score of every token's label after training: "O" below 0 gives more recall.
    `by_crfsuite` lets CRFsuite itself optimise where the faster trainer of the same objective would.
    `bag_value` is the weight of the words of the whole sentence as features of each of its tokens (0: none).
    `min_frequency` drops attributes seen at fewer tokens. `swap_copies` is how many times a sentence is seen again with its mentions replaced by others of the same label.
    `averaged_fits` models with different swaps are trained and their weights averaged, which costs training time alone.
    The algorithm "descent" is averaged stochastic gradient descent: `passes` over the sentences, each swapped copy in its turn,
    with `feature_dropout` the chance that a token does not see one of its features; the others of the algorithms do not read these.
    `compare_schemes` lets held-out F1 choose BILOU instead for notes of one label, where it is as quick.
    `rescore` learns from held-out predictions which candidate spans are right (`clinical_ner.rescoring`).
    """

    version: int = CONFIG_VERSION
    groups: Mapping[str, tuple[int, ...]] = field(default_factory=default_groups)
    conjunctions: tuple[Conjunction, ...] = field(default_factory=default_conjunctions)
    scheme: str = "inside-last"
    compare_schemes: bool = True
    algorithm: str = DESCENT
    c1: float = 0.0
    c2: float = 0.5
    max_iterations: int = 100
    min_frequency: float = 2.0
    all_states: bool = True
    all_transitions: bool = True
    by_crfsuite: bool = False
    swap_copies: int = 2
    averaged_fits: int = 1
    passes: int = 24
    feature_dropout: float = 0.2
    bag_value: float = 0.5
    label_bias: Mapping[str, float] = field(default_factory=dict)
    rescore: bool = True
    calibration_folds: int = 4
    cache_words: int = 65_536

    def __post_init__(self) -> None:
        """Refuse what training or serving could not use; ConfigError names the field."""
        _check_groups(self.groups, self.conjunctions)
        if self.version != CONFIG_VERSION:
            raise ConfigError(f"version: this program reads configuration version {CONFIG_VERSION}, not {self.version}")
        if not isinstance(self.label_bias, Mapping):
            raise ConfigError("label_bias: an object of labels and what is added to their score")
        if self.scheme not in SCHEMES:
            raise ConfigError(f"scheme: {self.scheme!r} is not one of {', '.join(SCHEMES)}")
        _check_algorithm(self)
        if min(self.c1, self.c2) < 0 or self.swap_copies < 0 or self.max_iterations < 1:
            raise ConfigError("c1, c2, swap_copies and max_iterations must not be negative")
        if not 1 <= self.averaged_fits <= 10:
            raise ConfigError("averaged_fits: between 1 and 10")
        if self.calibration_folds == 1 or self.calibration_folds < 0:
            raise ConfigError("calibration_folds: 0 (none) or at least 2")
        if not 2_000 <= self.cache_words <= 1_000_000:
            raise ConfigError("cache_words: between 2,000 and 1,000,000")
        if not 0 <= self.bag_value <= 10:
            raise ConfigError("bag_value: between 0 and 10")

    @property
    def window(self) -> int:
        """The farthest offset any feature uses."""
        offsets = [abs(offset) for group in self.groups.values() for offset in group]
        pairs = [max(abs(pair.left_offset), abs(pair.right_offset)) for pair in self.conjunctions]
        return max([0, *offsets, *pairs])

    def without(self, group: str) -> TrainingConfig:
        """Return the configuration with one of FEATURE_GROUPS switched off."""
        if group == "bag":
            return replace(self, bag_value=0.0)
        groups = {name: offsets for name, offsets in self.groups.items() if not _belongs(name, group)}
        pairs = self.conjunctions if group != "conjunctions" else ()
        return replace(self, groups=groups, conjunctions=pairs)

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for JSON."""
        plain = asdict(self)
        plain["groups"] = {name: list(offsets) for name, offsets in self.groups.items()}
        plain["label_bias"] = dict(self.label_bias)
        plain["conjunctions"] = [
            [pair.left_group, pair.left_offset, pair.right_group, pair.right_offset] for pair in self.conjunctions
        ]
        return plain

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> TrainingConfig:
        """Read what `to_dict` wrote; missing fields take their defaults, unknown ones are refused by name."""
        if unknown := sorted(set(data) - {entry.name for entry in fields(cls)}):
            raise ConfigError(f"{unknown[0]}: no such field")
        values = dict(data)
        try:
            if "groups" in values:
                values["groups"] = {str(name): tuple(map(int, offs)) for name, offs in values["groups"].items()}
            if "conjunctions" in values:
                values["conjunctions"] = tuple(_conjunction(row) for row in values["conjunctions"])
            return cls(**values)
        except ConfigError:
            raise
        except (TypeError, AttributeError, ValueError) as error:
            raise ConfigError("the configuration has a field of the wrong type") from error


def _check_algorithm(config: TrainingConfig) -> None:
    if config.algorithm not in {DESCENT, "lbfgs", "l2sgd", "ap", "pa", "arow"}:
        raise ConfigError(f"algorithm: {config.algorithm!r} is neither {DESCENT!r} nor one that CRFsuite has")
    if config.algorithm == DESCENT and (config.c1 or not config.c2 or config.by_crfsuite):
        raise ConfigError(f"algorithm: {DESCENT!r} needs c1 0 and c2 above 0, and is not CRFsuite's")
    if not 1 <= config.passes <= 1_000 or not 0 <= config.feature_dropout <= MAX_DROPOUT:
        raise ConfigError(f"passes: between 1 and 1,000; feature_dropout: between 0 and {MAX_DROPOUT}")


def _belongs(name: str, group: str) -> bool:
    return name == group or (group in {"prefix", "suffix", "grams"} and name.rstrip("123456") == group)


def _conjunction(row: Any) -> Conjunction:
    left, left_offset, right, right_offset = row
    return Conjunction(str(left), int(left_offset), str(right), int(right_offset))


def _check_groups(groups: Mapping[str, tuple[int, ...]], conjunctions: tuple[Conjunction, ...]) -> None:
    named = [*groups, *[pair.left_group for pair in conjunctions], *[pair.right_group for pair in conjunctions]]
    if unknown := [name for name in named if name not in GROUPS]:
        raise ConfigError(f"groups: {unknown[0]!r} is not one of {', '.join(GROUPS)}")
    offsets = [offset for group in groups.values() for offset in group]
    offsets += [offset for pair in conjunctions for offset in (pair.left_offset, pair.right_offset)]
    if any(abs(offset) > MAX_WINDOW for offset in offsets):
        raise ConfigError(f"groups: offsets reach {MAX_WINDOW} words at most")
    if len(conjunctions) > MAX_CONJUNCTIONS:
        raise ConfigError(f"conjunctions: {MAX_CONJUNCTIONS} at most")
    if any({pair.left_group, pair.right_group} & _ALONE for pair in conjunctions):
        raise ConfigError(f"conjunctions: {', '.join(sorted(_ALONE))} stand in none")
    if "bag" in groups:
        raise ConfigError("groups: the bag has no offsets, set bag_value instead")
    if set(groups.get("bias", (0,))) != {0}:
        raise ConfigError("groups: bias is seen at offset 0 only")
