"""Make a token for a client: ``python -m ingestor.new_token NAME`` prints it once, and the line to keep of it."""

import secrets
import sys

from runtime.secret_files import hash_token

from ingestor.adapters.tokens import SOURCE


def main(arguments: list[str]) -> int:
    """Print a new token and its line for RXTRACT_HTTP_TOKENS_FILE."""
    if len(arguments) != 1 or SOURCE.fullmatch(arguments[0]) is None:
        sys.stderr.write("usage: python -m ingestor.new_token NAME   (NAME: 1 to 40 of a-z, 0-9 and -)\n")
        return 2
    token = secrets.token_urlsafe(32)
    sys.stdout.write(f"token, shown once, for the client:   {token}\n")
    sys.stdout.write(f"line for RXTRACT_HTTP_TOKENS_FILE:   {arguments[0]}:{hash_token(token)}\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
