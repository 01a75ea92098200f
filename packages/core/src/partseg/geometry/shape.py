"""Shape: what is segmented. A mesh, a point cloud or a splat field, with one element per face, point or splat."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
from jaxtyping import Float, Int, UInt8

from partseg.errors import InputError

Kind = Literal["mesh", "cloud", "splats"]


@dataclass(frozen=True)
class Similarity:
    """`file = xyz * scale + offset`: from a shape's coordinates to those of the file it came from."""

    scale: float = 1.0
    offset: tuple[float, float, float] = (0.0, 0.0, 0.0)

    def apply(self, xyz: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, "n 3"]:
        """Coordinates in the file's frame, float64."""
        return np.asarray(xyz, np.float64) * self.scale + np.asarray(self.offset)

    def after(self, scale: float, offset: Float[np.ndarray, "3"]) -> Similarity:
        """The transform to the file from coordinates `(xyz - offset) / scale` of this one's."""
        total = np.asarray(offset, np.float64) * self.scale + np.asarray(self.offset)
        return Similarity(self.scale * scale, tuple(float(x) for x in total))


@dataclass(frozen=True, eq=False)
class Appearance:
    """What an output file needs to look like the input: materials, textures and per-corner attributes.

    Per-corner arrays are aligned with the triangles of the shape, so cutting a mesh into parts is plain indexing.
    """

    materials: tuple[
        Mapping[str, Any], ...
    ] = ()  # glTF 2.0 material objects; `image` in texture slots indexes `images`
    images: tuple[tuple[str, bytes], ...] = ()  # (mime type, encoded bytes)
    face_material: Int[np.ndarray, "f"] | None = None  # -1: none
    uv: Float[np.ndarray, "f 3 2"] | None = None
    corner_normals: Float[np.ndarray, "f 3 3"] | None = None
    corner_colors: UInt8[np.ndarray, "f 3 4"] | None = None  # RGBA
    node_names: tuple[str, ...] = ()
    face_node: Int[np.ndarray, "f"] | None = None


