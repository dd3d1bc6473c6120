"""Run the ledger: ``python -m ledger``. Settings come from the environment, see `ledger.settings`."""

from runtime.service.run import run_service

from ledger.settings import LedgerSettings

if __name__ == "__main__":
    raise SystemExit(run_service(LedgerSettings, "ledger.bootstrap"))
