"""TLS: of the HTTP doors, with a certificate and key from files that are taken anew when they are renewed; and with the broker."""

import ssl
from pathlib import Path

from runtime.errors import SettingsError
from runtime.service.logs import get_logger
from runtime.service.settings import KafkaSecurity

_log = get_logger(__name__)


class DoorTls:
    """The TLS context of a door. A renewed certificate counts for the next connection.

    Args:
        certificate_file: Our certificate and those between it and the authority, in PEM.
        key_file: Its key in PEM, without a password.

    Raises:
        SettingsError: They cannot be used.
    """

    def __init__(self, certificate_file: Path, key_file: Path) -> None:
        self._files = (certificate_file, key_file)
        try:
            self._read = self._versions()
            self.context = self._load()
        except OSError as error:  # ssl.SSLError is one
            raise SettingsError(
                f"RXTRACT_HTTP_TLS_CERTIFICATE_FILE and RXTRACT_HTTP_TLS_KEY_FILE cannot be used ({error.strerror}): "
                "give a certificate and its key in PEM, without a password"
            ) from None

    def renew(self) -> None:
        """Take the files anew if they have changed; what cannot be used changes nothing and is logged."""
        try:
            found = self._versions()
            if found == self._read:
                return
            self._read = found
            self._load()  # alone first: half of a renewal must not damage the context that serves
            self.context.load_cert_chain(*self._files, password="")
        except OSError as error:
            _log.error("a renewed certificate cannot be used; the one before still serves", message=error.strerror)
        else:
            _log.info("a renewed certificate serves")

    def _load(self) -> ssl.SSLContext:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.load_cert_chain(*self._files, password="")  # with none, a key with a password would ask the terminal
        return context

    def _versions(self) -> tuple[tuple[int, int], ...]:
        return tuple((found.st_mtime_ns, found.st_ino) for found in (path.stat() for path in self._files))


def broker_context(settings: KafkaSecurity) -> ssl.SSLContext | None:
    """How a client written in Python speaks TLS with the broker; None: it does not."""
    if not settings.security_protocol.endswith("SSL"):
        return None
    ca = None if settings.ssl_ca_location is None else str(settings.ssl_ca_location)
    context = ssl.create_default_context(cafile=ca)
    if settings.ssl_certificate_location is not None:
        context.load_cert_chain(settings.ssl_certificate_location, settings.ssl_key_location)
    return context
