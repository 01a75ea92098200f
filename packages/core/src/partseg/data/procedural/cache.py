"""On-disk cache of procedural shapes that are dear to make: one NPZ per shape with its mesh, tree and sampled points.

The name of a file is a hash of its key and of the generator's source, so a changed generator never meets old shapes.
Files are written aside and renamed: two processes may build the same shape, the last one wins and both hold the same. A
file that cannot be read (cut short, of other make) is built anew. Members are stored uncompressed with their CRC.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import warnings
import zipfile
from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path

import numpy as np

from partseg.data.cache import cache_root
from partseg.data.procedural.grammar import ProceduralShape, Repeat, SurfaceSample
from partseg.errors import InputError, ShapeWarning
from partseg.files import write_aside

Key = Mapping[str, str | int | float | bool | None]

_MESH = ("vertices", "faces", "face_leaf", "parent", "generation")
_POINTS = ("points", "normals", "face_index")


@lru_cache(maxsize=1)
def generator_version() -> str:
    """Hash of the source of the procedural generators."""
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parent.glob("*.py")):
        if path.name != Path(__file__).name:
            digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:16]


class ShapeCache:
    """Shapes by key, built on first use.

    Args:
        root: folder (default: ``procedural`` under :func:`cache_root`); made when first written to.
        n_points: points sampled and kept with each shape.
        max_bytes: no more files are added once the folder held this much when last counted; reading goes on.
    """

    def __init__(self, root: str | Path | None = None, n_points: int = 20_000, max_bytes: int = 8 << 30) -> None:
        self.root = cache_root() / "procedural" if root is None else Path(root)
        self.n_points = n_points
        self.max_bytes = max_bytes
        self._held: int | None = None

    def path(self, key: Key) -> Path:
        """File of a key."""
        text = json.dumps([generator_version(), self.n_points, dict(key)], sort_keys=True)
        name = hashlib.sha256(text.encode()).hexdigest()
        return self.root / name[:2] / f"{name[2:34]}.npz"

    def get(self, key: Key, build: Callable[[], ProceduralShape]) -> tuple[ProceduralShape, SurfaceSample]:
        """The shape of ``key`` and its points, from disk or from ``build()``.

        The points are drawn with a generator seeded by the key, so they are the same whether or not they were cached.
        A folder that cannot be written to costs a warning, never an error.
        """
        path = self.path(key)
        try:
            return load(path)
        except FileNotFoundError:
            pass
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
            with contextlib.suppress(OSError):
                path.unlink()  # cut short or not ours: build it anew
        shape = build()
        seed = int.from_bytes(hashlib.sha256(path.name.encode()).digest()[:8], "little")
        sample = shape.sample(self.n_points, np.random.default_rng(seed))
        if self._room():
            try:
                with write_aside(path) as aside:
                    save(aside, shape, sample)
                self._held = (self._held or 0) + path.stat().st_size
            except (InputError, OSError) as error:
                self.max_bytes = 0  # do not try again for every shape
                warnings.warn(f"procedural shapes are not cached: {error}", ShapeWarning, stacklevel=2)
        return shape, sample

    def _room(self) -> bool:
        if self.max_bytes <= 0:
            return False
        if self._held is None:
            self._held = sum(p.stat().st_size for p in self.root.glob("??/*.npz")) if self.root.is_dir() else 0
        return self._held < self.max_bytes


def save(path: Path, shape: ProceduralShape, sample: SurfaceSample) -> None:
    """Write a shape and its points as an NPZ of plain arrays."""
    about = {
        "family": shape.family,
        "seed": shape.seed,
        "index": shape.index,
        "names": shape.names,
        "repeats": [
            None
            if r is None
            else [r.kind, np.asarray(r.point).tolist(), np.asarray(r.direction).tolist(), int(r.fold), float(r.step)]
            for r in shape.repeats
        ],
    }
    arrays = {name: getattr(shape, name) for name in _MESH} | {name: getattr(sample, name) for name in _POINTS}
    with path.open("wb") as file:
        np.savez(file, about=np.array(json.dumps(about)), **arrays)


def load(path: Path) -> tuple[ProceduralShape, SurfaceSample]:
    """Read what :func:`save` wrote.

    Raises:
        FileNotFoundError: there is none.
        OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile: it is not whole.
    """
    with np.load(path, allow_pickle=False) as data:
        if not isinstance(data, np.lib.npyio.NpzFile):
            raise ValueError("not an NPZ file")
        about = json.loads(str(data["about"]))
        mesh = {name: data[name] for name in _MESH}
        points, normals, face_index = (data[name] for name in _POINTS)
    repeats = tuple(
        None if r is None else Repeat(r[0], np.array(r[1]), np.array(r[2]), r[3], r[4]) for r in about["repeats"]
    )
    shape = ProceduralShape(
        family=about["family"],
        seed=about["seed"],
        index=about["index"],
        names=tuple(about["names"]),
        repeats=repeats,
        **mesh,
    )
    leaf = shape.face_leaf[face_index]
    labels = {level: table[leaf] for level, table in shape.level_of_leaf.items()}
    return shape, SurfaceSample(points, normals, face_index, labels)
