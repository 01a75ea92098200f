"""What part segmentation is compared with: classical methods, SGPN, PartNet's own method, parts selected by clicks."""

from __future__ import annotations

__version__ = "0.1.0"
