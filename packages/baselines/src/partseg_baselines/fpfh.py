"""Clicks among Fast Point Feature Histograms: what iSeg3D compares its learned features with."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from partseg.errors import PartsegError
from partseg.geometry.shape import Shape
from partseg.ops.normals import estimate_normals
from partseg.ops.transfer import carry_weights


class FpfhClicks:
    """FPFH (Rusu, Blodow, Beetz, ICRA 2009) as features to click in, which `partseg.methods.clicks` does.

    The descriptor says how the normals about a point are turned against its own: three angles, a histogram of 11 bins
    each. Elements of like local shape are alike, wherever they are. Computed by Open3D, an optional extra.

    Args:
        radius: of the neighbourhood that is described, in units where the shape's longest side is 1.8.
        neighbours: points of it at most, the nearest.
        points: sampled from a mesh, and drawn from a larger cloud, so that `radius` holds about as many everywhere.
        seed: of the samples.
    """

    name = "fpfh-clicks"

    def __init__(self, radius: float = 0.15, neighbours: int = 100, points: int = 8192, seed: int = 0) -> None:
        if not radius > 0 or neighbours < 1 or points < 1:
            raise ValueError("expected radius > 0, neighbours >= 1 and points >= 1")
        self.radius, self.neighbours, self.points, self.seed = radius, neighbours, points, seed

    def embed(self, shape: Shape) -> Float[np.ndarray, "n_elements 33"]:
        """Descriptors of the elements, float32, not negative; each histogram sums to 200.

        Args:
            shape: a triangle has the mean descriptor of its points (the nearest point's where it has none). Clouds
                without normals get estimated ones. Sums are smaller where points coincide; a point with no other
                within the radius has zeros.

        Raises:
            PartsegError: Open3D is not installed, or cannot be imported.
        """
        sample = shape.normalized().sampled(self.points, self.seed)
        normals = estimate_normals(sample.points) if sample.normals is None else sample.normals
        return carry_weights(shape, sample) @ fpfh(sample.points, normals, self.radius, self.neighbours)


def fpfh(
    points: Float[np.ndarray, "n 3"], normals: Float[np.ndarray, "n 3"], radius: float, neighbours: int
) -> Float[np.ndarray, "n 33"]:
    """Open3D's descriptors, float32. Neighbourhoods hold the `neighbours` nearest others within the radius.

    Raises:
        PartsegError: Open3D is not installed, or cannot be imported.
    """
    try:
        import open3d
    except (ImportError, OSError) as error:  # OSError: a system library is absent
        cause = " ".join(str(error).split())
        raise PartsegError(f"fpfh-clicks needs Open3D ({cause}): pip install 'partseg-baselines[open3d]'") from error
    cloud = open3d.geometry.PointCloud(open3d.utility.Vector3dVector(points.astype(np.float64)))
    cloud.normals = open3d.utility.Vector3dVector(normals.astype(np.float64))
    search = open3d.geometry.KDTreeSearchParamHybrid(radius, neighbours + 1)  # the point itself is among them
    found = open3d.pipelines.registration.compute_fpfh_feature(cloud, search)
    return np.ascontiguousarray(found.data.T, np.float32)
