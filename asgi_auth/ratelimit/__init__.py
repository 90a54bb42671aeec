"""Limit how often something may be tried, and by whom."""
