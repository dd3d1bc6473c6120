"""What annotators say of a note: spans, verdicts, and the one rule which verdict settles it."""
