"""The three words for failure. Whatever else a handler raises stops the process with the offset uncommitted."""

from contracts.reasons import Reason


class RxtractError(Exception):
    """A failure whose message we wrote ourselves: one line, without note text, safe to log."""


class Poison(RxtractError):
    """This record will never pass: dead-letter it with a reason code, and go on."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason.value)
        self.reason = reason


class Recoverable(RxtractError):
    """Something outside is away for now: wait and try the same records again."""


class Unreadable(Recoverable):
    """Something outside answers, but what it has cannot be used: waiting may not help, people must look."""


class Rejected(RxtractError):
    """We are full: hold the records back, nothing is wrong with them.

    Attributes:
        retry_after_s: How long the caller should wait before it tries again.
    """

    def __init__(self, message: str, retry_after_s: float = 1.0) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class DeliveryFailed(RxtractError):
    """The broker did not acknowledge everything of a batch.

    Attributes:
        failed: How many records were refused or timed out.
        total: How many records the batch had.
        code: Kafka's name of the first error, for example ``_MSG_TIMED_OUT``.
        retriable: Whether sending the same bytes again helps, once the broker is back.
    """

    def __init__(self, failed: int, total: int, code: str, *, retriable: bool) -> None:
        super().__init__(f"the broker did not acknowledge {failed} of {total} records: {code}")
        self.failed = failed
        self.total = total
        self.code = code
        self.retriable = retriable


class ProducerBroken(RxtractError):
    """The client to Kafka met a fatal error and will never send again. Waiting helps nobody: end the process, a new one is whole."""

    def __init__(self, code: str) -> None:
        super().__init__(
            f"the producer met a fatal error ({code}) and can never send again: this process ends, start a new one"
        )
        self.code = code


class ReadingBroken(RxtractError):
    """Nothing can be read any more, and waiting has not helped: a right or a topic is gone. The message says what to do."""


class BudgetExceeded(RxtractError):
    """Too many dead letters in a topic that was validated before: a bad deploy, not bad records."""


class SettingsError(RxtractError):
    """The environment is not usable. The message names each variable and what to set, one line each."""


class Stopped(RxtractError):
    """The process was asked to stop while it waited; what it waited for is not done."""
