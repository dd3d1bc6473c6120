"""The life of a service process: settings or one clear line, logs, signals, an exit code that means something."""

import signal
import sys
from collections.abc import Callable
from typing import TypeVar

from contracts.registry import OldNamespace

from runtime import logs
from runtime.core_dumps import forbid_core_dumps
from runtime.errors import RxtractError, SettingsError, Stopped
from runtime.kafka_login import check_login
from runtime.known_variables import refuse_misspelt
from runtime.settings import ServiceSettings, own_variables

OK = 0
CRASHED = 1
NOT_STARTED = 2

Settings = TypeVar("Settings", bound=ServiceSettings)


def run_service(settings_type: type[Settings], serve: Callable[[Settings], None]) -> int:
    """Forbid core dumps, load settings, set up logging, see that a secured broker lets us in, serve until done.

    Args:
        settings_type: The service's own settings; its ``service`` attribute is the name in logs.
        serve: Runs until it is stopped. Raises `SettingsError` when it must not start (a missing key file, for example).

    Returns:
        0 after an orderly end, 1 after a crash, 2 when the settings or a cluster of the old contract do not allow a start (one line for each on stderr).
    """
    forbid_core_dumps()
    try:
        unknown = refuse_misspelt(own_variables(settings_type))
        settings = settings_type.load()
        logs.configure(settings.service, settings.log_level)
        for one in unknown:  # as an error: whoever wrote it believes that it acts
            logs.get_logger(__name__).error("unknown variable", name=one.name, did_you_mean=one.meant or None)
        check_login(settings.kafka_client_config())
        serve(settings)
    except Stopped:
        return OK  # asked to stop while it waited for something at the start
    except (SettingsError, OldNamespace) as error:
        sys.stderr.write(f"{settings_type.service}: {error}\n")
        return NOT_STARTED
    except RxtractError as error:
        logs.get_logger(__name__).critical("stopped", error=type(error).__name__, message=str(error))
        return CRASHED
    except Exception:  # noqa: BLE001 - the last line of defence: logged without its message, exit code 1
        logs.get_logger(__name__).critical("crashed", exc_info=True)
        return CRASHED
    return OK


def on_stop_signal(stop: Callable[[], None]) -> None:
    """Call ``stop`` at SIGTERM or SIGINT. Main thread only."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop())
