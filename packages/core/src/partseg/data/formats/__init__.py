"""Readers of part datasets as they lie on disk: one file a family, each with `index`, `load` and `taxonomy`."""
