"""When an order is void, and when numbers ask for one."""

from collections.abc import Iterable, Iterator

from contracts.records import DriftDetected, DriftLevel, LabelQuality, ModelAction, ModelCommand, QualityMeasured
from contracts.segments import ALL_NOTES

ALL_LABELS = "ALL"


def why_void(command: ModelCommand, champion: str | None) -> str | None:
    """Why a command must not be carried out any more; None when it may."""
    if command.champion_version is None or command.champion_version == champion:
        return None
    return (
        f"the order was given against version {command.champion_version}, "
        f"but version {champion or 'none'} serves now: order again if it is still wanted"
    )


def go_first(running: ModelCommand, orders: Iterable[ModelCommand], champion: str | None) -> Iterator[ModelCommand]:
    """Rollbacks of the version that serves, to which work that runs gives way if they can be carried out.

    That one must not serve on for as long as a training takes, nor be what its result is compared with.
    """
    if running.action not in (ModelAction.RETRAIN, ModelAction.EVALUATE):
        return
    for one in orders:
        if (
            one.action is ModelAction.ROLLBACK
            and one.model_name == running.model_name
            and why_void(one, champion) is None
        ):
            yield one


def f1_of_all(measured: QualityMeasured) -> LabelQuality | None:
    """The audited quality of both labels together over all notes; None when this measurement is of something else."""
    if measured.segment != ALL_NOTES:
        return None
    return next((row for row in measured.labels if row.label == ALL_LABELS), None)


class Measured:
    """The newest audited F1 of each version, over all notes and both labels."""

    def __init__(self) -> None:
        self._rows: dict[str, tuple[int, LabelQuality]] = {}

    def take(self, measured: QualityMeasured) -> None:
        """Take a measurement; those of segments say nothing here."""
        row = f1_of_all(measured)
        if row is not None:
            self._rows[measured.model.version] = (measured.model.serial, row)

    def f1(self, version: str, serial: int | None = None) -> LabelQuality | None:
        """Of one version, since it serves under a serial if that is given; None: not measured, or not since."""
        known = self._rows.get(version)
        if known is None or serial not in (None, known[0]):
            return None
        return known[1]


def is_worse(champion: LabelQuality, predecessor: LabelQuality) -> bool:
    """Whether the audited F1 has surely fallen: the intervals do not touch."""
    return champion.f1_high < predecessor.f1_low


class Recoveries:
    """Which drifts are over: the newest RECOVERED of each segment under each version."""

    def __init__(self) -> None:
        self._at: dict[tuple[str, str, str], int] = {}

    def take(self, event: DriftDetected) -> None:
        """Take an event of the drift-watcher; only ends of episodes say something here."""
        if event.level is DriftLevel.RECOVERED:
            key = (event.model.name, event.model.version, event.segment)
            self._at[key] = max(event.detected_at, self._at.get(key, 0))

    def is_over(self, drift: ModelCommand) -> bool:
        """Whether the drift that an order was given for has ended since."""
        at = self._at.get((drift.model_name, drift.champion_version or "", drift.segment or ALL_NOTES))
        return at is not None and at >= drift.requested_at
