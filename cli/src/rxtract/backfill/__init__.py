"""Sending a file of notes: reading it, remembering how far it was sent, and the two doors."""
