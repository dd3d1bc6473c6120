"""What every Rxtract service shares: settings, logs, health, metrics, delivery, dead letters, the Faust batch transport."""