@dataclass(frozen=True, eq=False)
class Shape:
    """A 3D shape, immutable. Labels live on its *elements*: triangles of a mesh, points of a cloud, splats of a field.

    Attributes:
        points: (n, 3) float32 sample points. A freshly loaded mesh has one per triangle, its centroid.
        normals: (n, 3) float32 unit normals of `points`, or None where unknown.
        colors: (n, 3) float32 in 0..1, or None.
        vertices: (v, 3) float64 for a mesh, else None.
        faces: (f, 3) int32 for a mesh, else None. Indices are valid; degenerate and zero-area triangles may occur.
        face_index: (n,) int32, the triangle each sample lies on; None for clouds.
        kind: "mesh", "cloud" or "splats".
        transform: from these coordinates back to those of the file.
        polygon: (f,) int32, the file's own face each triangle was cut from; None when the file has only triangles.
        n_polygons: number of faces in the file (0 when `polygon` is None).
        appearance: materials and textures, for writing; None for clouds.
    """

    points: Float[np.ndarray, "n 3"]
    normals: Float[np.ndarray, "n 3"] | None = None
    colors: Float[np.ndarray, "n 3"] | None = None
    vertices: Float[np.ndarray, "v 3"] | None = None
    faces: Int[np.ndarray, "f 3"] | None = None
    face_index: Int[np.ndarray, "n"] | None = None
    kind: Kind = "cloud"
    transform: Similarity = field(default_factory=Similarity)
    name: str = "shape"
    source: Path | None = None
    appearance: Appearance | None = None
    polygon: Int[np.ndarray, "f"] | None = None
    n_polygons: int = 0

    def __post_init__(self) -> None:
        set_ = lambda key, value: object.__setattr__(self, key, value)  # noqa: E731  (frozen dataclass)
        set_("points", _array(self, "points", np.float32, 3))
        for key in ("normals", "colors"):
            if getattr(self, key) is not None:
                value = _array(self, key, np.float32, 3)
                if len(value) != len(self.points):
                    raise InputError(self.name, f"{len(self.points)} points but {len(value)} {key}")
                set_(key, value)
        if (self.vertices is None) != (self.faces is None):
            raise InputError(self.name, "a mesh needs both vertices and faces")
        if self.faces is not None:
            set_("kind", "mesh")
            set_("vertices", _array(self, "vertices", np.float64, 3))
            faces = np.ascontiguousarray(self.faces, np.int32)
            if faces.ndim != 2 or faces.shape[1] != 3:
                raise InputError(self.name, f"faces must be (f, 3), got {faces.shape}")
            if len(faces) and (faces.min() < 0 or faces.max() >= len(self.vertices)):
                raise InputError(self.name, _bad_vertex(faces, len(self.vertices)))
            set_("faces", faces)
            if self.face_index is None:
                raise InputError(self.name, "a mesh needs face_index; build it with Shape.from_mesh")
            index = np.ascontiguousarray(self.face_index, np.int32)
            if index.shape != (len(self.points),) or (len(index) and (index.min() < 0 or index.max() >= len(faces))):
                raise InputError(self.name, "face_index must name one triangle for each point")
            set_("face_index", index)
            if self.polygon is not None:
                polygon = np.ascontiguousarray(self.polygon, np.int32)
                if polygon.shape != (len(faces),) or polygon.min(initial=0) < 0:
                    raise InputError(self.name, "polygon must name one face of the file for each triangle")
                set_("polygon", polygon)
                set_("n_polygons", max(self.n_polygons, int(polygon.max(initial=-1)) + 1))
        elif self.kind == "mesh":
            raise InputError(self.name, "a mesh needs vertices and faces")
        if self.n_elements == 0:
            raise InputError(self.name, "holds no geometry")
        for key in ("points", "normals", "colors", "vertices", "faces", "face_index", "polygon"):
            value = getattr(self, key)
            if value is not None:
                view = value.view()
                view.setflags(write=False)
                set_(key, view)

    @classmethod
    def from_mesh(
        cls,
        vertices: Float[np.ndarray, "v 3"],
        faces: Int[np.ndarray, "f 3"],
        *,
        name: str = "mesh",
        source: Path | None = None,
        appearance: Appearance | None = None,
        polygon: Int[np.ndarray, "f"] | None = None,
        n_polygons: int = 0,
    ) -> Shape:
        """A mesh with one point per triangle (its centroid) and that triangle's normal."""
        vertices = np.ascontiguousarray(vertices, np.float64)
        faces = np.asarray(faces)
        if faces.size and (faces.min() < 0 or faces.max() >= len(vertices)):
            raise InputError(name, _bad_vertex(faces, len(vertices)))
        faces = np.ascontiguousarray(faces, np.int32).reshape(-1, 3)
        normals, _ = triangle_normals(vertices, faces)
        return cls(
            points=vertices[faces].mean(1).astype(np.float32),
            normals=normals.astype(np.float32),
            vertices=vertices,
            faces=faces,
            face_index=np.arange(len(faces), dtype=np.int32),
            kind="mesh",
            name=name,
            source=source,
            appearance=appearance,
            polygon=polygon,
            n_polygons=n_polygons,
        )

    @classmethod
    def from_points(
        cls,
        points: Float[np.ndarray, "n 3"],
        *,
        normals: Float[np.ndarray, "n 3"] | None = None,
        colors: Float[np.ndarray, "n 3"] | None = None,
        kind: Kind = "cloud",
        name: str = "cloud",
        source: Path | None = None,
    ) -> Shape:
        """A point cloud or splat field. Points keep float32 precision about their own centre."""
        points = np.asarray(points, np.float64)
        transform = Similarity()
        if len(points) and np.isfinite(points).all():
            centre = (points.min(0) + points.max(0)) / 2
            extent = float(np.ptp(points, axis=0).max())
            if np.abs(centre).max() > 1000 * max(extent, 1e-30):  # geo-referenced scans: float32 would merge points
                points, transform = points - centre, Similarity(1.0, tuple(float(x) for x in centre))
        return cls(
            points=points.astype(np.float32), normals=normals, colors=colors, kind=kind, name=name, source=source,
            transform=transform,
        )  # fmt: skip

    def __repr__(self) -> str:
        what = {"mesh": "triangles", "cloud": "points", "splats": "splats"}[self.kind]
        return f"Shape({self.name!r}, {self.n_elements:,} {what})"

    @property
    def is_mesh(self) -> bool:
        return self.faces is not None

    @property
    def n_elements(self) -> int:
        """Triangles of a mesh, points of a cloud, splats of a field."""
        return len(self.faces) if self.faces is not None else len(self.points)

    @property
    def bounds(self) -> Float[np.ndarray, "2 3"]:
        """Lower and upper corner of the axis-aligned box, float64, of the vertices in use (mesh) or the points."""
        used = self.vertices[np.unique(self.faces)] if self.is_mesh else self.points
        return np.stack([used.min(0), used.max(0)]).astype(np.float64)

    def normalized(self, extent: float = 1.8) -> Shape:
        """Centre of the box at the origin, longest side `extent`; `transform` leads back to the file.

        PartField's convention is 1.8, so that points lie in [-0.9, 0.9]. A shape of no extent is only centred.
        """
        low, high = self.bounds
        longest = float((high - low).max())
        scale = longest / extent if longest > 0 else 1.0
        centre = (low + high) / 2
        points, vertices = (self.points.astype(np.float64) - centre) / scale, None
        if self.is_mesh:
            vertices = (self.vertices - centre) / scale
            if len(points) == len(self.faces) and np.array_equal(self.face_index, np.arange(len(points))):
                points = vertices[self.faces].mean(1)  # far from the origin float32 points are coarse, vertices are not
        return replace(
            self,
            points=points.astype(np.float32),
            vertices=vertices,
            transform=self.transform.after(scale, centre),
        )

    def sampled(self, n: int, seed: int = 0) -> Shape:
        """The same mesh with `n` points spread over its surface by area, with normals; clouds are subsampled.

        A cloud of at most `n` points is returned as it is. Elements do not change for a mesh; for a cloud the result
        has `min(n, n_elements)` elements.
        """
        if self.is_mesh:
            from partseg.geometry.sampling import sample_surface

            points, normals, index = sample_surface(self.vertices, self.faces, n, seed)
            return replace(self, points=points, normals=normals, colors=None, face_index=index)
        if n >= len(self.points):
            return self
        keep = np.sort(np.random.default_rng(seed).choice(len(self.points), n, replace=False))
        pick = lambda x: None if x is None else x[keep]  # noqa: E731
        return replace(self, points=self.points[keep], normals=pick(self.normals), colors=pick(self.colors))

    @cached_property
    def _face_frame(self) -> tuple[Float[np.ndarray, "f 3"], Float[np.ndarray, "f"]]:
        return triangle_normals(self.vertices, self.faces)

    @property
    def face_normals(self) -> Float[np.ndarray, "f 3"]:
        """Unit normals, zero for triangles of no area, float64. Meshes only."""
        return self._face_frame[0]

    @property
    def face_areas(self) -> Float[np.ndarray, "f"]:
        """Areas in squared units of this shape, float64. Meshes only."""
        return self._face_frame[1]

    @cached_property
    def face_centroids(self) -> Float[np.ndarray, "f 3"]:
        return self.vertices[self.faces].mean(1)

    @property
    def element_positions(self) -> Float[np.ndarray, "n_elements 3"]:
        """One position per element: face centroids of a mesh, the points otherwise; float64."""
        return self.face_centroids if self.is_mesh else self.points.astype(np.float64)

    def to_file(self, labels: Int[np.ndarray, "n_elements"]) -> Int[np.ndarray, "m"]:
        """Labels per element -> labels per face (or point) in the file's own order.

        A polygon takes the most frequent label of its triangles (the lowest on a tie); faces of the file that gave
        no triangle (fewer than three corners) get -1.
        """
        labels = np.asarray(labels)
        if self.polygon is None:
            return labels
        out = np.full(self.n_polygons, -1, labels.dtype)
        order = np.lexsort((labels, self.polygon))
        polygon, label = self.polygon[order], labels[order]
        start = np.flatnonzero(np.r_[True, (polygon[1:] != polygon[:-1]) | (label[1:] != label[:-1])])
        count = np.diff(np.r_[start, len(label)])
        best = np.lexsort((-label[start], count, polygon[start]))  # last of each polygon: most frequent, lowest label
        out[polygon[start][best]] = label[start][best]
        return out


