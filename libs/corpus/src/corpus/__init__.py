"""Synthetic annotated clinical notes and loaders of annotated data sets."""
