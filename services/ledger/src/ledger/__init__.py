"""Every note that was submitted, held against its effect."""