def triangle_normals(
    vertices: Float[np.ndarray, "v 3"], faces: Int[np.ndarray, "f 3"]
) -> tuple[Float[np.ndarray, "f 3"], Float[np.ndarray, "f"]]:
    """Unit normals (zero where the area is zero) and areas of triangles, float64."""
    a, b, c = (vertices[faces[:, i]] for i in range(3))
    cross = np.cross(b - a, c - a)
    double = np.linalg.norm(cross, axis=1)
    return cross / np.where(double > 0, double, 1.0)[:, None], double / 2


def _bad_vertex(faces: Int[np.ndarray, "f 3"], n: int) -> str:
    worst = faces.min() if faces.min() < 0 else faces.max()
    return f"a face names vertex {int(worst)} of {n}"


def _array(shape: Shape, key: str, dtype: type, width: int) -> np.ndarray:
    with np.errstate(over="ignore"):  # what float32 cannot hold becomes infinite, and is refused below
        value = np.ascontiguousarray(getattr(shape, key), dtype)
    if value.ndim != 2 or value.shape[1] != width:
        raise InputError(shape.name, f"{key} must be (n, {width}), got {value.shape}")
    if not np.isfinite(value).all():
        raise InputError(shape.name, f"{key} holds NaN or infinite values")
    return value
