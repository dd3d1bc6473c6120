"""What drift-watchers have published already, read back from the topics themselves: a kill between an alarm and its state repeats none."""

from collections.abc import Callable

from contracts.records import DriftDetected, ModelCommand
from runtime.kafka.history import History

from drift_watcher.domain.published import Published


class PublishedRecords:
    """Reads both topics whole: alarms are few.

    Args:
        history: Reads a topic up to its end now.
        detected: Full name of the events' topic.
        commands: Full name of the commands' topic.
        decode_event: Raises `WireError`.
        decode_command: Raises `WireError`.
    """

    def __init__(
        self,
        history: History,
        detected: str,
        commands: str,
        decode_event: Callable[[bytes | None], DriftDetected],
        *,
        decode_command: Callable[[bytes | None], ModelCommand],
    ) -> None:
        self._history = history
        self._detected = detected
        self._commands = commands
        self._decode_event = decode_event
        self._decode_command = decode_command

    def __call__(self) -> Published:
        """What is out now.

        Raises:
            Recoverable: The broker gave no answer.
        """
        events = self._history.decoded(self._detected, self._decode_event)
        commands = self._history.decoded(self._commands, self._decode_command)
        return Published(
            frozenset((one.episode_id, one.level.value) for one in events),
            frozenset(one.command_id for one in commands),
        )
