"""The servers of the stack: how each is prepared, started and known to be healthy."""
