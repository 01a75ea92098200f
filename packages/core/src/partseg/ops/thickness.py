"""The shape diameter function: how thick a solid is beneath each face (Shapira, Shamir, Cohen-Or 2008, Sec. 3)."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
from jaxtyping import Bool, Float, Int
from numba import njit

from partseg.geometry.adjacency import face_adjacency
from partseg.ops.bvh import build_bvh, first_hits

_THREADS = 2
_CHUNK = 1024
_NORMAL_WEIGHT = 0.1  # of unit normals beside positions (longest side 1) when thickness is carried to other faces


def shape_diameter(
    vertices: Float[np.ndarray, "v 3"],
    faces: Int[np.ndarray, "f 3"],
    *,
    rays: int = 30,
    cone: float = 120.0,
    chosen: Int[np.ndarray, "m"] | None = None,
) -> Float[np.ndarray, "m"]:
    """Shape diameter of each face, in the mesh's units.

    From the centroid of a face a cone of rays goes inwards. Hits on a surface seen from outside (its normal against the
    ray) are dropped; the rest within one standard deviation of their median are averaged with weights 1 / angle to the
    cone's axis. The mesh should be closed with outward normals; on an open one rays that leave are ignored.

    Args:
        vertices, faces: the mesh, finite.
        rays: rays a face, spread evenly over the cone; 16 at a time cost the same.
        cone: opening angle, degrees, below 180.
        chosen: the faces wanted, all by default.

    Returns:
        float64; NaN where no ray counts (zero-area faces, open sheets).
    """
    return _cast(vertices, faces, rays, cone, chosen)[0]


def _cast(
    vertices: np.ndarray, faces: np.ndarray, rays: int, cone: float, chosen: np.ndarray | None
) -> tuple[Float[np.ndarray, "m"], Float[np.ndarray, "m"]]:
    """Shape diameters, and the share of each face's rays that count."""
    if rays < 1 or not 0 < cone < 180:
        raise ValueError(f"expected rays >= 1 and 0 < cone < 180, not {rays} and {cone}")
    triangles = np.asarray(vertices, np.float64)[faces]
    bvh = build_bvh(triangles)
    if chosen is not None:
        triangles = triangles[chosen]
    number = np.arange(len(triangles), dtype=np.int32) if chosen is None else np.asarray(chosen, np.int32)
    # neighbours in the hierarchy one after another: their rays meet the same nodes
    rank = np.empty(len(bvh.order), np.int32)
    rank[bvh.order] = np.arange(len(rank))
    queue = np.argsort(rank[number], kind="stable").astype(np.int32)
    local, angle = _cone(rays, np.deg2rad(cone) / 2)
    weight = 1.0 / angle
    out, share = np.full(len(triangles), np.nan), np.zeros(len(triangles))

    def part(first: int) -> None:
        some = queue[first : first + _CHUNK]
        inward, has_area = _inward(triangles[some])
        some, inward = some[has_area], inward[has_area]
        directions = np.einsum("fij,rj->fri", _frames(inward), local)
        hits = first_hits(bvh, triangles[some].mean(1), directions, number[some])
        distance = np.where(hits.leaving, hits.distance, np.float32(np.nan))
        out[some], share[some] = _robust_means(distance, weight), hits.leaving.mean(1)

    with ThreadPoolExecutor(_THREADS) as threads:
        for _ in threads.map(part, range(0, len(queue), _CHUNK)):
            pass  # raises what a chunk raised
    return out, share


