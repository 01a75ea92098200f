"""Pictures of shapes without a GPU, a display or a system package.

The steps, each usable alone: :mod:`~partseg.geometry.camera` says where from, :mod:`~partseg.geometry.buffers` what
each pixel sees, :mod:`~partseg.geometry.shading` how it looks. ``render_mesh`` and ``render_points`` do all of them.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int, UInt8

from partseg.geometry.buffers import (
    Buffers,
    buffer_normals,
    corner_normals,
    depth_normals,
    point_radius,
    rasterise,
    rasterise_points,
)
from partseg.geometry.camera import Camera, fit_camera, orbit_cameras
from partseg.geometry.shading import BACKGROUND, Light, light, shade

__all__ = [
    "Buffers",
    "Camera",
    "Light",
    "buffer_normals",
    "corner_normals",
    "depth_normals",
    "fit_camera",
    "light",
    "orbit_cameras",
    "point_radius",
    "rasterise",
    "rasterise_points",
    "render_mesh",
    "render_points",
    "shade",
]

CLAY = (200, 198, 194)


def render_mesh(
    vertices: Float[np.ndarray, "v 3"],
    faces: Int[np.ndarray, "f 3"],
    camera: Camera,
    size: tuple[int, int] = (512, 512),
    *,
    colors: UInt8[np.ndarray, "f 3"] | None = None,
    labels: Int[np.ndarray, "f"] | None = None,
    up: str | tuple[float, float, float] = "y",
    background: tuple[int, int, int] = BACKGROUND,
    supersample: int = 2,
) -> UInt8[np.ndarray, "h w 3"]:
    """Image of a mesh.

    Args:
        vertices, faces: the mesh; any winding; may be empty.
        camera: where from.
        size: (height, width) of the image.
        colors: sRGB colour of every face; clay when None.
        labels: part of every face, for the lines between parts.
        up: up axis of the world, for the light.
        background: sRGB colour where nothing is.
        supersample: smooths edges; 1 is fastest.
    """
    buffers = rasterise(vertices, faces, camera, (size[0] * supersample, size[1] * supersample))
    normals = buffer_normals(buffers, vertices, faces, corner_normals(vertices, faces))
    colors = np.full((len(faces), 3), CLAY, np.uint8) if colors is None else colors
    lit = light(buffers, normals, up=up)
    return shade(buffers, colors, lit, labels=labels, background=background, supersample=supersample)


def render_points(
    points: Float[np.ndarray, "n 3"],
    camera: Camera,
    size: tuple[int, int] = (512, 512),
    *,
    radius: float | None = None,
    colors: UInt8[np.ndarray, "n 3"] | None = None,
    labels: Int[np.ndarray, "n"] | None = None,
    up: str | tuple[float, float, float] = "y",
    background: tuple[int, int, int] = BACKGROUND,
    supersample: int = 2,
) -> UInt8[np.ndarray, "h w 3"]:
    """Image of a point cloud or the centres of splats, lit by normals estimated from depth.

    ``radius`` is that of the balls, world units (default: :func:`point_radius`); the rest as in :func:`render_mesh`.
    """
    buffers = rasterise_points(points, camera, (size[0] * supersample, size[1] * supersample), radius)
    colors = np.full((len(points), 3), CLAY, np.uint8) if colors is None else colors
    lit = light(buffers, depth_normals(buffers), up=up)
    return shade(buffers, colors, lit, labels=labels, background=background, supersample=supersample)
