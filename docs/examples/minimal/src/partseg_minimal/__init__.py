"""The smallest partseg method, to copy."""
