"""Written by `python -m contracts.generate`; nothing here is edited by hand."""
