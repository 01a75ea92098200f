"""What part segmentation is compared with: classical methods without weights, SGPN and PartNet's own method."""

from __future__ import annotations

__version__ = "0.1.0"
