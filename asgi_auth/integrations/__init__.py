"""Adapters: the same verbs in each framework's own words, and no logic of their own."""
