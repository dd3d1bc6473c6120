"""What drift-watchers have published already."""

from dataclasses import dataclass

from contracts.records import DriftDetected, ModelCommand


@dataclass(frozen=True, slots=True)
class Published:
    """Identities of published records.

    Attributes:
        events: Episode and level; RECOVERED, CRITICAL and WARNING come once each in an episode.
        commands: Their ids.
    """

    events: frozenset[tuple[str, str]] = frozenset()
    commands: frozenset[str] = frozenset()

    def has_event(self, event: DriftDetected) -> bool:
        """Whether an event is out."""
        return (event.episode_id, event.level.value) in self.events

    def has_command(self, command: ModelCommand) -> bool:
        """Whether a command is out."""
        return command.command_id in self.commands
