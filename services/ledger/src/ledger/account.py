"""Print the account where the ledger runs, lost notes by name: ``python -m ledger.account [SINCE_MS]``, for `docker compose exec` and `kubectl exec`."""

import json
import sqlite3
import sys
from collections.abc import Sequence

from runtime.errors import SettingsError
from runtime.service.clock import now_ms

from ledger.adapters.book import account
from ledger.settings import LedgerSettings


def main(arguments: Sequence[str]) -> int:
    """Print one JSON object; returns the exit code."""
    try:
        folder = LedgerSettings.load().ledger_dir
        found = account(folder, now_ms(), int(arguments[0]) if arguments else None)
    except SettingsError as error:
        sys.stderr.write(f"ledger: {error}\n")
        return 2
    except sqlite3.Error:
        sys.stderr.write("ledger: the account is not there yet\n")
        return 1
    sys.stdout.write(json.dumps(found.as_dict()) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
