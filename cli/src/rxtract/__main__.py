"""Entry point of `rxtract` and of `python -m rxtract`."""

from rxtract.app import run


def main() -> None:
    """Run the command line."""
    run()


if __name__ == "__main__":
    main()
