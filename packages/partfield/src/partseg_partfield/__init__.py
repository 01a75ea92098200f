"""PartField: a learned feature field over 3D shapes, segmented by clustering (Liu et al., ICCV 2025).

Importing this package loads nothing heavy; `partseg.load_method("partfield")` finds the method through `spec.py`.
"""

__version__ = "0.1.0"
