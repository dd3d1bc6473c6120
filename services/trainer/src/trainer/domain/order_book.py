"""Which orders are open: a fold of model.commands.v1 and model.events.v1, and of nothing else.

Whoever owns the commands reads both topics from their beginning and knows what is left to do, whatever died before and
whatever Redis forgot.
"""

from dataclasses import dataclass, field

from contracts.records import ModelAction, ModelCommand, ModelEvent, ModelEventKind

ENDS = frozenset(
    {
        ModelEventKind.PROMOTED,
        ModelEventKind.REJECTED,
        ModelEventKind.ROLLED_BACK,
        ModelEventKind.TRAINING_FAILED,
        ModelEventKind.MERGED_INTO,
        ModelEventKind.APPROVAL_AWAITED,
    }
)
"""Events after which nothing is left to do for their command."""

DRIFT = "drift"
"""Reason of the orders that wait for labels of the new language; every other order to retrain runs at once."""

_URGENCY = {ModelAction.ROLLBACK: 0, ModelAction.PROMOTE: 1, ModelAction.EVALUATE: 2, ModelAction.RETRAIN: 3}


@dataclass(frozen=True, slots=True)
class End:
    """How a command ended.

    Attributes:
        at: When, UTC milliseconds.
        into: The run that it was merged into.
    """

    kind: ModelEventKind
    at: int
    into: str | None = None


@dataclass(slots=True)
class OrderBook:
    """The orders of one model.

    Attributes:
        model_name: Events of other models teach nothing about ours; an order for one has its end all the same.
        commands: By id, in the order of their first delivery.
        ended: Commands with how they ended; a merged one with its merger, see `outcome`.
        deferred: Commands that wait for labels, with the number missing when that was last said.
        duplicates: Deliveries of a command beyond the first.
        merged: Commands that one run serves beside its own, by that run's command.
        learnt: Annotations read by the last training that ended.
        served: (version, serial) in the order of promotions and rollbacks. The first may have no serial: it became champion
            without an event, and is known from the one that followed it.
        left: Versions that a rollback left and that nobody has promoted since.
    """

    model_name: str
    commands: dict[str, ModelCommand] = field(default_factory=dict)
    ended: dict[str, End] = field(default_factory=dict)
    deferred: dict[str, int] = field(default_factory=dict)
    merged: dict[str, list[str]] = field(default_factory=dict)
    duplicates: int = 0
    learnt: int = 0
    served: list[tuple[str, int]] = field(default_factory=list)
    left: set[str] = field(default_factory=set)

    def order(self, command: ModelCommand) -> bool:
        """Take a command; False when it was known already."""
        if command.command_id in self.commands:
            self.duplicates += 1
            return False
        self.commands[command.command_id] = command
        return True

    def tell(self, event: ModelEvent) -> None:
        """Take an event: our own, and those of whoever had the commands before."""
        if event.model_name == self.model_name:
            self._learn(event)
        if event.command_id is None:  # a command has one end, whatever model it named
            return
        if event.kind is ModelEventKind.TRAINING_DEFERRED:
            self.deferred[event.command_id] = event.missing_labels or 0
        elif event.kind in ENDS:
            self.ended[event.command_id] = End(event.kind, event.occurred_at, event.merged_into)
            self.deferred.pop(event.command_id, None)
            if event.kind is ModelEventKind.MERGED_INTO and event.merged_into:
                known = self.merged.setdefault(event.merged_into, [])
                if event.command_id not in known:
                    known.append(event.command_id)

    def _learn(self, event: ModelEvent) -> None:
        self.learnt = max(self.learnt, int(event.metrics.get("annotations_read", 0)))
        if event.kind in (ModelEventKind.PROMOTED, ModelEventKind.ROLLED_BACK) and event.model_version is not None:
            self._follow((event.model_version, event.serial or 0), event)

    def _follow(self, place: tuple[str, int], event: ModelEvent) -> None:
        if place in self.served:
            return
        before = event.previous_version
        if before is not None and (not self.served or self.served[-1][0] != before):
            self.served.append((before, 0))
        self.served.append(place)
        self.left.discard(place[0])
        if event.kind is ModelEventKind.ROLLED_BACK and before is not None:
            self.left.add(before)

    def before(self, version: str, serial: int) -> str | None:
        """The version to go back to from the one that serves; None: there is none, or another one serves by our events."""
        if not self.served or self.served[-1] != (version, serial):
            return None
        others = (one for one, _ in reversed(self.served) if one != version and one not in self.left)
        return next(others, None)

    def outcome(self, command_id: str) -> End | None:
        """How a command ended, by the run that it was merged into where it was; None: that is open."""
        end, merged = self.ended.get(command_id), {command_id}
        while end is not None and end.into is not None and end.into not in merged:
            merged.add(end.into)
            end = self.ended.get(end.into)
        return end

    @property
    def open(self) -> list[ModelCommand]:
        """Orders that have no end yet, the urgent ones first, else in their order; drift's trainings last: they can wait."""
        left = [command for key, command in self.commands.items() if key not in self.ended]
        return sorted(left, key=lambda command: (_URGENCY.get(command.action, len(_URGENCY)), is_drift(command)))

    @property
    def lacking(self) -> list[int]:
        """Of each open order that waits for labels: how many. Another order's end changes nothing in it."""
        return [missing for key, missing in self.deferred.items() if key in self.commands and key not in self.ended]

    def foldable(self) -> list[tuple[ModelCommand, ModelCommand]]:
        """(command, open run that takes it over): retraining asked for twice for one champion is one run.

        Drift's orders fold into drift's alone, so that nobody's order waits for labels that it did not ask for. An order
        that runs at once takes waiting ones along when it begins, those whose labels are there.
        """
        found: list[tuple[ModelCommand, ModelCommand]] = []
        runs: list[ModelCommand] = []
        for command in self.open:
            if command.action is not ModelAction.RETRAIN:
                continue
            run = next((run for run in runs if is_one_run(command, run)), None)
            if run is None:
                runs.append(command)
            else:
                found.append((command, run))
        return found

    def drifts(self, command: ModelCommand) -> list[ModelCommand]:
        """The orders of drift that a command's run answers: its own, and those that were merged into it."""
        mine = [command] if is_drift(command) else []
        merged = (self.commands.get(key) for key in self.merged.get(command.command_id, ()))
        return mine + [drift for one in merged if one is not None for drift in self.drifts(one)]

    def waiting(self, command: ModelCommand) -> list[ModelCommand]:
        """Open orders of drift that a run of this command may answer too."""
        if command.action is not ModelAction.RETRAIN or is_drift(command) or command.segment is not None:
            return []  # a segment that is named is all that its order answers
        return [one for one in self.open if is_drift(one) and is_same_story(one, command)]


def is_drift(command: ModelCommand) -> bool:
    """Whether it asks for a training because the language moved."""
    return command.action is ModelAction.RETRAIN and command.reason == DRIFT


def is_one_run(command: ModelCommand, run: ModelCommand) -> bool:
    """Whether a command folds into a run. Drift's answer their segments together; another order is judged on what it names."""
    alike = is_drift(command) if is_drift(run) else not is_drift(command) and command.segment == run.segment
    return alike and is_same_story(command, run)


def is_same_story(command: ModelCommand, run: ModelCommand) -> bool:
    """Whether one training can serve both: of the same model, and not against different champions."""
    champions = {command.champion_version, run.champion_version} - {None}
    return command.model_name == run.model_name and len(champions) <= 1
