"""One class per outside system; translation only."""
