"""Gaussian splats: the common PLY properties, SuperSplat's packed PLY, ``.splat`` and ``.spz``."""

from __future__ import annotations

import zlib
from pathlib import Path

import numpy as np
from jaxtyping import Float, UInt32

from partseg.errors import InputError
from partseg.geometry.io.assemble import MAX_ELEMENTS, cloud_shape
from partseg.geometry.shape import Shape

_SH_DC = 0.28209479177387814  # spherical harmonic of degree 0: 1 / (2 sqrt(pi))
_CHUNK = 256  # splats a chunk of the packed layout
_SPLAT = np.dtype([("position", "<f4", 3), ("scale", "<f4", 3), ("color", "u1", 4), ("rotation", "u1", 4)])
_SPZ_MAGIC = b"NGSP"
_SPZ_COLOR_SCALE = 0.15  # spz stores f_dc * 0.15 + 0.5 in a byte
_MEND = "the file is damaged or cut short: export it again"


def is_splats(vertex: dict) -> bool:
    """Whether a vertex element has the properties of the 3D Gaussian splatting reference format."""
    return all(name in vertex for name in ("f_dc_0", "f_dc_1", "f_dc_2", "opacity", "scale_0", "rot_0"))


def splat_colors(vertex: dict) -> Float[np.ndarray, "n 3"]:
    """View-independent colour from the degree 0 coefficients, clipped to 0..1."""
    return _from_dc(np.stack([vertex[f"f_dc_{i}"] for i in range(3)], axis=1))


def _from_dc(coefficients: np.ndarray) -> np.ndarray:
    return np.clip(0.5 + _SH_DC * coefficients.astype(np.float64), 0, 1)


def is_packed(elements: dict) -> bool:
    """Whether elements are SuperSplat's packed layout."""
    return "chunk" in elements and "packed_position" in elements.get("vertex", {})


def packed_splats(path: Path, elements: dict) -> tuple[Float[np.ndarray, "n 3"], Float[np.ndarray, "n 3"]]:
    """Positions and colours: 11-10-11 and 8-8-8-8 bits between the bounds of the splat's chunk of 256."""
    chunk, vertex = elements["chunk"], elements["vertex"]
    position, color = (vertex[name].astype(np.uint32) for name in ("packed_position", "packed_color"))
    owner = np.arange(len(position)) // _CHUNK
    low = np.stack([chunk[f"min_{axis}"] for axis in "xyz"], axis=1).astype(np.float64)
    high = np.stack([chunk[f"max_{axis}"] for axis in "xyz"], axis=1).astype(np.float64)
    if not len(position) or owner[-1] >= len(low):
        raise InputError(path, f"it has {len(low)} chunks for {len(position):,} splats", _MEND)
    unit = _bits(position, (11, 10, 11))
    points = low[owner] + unit * (high - low)[owner]
    rgb = _bits(color, (8, 8, 8, 8))[:, :3]
    if all(f"{end}_{c}" in chunk for c in "rgb" for end in ("min", "max")):  # older files store colours directly
        low = np.stack([chunk[f"min_{c}"] for c in "rgb"], axis=1).astype(np.float64)
        high = np.stack([chunk[f"max_{c}"] for c in "rgb"], axis=1).astype(np.float64)
        rgb = low[owner] + rgb * (high - low)[owner]
    return points, np.clip(rgb, 0, 1)


def _bits(packed: UInt32[np.ndarray, " n"], widths: tuple[int, ...]) -> Float[np.ndarray, "n k"]:
    """Fields of a 32-bit word from the top down, each scaled to 0..1."""
    out, shift = [], 32
    for width in widths:
        shift -= width
        out.append(((packed >> np.uint32(shift)) & np.uint32((1 << width) - 1)) / ((1 << width) - 1))
    return np.stack(out, axis=1)


def read_splat(path: Path, data: bytes) -> Shape:
    """``.splat``: records of 32 bytes (position, scale as float32; colour with opacity, rotation as bytes)."""
    if not data or len(data) % _SPLAT.itemsize:
        raise InputError(path, f"its {len(data):,} bytes are not a whole number of 32-byte splats", _MEND)
    table = np.frombuffer(data, dtype=_SPLAT)
    return cloud_shape(path, table["position"], colors=table["color"][:, :3] / 255.0, kind="splats")


def read_spz(path: Path, data: bytes) -> Shape:
    """``.spz`` versions 2 and 3: gzip over 24-bit fixed-point positions and byte colours, attribute by attribute.

    Positions are those stored: spz turns two axes against the PLY that it was made from, and labels follow the order of
    the file either way.
    """
    reader = zlib.decompressobj(wbits=31)
    try:
        head = reader.decompress(data, 16)
        if head[:4] != _SPZ_MAGIC or len(head) < 16:
            raise InputError(path, "it is not an spz file of Gaussian splats", "check the file's format")
        version, count = (int.from_bytes(head[i : i + 4], "little") for i in (4, 8))
        if version not in (2, 3):
            raise InputError(path, f"spz version {version} is not read", "convert it to PLY")
        if count > MAX_ELEMENTS:
            raise InputError(path, f"its header says {count:,} splats", _MEND)
        need = count * (9 + 1 + 3)  # positions, opacities, colours; the rest is not needed
        body = reader.decompress(reader.unconsumed_tail, need) if need else b""
    except zlib.error:
        raise InputError(path, "its compressed data are damaged", _MEND) from None
    if len(body) < need:
        raise InputError(path, f"its header says {count:,} splats but the file ends before", _MEND)
    raw = np.frombuffer(body, dtype=np.uint8)
    coded = raw[: 9 * count].reshape(count, 3, 3).astype(np.int32)
    fixed = coded[..., 0] | coded[..., 1] << 8 | coded[..., 2] << 16
    fixed -= (fixed & 0x800000) << 1  # sign of 24 bits
    points = fixed / float(1 << min(head[13], 31))
    rgb = raw[10 * count : 13 * count].reshape(count, 3) / 255.0
    return cloud_shape(path, points, colors=_from_dc((rgb - 0.5) / _SPZ_COLOR_SCALE), kind="splats")
