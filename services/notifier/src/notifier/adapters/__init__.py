"""What the notifier talks to."""
