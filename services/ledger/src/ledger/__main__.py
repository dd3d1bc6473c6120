"""Run the ledger: ``python -m ledger``. Settings come from the environment, see `ledger.settings`."""

from runtime.process import run_service

from ledger.settings import LedgerSettings


def serve(settings: LedgerSettings) -> None:
    """Serve. Its libraries are imported only now: a wrong setting is told without waiting for them."""
    from ledger import bootstrap

    bootstrap.serve(settings)


if __name__ == "__main__":
    raise SystemExit(run_service(LedgerSettings, serve))
