"""Make a token: ``python -m review_desk.new_token NAME ROLE`` prints it once, and the line to keep of it."""

import secrets
import sys

from runtime.service.secret_files import hash_token
from runtime.web.people import ROLES


def main(arguments: list[str]) -> int:
    """Print a new token and its line for RXTRACT_DESK_TOKENS_FILE."""
    if len(arguments) != 2 or set(":\n#") & set(arguments[0]) or arguments[1] not in ROLES:
        sys.stderr.write("usage: python -m review_desk.new_token NAME validator|lead   (no colon or # in NAME)\n")
        return 2
    token = secrets.token_urlsafe(32)
    sys.stdout.write(f"token, shown once, for its owner:    {token}\n")
    sys.stdout.write(f"line for RXTRACT_DESK_TOKENS_FILE:   {arguments[0]}:{arguments[1]}:{hash_token(token)}\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