def thickness(
    vertices: Float[np.ndarray, "v 3"],
    faces: Int[np.ndarray, "f 3"],
    edges: Int[np.ndarray, "m 2"] | None = None,
    *,
    rays: int = 16,
    most: int = 50_000,
    seed: int = 0,
) -> Float[np.ndarray, "f"] | None:
    """How thick the solid is beneath each face, 0 (thinnest) … 1 on log scale; None where a mesh does not tell.

    The shape diameter, with gaps filled from neighbouring faces. A mesh whose volume comes out negative is taken for
    turned inside out. None when less than half of the rays, faces weighted by area, meet the surface from inside: open
    sheets, faces wound now one way and now the other.

    Args:
        vertices, faces: the mesh, finite.
        edges: pairs of adjacent faces, if they are known already (`partseg.geometry.adjacency.face_adjacency`).
        rays: rays a face.
        most: of more faces, so many are computed, spread evenly over the area; the others take the value of the face
            that is nearest in position and normal.
        seed: of that choice.

    Returns:
        float32.
    """
    vertices, faces = np.asarray(vertices, np.float64), np.asarray(faces)
    if not len(faces):
        return None
    corners = vertices[faces]
    cross = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    double_area = np.linalg.norm(cross, axis=1)
    about = corners[:, 0] - vertices[faces[0, 0]]  # any fixed point; a near one rounds less
    if np.einsum("ij,ij->", about, cross) < 0:
        faces, cross = faces[:, ::-1], -cross
    chosen = None if len(faces) <= most else _even_subset(double_area, most, seed)
    found, share = _cast(vertices, faces, rays, 120.0, chosen)
    known = share > 0
    area = double_area if chosen is None else np.ones(len(chosen))  # chosen by area already
    if area @ share < area.sum() / 2 or not known.any():
        return None
    if chosen is None:
        if edges is None and not known.all():
            edges = face_adjacency(faces, vertices=vertices)
        values = found if known.all() else fill_unknown(found, edges)
    else:
        extent = float(np.ptp(corners, axis=(0, 1)).max())
        place = corners.mean(1)
        place /= extent
        where = np.concatenate([place, cross * (_NORMAL_WEIGHT / np.maximum(double_area, 1e-300))[:, None]], axis=1)
        values = _carried(where, chosen[known], found[known])
    return log_normalized(values).astype(np.float32)


def _even_subset(area: Float[np.ndarray, "f"], most: int, seed: int) -> Int[np.ndarray, "m"]:
    """At most `most` distinct faces, in proportion to area: systematic sampling with a random start."""
    total = np.cumsum(area)
    at = (np.arange(most) + np.random.default_rng(seed).random()) * (total[-1] / most)
    return np.unique(np.minimum(np.searchsorted(total, at, side="right"), len(area) - 1))


def _carried(
    where: Float[np.ndarray, "f d"], chosen: Int[np.ndarray, "m"], values: Float[np.ndarray, "m"]
) -> Float[np.ndarray, "f"]:
    """Every row takes the value of the nearest chosen row."""
    from scipy.spatial import cKDTree

    near = cKDTree(where[chosen]).query(where, eps=0.5, workers=_THREADS)[1]
    return values[near]


def fill_unknown(
    values: Float[np.ndarray, "n"], edges: Int[np.ndarray, "m 2"], rounds: int = 100
) -> Float[np.ndarray, "n"]:
    """Replace NaN by the mean over known neighbours, ring by ring; by the overall median where none is reached.

    0 throughout when nothing is known.
    """
    values = np.array(values, np.float64)
    known = ~np.isnan(values)
    if not known.any():
        return np.zeros_like(values)
    middle = float(np.median(values[known]))
    both = np.concatenate([edges, edges[:, ::-1]])
    for _ in range(rounds):
        reach = both[~known[both[:, 0]] & known[both[:, 1]]]
        if not len(reach):
            break
        total = np.bincount(reach[:, 0], values[reach[:, 1]], len(values))
        count = np.bincount(reach[:, 0], minlength=len(values))
        new = count > 0
        values[new] = total[new] / count[new]
        known |= new
    return np.where(known, values, middle)


def log_normalized(values: Float[np.ndarray, "n"], alpha: float = 4.0) -> Float[np.ndarray, "n"]:
    """Diameters mapped to 0..1, thin parts spread out: log(1 + alpha t) / log(1 + alpha) (the paper's Eq. 1)."""
    low, high = float(values.min()), float(values.max())
    t = (values - low) / (high - low) if high > low else np.zeros_like(values)
    return np.log1p(alpha * t) / np.log1p(alpha)


