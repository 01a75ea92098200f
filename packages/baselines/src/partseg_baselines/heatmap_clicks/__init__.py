"""Clicks as heat maps beside the shape, and a network that says which points they mean."""
