"""Backends decide who is calling; each kind of credential has its own."""
