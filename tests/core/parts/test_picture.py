"""Colours of parts, part pictures and contact sheets."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from partseg.errors import InputError
from partseg.geometry.shape import Shape
from partseg.parts.palette import UNLABELLED, assign_colors, element_colors, oklab, palette
from partseg.parts.picture import contact_sheet, part_picture


def gaps(colors: np.ndarray) -> np.ndarray:
    """OKLab distance of every pair."""
    lab = oklab(colors)
    i, j = np.triu_indices(len(colors), 1)
    return np.linalg.norm(lab[i] - lab[j], axis=1)


def grid_mesh(n: int = 12) -> Shape:
    """A bent sheet of 2 (n - 1)^2 triangles."""
    x, y = np.meshgrid(np.linspace(-1, 1, n), np.linspace(-1, 1, n), indexing="ij")
    vertices = np.stack([x, y, 0.3 * x * x], -1).reshape(-1, 3)
    i, j = np.meshgrid(np.arange(n - 1), np.arange(n - 1), indexing="ij")
    a = (i * n + j).ravel()
    faces = np.concatenate([np.c_[a, a + n, a + 1], np.c_[a + n, a + n + 1, a + 1]]).astype(np.int32)
    return Shape(
        points=vertices[faces].mean(axis=1).astype(np.float32),
        vertices=vertices,
        faces=faces,
        face_index=np.arange(len(faces), dtype=np.int32),
        kind="mesh",
        name="sheet",
    )


def test_oklab_of_known_colours():
    # White, black and the primaries as published with the definition of OKLab.
    lab = oklab(np.array([[255, 255, 255], [0, 0, 0], [255, 0, 0], [0, 255, 0], [0, 0, 255]], np.uint8))
    expected = [[1, 0, 0], [0, 0, 0], [0.6280, 0.2249, 0.1258], [0.8664, -0.2339, 0.1795], [0.4520, -0.0325, -0.3115]]
    np.testing.assert_allclose(lab, expected, atol=2e-4)


@pytest.mark.parametrize(("k", "least"), [(2, 0.2), (8, 0.1), (20, 0.06), (40, 0.045), (100, 0.025)])
def test_palette_colours_differ(k, least):
    colors = palette(k)
    assert colors.shape == (k, 3)
    assert colors.dtype == np.uint8
    assert gaps(colors).min() > least
    assert np.linalg.norm(oklab(colors) - oklab(np.array([UNLABELLED], np.uint8)), axis=1).min() > 0.04


def test_palettes_nest_and_repeat():
    np.testing.assert_array_equal(palette(300)[:7], palette(7))
    np.testing.assert_array_equal(palette(300)[:100], palette(100))
    np.testing.assert_array_equal(palette(300)[256:], palette(44))
    assert len(np.unique(palette(256), axis=0)) == 256
    assert palette(0).shape == (0, 3)
    with pytest.raises(ValueError, match="negative"):
        palette(-1)


def test_neighbours_differ_more_than_by_number():
    rng = np.random.default_rng(0)
    n = 60
    labels = np.arange(n)
    edges = np.c_[labels[:-1], labels[1:]]
    edges = np.r_[edges, rng.integers(0, n, (40, 2))]
    edges = edges[edges[:, 0] != edges[:, 1]]

    def least(colors):
        lab = oklab(colors)
        return np.linalg.norm(lab[edges[:, 0]] - lab[edges[:, 1]], axis=1).min()

    colors = assign_colors(labels, edges)
    assert least(colors) > 0.12 > least(palette(n))
    assert len(np.unique(colors, axis=0)) == n
    np.testing.assert_array_equal(colors, assign_colors(labels, edges))


def test_assignment_without_neighbours_and_with_gaps():
    np.testing.assert_array_equal(assign_colors(5), palette(5))
    assert assign_colors(np.array([-1, -1])).shape == (0, 3)
    colors = assign_colors(np.array([0, 4, -1, 4]), np.array([[0, 1], [1, 2]]))
    assert colors.shape == (5, 3)
    assert len(np.unique(colors, axis=0)) == 5
    np.testing.assert_array_equal(element_colors(np.array([4, -1]), colors), [colors[4], UNLABELLED])
    assert assign_colors(np.arange(1000)).shape == (1000, 3)


def test_finer_levels_keep_colours():
    coarse = np.repeat([0, 1], [10, 6])
    fine = np.repeat([2, 0, 1, 3], [3, 7, 4, 2])  # parts 0 and 1 are the larger ones of each
    above = assign_colors(coarse)
    below = assign_colors(fine, coarse=(coarse, above))
    np.testing.assert_array_equal(below[[0, 1]], above)
    assert len(np.unique(below, axis=0)) == 4


def test_picture_of_levels(tmp_path):
    shape = grid_mesh()
    labels = {f"cut {k}": (shape.points[:, 0] * k / 2.001 + k / 2).astype(int) for k in (2, 5)}
    picture = part_picture(shape, labels, tmp_path / "out" / "sheet.png", width=640)
    saved = Image.open(tmp_path / "out" / "sheet.png")
    assert picture.size == saved.size
    assert picture.size[0] == 640
    assert picture.mode == "RGB"
    one = part_picture(shape, labels["cut 5"], width=640)
    none = part_picture(shape, None, width=640)
    assert one.size[1] < picture.size[1]
    assert one.size == none.size
    np.testing.assert_array_equal(np.asarray(picture), np.asarray(part_picture(shape, labels, width=640)))
    # Every part shows: pixels close in hue to each of the five colours.
    pixels = oklab(np.asarray(one).reshape(-1, 3))
    hue = np.arctan2(pixels[:, 2], pixels[:, 1])[np.hypot(pixels[:, 1], pixels[:, 2]) > 0.07]
    for color in oklab(palette(5)):
        turn = np.abs((hue - np.arctan2(color[2], color[1]) + np.pi) % (2 * np.pi) - np.pi)
        assert (turn < 0.1).sum() > 100


def test_picture_of_points_and_of_own_colours():
    rng = np.random.default_rng(0)
    points = rng.normal(size=(500, 3)).astype(np.float32)
    red = np.tile(np.float32([0.9, 0.1, 0.1]), (500, 1))
    picture = np.asarray(part_picture(Shape(points=points, colors=red, kind="cloud"), None, width=400)).astype(int)
    assert ((picture[..., 0] - picture[..., 1]) > 80).mean() > 0.05
    labels = np.where(points[:, 0] > 0, 0, -1)
    assert part_picture(Shape(points=points, kind="splats"), labels, width=400).size[0] == 400


def test_any_numbers_name_parts():
    shape = grid_mesh()
    labels = (shape.points[:, 0] > 0).astype(int)
    images = [np.asarray(part_picture(shape, x, width=300)) for x in (labels, np.where(labels, 10**15, 7))]
    np.testing.assert_array_equal(*images)
    images = [np.asarray(part_picture(shape, x, width=300)) for x in (labels - 1, 3 * labels - 3)]
    np.testing.assert_array_equal(*images)


def test_smallest_shapes():
    one = Shape(points=np.zeros((1, 3), np.float32), kind="cloud", name="dot")
    triangle = Shape(
        points=np.zeros((1, 3), np.float32),
        vertices=np.array([[-1, -1, 0], [1, -1, 0], [0, 1, 0]], float),
        faces=np.array([[0, 1, 2]], np.int32),
        face_index=np.zeros(1, np.int32),
        kind="mesh",
        name="a very long name " * 30,
    )
    for shape in (one, triangle):
        picture = part_picture(shape, np.zeros(1, int), width=400)
        assert picture.size[0] == 400
        assert picture.size[1] < 1000
        assert (np.asarray(picture)[60:] != np.asarray(picture)[-1, 0]).any()


def test_wrong_labels_and_paths(tmp_path):
    shape = grid_mesh()
    with pytest.raises(ValueError, match="elements"):
        part_picture(shape, np.zeros(3, int))
    with pytest.raises(ValueError, match="float"):
        part_picture(shape, np.zeros(shape.n_elements))
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError):
        part_picture(shape, None, tmp_path / "file" / "x.png", width=200)
    with pytest.raises(InputError, match="picture format"):
        part_picture(shape, None, tmp_path / "x.nothing", width=200)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["file"]


def test_contact_sheet(tmp_path):
    shape = grid_mesh()
    labels = (shape.points[:, 0] > 0).astype(int)
    items = [(shape, labels, f"item {i}") for i in range(4)] + [(shape, None, "no labels")]
    sheet = contact_sheet(items, 3, tmp_path / "sheet.png", cell=100)
    assert sheet.size == (3 * 112 + 12, 2 * 138 + 12)
    assert (tmp_path / "sheet.png").exists()
    pixels = np.asarray(sheet)
    np.testing.assert_array_equal(pixels[12:112, 12:112], pixels[12:112, 124:224])  # same shape, same picture
    renumbered = [(shape, labels, ""), (shape, 1 - labels, ""), (grid_mesh(), 1 - labels, "")]
    cells = [np.asarray(contact_sheet(renumbered, 3, cell=100))[12:112, x : x + 100] for x in (12, 124, 236)]
    np.testing.assert_array_equal(cells[0], cells[1])  # parts keep the colours of the cell before
    assert (cells[0] != cells[2]).any()  # unless it is another shape's
    assert contact_sheet([], 3, cell=100).size == (124, 150)


def test_real_shape(test_data):
    folder = test_data("psb") / "Human"
    lines = (folder / "1.off").read_text().split("\n", 2)
    v, f, _ = map(int, lines[1].split())
    numbers = np.array(lines[2].split(), float)
    vertices, faces = numbers[: 3 * v].reshape(v, 3), numbers[3 * v :].reshape(f, 4)[:, 1:].astype(np.int32)
    labels = np.loadtxt(folder / "1_seg" / "1_0.seg", dtype=int)
    shape = Shape(
        points=vertices[faces].mean(axis=1).astype(np.float32),
        vertices=vertices,
        faces=faces,
        face_index=np.arange(f, dtype=np.int32),
        kind="mesh",
    )
    picture = np.asarray(part_picture(shape, labels, up="z"))
    assert picture.shape[1] == 1600
    assert 0.05 < (np.abs(picture.astype(int) - picture[-1, 0]).max(-1) > 20).mean() < 0.6
