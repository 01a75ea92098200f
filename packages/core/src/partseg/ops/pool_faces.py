"""Features of faces from a triplane: the exact mean of the field over each triangle."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from jaxtyping import Float, Int

from partseg.ops import _pool_kernel as kernel

_THREADS = 2
_CHUNK = 2048


def pool_faces(
    planes: Float[np.ndarray, "3 c h w"],
    vertices: Float[np.ndarray, "v 3"],
    faces: Int[np.ndarray, "f 3"],
    *,
    memory: int = 512 * 2**20,
) -> Float[np.ndarray, "f c"]:
    """Mean over each face of the triplane field that `lookup_planes` samples, without sampling.

    The mean is linear in the texels, so each face first collects the weight of every texel it touches and then adds
    the texels up once. Inside a texel cell the bilinear field is a quadratic along the face: the triangle is clipped
    against the cells in barycentric coordinates, and each piece is integrated exactly by its edge midpoints. This is
    the limit of averaging more and more uniform samples of a face (PartField, section 3.3, averages 1000 to 2000).

    Args:
        planes: float32 planes in the order xy, yz, xz; rows follow the second axis of a name, columns the first.
        vertices: positions; the planes span [-1, 1], places outside take the border's value.
        faces: vertex indices. A face seen edge-on, a segment or a point gets the mean over uniform barycentric
            coordinates, which is the limit of ever thinner triangles.
        memory: bytes that working copies may take (beside the result); fewer channels are handled at a time to stay
            within it, though at least one.

    Returns:
        float32 means. Exact up to rounding (about 1e-6 of the texels' size).

    Raises:
        ValueError: a face names a vertex that does not exist, or a used vertex is not finite.
    """
    planes, height, width = _check(planes)
    faces = np.asarray(faces).reshape(-1, 3)
    vertices = np.asarray(vertices, np.float64).reshape(-1, 3)
    if faces.size and (faces.min() < 0 or faces.max() >= len(vertices)):
        raise ValueError(f"faces name vertices {faces.min()}..{faces.max()}, but there are {len(vertices)}")
    if not np.isfinite(vertices).all() and not np.isfinite(vertices[faces]).all():
        raise ValueError("vertices contain NaN or infinite coordinates")
    faces = np.require(faces, np.int32, ["C", "W"])
    places = kernel.places_on_planes(vertices, height, width)

    def part(texels: np.ndarray, low: int, high: int, out: np.ndarray) -> None:
        kernel.pool(texels, width, places, faces, low, high, out)

    return _by_channels(planes, len(faces), memory, part)


def lookup_planes(
    planes: Float[np.ndarray, "3 c h w"], points: Float[np.ndarray, "n 3"], *, memory: int = 512 * 2**20
) -> Float[np.ndarray, "n c"]:
    """Triplane field at points: the sum of three bilinear lookups, as `torch.nn.functional.grid_sample` does them.

    Corners aligned (the first and last texel's centres lie at -1 and 1), border values outside. Planes in the order
    xy, yz, xz, looked up with the first axis along columns and the second along rows.

    Args:
        planes: float32. points: finite. memory: as in `pool_faces`.

    Raises:
        ValueError: a point is not finite.
    """
    planes, height, width = _check(planes)
    points = np.asarray(points, np.float64).reshape(-1, 3)
    if not np.isfinite(points).all():
        raise ValueError("points contain NaN or infinite coordinates")
    places = kernel.places_on_planes(points, height, width)

    def part(texels: np.ndarray, low: int, high: int, out: np.ndarray) -> None:
        kernel.look_up(texels, width, places, low, high, out)

    return _by_channels(planes, len(points), memory, part)


def _check(planes: np.ndarray) -> tuple[np.ndarray, int, int]:
    planes = np.asarray(planes, np.float32)
    if planes.ndim != 4 or len(planes) != 3 or 0 in planes.shape:
        raise ValueError(f"planes must have the shape (3, channels, height, width), got {planes.shape}")
    return planes, planes.shape[2], planes.shape[3]


def _by_channels(
    planes: np.ndarray, n: int, memory: int, part: Callable[[np.ndarray, int, int, np.ndarray], None]
) -> np.ndarray:
    """Run `part` over chunks of rows for as many channels at a time as fit, channels laid out last."""
    _, channels, height, width = planes.shape
    texels = height * width
    # two blocks of texels (one is copied when the planes are not contiguous) and, for several blocks, one of results
    block = int(np.clip(memory // (4 * (2 * 3 * texels + n)), 1, channels))
    if 2 * 4 * 3 * texels * channels <= memory:
        block = channels
    if block == channels:
        return _block(planes, n, part)
    result = np.empty((n, channels), np.float32)
    for first in range(0, channels, block):
        result[:, first : first + block] = _block(planes[:, first : first + block], n, part)
    return result


def _block(planes: np.ndarray, n: int, part: Callable[[np.ndarray, int, int, np.ndarray], None]) -> np.ndarray:
    _, channels, height, width = planes.shape
    texels = np.empty((3, height * width, channels), np.float32)
    kernel.channels_last(np.ascontiguousarray(planes).reshape(3, channels, -1), texels)
    out = np.empty((n, channels), np.float32)
    with ThreadPoolExecutor(_THREADS) as threads:
        for _ in threads.map(lambda low: part(texels, low, min(low + _CHUNK, n), out), range(0, n, _CHUNK)):
            pass  # raises what a chunk raised
    return out
