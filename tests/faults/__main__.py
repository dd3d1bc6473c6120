"""`python -m tests.faults [R4 B8 ...]`: see docs/reliability.md."""

import sys

from tests.faults.run import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
