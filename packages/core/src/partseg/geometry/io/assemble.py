"""From what a reader found in a file to a valid `Shape`: bad numbers and bad indices are dealt with here, once."""

from __future__ import annotations

import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int

from partseg.errors import InputError, ShapeWarning
from partseg.geometry.shape import Appearance, Shape

MAX_ELEMENTS = 100_000_000  # more than memory holds; hostile headers and instancing stop here
UNPAINTED = (205, 205, 208)  # sRGB of elements in no part, in files that are written
_FAR = 8.0  # centre over size beyond which float32 positions would lose a digit
_TOO_FAR = 1e18  # squares of larger coordinates overflow float32


def warn(path: Path, message: str) -> None:
    """A `ShapeWarning` that names the file."""
    warnings.warn(f"{path.name}: {message}", ShapeWarning, stacklevel=2)


def mesh_shape(
    path: Path,
    vertices: Float[np.ndarray, "v 3"],
    faces: Int[np.ndarray, "f 3"],
    polygon: Int[np.ndarray, " f"] | None = None,
    n_polygons: int = 0,
    appearance: Appearance | None = None,
) -> Shape:
    """A mesh `Shape` whose triangles are exactly those given, in their order.

    A triangle that uses a missing vertex or one without finite coordinates cannot be used but stays: it collapses to
    one point (no area) so that labels keep the file's face order, and a `ShapeWarning` counts such triangles.

    Raises:
        InputError: no faces, too many, or not one usable face.
    """
    if not len(faces):
        raise InputError(path, "it holds no faces with three corners", "check that the export included geometry")
    if len(faces) > MAX_ELEMENTS or len(vertices) > MAX_ELEMENTS:
        raise InputError(path, f"it has more than {MAX_ELEMENTS:,} faces or vertices", "decimate it first")
    vertices = np.array(vertices, dtype=np.float64)
    usable = _usable(vertices)
    outside = (faces < 0) | (faces >= len(vertices))
    if outside.any() or not usable.all():
        good_corner = ~outside & (usable[np.where(outside, 0, faces)] if len(vertices) else False)
        good = good_corner.all(1)
        if not good.any():
            cause = (
                "every face uses a vertex that does not exist"
                if outside.any(1).all()
                else "no face has finite coordinates below 1e18"
            )
            raise InputError(path, cause, "export the file again")
        if not good.all():
            missing, total = int(outside.any(1).sum()), int((~good).sum())
            what = [f"{missing:,} use a missing vertex"] * (missing > 0)
            what += [f"{total - missing:,} have NaN, infinite or huge coordinates"] * (total > missing)
            warn(path, f"of {len(faces):,} faces {' and '.join(what)}: kept as faces without area")
            faces = np.array(faces)
            faces[~good] = _stand_in(faces, good_corner, good)[:, None]
        vertices[~usable] = vertices[np.unique(faces)].mean(0)
    shape = Shape.from_mesh(
        vertices, faces, name=path.stem, source=path, appearance=appearance, polygon=polygon,
        n_polygons=0 if polygon is None else n_polygons,
    )  # fmt: skip
    colors = face_colors(appearance, len(faces))
    return shape if colors is None else replace(shape, colors=colors)


def cloud_shape(
    path: Path,
    points: Float[np.ndarray, "n 3"],
    normals: Float[np.ndarray, "n 3"] | None = None,
    colors: Float[np.ndarray, "n 3"] | None = None,
    kind: str = "cloud",
) -> Shape:
    """A point cloud or splat `Shape` with the file's points in order.

    Points without finite coordinates stay, moved to the mean of the others, and a `ShapeWarning` counts them.

    Args:
        points: positions.
        normals: any length; scaled to unit, zero where unusable.
        colors: sRGB in 0..1; clipped, NaN becomes mid grey.
        kind: "cloud" or "splats".

    Raises:
        InputError: no points, too many, or none finite.
    """
    if not len(points):
        raise InputError(path, "it holds no faces and no points", "check that the export included geometry")
    if len(points) > MAX_ELEMENTS:
        raise InputError(path, f"it has more than {MAX_ELEMENTS:,} points", "thin it out first")
    points = np.array(points, dtype=np.float64)
    usable = _usable(points)
    if not usable.any():
        raise InputError(path, "no point has finite coordinates below 1e18", "export the file again")
    if not usable.all():
        warn(path, f"{int((~usable).sum()):,} of {len(points):,} points have NaN, infinite or huge coordinates: "
                   "kept, moved to the centre")  # fmt: skip
        points[~usable] = points[usable].mean(0)
    if normals is not None:
        normals = np.where(np.isfinite(normals), normals, 0).astype(np.float64)
        length = np.linalg.norm(normals, axis=1, keepdims=True)
        normals = np.divide(normals, length, out=np.zeros_like(normals), where=length > 1e-30).astype(np.float32)
        normals = normals if normals.any() else None  # splat files carry a column of zeros
    if colors is not None:
        colors = np.clip(np.nan_to_num(colors, nan=0.5), 0, 1).astype(np.float32)
    return Shape.from_points(points, normals=normals, colors=colors, kind=kind, name=path.stem, source=path)


