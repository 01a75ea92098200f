"""Assembled shapes as one fused, irregularly triangulated surface: connectivity no longer tells the parts.

The pieces are sampled on a grid as a distance field of their union: the sign comes from signed crossings along three
axes (inside where at least two agree), the distance from the nearest triangle in a narrow band. The surface is taken
about a cell outside, so that plates and wires thinner than the grid survive and neighbours with hairline gaps grow
together, and then drawn back most of the way.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from jaxtyping import Float, Int
from numba import njit
from scipy.ndimage import gaussian_filter

from partseg.data.procedural.figure import clean, vertex_normals
from partseg.data.procedural.grammar import ProceduralShape
from partseg.data.procedural.implicit import compact, largest_component, surface_nets
from partseg.data.procedural.remesh import irregular


@njit(cache=True, nogil=True)
def _distance2(tri, x, y, z):
    """Squared distance from a point to a triangle (3, 3) (Ericson, Real-Time Collision Detection, 5.1.5)."""
    abx, aby, abz = tri[1, 0] - tri[0, 0], tri[1, 1] - tri[0, 1], tri[1, 2] - tri[0, 2]
    acx, acy, acz = tri[2, 0] - tri[0, 0], tri[2, 1] - tri[0, 1], tri[2, 2] - tri[0, 2]
    apx, apy, apz = x - tri[0, 0], y - tri[0, 1], z - tri[0, 2]
    d1 = abx * apx + aby * apy + abz * apz
    d2 = acx * apx + acy * apy + acz * apz
    bpx, bpy, bpz = apx - abx, apy - aby, apz - abz
    d3 = abx * bpx + aby * bpy + abz * bpz
    d4 = acx * bpx + acy * bpy + acz * bpz
    cpx, cpy, cpz = apx - acx, apy - acy, apz - acz
    d5 = abx * cpx + aby * cpy + abz * cpz
    d6 = acx * cpx + acy * cpy + acz * cpz
    vc, vb, va = d1 * d4 - d3 * d2, d5 * d2 - d1 * d6, d3 * d6 - d5 * d4
    if d1 <= 0.0 and d2 <= 0.0:
        v, w = 0.0, 0.0
    elif d3 >= 0.0 and d4 <= d3:
        v, w = 1.0, 0.0
    elif d6 >= 0.0 and d5 <= d6:
        v, w = 0.0, 1.0
    elif vc <= 0.0 and d1 >= 0.0 and d3 <= 0.0:
        v, w = d1 / max(d1 - d3, 1e-30), 0.0
    elif vb <= 0.0 and d2 >= 0.0 and d6 <= 0.0:
        v, w = 0.0, d2 / max(d2 - d6, 1e-30)
    elif va <= 0.0 and d4 - d3 >= 0.0 and d5 - d6 >= 0.0:
        w = (d4 - d3) / max((d4 - d3) + (d5 - d6), 1e-30)
        v = 1.0 - w
    else:
        total = max(va + vb + vc, 1e-30)
        v, w = vb / total, vc / total
    dx, dy, dz = apx - v * abx - w * acx, apy - v * aby - w * acy, apz - v * abz - w * acz
    return dx * dx + dy * dy + dz * dz


@njit(cache=True, nogil=True)
def _band(triangles, shape, reach):
    """Distance (grid units, at most ``reach``) to the nearest triangle at each node, and its index (-1: none near)."""
    far = reach * reach
    distance = np.full((shape[0], shape[1], shape[2]), far, np.float32)
    nearest = np.full((shape[0], shape[1], shape[2]), -1, np.int32)
    lo, hi = np.zeros(3, np.int64), np.zeros(3, np.int64)
    for t in range(len(triangles)):
        tri = triangles[t]
        for a in range(3):
            lo[a] = max(0, int(np.ceil(min(tri[0, a], tri[1, a], tri[2, a]) - reach)))
            hi[a] = min(shape[a] - 1, int(np.floor(max(tri[0, a], tri[1, a], tri[2, a]) + reach)))
        # rows of nodes are first tested against the plane: most of a slanted triangle's box is far from it
        nx = (tri[1, 1] - tri[0, 1]) * (tri[2, 2] - tri[0, 2]) - (tri[1, 2] - tri[0, 2]) * (tri[2, 1] - tri[0, 1])
        ny = (tri[1, 2] - tri[0, 2]) * (tri[2, 0] - tri[0, 0]) - (tri[1, 0] - tri[0, 0]) * (tri[2, 2] - tri[0, 2])
        nz = (tri[1, 0] - tri[0, 0]) * (tri[2, 1] - tri[0, 1]) - (tri[1, 1] - tri[0, 1]) * (tri[2, 0] - tri[0, 0])
        length = np.sqrt(nx * nx + ny * ny + nz * nz)
        if length > 0.0:
            nx, ny, nz = nx / length, ny / length, nz / length
        for x in range(lo[0], hi[0] + 1):
            for y in range(lo[1], hi[1] + 1):
                part = nx * (x - tri[0, 0]) + ny * (y - tri[0, 1])
                for z in range(lo[2], hi[2] + 1):
                    if abs(part + nz * (z - tri[0, 2])) > reach:
                        continue
                    d = _distance2(tri, float(x), float(y), float(z))
                    if d < distance[x, y, z]:
                        distance[x, y, z] = d
                        nearest[x, y, z] = t
    return np.sqrt(distance), nearest


@njit(cache=True, nogil=True)
def _inside_votes(triangles, shape):
    """Number of axes (0…3) along which a node lies inside the union, counting signed crossings of each grid line.

    A line whose crossings do not add up to nothing met an open piece and does not vote.
    """
    votes = np.zeros((shape[0], shape[1], shape[2]), np.uint8)
    at = np.zeros(3, np.int64)
    for axis in range(3):
        u, w = (axis + 1) % 3, (axis + 2) % 3
        n = shape[axis]
        cross = np.zeros((shape[u], shape[w], n + 1), np.int16)
        for t in range(len(triangles)):
            tri = triangles[t]
            au, aw = tri[0, u], tri[0, w]
            bu, bw = tri[1, u], tri[1, w]
            cu, cw = tri[2, u], tri[2, w]
            area = (bu - au) * (cw - aw) - (bw - aw) * (cu - au)
            if area == 0.0:
                continue
            sign = 1 if area < 0.0 else -1  # seen from below, a line going up enters through faces that turn away
            for iu in range(
                max(0, int(np.ceil(min(au, bu, cu) - 1e-3))), min(shape[u] - 1, int(max(au, bu, cu) + 1)) + 1
            ):
                pu = iu + 1.234e-4  # off the grid, so that lines miss edges of axis-aligned pieces
                for iw in range(
                    max(0, int(np.ceil(min(aw, bw, cw) - 1e-3))), min(shape[w] - 1, int(max(aw, bw, cw) + 1)) + 1
                ):
                    pw = iw + 2.718e-4
                    ka = ((bu - pu) * (cw - pw) - (bw - pw) * (cu - pu)) / area
                    kb = ((cu - pu) * (aw - pw) - (cw - pw) * (au - pu)) / area
                    kc = 1.0 - ka - kb
                    if ka < 0.0 or kb < 0.0 or kc < 0.0:
                        continue
                    height = ka * tri[0, axis] + kb * tri[1, axis] + kc * tri[2, axis]
                    k = min(n, max(0, int(np.ceil(height))))
                    cross[iu, iw, k] += sign
        for iu in range(shape[u]):
            for iw in range(shape[w]):
                total = 0
                for k in range(n + 1):
                    total += cross[iu, iw, k]
                if total != 0:
                    continue
                at[u], at[w] = iu, iw
                for k in range(n):
                    total += cross[iu, iw, k]
                    if total > 0:
                        at[axis] = k
                        votes[at[0], at[1], at[2]] += 1
    return votes


@njit(cache=True, nogil=True)
def _nearest_leaf(points, triangles, leaf, nearest):
    """Leaf of the closest among the triangles that are nearest to the grid nodes around each point (grid units)."""
    nx, ny, nz = nearest.shape
    out = np.zeros(len(points), np.int64)
    for i in range(len(points)):
        x, y, z = points[i, 0], points[i, 1], points[i, 2]
        best, found = 1e30, False
        for spread in range(3):  # widen the search in the rare case that no node around knows a triangle
            for ix in range(max(0, int(x) - spread), min(nx, int(x) + 2 + spread)):
                for iy in range(max(0, int(y) - spread), min(ny, int(y) + 2 + spread)):
                    for iz in range(max(0, int(z) - spread), min(nz, int(z) + 2 + spread)):
                        t = nearest[ix, iy, iz]
                        if t >= 0:
                            found = True
                            d = _distance2(triangles[t], x, y, z)
                            if d < best:
                                best = d
                                out[i] = leaf[t]
            if found:
                break
    return out


def _subdivided(
    triangles: Float[np.ndarray, "t 3 3"], leaf: Int[np.ndarray, " t"], longest: float
) -> tuple[Float[np.ndarray, "s 3 3"], Int[np.ndarray, " s"]]:
    """Halve longest edges until none is above ``longest``: small boxes make the band cheap."""
    done, done_leaf = [], []
    for _ in range(24):
        edge = np.linalg.norm(triangles - np.roll(triangles, -1, axis=1), axis=2)
        which = edge.argmax(1)
        big = edge.max(1) > longest
        done.append(triangles[~big])
        done_leaf.append(leaf[~big])
        if not big.any():
            break
        row = np.arange(int(big.sum()))
        tri, k = triangles[big], which[big]
        a, b, c = tri[row, k], tri[row, (k + 1) % 3], tri[row, (k + 2) % 3]
        m = (a + b) / 2
        triangles = np.concatenate([np.stack([a, m, c], 1), np.stack([m, b, c], 1)])
        leaf = np.concatenate([leaf[big], leaf[big]])
    return np.concatenate(done), np.concatenate(done_leaf)


def fuse(
    shape: ProceduralShape, rng: np.random.Generator, *, n_faces: int | None = None, max_nodes: int = 1_500_000
) -> ProceduralShape:
    """The shape as one connected surface with labels from the nearest piece.

    Args:
        shape: any assembled shape; closed outward pieces are filled, open sheets become thin plates.
        rng: draws resolution, thickness, rounding and noise; the result depends on nothing else.
        n_faces: approximate number of triangles (log-uniform 4k…16k if None; bounded by ``max_nodes`` grid nodes).

    Returns:
        A shape with the same tree less the leaves that vanished (swallowed, or loose and dropped), in the same
        coordinates up to a thickening of about half a grid cell.

    Raises:
        ValueError: the shape has no area.
    """
    if n_faces is None:
        n_faces = int(np.exp(rng.uniform(np.log(4000), np.log(16000))))
    triangles = shape.vertices[shape.faces].astype(np.float64)
    cross = np.cross(triangles[:, 1] - triangles[:, 0], triangles[:, 2] - triangles[:, 0])
    area = 0.5 * float(np.linalg.norm(cross, axis=1).sum())
    low, high = triangles.min((0, 1)), triangles.max((0, 1))
    if not np.isfinite(area) or area <= 0:
        raise ValueError(f"{shape.family}: nothing to fuse, the shape has no area")
    share = float(rng.choice([0.0, rng.uniform(0.1, 0.6)]))
    cell = np.sqrt(1.7 * (1 - share) * area / n_faces)
    cell = max(cell, float((high - low).max()) / 160, float(np.prod(high - low + 8 * cell) / max_nodes) ** (1 / 3))
    offset, softness = rng.uniform(0.78, 1.0), rng.choice([0.0, rng.uniform(0.3, 0.55)])
    reach = 3.2
    size = np.ceil((high - low) / cell).astype(np.int64) + 2 * 5
    origin = low - (4.5 + rng.random(3) * 0.5) * cell
    grid, leaf = _subdivided((triangles - origin) / cell, shape.face_leaf.astype(np.int64), 7.0)
    grid = np.ascontiguousarray(grid)
    distance, nearest = _band(grid, size, reach)
    inside = _inside_votes(grid, size) >= 2
    signed = np.where(inside, -distance, distance)
    if softness:  # rounds edges and fillets seams; thin things lose by it, so thicken a little more
        signed, offset = gaussian_filter(signed, softness), offset + 0.25 * softness
    jitter = rng.uniform(0.0, 0.25)
    for grow in (0.0, 0.5, 1.0, 1.6):  # bridge gaps between pieces rather than lose what lies beyond
        vertices, faces = surface_nets(signed - (offset + grow), rng, jitter)
        keep = largest_component(faces, len(vertices))
        if keep.mean() > 0.97 or inside_only(signed, offset + grow, vertices, faces, keep):
            break
    vertices, faces = compact(vertices, faces, keep)
    if share:
        vertices, faces = irregular(vertices, faces, rng, share)
    # back towards the pieces, but not so far that the sides of a thin sheet meet
    vertices = vertices - rng.uniform(0.4, 0.75) * offset * vertex_normals(vertices, faces)
    number = clean(faces, _nearest_leaf(np.ascontiguousarray(vertices[faces].mean(1)), grid, leaf, nearest))
    vertices = vertices + rng.normal(scale=rng.choice([0.0, rng.uniform(0.0, 0.06)]), size=vertices.shape)
    return pruned(shape, (origin + cell * vertices).astype(np.float32), faces, number)


def inside_only(
    signed: Float[np.ndarray, "x y z"],
    level: float,
    vertices: Float[np.ndarray, "v 3"],
    faces: Int[np.ndarray, "f 3"],
    keep: np.ndarray,
) -> bool:
    """Whether all that would be dropped are walls of cavities inside the kept surface's box."""
    lost = vertices[faces[~keep]].mean(1)
    corner = vertices[faces[~keep]]
    normal = np.cross(corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0])
    volume = float((lost * normal).sum())  # walls of a cavity face inwards and enclose a negative volume
    kept = vertices[faces[keep]].reshape(-1, 3)
    within = (lost > kept.min(0)).all() and (lost < kept.max(0)).all()
    return bool(within and volume < 0)


