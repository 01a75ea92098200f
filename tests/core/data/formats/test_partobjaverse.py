"""PartObjaverse-Tiny: shapes read back in trimesh's order of faces, and files that do not fit."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import trimesh

from fakes.partobjaverse import NAME, write_partobjaverse, write_tree
from partseg.data.formats.base import dense
from partseg.data.formats.partobjaverse import PartObjaverseReader, _trimesh_place
from partseg.errors import InputError
from partseg.geometry.io import load_shape


def same_triangles(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Corners of the faces as trimesh has them, and ours put into its order."""
    shape = load_shape(path)
    with_trimesh = np.asarray(trimesh.load(path, force="mesh", process=False).triangles)
    ours = np.empty_like(with_trimesh)
    ours[_trimesh_place(path, shape)] = shape.vertices[shape.faces]
    return with_trimesh, ours


def test_shapes_are_read_back(tmp_path: Path) -> None:
    known = write_partobjaverse(tmp_path)
    reader = pickle.loads(pickle.dumps(PartObjaverseReader(tmp_path)))  # noqa: S301
    items = reader.index()
    assert [item.name for item in items] == list(known)
    assert {item.split for item in items} == {"test"}
    names = reader.taxonomy()["semantic"]
    assert names == reader.taxonomy()["instance"] == ("head", "leg", "plate", "tail")
    for item in items:
        truth, sample = known[item.name], reader.load(item)
        corners = sample.shape.vertices[sample.shape.faces]
        # every face is found again by where it is, with the truths that stand beside it
        distance = np.abs(corners[:, None] - truth["corners"][None]).max((2, 3))
        place = distance.argmin(1)
        assert distance.min(1).max() < 1e-5
        said = [names[i] if i >= 0 else None for i in sample.semantics["semantic"]]
        assert said == [truth["names"][i] if i >= 0 else None for i in truth["semantic"][place]]
        np.testing.assert_array_equal(sample.labels["instance"], dense(truth["instance"][place]))
        np.testing.assert_array_equal(sample.labels["semantic"], dense(sample.semantics["semantic"]))
        np.testing.assert_array_equal(sample.semantics["instance"], sample.semantics["semantic"])
    assert list(reader.check()) == []


@pytest.mark.parametrize("seed", range(12))
def test_faces_of_any_tree_are_put_in_the_order_of_trimesh(tmp_path: Path, seed: int) -> None:
    write_tree(tmp_path / "tree.glb", seed, 3 + seed)
    theirs, ours = same_triangles(tmp_path / "tree.glb")
    np.testing.assert_allclose(ours, theirs, atol=1e-5)


def test_the_order_matters(tmp_path: Path) -> None:
    write_tree(tmp_path / "tree.glb", 3, 9)
    shape = load_shape(tmp_path / "tree.glb")
    assert not np.array_equal(_trimesh_place(tmp_path / "tree.glb", shape), np.arange(shape.n_elements))


@pytest.mark.parametrize(
    "name", ["vehicle-truck-red.glb", "alien.glb", "runeSword.glb", "ExplodingBarrel.glb", "2CylinderEngine.glb"]
)
def test_faces_of_real_files_are_put_in_the_order_of_trimesh(test_data: Callable[[str], Path], name: str) -> None:
    theirs, ours = same_triangles(test_data("gltf_parts") / name)
    # winding of mirrored nodes may differ; the middle of a face does not
    np.testing.assert_allclose(ours.mean(1), theirs.mean(1), atol=1e-4 * np.abs(theirs).max())


def test_a_group_is_chosen_and_the_root_may_be_one_above(tmp_path: Path) -> None:
    write_partobjaverse(tmp_path / NAME)
    reader = PartObjaverseReader(tmp_path, group="Food")
    assert {item.category for item in reader.index()} == {"Food"}
    assert len(reader.taxonomy()["semantic"]) == 4
    with pytest.raises(InputError, match="names no group 'Plants'"):
        PartObjaverseReader(tmp_path, group="Plants").index()


def test_truths_that_do_not_fit_are_named(tmp_path: Path) -> None:
    write_partobjaverse(tmp_path)
    reader = PartObjaverseReader(tmp_path)
    item = reader.index()[0]
    _, semantic, instance = item.files
    n = len(np.load(semantic))
    whole = semantic.read_bytes()

    def cause(path: Path) -> str:
        with pytest.raises(InputError) as error:
            reader.load(item)
        assert str(path) in str(error.value)
        assert "\n" not in str(error.value)
        return str(error.value)

    np.save(semantic, np.zeros(n + 3, np.int64))
    assert f"has {n + 3} numbers, but the mesh has {n} faces" in cause(semantic)
    np.save(semantic, np.full(n, 3))
    assert "expected numbers below 3, the names of this mesh, found 3" in cause(semantic)
    np.save(semantic, np.full(n, 0.5))
    assert "expected whole numbers" in cause(semantic)
    np.save(semantic, np.array(["head"] * n))
    assert "expected an array of numbers" in cause(semantic)
    np.save(semantic, np.array([{}] * n), allow_pickle=True)
    assert "is no array of numbers" in cause(semantic)
    semantic.write_bytes(whole[:-9])
    assert "is no array of numbers" in cause(semantic)
    semantic.write_bytes(b"")
    cause(semantic)
    semantic.write_bytes(whole)
    instance.unlink()
    assert "cannot be read" in cause(instance)


def test_json_that_does_not_fit_is_named(tmp_path: Path) -> None:
    write_partobjaverse(tmp_path)
    path = tmp_path / f"{NAME}_semantic.json"
    for text, cause in (("{", "is damaged"), ("[]", "expected group -> id"), ('{"a": 1}', "expected group -> id"),
                        ('{"a": {"../b": []}}', "is no id of a mesh"), ('{"a": {"b": [1]}}', "list of names"),
                        ("[" * 100_000, "is damaged")):  # fmt: skip
        path.write_text(text)
        with pytest.raises(InputError, match=cause) as error:
            PartObjaverseReader(tmp_path).index()
        assert str(path) in str(error.value)
        assert len(list(PartObjaverseReader(tmp_path).check())) == 1
    with pytest.raises(InputError, match="expected PartObjaverse-Tiny_semantic"):
        PartObjaverseReader(tmp_path / f"{NAME}_mesh").index()


def test_a_mesh_that_the_json_names_and_the_root_lacks_is_told(tmp_path: Path) -> None:
    known = write_partobjaverse(tmp_path)
    gone, *others = sorted((tmp_path / f"{NAME}_mesh").iterdir())
    gone.unlink()
    others[0].write_bytes(others[0].read_bytes()[:40])
    reader = PartObjaverseReader(tmp_path)
    assert len(reader.index()) == len(known) - 1
    assert [error.path for error in reader.check()] == [str(others[0]), str(gone)]
    names = json.loads((tmp_path / f"{NAME}_semantic.json").read_text())
    assert gone.stem in names["Animals"]