def _usable(vertices: np.ndarray) -> np.ndarray:
    with np.errstate(invalid="ignore"):
        return (np.abs(vertices) < _TOO_FAR).all(1)  # False for NaN as well


def _stand_in(faces: np.ndarray, good_corner: np.ndarray, good: np.ndarray) -> np.ndarray:
    """For every unusable face one usable vertex: its own if there is one, else that of a face beside it."""
    own = good_corner.any(1)
    vertex = faces[np.arange(len(faces)), good_corner.argmax(1)]
    source = np.maximum.accumulate(np.where(own, np.arange(len(faces)), -1))
    source = np.where(source < 0, np.argmax(own), source)
    return vertex[source][~good]


def srgb_to_linear(value: np.ndarray | list[float]) -> np.ndarray:
    """sRGB transfer function, 0..1 to 0..1 (IEC 61966-2-1)."""
    value = np.asarray(value, dtype=np.float64)
    return np.where(value <= 0.04045, value / 12.92, ((np.maximum(value, 0) + 0.055) / 1.055) ** 2.4)


def linear_to_srgb(value: np.ndarray) -> np.ndarray:
    """Inverse of `srgb_to_linear`."""
    value = np.asarray(value, dtype=np.float64)
    return np.where(value <= 0.0031308, value * 12.92, 1.055 * np.maximum(value, 0) ** (1 / 2.4) - 0.055)


def color_bytes(colors: np.ndarray) -> np.ndarray:
    """(n,3|4) colours, 0..1 or 0..255, as (n,4) uint8; NaN becomes mid grey, a missing alpha 255.

    Integers, and floats beyond 1, are taken as 0..255.
    """
    out = np.full((len(colors), 4), 255, dtype=np.uint8)
    if colors.dtype != np.uint8:
        top = 65535 if colors.dtype == np.uint16 else 255
        is_unit = colors.dtype.kind == "f" and not (np.nan_to_num(colors) > 1.0).any()
        colors = np.nan_to_num(colors.astype(np.float64) / (1 if is_unit else top), nan=0.5, posinf=1, neginf=0)
        colors = np.rint(np.clip(colors, 0, 1) * 255)
    out[:, : colors.shape[1]] = colors
    return out


def face_colors(appearance: Appearance | None, n_faces: int) -> Float[np.ndarray, "f 3"] | None:
    """One sRGB colour a face in 0..1: mean corner colour times the material's base colour (no textures)."""
    if appearance is None or (appearance.corner_colors is None and appearance.face_material is None):
        return None
    rgb = np.ones((n_faces, 3), dtype=np.float32)
    if appearance.corner_colors is not None:
        rgb *= appearance.corner_colors[:, :, :3].mean(1, dtype=np.float32) / 255
    if appearance.face_material is not None:
        factors = [m.get("pbrMetallicRoughness", {}).get("baseColorFactor", (1, 1, 1, 1)) for m in appearance.materials]
        table = linear_to_srgb(np.array([list(f)[:3] for f in factors] + [[1.0, 1, 1]])).astype(np.float32)
        rgb *= table[appearance.face_material]  # -1: the white one at the end
    return np.clip(rgb, 0, 1)


def far_offset(positions: Float[np.ndarray, "v 3"]) -> Float[np.ndarray, "3"] | None:
    """Centre of the box if positions are so far from the origin for their size that float32 would be too coarse."""
    if not len(positions):
        return None
    low, high = positions.min(0), positions.max(0)
    centre = (low + high) / 2
    return centre if np.abs(centre).max() > _FAR * (high - low).max() else None
