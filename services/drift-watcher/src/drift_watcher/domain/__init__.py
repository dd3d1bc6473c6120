"""What the drift-watcher decides with; no client, no topic."""
