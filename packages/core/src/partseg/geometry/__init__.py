"""Shapes, their geometry, and reading, writing and picturing them."""
