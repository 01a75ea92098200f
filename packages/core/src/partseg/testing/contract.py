"""What every method has to do, as tests that a method's own tests inherit in three lines:

    from partseg.testing import LearnedMethodContract

    class TestContract(LearnedMethodContract):
        spec = SPEC

A method that learns and segments inherits `LearnedMethodContract`, one that only clusters or matches
`SegmenterContract`; one that does not segment, but embeds or takes clicks, `LearnerContract` or `MethodContract`; one
that refines coarse clouds, `RefinerContract` beside or in place of these.
Attributes and the methods `make` and `batch` can be overridden where a method needs something else.
"""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import yaml

from partseg.errors import PartsegError
from partseg.geometry.shape import Shape
from partseg.methods.configs import load_config
from partseg.methods.registry import find_method
from partseg.parts.segmentation import Segmentation
from partseg.spec import MethodSpec

HEAVY = ("torch", "lightning", "numba", "scipy", "trimesh", "sklearn")


def mesh_of_two_boxes() -> Shape:
    """Two boxes of 12 triangles each, apart: the smallest mesh with an obvious answer."""
    corners = np.array([[x, y, z] for x in (0, 1) for y in (0, 1) for z in (0, 1)], np.float64)
    quads = [(0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3)]
    faces = np.array([t for a, b, c, d in quads for t in ((a, b, c), (a, c, d))])
    return Shape.from_mesh(
        np.concatenate([corners, corners + [3, 0, 0]]), np.concatenate([faces, faces + 8]), name="boxes"
    )


