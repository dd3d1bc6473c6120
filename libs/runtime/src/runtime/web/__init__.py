"""HTTP doors: server, limits, tokens, people."""
