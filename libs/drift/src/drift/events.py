"""From a decision to the records that say so: numbers only, never words of notes."""

from collections.abc import Iterator
from datetime import UTC, datetime, tzinfo

from contracts.records import (
    DriftDetected,
    DriftDirection,
    DriftLevel,
    ModelAction,
    ModelCommand,
    ModelRef,
    MovedStatistic,
)
from contracts.segments import ALL_NOTES, parts_of

from drift.identity import command_id, episode_id
from drift.reference import References
from drift.segment import LevelChange, Movement

_SHARES = {
    "oov_share": "share of unknown words",
    "unknown_char_share": "share of unknown characters",
    "disease_token_share": "share of disease words among entity words",
    "negated_share": "share of negated entities",
    "uncertain_share": "share of possible and hypothetical entities",
}
_MEANS = {
    "confidence": ("mean confidence", ""),
    "tokens": ("note length", " words"),
    "disease_entities": ("diseases a note", ""),
    "treatment_entities": ("treatments a note", ""),
}


def detected(  # noqa: D417 - the rest is told by its type
    segment: str,
    decision: LevelChange,
    known_as: str,
    model: ModelRef,
    references: References,
    source: tuple[int, int],
    now: int,
    zone: tzinfo,
) -> DriftDetected:
    """The event of a decision.

    Args:
        known_as: Id of the open episode; empty when this decision opens it.
        source: Partition and offset of the record that decided.
        now: Record time, UTC milliseconds.
        zone: In which times are shown.
    """
    moved = tuple(_moved(movement, references) for movement in decision.movements)
    return DriftDetected(
        episode_id=known_as or episode_id(model.serial, segment, *source),
        segment=segment,
        level=decision.level,
        direction=decision.direction,
        statistics=moved,
        evidence=evidence(segment, decision, moved, now, zone),
        model=model,
        source_partition=source[0],
        source_offset=source[1],
        detected_at=now,
        began_at=decision.began_at,
    )


def commands_of(event: DriftDetected, go_back_to: ModelRef | None) -> Iterator[ModelCommand]:
    """What a level asks for: labels and a new model; before it the old one, when the new one was bad from its first note on.

    Args:
        event: The event.
        go_back_to: The model before; None when drift did not begin with a promotion.
    """
    if event.direction is not DriftDirection.WORSE:
        return
    if go_back_to is not None and event.level is DriftLevel.CRITICAL:
        yield _command(event, ModelAction.ROLLBACK, ModelAction.ROLLBACK.value, go_back_to.version)
    yield _command(event, ModelAction.RETRAIN, event.level.value, None)


def evidence(segment: str, decision: LevelChange, moved: tuple[MovedStatistic, ...], now: int, zone: tzinfo) -> str:
    """One plain sentence of numbers."""
    where = place(segment)
    changes = "; ".join(f"{_subject(one.name)} in {where} {_change(one)}" for one in moved)
    if decision.level is DriftLevel.RECOVERED:
        return f"{changes}: over, {decision.why}" if decision.why else f"{changes}: back where it was"
    since = f"{changes} since {_time(decision.began_at, now, zone)}"
    return f"{since}, with the promotion of the model" if decision.by_promotion else since


def place(segment: str) -> str:
    """A segment key in plain words: Pune/cardiology."""
    if segment == ALL_NOTES:
        return "all notes"
    return "/".join(value or "unknown" for value in parts_of(segment).values())


def _moved(movement: Movement, references: References) -> MovedStatistic:
    reference = references[movement.name]
    return MovedStatistic(
        name=movement.name,
        before=reference.unscaled(movement.before),
        after=reference.unscaled(movement.after),
        reference=reference.mean,
    )


def _command(event: DriftDetected, action: ModelAction, level: str, target: str | None) -> ModelCommand:
    return ModelCommand(
        command_id=command_id(event.model.serial, event.segment, event.source_partition, event.source_offset, level),
        action=action,
        model_name=event.model.name,
        reason="drift",
        target_version=target,
        champion_version=event.model.version,
        requested_by="drift-watcher",
        requested_at=event.detected_at,
        segment=event.segment,
    )


def _subject(name: str) -> str:
    return _SHARES.get(name) or _MEANS.get(name, (name, ""))[0]


def _change(one: MovedStatistic) -> str:
    verb = "rose" if one.after > one.before else "fell"
    return f"{verb} from {_number(one.name, one.before, one.after)} to {_number(one.name, one.after, one.before)}"


def _number(name: str, value: float, other: float) -> str:
    """A value with as many digits as tell it from the other one."""
    scale, unit = (100, " %") if name in _SHARES else (1, _MEANS.get(name, ("", ""))[1])
    digits = 0 if name in _SHARES or name == "tokens" else 2
    if f"{value * scale:.{digits}f}" == f"{other * scale:.{digits}f}":
        digits += 1
    return f"{value * scale:.{digits}f}{unit}"


def _time(began_at: int, now: int, zone: tzinfo) -> str:
    began, today = (datetime.fromtimestamp(ms / 1000, UTC).astimezone(zone) for ms in (began_at, now))
    return began.strftime("%H:%M" if began.date() == today.date() else "%Y-%m-%d %H:%M")
