"""The rxtract command."""
