"""Gives entities their codes, and codes all of them anew when the tables change."""
