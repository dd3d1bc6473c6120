"""One module for each command: what it asks, what it prints; the work is done by the libraries."""
