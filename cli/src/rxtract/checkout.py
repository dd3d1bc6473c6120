"""Where the checkout is that this command line was installed from; some commands need more of it than the packages."""

from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[3]
