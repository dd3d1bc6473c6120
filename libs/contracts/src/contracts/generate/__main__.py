"""`python -m contracts.generate [--check]`: writes what follows from schemas/, or says what is out of date."""

import sys
from pathlib import Path

from contracts import generate


def main(arguments: list[str]) -> int:
    """Write the generated files, or only compare them with --check. Returns the exit code."""
    stale = generate.stale_files()
    for path, text in stale.items():
        sys.stdout.write(f"{'out of date' if '--check' in arguments else 'written'}: {path}\n")
        if "--check" not in arguments:
            Path(path).parent.mkdir(parents=True, exist_ok=True)
            Path(path).write_text(text, encoding="utf-8")
    return 1 if stale and "--check" in arguments else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
