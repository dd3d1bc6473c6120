"""Tokens, features, training, decoding and evaluation of the Disease and Treatment CRF."""
