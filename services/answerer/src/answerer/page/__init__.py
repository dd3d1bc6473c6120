"""The page on which a note is tried."""