@njit(cache=True, nogil=True)
def _bilateral(values, weight, indptr, indices, sigma, rounds):  # pragma: no cover - compiled
    n = len(values)
    for _ in range(rounds):
        out = np.empty(n)
        for i in range(n):
            total, mass = values[i] * weight[i], weight[i]
            for e in range(indptr[i], indptr[i + 1]):
                j = indices[e]
                w = weight[j] * np.exp(-((values[j] - values[i]) ** 2) / (2 * sigma * sigma))
                total += w * values[j]
                mass += w
            out[i] = total / mass if mass > 0 else values[i]
        values = out
    return values


def bilateral(
    values: Float[np.ndarray, "n"],
    area: Float[np.ndarray, "n"],
    indptr: Int[np.ndarray, "n1"],
    indices: Int[np.ndarray, "m"],
    *,
    sigma: float = 0.1,
    rounds: int = 10,
) -> Float[np.ndarray, "n"]:
    """Smooth over the adjacency (compressed rows) but not across jumps larger than a few `sigma`, area-weighted."""
    arrays = (np.ascontiguousarray(x, np.float64) for x in (values, area))
    rows = (np.ascontiguousarray(x, np.int64) for x in (indptr, indices))
    return _bilateral(*arrays, *rows, float(sigma), int(rounds))


def _cone(rays: int, half: float) -> tuple[Float[np.ndarray, "r 3"], Float[np.ndarray, "r"]]:
    """Unit directions about +z on a golden-angle spiral, even per solid angle, and their angles to the axis."""
    i = np.arange(rays)
    cosine = 1 - (i + 0.5) / rays * (1 - np.cos(half))
    turn = i * np.pi * (3 - np.sqrt(5))
    sine = np.sqrt(1 - cosine**2)
    return np.stack([sine * np.cos(turn), sine * np.sin(turn), cosine], axis=1), np.arccos(cosine)


def _inward(triangles: Float[np.ndarray, "n 3 3"]) -> tuple[Float[np.ndarray, "n 3"], Bool[np.ndarray, "n"]]:
    """Unit normals turned round, and which triangles have an area and so a normal."""
    cross = np.cross(triangles[:, 2] - triangles[:, 0], triangles[:, 1] - triangles[:, 0])
    length = np.linalg.norm(cross, axis=1)
    return cross / np.where(length > 0, length, 1.0)[:, None], length > 0


def _frames(axis: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, "n 3 3"]:
    """Rotations that take +z to each unit axis (Duff et al. 2017, without the branch)."""
    x, y, z = axis.T
    sign = np.where(z >= 0, 1.0, -1.0)
    a = -1.0 / (sign + z)
    b = x * y * a
    first = np.stack([1 + sign * x * x * a, sign * b, -sign * x], axis=1)
    second = np.stack([b, sign + y * y * a, -y], axis=1)
    return np.stack([first, second, axis], axis=2)


@njit(cache=True, nogil=True)
def _robust_means(distance, weight):  # pragma: no cover - compiled
    """Weighted mean of each row's known values within one standard deviation of their median; NaN where none is."""
    n, rays = distance.shape
    out = np.empty(n)
    far, share = np.empty(rays), np.empty(rays)
    for i in range(n):
        count = 0
        for k in range(rays):
            d = np.float64(distance[i, k])
            if d == d:  # known: sorted in, with the ray's weight
                at = count
                while at > 0 and far[at - 1] > d:
                    far[at] = far[at - 1]
                    share[at] = share[at - 1]
                    at -= 1
                far[at] = d
                share[at] = weight[k]
                count += 1
        out[i] = np.nan
        if count == 0:
            continue
        middle = (far[(count - 1) // 2] + far[count // 2]) / 2
        mean, square = 0.0, 0.0
        for k in range(count):
            mean += far[k] / count
        for k in range(count):
            square += (far[k] - mean) ** 2
        spread = np.sqrt(square / count) + 1e-9 * middle
        total, mass, everything, whole = 0.0, 0.0, 0.0, 0.0
        for k in range(count):
            everything += share[k] * far[k]
            whole += share[k]
            if abs(far[k] - middle) <= spread:
                total += share[k] * far[k]
                mass += share[k]
        # with an even count no value need lie near the median
        out[i] = total / mass if mass > 0 else everything / whole
    return out
