"""The file of endpoints, looked at again and again: an endpoint or a secret changes without a restart."""

from collections.abc import Mapping
from pathlib import Path

from runtime.errors import SettingsError
from runtime.service.logs import get_logger
from runtime.service.metrics import Metrics

from notifier.domain.endpoints import Endpoint, EndpointError, read_endpoints
from notifier.metrics import WEBHOOK_FILE_REFUSED

_VARIABLE = "RXTRACT_WEBHOOKS_FILE"
_log = get_logger(__name__)


class EndpointsFile:
    """Endpoints by source, as the file says now; a file that cannot be used leaves the ones from before.

    Args:
        path: None: nobody is told.

    Raises:
        SettingsError: At the start, when the file cannot be used.
    """

    def __init__(self, path: Path | None, metrics: Metrics) -> None:
        self._path = path
        self._refused = metrics.gauge(WEBHOOK_FILE_REFUSED)
        self._refused.set(0)
        self._said = ""
        try:
            self._text = "{}" if path is None else path.read_text(encoding="utf-8")
            self._endpoints = read_endpoints(self._text)
        except (OSError, UnicodeDecodeError) as error:
            raise SettingsError(f"{_VARIABLE} cannot be read ({type(error).__name__}): check the path") from None
        except EndpointError as error:
            raise SettingsError(f"{_VARIABLE} {error}") from None

    def __call__(self) -> Mapping[str, Endpoint]:
        """Look."""
        if self._path is None:
            return self._endpoints
        try:
            text = self._path.read_text(encoding="utf-8")
            if text != self._text or self._said:
                self._text, self._endpoints = text, read_endpoints(text)
        except (OSError, UnicodeDecodeError, EndpointError) as error:
            self._refuse(str(error) if isinstance(error, EndpointError) else type(error).__name__)
        else:
            self._said = ""
            self._refused.set(0)
        return self._endpoints

    def _refuse(self, why: str) -> None:
        self._refused.set(1)
        if why != self._said:
            _log.error("the endpoints from before count", file=_VARIABLE, message=why)
        self._said = why
