"""Cameras: where a picture is taken from, and which directions show a shape well.

Conventions: pixel (row, column) has its centre at (row + 0.5, column + 0.5), row 0 on top. Camera space is
right-handed with x right, y up and z towards the viewer; depth is the distance along the viewing axis, so a
camera-space point is ``(x, y, -depth)``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

_AXES = {"x": (1.0, 0.0, 0.0), "y": (0.0, 1.0, 0.0), "z": (0.0, 0.0, 1.0)}


@dataclass(frozen=True)
class Camera:
    """Where the picture is taken from.

    Attributes:
        eye: position, world units.
        target: the point in the centre of the picture; must differ from ``eye``.
        up: direction that points up in the picture; if it is parallel to the viewing axis another one is taken.
        fov: full vertical opening angle in degrees, in (0, 180); None for an orthographic camera.
        extent: world height of the picture; used by orthographic cameras only.
        near: smallest depth drawn; by default a thousandth of the distance to the target.
    """

    eye: tuple[float, float, float]
    target: tuple[float, float, float] = (0.0, 0.0, 0.0)
    up: tuple[float, float, float] = (0.0, 1.0, 0.0)
    fov: float | None = 30.0
    extent: float = 2.0
    near: float | None = None

    def __post_init__(self) -> None:
        for name in ("eye", "target", "up"):
            value = np.asarray(getattr(self, name), np.float64)
            if value.shape != (3,) or not np.isfinite(value).all():
                raise ValueError(f"camera {name} must be three finite numbers")
            object.__setattr__(self, name, tuple(value.tolist()))
        if self.eye == self.target:
            raise ValueError("camera eye and target coincide")
        if self.fov is not None and not 0.0 < self.fov < 180.0:
            raise ValueError("camera fov must lie between 0 and 180 degrees")
        if self.fov is None and not self.extent > 0.0:
            raise ValueError("camera extent must be positive")

    @property
    def axes(self) -> Float[np.ndarray, "3 3"]:
        """World directions of camera x (right), y (up) and z (towards the viewer), one per row."""
        back = np.subtract(self.eye, self.target)
        back /= np.linalg.norm(back)
        right = np.cross(self.up, back)
        if np.linalg.norm(right) < 1e-9 * max(1.0, float(np.linalg.norm(self.up))):
            right = np.cross(np.eye(3)[np.argmin(np.abs(back))], back)
        right /= np.linalg.norm(right)
        return np.stack([right, np.cross(back, right), back])

    @property
    def near_depth(self) -> float:
        """Smallest depth drawn, world units."""
        return 1e-3 * float(np.linalg.norm(np.subtract(self.eye, self.target))) if self.near is None else self.near

    def focal(self, height: int) -> float:
        """Pixels per world unit at depth 1 (perspective) or at every depth (orthographic), for a picture height."""
        return height / self.extent if self.fov is None else 0.5 * height / float(np.tan(np.radians(self.fov) / 2))

    def to_camera(self, points: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, "n 3"]:
        """Points in camera space (x right, y up, z towards the viewer; depth is -z), float64."""
        return (np.asarray(points, np.float64) - self.eye) @ self.axes.T

    def homogeneous(self, points: Float[np.ndarray, "n 3"], size: tuple[int, int]) -> Float[np.ndarray, "n 4"]:
        """x*w, y*w, w and depth of points, float64: pixel is (x, y) for a picture of ``size`` (height, width).

        w is the depth (perspective) or 1 (orthographic).
        """
        height, width = size
        local = self.to_camera(points)
        out = np.empty((len(local), 4))
        out[:, 3] = -local[:, 2]
        out[:, 2] = 1.0 if self.fov is None else out[:, 3]
        focal = self.focal(height)
        out[:, 0] = focal * local[:, 0] + 0.5 * width * out[:, 2]
        out[:, 1] = -focal * local[:, 1] + 0.5 * height * out[:, 2]
        return out

    def project(self, points: Float[np.ndarray, "n 3"], size: tuple[int, int]) -> Float[np.ndarray, "n 3"]:
        """Pixel x, pixel y and depth of points, for a picture of ``size`` (height, width).

        Points at or behind the camera plane of a perspective camera get infinite or mirrored pixels: look at
        the depth.
        """
        corners = self.homogeneous(points, size)
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.concatenate([corners[:, :2] / corners[:, 2:3], corners[:, 3:]], axis=1)

    def rays(self, size: tuple[int, int]) -> tuple[Float[np.ndarray, "h w 3"], Float[np.ndarray, "h w 3"]]:
        """World origin and direction of the ray through every pixel centre; directions have depth 1 (not length 1),
        so ``origin + depth * direction`` is the seen point."""
        height, width = size
        focal = self.focal(height)
        x = (np.arange(width) + 0.5 - 0.5 * width) / focal
        y = (0.5 * height - np.arange(height) - 0.5) / focal
        right, up, back = self.axes
        plane = x[None, :, None] * right + y[:, None, None] * up
        eye = np.asarray(self.eye)
        if self.fov is None:
            return eye + plane, np.broadcast_to(-back, plane.shape)
        return np.broadcast_to(eye, plane.shape), plane - back


def up_axes(up: str | tuple[float, float, float] = "y") -> Float[np.ndarray, "3 3"]:
    """Right, up and front directions (rows) of the world for an up axis.

    Args:
        up: "x", "y", "z", one of these with a minus sign, or a direction. With "y" the front is +z (as in glTF),
            with "z" it is -y (as in most modelling tools and robotics); right is +x in both.
    """
    if isinstance(up, str):
        if up.lstrip("-+") not in _AXES or len(up) > 2:
            raise ValueError(f"up axis {up!r} is none of x, y, z, -x, -y, -z")
        top = np.multiply(_AXES[up[-1]], -1.0 if up[0] == "-" else 1.0)
    else:
        top = np.asarray(up, np.float64)
        top = top / np.linalg.norm(top)
    right = np.asarray(_AXES["x"] if abs(top[0]) < 0.9 else _AXES["z"])
    right = right - (right @ top) * top
    right /= np.linalg.norm(right)
    return np.stack([right, top, np.cross(right, top)])


def fit_camera(
    points: Float[np.ndarray, "n 3"],
    azimuth: float = 35.0,
    elevation: float = 20.0,
    *,
    up: str | tuple[float, float, float] = "y",
    fov: float | None = 25.0,
    aspect: float = 1.0,
    margin: float = 1.06,
) -> Camera:
    """Camera that looks from a direction and shows all points, as large as they fit.

    Args:
        points: what must be visible; empty or a single place gives a view of a unit ball around it.
        azimuth: degrees to the right of the front, see :func:`up_axes`.
        elevation: degrees above the horizon; +-90 looks straight down or up, with the front at the bottom (top).
        up: up axis of the world.
        fov: vertical opening in degrees; None for orthographic.
        aspect: width / height of the picture.
        margin: 1 touches the border; 1.06 leaves 6 per cent.
    """
    axes = view_axes(azimuth, elevation, up)
    points = np.asarray(points, np.float64).reshape(-1, 3)
    local = points @ axes.T if len(points) else np.zeros((1, 3))
    low, high = local.min(axis=0), local.max(axis=0)
    if not (high - low).max() > 0:
        low, high = low - 1.0, high + 1.0
        local = np.stack([low, high])
    centre = (low + high) / 2
    if fov is None:
        half = (high - low) / 2
        extent = 2 * margin * max(half[1], half[0] / aspect, 1e-6 * half.max())
        centre[2] = high[2]
        distance = float(np.linalg.norm(high - low))
        return Camera((centre + np.array([0, 0, distance])) @ axes, centre @ axes, axes[1], None, extent)
    slope = np.tan(np.radians(fov) / 2) / margin
    limits = slope * np.array([aspect, 1.0])
    # Each side of the frustum through the eye (x, y, z) gives a bound linear in the eye; the tightest point of each
    # side decides: |p_axis - eye_axis| <= limit * (eye_z - p_z).
    above = [(local[:, c] + limits[c] * local[:, 2]).max() for c in (0, 1)]
    below = [(-local[:, c] + limits[c] * local[:, 2]).max() for c in (0, 1)]
    eye = np.array([(above[0] - below[0]) / 2, (above[1] - below[1]) / 2, 0.0])
    eye[2] = max((above[c] + below[c]) / (2 * limits[c]) for c in (0, 1))
    eye[2] = max(eye[2], high[2] + 1e-3 * float((high - low).max()))
    return Camera(eye @ axes, np.array([eye[0], eye[1], centre[2]]) @ axes, axes[1], fov)


def view_axes(azimuth: float, elevation: float, up: str | tuple[float, float, float] = "y") -> np.ndarray:
    """Camera axes (right, up, back; rows) of a view from an azimuth and elevation in degrees."""
    right, top, front = up_axes(up)
    turn, tilt = np.radians(azimuth), np.radians(elevation)
    flat = np.sin(turn) * right + np.cos(turn) * front
    back = np.cos(tilt) * flat + np.sin(tilt) * top
    upward = np.cos(tilt) * top - np.sin(tilt) * flat
    return np.stack([np.cross(upward, back), upward, back])


def orbit_cameras(
    points: Float[np.ndarray, "n 3"],
    n: int = 6,
    elevations: tuple[float, ...] = (20.0,),
    *,
    start: float = 0.0,
    poles: bool = False,
    up: str | tuple[float, float, float] = "y",
    fov: float | None = 25.0,
    aspect: float = 1.0,
    margin: float = 1.06,
) -> list[Camera]:
    """Cameras on rings around a shape, each fitted to it.

    Args:
        points: vertices or points of the shape.
        n: views per ring, evenly spaced from azimuth ``start`` on.
        elevations: one ring for each, degrees.
        start: azimuth of the first view, degrees.
        poles: also look from straight above and straight below (last two); ``n=4, elevations=(0,), poles=True`` are
            the six views along the axes.
        up, fov, aspect, margin: see :func:`fit_camera`.
    """
    views = [(start + 360.0 * i / n, elevation) for elevation in elevations for i in range(n)]
    if poles:
        views += [(start, 90.0), (start, -90.0)]
    return [fit_camera(points, a, e, up=up, fov=fov, aspect=aspect, margin=margin) for a, e in views]


def frame_views(
    points: Float[np.ndarray, "n 3"],
    views: Sequence[tuple[float, float]],
    *,
    up: str | tuple[float, float, float] = "y",
    fov: float = 25.0,
    width: int = 1600,
    height: int = 540,
    margin: float = 1.04,
    radius: float = 0.0,
) -> tuple[list[Camera], list[tuple[int, int]]]:
    """Cameras and tight picture sizes for several views side by side, all at the same scale.

    Args:
        points: what must be visible.
        views: azimuth and elevation of each view, degrees.
        up: up axis of the world.
        fov: opening in degrees under which the whole shape would be seen; sets how strong the perspective is.
        width: the pictures together are at most this wide.
        height: none is higher than this.
        margin: 1 touches the border.
        radius: world radius of balls around the points that must be visible too.

    Returns:
        One perspective camera and one (height, width) in pixels for each view.
    """
    points = np.asarray(points, np.float64).reshape(-1, 3)
    low, high = (points.min(axis=0), points.max(axis=0)) if len(points) else (np.zeros(3), np.zeros(3))
    middle = (low + high) / 2
    reach = float(np.linalg.norm(high - low)) / 2 + radius
    if not reach > 0:
        reach, points = 1.0, middle + np.vstack([np.eye(3), -np.eye(3)])
    points = points if len(points) else middle[None]
    distance = reach / np.sin(np.radians(fov) / 2)
    frames = []
    for azimuth, elevation in views:
        axes = view_axes(azimuth, elevation, up)
        local = (points - middle) @ axes.T
        eye, slopes = np.array([0.0, 0.0, distance]), np.zeros(2)
        for c in (0, 1):
            # Fixed point of: the half opening that just holds all points, seen from where they are centred.
            for _ in range(6):
                above = (local[:, c] + slopes[c] * local[:, 2]).max() + radius
                below = (-local[:, c] + slopes[c] * local[:, 2]).max() + radius
                slopes[c] = (above + below) / (2 * distance)
            eye[c] = (above - below) / 2
        frames.append((axes, eye, np.maximum(slopes * margin, 0.02 * reach / distance)))
    total = sum(2 * slopes[0] for _, _, slopes in frames)
    scale = min(width / total, height / max(2 * slopes[1] for _, _, slopes in frames))
    cameras, sizes = [], []
    for axes, eye, slopes in frames:
        size = tuple(max(1, int(2 * scale * slope)) for slope in (slopes[1], slopes[0]))
        target = np.array([eye[0], eye[1], 0.0]) @ axes + middle
        opening = 2 * np.degrees(np.arctan(size[0] / 2 / scale))
        cameras.append(Camera(eye @ axes + middle, target, axes[1], float(opening)))
        sizes.append(size)
    return cameras, sizes
