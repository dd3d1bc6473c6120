"""What a container's HEALTHCHECK runs: ``python -m runtime.service.healthcheck``; exit code 0 when the service says it is ready."""

import http.client
import os
import sys

_TIMEOUT_S = 3.0


def main() -> int:
    """Ask /ready on our own health port and print what is missing."""
    try:
        connection = http.client.HTTPConnection("127.0.0.1", _port(), timeout=_TIMEOUT_S)
        connection.request("GET", "/ready")
        answer = connection.getresponse()
        body = answer.read().decode("utf-8", "replace").strip()
    except (OSError, ValueError) as error:
        sys.stdout.write(f"no answer: {type(error).__name__}\n")
        return 1
    sys.stdout.write(body + "\n")
    return 0 if answer.status == http.client.OK else 1


def _port() -> int:
    given = int(os.environ.get("RXTRACT_HEALTH_PORT") or 0)
    if given:
        return given
    with open(os.environ.get("RXTRACT_HEALTH_PORT_FILE") or os.devnull, encoding="ascii") as file:  # noqa: PTH123 - starts often
        return int(file.read())


if __name__ == "__main__":
    sys.exit(main())
