"""The shape diameter function: how thick a solid is beneath each face (Shapira, Shamir, Cohen-Or 2008, Sec. 3)."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
from jaxtyping import Float, Int
from numba import njit

from partseg.geometry.adjacency import face_adjacency
from partseg.ops.bvh import LANES, STACK, build_bvh, follow, set_ray

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
    local, weight = local.astype(np.float32), 1.0 / angle
    out, share = np.full(len(triangles), np.nan), np.zeros(len(triangles))

    def part(first: int) -> None:
        some = queue[first : first + _CHUNK]
        start, axis = _starts(triangles[some], bvh.centre, bvh.scale)
        _diameters(*bvh[:4], start, axis, number[some], some, local, weight, out, share)

    with ThreadPoolExecutor(_THREADS) as threads:
        for _ in threads.map(part, range(0, len(queue), _CHUNK)):
            pass  # raises what a chunk raised
    return out / bvh.scale, share


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


def _starts(
    triangles: Float[np.ndarray, "n 3 3"], centre: Float[np.ndarray, "3"], scale: float
) -> tuple[Float[np.ndarray, "n 3"], Float[np.ndarray, "n 3"]]:
    """Centroids in the hierarchy's coordinates, and inward unit normals (zero for faces of no area), float32."""
    cross = np.cross(triangles[:, 2] - triangles[:, 0], triangles[:, 1] - triangles[:, 0])
    length = np.linalg.norm(cross, axis=1, keepdims=True)
    axis = np.divide(cross, length, out=np.zeros_like(cross), where=length > 0)
    return ((triangles.mean(1) - centre) * scale).astype(np.float32), axis.astype(np.float32)


@njit(cache=True, nogil=True)
def _diameters(
    box, link, triangle, order, start, axis, number, place, local, weight, out, seen
):  # pragma: no cover - compiled
    """Shape diameters of faces into `out[place]`, shares of rays that count into `seen[place]`."""
    n = len(local)
    blocks = (n + LANES - 1) // LANES
    rays = np.zeros((blocks, 6, LANES), np.float32)
    best, facing, hit = np.empty(LANES, np.float32), np.empty(LANES, np.float32), np.empty(LANES, np.int32)
    stack = np.empty(STACK, np.int32)
    far, share = np.empty(n), np.empty(n)
    for i in range(len(start)):
        x, y, z = axis[i, 0], axis[i, 1], axis[i, 2]
        if x == 0 and y == 0 and z == 0:
            continue
        # frame about the axis (Duff et al. 2017, without the branch)
        sign = np.float32(1) if z >= 0 else np.float32(-1)
        a = -np.float32(1) / (sign + z)
        b = x * y * a
        count = 0
        for block in range(blocks):
            for k in range(LANES):
                r = min(block * LANES + k, n - 1)
                p, q, w = local[r, 0], local[r, 1], local[r, 2]
                set_ray(rays[block], k, 0, p * (1 + sign * x * x * a) + q * b + w * x)
                set_ray(rays[block], k, 1, p * sign * b + q * (sign + y * y * a) + w * y)
                set_ray(rays[block], k, 2, -p * sign * x - q * y + w * z)
            follow(
                box, link, triangle, order, start[i, 0], start[i, 1], start[i, 2],
                rays[block], best, facing, hit, number[i], stack,
            )  # fmt: skip
            for k in range(min(LANES, n - block * LANES)):
                if facing[k] > 0:
                    # sorted by insertion, with the ray's weight
                    d, at = np.float64(best[k]), count
                    while at > 0 and far[at - 1] > d:
                        far[at] = far[at - 1]
                        share[at] = share[at - 1]
                        at -= 1
                    far[at] = d
                    share[at] = weight[block * LANES + k]
                    count += 1
        seen[place[i]] = count / n
        if count == 0:
            continue
        middle = (far[(count - 1) // 2] + far[count // 2]) / 2
        mean, square = 0.0, 0.0
        for k in range(count):
            mean += far[k]
        mean /= count
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
        out[place[i]] = total / mass if mass > 0 else everything / whole
