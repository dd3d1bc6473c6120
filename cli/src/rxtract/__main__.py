"""The `rxtract` command."""


def main() -> None:
    """Run the command line."""
