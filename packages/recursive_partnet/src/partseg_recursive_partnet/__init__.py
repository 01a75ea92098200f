"""Recursive PartNet: top-down decomposition of a point cloud into a binary hierarchy of parts (Yu et al., CVPR 2019).

Importing this package loads nothing heavy; `partseg.load_method("recursive-partnet")` finds it through `spec.py`.
"""

__version__ = "0.1.0"
