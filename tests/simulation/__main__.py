"""`python -m tests.simulation`: see docs/reliability.md."""

from tests.simulation.run import main

if __name__ == "__main__":
    main()
