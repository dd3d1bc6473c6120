"""What every process has: settings, logs, health, metrics, start and stop."""
