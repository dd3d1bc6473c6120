"""One module for each outside system; translation only."""
