"""The HTTP door: POST /v1/notes."""
