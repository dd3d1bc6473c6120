"""The client of services: it reads the model registry over MLflow's REST interface.

Only two questions are asked (which version has the alias, and the bytes of one file), so no client library is needed: it would cost
seconds at start and 100 MB, and its model loading runs code, which a service never does.
"""

import base64
import http.client
import json
import urllib.error
import urllib.parse
import urllib.request
from typing import Any, Self

from runtime.errors import RxtractError
from runtime.service.settings import MlflowSettings

from model_registry.version import DIGEST_TAG, SERIAL_TAG, Version

TABLES = "artifacts/tables.npz"
RULES = "artifacts/rules.json"
MAX_ARTIFACT_BYTES = 512 << 20
_PROXIED = "mlflow-artifacts:"


class RegistryAwayError(RxtractError):
    """MLflow gave no usable answer; the message is one line."""


class UnusableVersionError(RxtractError):
    """The version exists but cannot be served as it is registered; the message says what it lacks."""


class ModelReader:
    """Answers which version an alias names, and fetches that version's tables.

    Args:
        url: MLflow's address.
        timeout_s: For each call.
        username: For basic authentication.
        password: For basic authentication.
        file: Of a version, which `tables` fetches.
    """

    def __init__(
        self,
        url: str,
        timeout_s: float,
        username: str | None = None,
        password: str | None = None,
        *,
        file: str = TABLES,
    ) -> None:
        self._url = url.rstrip("/")
        self._file = file
        self._timeout_s = timeout_s
        self._headers: dict[str, str] = {}
        if username is not None:
            login = base64.b64encode(f"{username}:{password or ''}".encode()).decode()
            self._headers["Authorization"] = f"Basic {login}"

    @classmethod
    def of(cls, settings: MlflowSettings, url: str, file: str = TABLES) -> Self:
        """Make it as the settings say.

        Raises:
            SettingsError: The password's file cannot be read.
        """
        return cls(url, settings.mlflow_timeout_s, settings.mlflow_username, settings.mlflow_password(), file=file)

    def by_alias(self, name: str, alias: str) -> Version | None:
        """The version that an alias names; None when there is no such model or alias.

        Raises:
            RegistryAwayError: MLflow gave no usable answer.
            UnusableVersionError: The version has no digest to check it by, or no serial.
        """
        return _version(name, self._ask_json("registered-models/alias", name=name, alias=alias))

    def by_version(self, name: str, version: str) -> Version | None:
        """A version by its number; None when there is no such version.

        Raises:
            RegistryAwayError: MLflow gave no usable answer.
            UnusableVersionError: The version has no digest to check it by, or no serial.
        """
        return _version(name, self._ask_json("model-versions/get", name=name, version=version))

    def tables(self, version: Version) -> bytes:
        """The bytes of a version's tables, unchecked.

        Raises:
            RegistryAwayError: MLflow gave no usable answer.
            UnusableVersionError: The version has no such file, or keeps it where MLflow does not serve it from.
        """
        answer = self._ask_json("model-versions/get-download-uri", name=version.name, version=version.version)
        folder = "" if answer is None else str(answer.get("artifact_uri", ""))
        if not folder.startswith(_PROXIED):
            raise UnusableVersionError(
                f"version {version.version} of {version.name} is not served by MLflow: start MLflow with --artifacts-destination"
            )
        path = urllib.parse.urlsplit(folder).path.strip("/")
        quoted = urllib.parse.quote(f"{path}/{self._file}")
        data = self._get(f"{self._url}/api/2.0/mlflow-artifacts/artifacts/{quoted}")
        if data is None:
            raise UnusableVersionError(f"version {version.version} of {version.name} has no {self._file}")
        return data

    def _ask_json(self, method: str, **query: str) -> dict[str, Any] | None:
        data = self._get(f"{self._url}/api/2.0/mlflow/{method}?{urllib.parse.urlencode(query)}")
        if data is None:
            return None
        try:
            answer = json.loads(data)
        except (ValueError, RecursionError):
            raise RegistryAwayError("MLflow's answer is not JSON") from None
        if not isinstance(answer, dict):
            raise RegistryAwayError("MLflow's answer is not an object")
        return answer

    def _get(self, url: str) -> bytes | None:
        """The body; None when MLflow says that there is no such thing."""
        request = urllib.request.Request(url, headers=self._headers)  # noqa: S310 - the address comes from settings
        try:
            with urllib.request.urlopen(request, timeout=self._timeout_s) as response:  # noqa: S310
                data: bytes = response.read(MAX_ARTIFACT_BYTES + 1)
        except urllib.error.HTTPError as error:
            if _says_absent(error):
                return None
            raise RegistryAwayError(f"MLflow answered HTTP {error.code}") from None
        except (OSError, http.client.HTTPException) as error:
            raise RegistryAwayError(f"MLflow cannot be reached ({type(error).__name__})") from None
        if len(data) > MAX_ARTIFACT_BYTES:
            raise UnusableVersionError(f"the artifact is larger than {MAX_ARTIFACT_BYTES} bytes")
        return data


def _version(name: str, answer: dict[str, Any] | None) -> Version | None:
    if answer is None:
        return None
    try:
        version = answer["model_version"]
        tags = {tag["key"]: tag["value"] for tag in version.get("tags", [])}
        number = str(version["version"])
    except (KeyError, TypeError):
        raise RegistryAwayError("MLflow's answer has no model version in it") from None
    if not tags.get(DIGEST_TAG) or not tags.get(SERIAL_TAG, "").isdigit():
        raise UnusableVersionError(
            f"version {number} of {name} lacks the tag {DIGEST_TAG} or {SERIAL_TAG}: register it with rxtract"
        )
    return Version(name, number, tags, str(version.get("run_id", "")))


def _says_absent(error: urllib.error.HTTPError) -> bool:
    """MLflow's own word for an unknown model or file is a 404, and for an unknown alias a 400, both with an error code in JSON.

    A proxy, or another server at a wrong address, says 404 too: that tells nothing of the model.
    """
    if error.code not in (http.client.NOT_FOUND, http.client.BAD_REQUEST):
        return False
    try:
        answer = json.loads(error.read(65_536))
    except (ValueError, RecursionError, OSError, http.client.HTTPException):
        return False
    if not isinstance(answer, dict):
        return False
    if error.code == http.client.NOT_FOUND:
        return answer.get("error_code") == "RESOURCE_DOES_NOT_EXIST"
    message = str(answer.get("message", ""))
    return "alias" in message and "not found" in message
