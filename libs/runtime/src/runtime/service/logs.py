"""One JSON object a line on stderr, ours and third parties' alike, and never a word of a note.

What may carry a note is kept out by construction: an exception is logged as its type and the places it passed, its message only when the
message is our own or comes from the operating system, Kafka or Redis; libraries that print keys and values at DEBUG never get below INFO.
"""

import logging
import sys
import threading
import time
import traceback
from collections import Counter
from collections.abc import Callable, MutableMapping
from types import TracebackType
from typing import Any

import structlog

from runtime.errors import RxtractError

_OURS = ("runtime", "contracts", "clinical_ner", "serving")
"""Our libraries in a service; its own package is named after it."""
_MESSAGE_IS_SAFE = (RxtractError, OSError)
_SAFE_MODULES = ("confluent_kafka", "cimpl", "redis")
_MAX_FRAMES = 12


class Seldom(logging.Filter):
    """Lets a library that repeats itself many times a second say each thing now and then, and counts the rest.

    Args:
        prefix: Loggers whose name begins so.
        every_s: A line of one kind at most so often; a kind is the logger and the line without its values.
        clock: Monotonic seconds.
    """

    def __init__(self, prefix: str, every_s: float = 5.0, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._prefix = prefix
        self._every_s = every_s
        self._clock = clock
        self._lock = threading.Lock()
        self._shown: dict[tuple[str, str], tuple[float, int]] = {}
        self._seen: Counter[str] = Counter()

    def filter(self, record: logging.LogRecord) -> bool:
        """See logging.Filter."""
        if not record.name.startswith(self._prefix):
            return True
        kind, now_s = (record.name, str(record.msg)), self._clock()
        with self._lock:
            self._seen[kind[1]] += record.levelno >= logging.WARNING
            shown_at_s, left_out = self._shown.get(kind, (-self._every_s, 0))
            shows = now_s - shown_at_s >= self._every_s
            if len(self._shown) < _MOST_KINDS or kind in self._shown:
                self._shown[kind] = (now_s, 0) if shows else (shown_at_s, left_out + 1)
        if shows and left_out:
            record.msg = f"{record.getMessage()} ({left_out} like it were left out)"
            record.args = None
        return shows

    def taken(self) -> list[tuple[str, int]]:
        """What was logged as a warning or worse since the last call, shown or not: the line without its values, and how often."""
        with self._lock:
            seen, self._seen = self._seen, Counter()
        return [(line, count) for line, count in seen.items() if count]


_MOST_KINDS = 1_000
third_party = Seldom("aiokafka")
"""aiokafka says 75 times a second that the broker is away."""


def configure(service: str, level: str = "INFO") -> None:
    """Send all logging of this process to stderr as JSON lines, crashes included.

    Args:
        service: Name that every line carries.
        level: For our own loggers, for example ``DEBUG``; third parties never log below INFO, and below WARNING only when we do.
    """

    def add_service(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        event["service"] = service
        return event

    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        add_service,
        describe_exception,
    ]
    _send_root_to_stderr(shared)
    _set_levels(service, level)
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    _log_crashes()


def get_logger(name: str) -> structlog.stdlib.BoundLogger:
    """The logger of a module: ``get_logger(__name__)``. Give it short events and fields, never text of a note."""
    logger: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger(name)
    return logger


def describe_exception(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Replace ``exc_info`` by the exception's type, the places it passed, and its message where that is known to be safe."""
    exc_info = event.pop("exc_info", None)
    event.pop("exc_text", None)
    if not exc_info:
        return event
    error = _exception_of(exc_info)
    if error is not None:
        event["error"] = type(error).__name__
        event["where"] = _places(error)
        if (message := safe_message(error)) is not None:
            event["message"] = message
    return event


def safe_message(error: BaseException) -> str | None:
    """The message of an exception if it cannot hold text of a note, else None."""
    if isinstance(error, UnicodeError):
        return None
    if isinstance(error, _MESSAGE_IS_SAFE) or type(error).__module__.split(".")[0] in _SAFE_MODULES:
        return str(error)
    return None


def _exception_of(exc_info: object) -> BaseException | None:
    if isinstance(exc_info, BaseException):
        return exc_info
    if isinstance(exc_info, tuple):
        return exc_info[1] if isinstance(exc_info[1], BaseException) else None
    return sys.exc_info()[1]


def _places(error: BaseException) -> list[str]:
    frames = traceback.extract_tb(error.__traceback__)[-_MAX_FRAMES:]
    return [f"{'/'.join(frame.filename.split('/')[-2:])}:{frame.lineno}:{frame.name}" for frame in frames]


def _send_root_to_stderr(shared: list[structlog.typing.Processor]) -> None:
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.JSONRenderer(sort_keys=True, default=_type_name),
        ],
        keep_exc_info=False,
        keep_stack_info=False,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter)
    handler.addFilter(third_party)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access", "faust", "mode"):
        logger = logging.getLogger(name)
        logger.handlers[:] = []
        logger.propagate = True


def _set_levels(service: str, level: str) -> None:
    ours = logging.getLevelNamesMapping()[level.upper()]
    logging.getLogger().setLevel(max(ours, logging.WARNING))
    for name in (*_OURS, service.replace("-", "_")):
        logging.getLogger(name).setLevel(ours)


def _type_name(value: object) -> str:
    return type(value).__name__  # an object that is not plain data may print a note: name it, no more


def _log_crashes() -> None:
    log = logging.getLogger("runtime.crash")

    def on_crash(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        if issubclass(kind, KeyboardInterrupt):
            return
        log.critical("crashed", exc_info=(kind, error, trace))

    def on_thread_crash(args: threading.ExceptHookArgs) -> None:
        if args.exc_value is not None:
            on_crash(args.exc_type, args.exc_value, args.exc_traceback)

    sys.excepthook = on_crash
    threading.excepthook = on_thread_crash
