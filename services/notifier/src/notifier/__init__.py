"""The notifier: what became of a note, posted to the system that sent it."""
