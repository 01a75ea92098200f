"""What learned part segmentation is compared with: methods that look at one shape only and have no weights."""

from __future__ import annotations

__version__ = "0.1.0"
