"""`python -m tests.fuzz`: see docs/reliability.md."""

from tests.fuzz.run import main

if __name__ == "__main__":
    main()
