"""Print a new secret for an endpoint: ``python -m notifier.new_secret``."""

import base64
import secrets
import sys

from notifier.domain.endpoints import SECRET_BEGIN

_BYTES = 32


def main() -> int:
    """Print one."""
    sys.stdout.write(f"{SECRET_BEGIN}{base64.b64encode(secrets.token_bytes(_BYTES)).decode()}\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
