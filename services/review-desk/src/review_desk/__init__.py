"""The page on which validators correct notes."""
