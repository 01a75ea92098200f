"""Leaderboards: evaluation protocols, a runner of method × dataset × protocol × seed, reports."""

__version__ = "0.1.0"
