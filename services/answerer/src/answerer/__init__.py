"""Answers at once what a note says, and shows it on a page. Stores nothing, publishes nothing."""
