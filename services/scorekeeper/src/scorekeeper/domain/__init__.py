"""Pure: what is measured, and the numbers that people look at."""
