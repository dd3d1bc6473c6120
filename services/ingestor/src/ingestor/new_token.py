"""Make a token for a client: ``python -m ingestor.new_token NAME`` prints it once, and the line to keep of it."""

import secrets
import sys

from contracts.identity import SOURCE_SYNTAX, is_source
from runtime.service.secret_files import hash_token


def main(arguments: list[str]) -> int:
    """Print a new token and its line for RXTRACT_HTTP_TOKENS_FILE."""
    if len(arguments) != 1 or not is_source(arguments[0]):
        sys.stderr.write(
            f"usage: python -m ingestor.new_token NAME   (NAME, the source of its notes: {SOURCE_SYNTAX})\n"
        )
        return 2
    token = secrets.token_urlsafe(32)
    sys.stdout.write(f"token, shown once, for the client:   {token}\n")
    sys.stdout.write(f"line for RXTRACT_HTTP_TOKENS_FILE:   {arguments[0]}:{hash_token(token)}\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