def pruned(
    shape: ProceduralShape,
    vertices: Float[np.ndarray, "v 3"],
    faces: Int[np.ndarray, "f 3"],
    leaf: Int[np.ndarray, " f"],
) -> ProceduralShape:
    """``shape`` with another surface, without the leaves that have no face there and the groups they leave empty."""
    parent = shape.parent
    alive = np.zeros(len(parent), bool)
    alive[shape.leaf_nodes[np.bincount(leaf, minlength=len(shape.leaf_nodes)) > 0]] = True
    for i in range(len(parent) - 1, 0, -1):
        alive[parent[i]] |= alive[i]
    before = np.bincount(parent[1:], minlength=len(parent))
    after = np.bincount(parent[1:][alive[1:]], minlength=len(parent))
    number = np.cumsum(alive) - 1
    new_leaf = np.full(len(parent), -1)
    left = shape.leaf_nodes[alive[shape.leaf_nodes]]
    new_leaf[left] = np.arange(len(left))
    kept = np.flatnonzero(alive)
    return replace(
        shape,
        vertices=vertices,
        faces=np.ascontiguousarray(faces, np.int32),
        face_leaf=new_leaf[shape.leaf_nodes[leaf]].astype(np.int32),
        parent=np.concatenate([[-1], number[parent[kept[1:]]]]).astype(np.int32),
        names=tuple(shape.names[i] for i in kept),
        # a symmetry holds only while all its copies are there
        repeats=tuple(shape.repeats[i] if before[i] == after[i] else None for i in kept),
        generation=shape.generation[kept],
    )
