"""Tokens: their form, their claims, and the table of those that were verified."""
