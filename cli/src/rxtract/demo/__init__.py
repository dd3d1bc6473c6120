"""The demo: one story on real servers, each step of it checked."""
