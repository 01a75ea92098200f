"""Arrows over a picture that show how parts repeat, coloured as in Figure 8 of Yu et al., CVPR 2019."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from jaxtyping import Float, Int, UInt8

from partseg.geometry.camera import Camera
from partseg.geometry.shape import Shape
from partseg.parts.hierarchy import PartHierarchy, Symmetry

if TYPE_CHECKING:
    from PIL.ImageDraw import ImageDraw as Pen

COLORS = {"reflective": (205, 32, 38), "rotational": (16, 138, 62), "translational": (28, 88, 214)}
MOST = 12  # in one picture; more could not be told apart
_WHITE, _FAINT = (255, 255, 255), (128, 130, 140)
_FINE = 3  # strokes are drawn so much larger, then reduced
_ARC = np.radians(5)  # between points of an arc, at most


class Arrow(NamedTuple):
    """An arrow from the first copy of a part to its last.

    Attributes:
        kind: of the symmetry.
        path: (k, 3) world positions along it.
        copies: rows of `path` at which copies stand.
    """

    kind: str
    path: Float[np.ndarray, "k 3"]
    copies: Int[np.ndarray, "c"]


def symmetry_arrows(hierarchy: PartHierarchy, shape: Shape, labels: Int[np.ndarray, "n"]) -> list[Arrow]:
    """One arrow for each symmetry node with parameters whose copies can be told apart, the largest group first.

    It starts in the middle of the largest part of the first copy and passes where that part is in the others: straight
    for mirrors and shifts, along an arc about the axis for turns. Groups within later copies repeat those of the first
    and are left out.

    Args:
        hierarchy: over the elements of the shape, its symmetries in the shape's coordinates.
        shape: whose elements they are.
        labels: parts that are drawn, -1 for none. A group counts when every copy has parts and none reaches over two.
    """
    if not any(hierarchy.symmetry):
        return []
    positions, found = shape.element_positions, []
    later = np.zeros(hierarchy.n_parts, bool)
    for node, symmetry in enumerate(hierarchy.symmetry):
        children = hierarchy.children(node)
        later[children] = later[node]
        if symmetry is None or not children:
            continue
        later[children[1:]] = True
        parts = [np.unique(labels[hierarchy.members(child)]) for child in children]
        parts = [one[one >= 0] for one in parts]
        together = np.unique(np.concatenate(parts))
        if later[node] or not all(map(len, parts)) or len(together) < sum(map(len, parts)):
            continue
        first = hierarchy.members(children[0])
        largest = max((positions[first[labels[first] == part]] for part in parts[0]), key=_diagonal)
        middle = (largest.min(0) + largest.max(0)) / 2
        found.append((_diagonal(positions[hierarchy.members(node)]), node, _arrow(symmetry, middle)))
    return [arrow for _, _, arrow in sorted(found, key=lambda row: (-row[0], row[1]))]


def _diagonal(points: Float[np.ndarray, "n 3"]) -> float:
    return float(np.linalg.norm(np.ptp(points, axis=0)))


def _arrow(symmetry: Symmetry, start: Float[np.ndarray, "3"]) -> Arrow:
    pieces = 1  # from one copy to the next
    if symmetry.kind == "rotational":
        pieces = max(1, int(np.ceil(abs(symmetry.step) / _ARC)))
        symmetry = Symmetry(
            "rotational", symmetry.point, symmetry.direction, (symmetry.fold - 1) * pieces + 1, symmetry.step / pieces
        )
    path = np.concatenate([symmetry.apply(start[None], i) for i in range(symmetry.fold)])
    return Arrow(symmetry.kind, path, np.arange(0, len(path), pieces))


def legend(arrows: Sequence[Arrow]) -> list[tuple[str, tuple[int, int, int]]]:
    """What to write below a picture with the first `MOST` arrows: texts and their colours; nothing without arrows."""
    kinds = [arrow.kind for arrow in arrows]
    words = [(f"{kinds.count(kind)} {kind}", color) for kind, color in COLORS.items() if kind in kinds]
    if words:
        drawn = "symmetries:" if len(arrows) <= MOST else f"symmetries (the {MOST} largest are drawn):"
        words.insert(0, (drawn, _FAINT))
    return words


def draw_arrows(
    image: UInt8[np.ndarray, "h w 3"], arrows: Sequence[Arrow], camera: Camera, weight: float = 2.5
) -> UInt8[np.ndarray, "h w 3"]:
    """The picture of a view with arrows over it, later ones on top.

    Mirrors have two heads; turns and shifts have one at the last copy, and dots at the others where there is room. An
    arrow that looks like a point from here is left out, and one that leads far out of the picture: such a symmetry is
    wrong.

    Args:
        image: of the view, not changed. camera: its camera. weight: of lines, in pixels.
    """
    from PIL import Image, ImageDraw

    height, width = image.shape[:2]
    overlay = Image.new("RGBA", (width * _FINE, height * _FINE))
    pen = ImageDraw.Draw(overlay)
    for arrow in arrows:
        seen = camera.project(arrow.path, (height, width))
        place = seen[:, :2] / (width, height)
        if (seen[:, 2] > camera.near_depth).all() and (np.abs(place - 0.5) < 1.5).all():
            _stroke(pen, arrow, seen[:, :2] * _FINE, weight * _FINE)
    flat = overlay.resize((width, height), Image.Resampling.BOX)
    return np.array(Image.alpha_composite(Image.fromarray(image).convert("RGBA"), flat).convert("RGB"))


def _stroke(pen: Pen, arrow: Arrow, path: Float[np.ndarray, "k 2"], weight: float) -> None:
    """Draw one arrow along pixels: first a wider white one, then itself."""
    length, radius, both = 4.5 * weight, 1.2 * weight, arrow.kind == "reflective"
    if np.ptp(path, axis=0).max() < (2.4 if both else 1.2) * length:
        return
    line = _shortened(path, length)
    heads = [(line[-1], path[-1])]
    dots = path[arrow.copies]
    if both:
        line = _shortened(line[::-1], length)
        heads.append((line[-1], path[0]))
    crowded = np.linalg.norm(np.diff(dots, axis=0), axis=1).mean() < 6 * radius
    for color, more in ((_WHITE, 0.75 * weight), (COLORS[arrow.kind], 0.0)):
        pen.line([tuple(xy) for xy in line], color, round(weight + 2 * more), joint="curve")
        for x, y in () if crowded or both else dots[:-1]:
            r = radius + more
            pen.ellipse((x - r, y - r, x + r, y + r), color)
        for foot, tip in heads:
            ahead = (tip - foot) / np.linalg.norm(tip - foot)
            side = np.array([-ahead[1], ahead[0]]) * (0.55 * np.linalg.norm(tip - foot) + 1.4 * more)
            back = foot - more * ahead
            pen.polygon([tuple(xy) for xy in (back + side, back - side, tip + 2 * more * ahead)], color)


def _shortened(path: Float[np.ndarray, "k 2"], by: float) -> Float[np.ndarray, "k2 2"]:
    """The path without its end; at least half of it is left."""
    along = np.r_[0.0, np.cumsum(np.linalg.norm(np.diff(path, axis=0), axis=1))]
    stop = max(along[-1] - by, along[-1] / 2)
    end = [np.interp(stop, along, path[:, i]) for i in range(2)]
    return np.concatenate([path[along < stop], [end]])