def cloud_of_two_balls(n: int = 300, normals: bool = True) -> Shape:
    """Points on two unit spheres, apart, with or without normals."""
    direction = np.random.default_rng(0).normal(size=(n, 3))
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    centre = np.where(np.arange(n)[:, None] < n // 2, [0.0, 0, 0], [4.0, 0, 0])
    return Shape.from_points(
        direction + centre, normals=direction.astype(np.float32) if normals else None, name="balls"
    )


class MethodContract:
    """Tests of any method.

    Attributes:
        spec: the method's spec.
    """

    spec: ClassVar[MethodSpec]

    def make(self) -> Any:
        """The method, ready to be used."""
        return self.spec.load()()

    def make_again(self, i: int) -> Any:
        """The same method a second time; methods with random weights seed them here."""
        return self.make()

    def test_spec_is_installed_under_its_name(self) -> None:
        assert find_method(self.spec.name) == self.spec

    def test_spec_is_light(self) -> None:
        """Reading the spec imports nothing heavy."""
        program = (
            "import json, sys\n"
            "from partseg.methods.registry import find_method\n"
            f"find_method({self.spec.name!r})\n"
            f"print(json.dumps(sorted(set({HEAVY!r}) & set(sys.modules))))"
        )
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
        assert json.loads(done.stdout) == []

    def test_files_named_by_the_spec_exist(self) -> None:
        from partseg.spec import resource

        assert [name for name, target in self.spec.configs.items() if not resource(target).is_file()] == []
        assert [name for name, target in self.spec.weights.items() if not resource(target).is_dir()] == []

    def test_has_the_capabilities_it_names(self) -> None:
        from partseg.methods import capabilities

        for name in self.spec.capabilities:
            capability = getattr(capabilities, name.capitalize())
            assert isinstance(self.make(), capability), name
            assert isinstance(self.spec.load_inference()(), capability), name

    def test_features_take_clicks(self) -> None:
        """Whoever embeds gets a click session from core; whoever starts its own keeps its promises."""
        from partseg.methods.capabilities import ClickSession, Embedder, Interactive
        from partseg.methods.clicks import start_clicks

        method, shape = self.make(), mesh_of_two_boxes()
        if not isinstance(method, Embedder | Interactive):
            pytest.skip("gives no features and starts no click sessions")
        session = start_clicks(method, shape)
        assert isinstance(session, ClickSession)
        assert session.mask.shape == (shape.n_elements,) and session.mask.dtype == bool and not session.mask.any()
        first = session.add_click(0).copy()
        np.testing.assert_array_equal(session.mask, first)
        if not isinstance(method, Interactive):
            assert first[0]
        session.add_click(shape.n_elements - 1, positive=False)
        np.testing.assert_array_equal(session.undo(), first)
        assert not session.undo().any()
        np.testing.assert_array_equal(session.add_click(0), first)


class RefinerContract(MethodContract):
    """Tests of any method that refines coarse clouds."""

    def test_refines_a_cloud_with_its_parts(self) -> None:
        method, shape = self.make(), cloud_of_two_balls(normals=False)
        parts = np.repeat([0, 1], 150)
        parts[:10] = -1
        out = method.refine(shape, Segmentation(shape, parts))
        assert isinstance(out, Segmentation) and not out.shape.is_mesh and out.shape.transform == shape.transform
        assert np.isfinite(out.shape.points).all() and out.n_parts == 2

    def test_refines_the_smallest_cloud_and_leaves_it_alone(self) -> None:
        shape = Shape.from_points(np.array([[1.0, 2.0, 3.0]]), name="point")
        before = shape.points.copy()
        out = self.make().refine(shape, Segmentation(shape, np.zeros(1, np.int64)))
        assert np.isfinite(out.shape.points).all() and out.n_parts == 1
        np.testing.assert_array_equal(shape.points, before)

    def test_refines_the_same_each_time(self) -> None:
        shape = cloud_of_two_balls(normals=False)
        seg = Segmentation(shape, np.repeat([0, 1], 150))
        first, second = (self.make_again(i).refine(shape, seg).shape.points for i in range(2))
        np.testing.assert_array_equal(first, second)


class SegmenterContract(MethodContract):
    """Tests of any method that segments.

    Attributes:
        bare_clouds: False for a method that refuses clouds without normals.
        clouds: False for a method that refuses clouds.
        exact_parts: False for a method that may give fewer parts than asked for.
    """

    bare_clouds: ClassVar[bool] = True
    clouds: ClassVar[bool] = True
    exact_parts: ClassVar[bool] = True

    def test_segments_a_mesh(self) -> None:
        shape = mesh_of_two_boxes()
        seg = self.make().segment(shape)
        self.check_segmentation(seg, shape)

    def test_segments_a_cloud(self) -> None:
        method = self.make()
        for normals in (True, False):
            shape = cloud_of_two_balls(normals=normals)
            if self.clouds and (normals or self.bare_clouds):
                self.check_segmentation(method.segment(shape), shape)
            else:
                with pytest.raises(PartsegError):
                    method.segment(shape)

    def test_returns_as_many_parts_as_asked_for(self) -> None:
        method, shape = self.make(), mesh_of_two_boxes()
        for parts in (1, 2, 5):
            seg = method.segment(shape, parts=parts)
            self.check_segmentation(seg, shape)
            assert seg.n_parts == parts if self.exact_parts else 1 <= seg.n_parts <= parts

    def test_more_parts_than_elements_gives_fewer(self) -> None:
        shape = mesh_of_two_boxes()
        seg = self.make().segment(shape, parts=1000)
        self.check_segmentation(seg, shape)
        assert seg.n_parts <= shape.n_elements

    def test_smallest_shapes(self) -> None:
        method = self.make()
        triangle = Shape.from_mesh(np.eye(3), np.array([[0, 1, 2]]), name="triangle")
        assert method.segment(triangle).labels.tolist() == [0]
        if self.clouds and self.bare_clouds:
            point = Shape.from_points(np.array([[1.0, 2.0, 3.0]]), name="point")
            assert method.segment(point).labels.tolist() == [0]

    def test_is_deterministic_and_leaves_the_shape_alone(self) -> None:
        shape = mesh_of_two_boxes()
        before = shape.vertices.copy()
        first, second = (self.make_again(i).segment(shape, parts=4).labels for i in range(2))
        np.testing.assert_array_equal(first, second)
        np.testing.assert_array_equal(shape.vertices, before)

    def check_segmentation(self, seg: Segmentation, shape: Shape) -> None:
        """A segmentation of this very shape that labels every element."""
        assert isinstance(seg, Segmentation)
        assert seg.labels.shape == (shape.n_elements,)
        assert seg.labels.dtype == np.int64
        assert seg.labels.min() >= 0
        assert seg.shape.n_elements == shape.n_elements
        if seg.tree is not None:
            assert seg.tree.n_leaves == shape.n_elements


class LearnerContract(MethodContract):
    """Tests of a method that learns (a `partseg.methods.method.Method`).

    Attributes:
        config: the named config that the tests train; it should be the smallest.
        unused_parameters: names of parameters that get no gradient on purpose (say why beside it).
    """

    config: ClassVar[str] = "tiny"
    unused_parameters: ClassVar[tuple[str, ...]] = ()

    def make(self) -> Any:
        return self.make_again(0)

    def make_again(self, i: int) -> Any:
        import torch

        torch.manual_seed(0)
        return self.construct(self.config).eval()

    def construct(self, config: str) -> Any:
        """A method with fresh weights."""
        cls = self.spec.load()
        return cls(cls.config_class.model_validate(load_config(self.spec, config)))

    def batch(self, shapes: int = 2, points: int = 512, first: int = 0) -> Any:
        """A training batch of the embedded data."""
        from partseg.data.batch import PartBatch
        from partseg.data.procedural.dataset import ProceduralDataset

        data = ProceduralDataset("train", first + shapes, points, kinds={"assembled": 1.0})
        return PartBatch.collate([data[i] for i in range(first, first + shapes)])

    def fit(self, method: Any, batches: list[Any], **trainer: Any) -> Any:
        """Train on the batches, once each; returns the trainer."""
        import lightning
        import torch

        lightning.seed_everything(0, verbose=False)
        trainer = lightning.Trainer(
            accelerator="cpu",
            max_epochs=1,
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            **trainer,
        )
        loader = torch.utils.data.DataLoader(batches, batch_size=None)
        trainer.fit(method.train(), loader)
        return trainer

    def test_named_configs_round_trip_through_yaml(self) -> None:
        config_class = self.spec.load().config_class
        for name in self.spec.configs:
            config = config_class.model_validate(load_config(self.spec, name))
            again = yaml.safe_load(yaml.safe_dump(config.model_dump(mode="json")))
            assert config_class.model_validate(again) == config, name

    def test_config_refuses_unknown_keys(self) -> None:
        import pydantic

        with pytest.raises(pydantic.ValidationError):
            self.spec.load().config_class.model_validate({"no_such_key": 1})

    def test_every_named_config_constructs(self) -> None:
        """Ablations and large configs too; without memory for their tensors."""
        import torch

        for name in self.spec.configs:
            with torch.device("meta"):
                method = self.construct(name)
            assert sum(parameter.numel() for parameter in method.parameters()) > 0, name

    def test_fits_saves_and_reloads_with_the_same_output(self, tmp_path: Path) -> None:
        method, shape = self.make(), mesh_of_two_boxes()
        start = {name: value.clone() for name, value in method.state_dict().items()}
        trainer = self.fit(method, [self.batch(), self.batch(first=2)])
        assert trainer.global_step == 2
        assert any(not value.equal(start[name]) for name, value in method.state_dict().items()), "nothing was learned"
        method.eval()
        method.save_pretrained(tmp_path / "weights", note="contract")
        trainer.save_checkpoint(tmp_path / "last.ckpt")
        expected = answers(method, shape)
        sources, classes = (tmp_path / "weights", tmp_path / "last.ckpt"), (type(method), self.spec.load_inference())
        for source, cls in itertools.product(sources, classes):
            again = cls.from_pretrained(source)
            assert again.config == method.config
            for name, value in method.state_dict().items():
                assert value.equal(again.state_dict()[name]), name
            for got, wanted in zip(answers(again, shape), expected, strict=True):
                np.testing.assert_array_equal(got, wanted)

    def test_every_parameter_gets_a_gradient(self) -> None:
        import lightning
        import torch

        seen: dict[str, float] = {}

        class Watch(lightning.Callback):
            def on_after_backward(self, trainer: Any, module: Any) -> None:
                for name, parameter in module.named_parameters():
                    if parameter.requires_grad and parameter.grad is not None:
                        assert torch.isfinite(parameter.grad).all(), name
                        seen[name] = max(seen.get(name, 0.0), float(parameter.grad.abs().max()))

        method = self.make()
        self.fit(method, [self.batch(), self.batch(first=2), self.batch(first=4)], callbacks=[Watch()])
        wanted = {name for name, parameter in method.named_parameters() if parameter.requires_grad}
        dead = {name for name in wanted if seen.get(name, 0.0) == 0.0}
        assert dead == set(self.unused_parameters)

    @pytest.mark.parametrize("precision", ["32-true", "bf16-mixed"])
    def test_trains_in_every_precision(self, precision: str) -> None:
        method = self.make()
        self.fit(method, [self.batch()], precision=precision)
        self.check_finite(method)

    def test_trains_on_a_batch_of_one(self) -> None:
        method = self.make()
        self.fit(method, [self.batch(shapes=1)])
        self.check_finite(method)

    def test_trains_beside_a_shape_of_one_point(self) -> None:
        from partseg.data.batch import PartBatch

        method = self.make()
        one = self.batch(shapes=1, points=1)
        self.fit(method, [PartBatch.collate([one, self.batch(shapes=1)]), one])
        self.check_finite(method)

    def test_accumulates_gradients(self) -> None:
        method = self.make()
        trainer = self.fit(method, [self.batch(), self.batch(first=2)], accumulate_grad_batches=2)
        assert trainer.global_step == 1

    def check_finite(self, method: Any) -> None:
        """No weight became NaN or infinite."""
        import torch

        assert [name for name, value in method.named_parameters() if not torch.isfinite(value).all()] == []


class LearnedMethodContract(LearnerContract, SegmenterContract):
    """Tests of a method that learns and segments."""


def answers(method: Any, shape: Shape) -> list[np.ndarray]:
    """What a method says of a shape, by each of its verbs: labels, features, masks after clicks, a refined cloud."""
    said = []
    if hasattr(method, "segment"):
        said.append(method.segment(shape, parts=4).labels)
    if hasattr(method, "embed"):
        said.append(method.embed(shape))
    if hasattr(method, "start"):
        session = method.start(shape)
        said += [session.add_click(0), session.add_click(shape.n_elements - 1, positive=False)]
    if hasattr(method, "refine"):
        said.append(method.refine(shape, Segmentation(shape, np.arange(shape.n_elements) % 2)).shape.points)
    return said
