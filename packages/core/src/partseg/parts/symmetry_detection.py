"""Which parts of a shape are copies of one another by a mirror, a turn or a shift.

Congruence is judged in two steps: the moments of two parts up to the third order must agree after the motion, then
points of one must lie on the other. Hypotheses come from centroids: the mirror plane of a pair, the shift of a
pair, and steps that continue through three parts or more (an arc or a row); turns of a pair come from principal axes.
After Wang et al., "Symmetry Hierarchy of Man-Made Objects", Eurographics 2011, whose symmetry groups these are.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from jaxtyping import Bool, Float, Int

from partseg.geometry.shape import Shape
from partseg.parts.hierarchy import Symmetry
from partseg.parts.motions import half_turns, inverse, refit, triple, turn_between
from partseg.parts.part_geometry import PartGeometry

ALIKE = 0.03  # moments of meshes may differ by this share of the part's size (to the power of the moment)
CLOSE = 0.05  # points may lie off by this share of the part's size
NEIGHBOURS = 24  # congruent parts around each that a row or an arc may step to
MAX_PAIRS = 4000  # congruent pairs that are tried, the nearest first
KINDS = ("reflective", "rotational", "translational")
"""For pairs that several kinds relate, the first is preferred."""


@dataclass(frozen=True)
class SymmetryGroup:
    """Congruent parts and the motion from each to the next.

    Attributes:
        symmetry: `symmetry.apply(x, i)` takes the first member onto member i.
        members: part numbers in that order.
        residual: mean distance of the moved points to the other part, over what the sampling explains; in sizes of the
            part (root mean square radius).
    """

    symmetry: Symmetry
    members: tuple[int, ...]
    residual: float

    @property
    def closed(self) -> bool:
        """A turn whose copies fill the circle."""
        s = self.symmetry
        return s.kind == "rotational" and abs(abs(s.step) * s.fold - 2 * np.pi) < 1e-2 * abs(s.step)

    @property
    def solid(self) -> bool:
        """Too regular to be chance: a full circle, a row of three, an arc of four or more (any three spheres at equal
        distances make an arc).
        """
        s = self.symmetry
        return s.fold > 2 and (s.kind == "translational" or self.closed or s.fold > 3)


def detect_symmetries(shape: Shape, labels: Int[np.ndarray, "n"]) -> tuple[SymmetryGroup, ...]:
    """Every symmetry group among the parts of a shape, the largest first.

    Args:
        shape: a mesh or a cloud.
        labels: (n_elements,) part 0…k-1 of each element, -1 for none; every part must occur.

    Returns:
        Rows and arcs of three parts or more, none within a larger one along the same line or about the same axis; then
        pairs, which may appear once for each kind of motion (reflective, then rotational, then translational), but not
        two parts of one full circle, row, or arc of four or more. One part can be in many groups. Deterministic. Parts
        with the same centroid are only related by turns. Rows and arcs step to one of the 24 nearest congruent parts,
        and of more than 4000 congruent pairs the nearest are tried.

    Raises:
        PartsegError: labels that do not fit, or name a part without elements.
    """
    return find_groups(PartGeometry.of(shape, labels))


def find_groups(parts: PartGeometry) -> tuple[SymmetryGroup, ...]:
    """As `detect_symmetries`, of parts already measured."""
    finder = _Finder(parts)
    chains = finder.chains()
    groups = chains + finder.pairs([chain for chain in chains if chain.solid])
    return tuple(sorted(groups, key=lambda g: (-g.symmetry.fold, KINDS.index(g.symmetry.kind), g.members)))


class _Finder:
    def __init__(self, parts: PartGeometry) -> None:
        self.parts = parts
        # Moments of clouds are means over few points: about so far from those of the surface.
        noise = np.zeros(len(parts)) if parts.exact else np.minimum(2 / np.sqrt(parts.mass), 0.4)
        worse = np.maximum(noise[:, None], noise[None])
        self.alike, self.alike3, self.near = ALIKE + worse, ALIKE + 2 * worse, CLOSE + noise / 4
        self.jitter = np.zeros(len(parts)) if parts.exact else parts.size / np.sqrt(parts.mass)  # of centroids
        self.same = self._congruent()
        self._coincident = np.full(len(parts), 1e-3 * parts.extent) if parts.exact else 0.05 * parts.size

    def _congruent(self) -> Bool[np.ndarray, "k k"]:
        """Parts whose moments could be moved onto each other: areas and eigenvalues agree."""
        p = self.parts
        scale = np.maximum(p.size[:, None], p.size[None])
        eigen = np.sqrt(np.maximum(np.linalg.eigvalsh(p.second), 0))
        same = (np.abs(eigen[:, None] - eigen[None]).max(2) / scale) < self.alike
        if p.exact:
            same &= np.abs(p.mass[:, None] - p.mass[None]) <= 2 * self.alike * np.maximum(p.mass[:, None], p.mass[None])
        skew = np.cbrt(np.sqrt((p.third**2).sum((1, 2, 3))))
        same &= np.abs(skew[:, None] - skew[None]) / scale < 4 * self.alike3
        np.fill_diagonal(same, False)
        return same

    # -- tests ----------------------------------------------------------------------------------------------------

    def fits(
        self, i: Int[np.ndarray, "m"], j: Int[np.ndarray, "m"], linear: Float[np.ndarray, "m 3 3"]
    ) -> Bool[np.ndarray, "m"]:
        """Whether the second and third moments of parts i, turned, are those of parts j."""
        p = self.parts
        turned = linear @ p.second[i] @ linear.transpose(0, 2, 1)
        ok = np.sqrt(((turned - p.second[j]) ** 2).sum((1, 2))) <= self.alike[i, j] * p.size[j] ** 2
        at = np.flatnonzero(ok)
        if len(at):
            third, r = p.third[i[at]], linear[at]
            for _ in range(3):  # turns the last axis and brings the next one there
                third = np.einsum("mabc,mdc->mdab", third, r)
            off = np.sqrt(((third - p.third[j[at]]) ** 2).sum((1, 2, 3)))
            ok[at] = off <= self.alike3[i[at], j[at]] * p.size[j[at]] ** 3
        return ok

    def residual(self, symmetry: Symmetry, i: int, j: int) -> float:
        """Mean distance from moved points of part i to part j beyond the spacing of its points, in sizes of it."""
        p = self.parts
        distance = p.trees[j].query(symmetry.apply(p.probes[i]))[0]
        return max(0.0, float(distance.mean()) - float(p.spacing[j]) * 1.1) / float(p.size[j])

    def group(self, symmetry: Symmetry, members: tuple[int, ...]) -> SymmetryGroup | None:
        """The group, refined on clouds, unless points of a member are too far from the next."""
        if not self.parts.exact:
            symmetry = self.refined(symmetry, members)
        pairs = list(pairwise(members))
        worst = max(self.residual(symmetry, i, j) for i, j in pairs)
        return SymmetryGroup(symmetry, members, worst) if worst <= self.near[list(members)].max() else None

    def refined(self, symmetry: Symmetry, members: tuple[int, ...], rounds: int = 4) -> Symmetry:
        """Fitted to pairs of nearest points, round by round, as long as they come closer."""
        pairs = list(pairwise(members))
        best, error = symmetry, np.inf
        for _ in range(rounds):
            x, y, now = [], [], 0.0
            for i, j in pairs:
                source, target = self.parts.points[i], self.parts.points[j]
                distance, hit = self.parts.trees[j].query(symmetry.apply(source))
                keep = distance <= 3 * np.median(distance)
                now += float(distance.mean())
                x.append(source[keep])
                y.append(target[hit[keep]])
            if now >= error:
                break
            best, error = symmetry, now
            symmetry = refit(symmetry, np.concatenate(x), np.concatenate(y))
        return best

    # -- hypotheses -----------------------------------------------------------------------------------------------

    def pairs(self, chains: list[SymmetryGroup]) -> list[SymmetryGroup]:
        """Pairs of parts that are in none of the chains together."""
        p, open_ = self.parts, np.triu(self.same, 1)
        for chain in chains:
            open_[np.ix_(chain.members, chain.members)] = False
        i, j = np.nonzero(open_)
        if len(i) > MAX_PAIRS:
            away = np.linalg.norm(p.centroid[j] - p.centroid[i], axis=1)
            nearest = np.sort(np.argsort(away, kind="stable")[:MAX_PAIRS])
            i, j = i[nearest], j[nearest]
        offset = p.centroid[j] - p.centroid[i]
        length = np.linalg.norm(offset, axis=1)
        apart = length > self._coincident[i]
        found: list[SymmetryGroup | None] = []
        unit = offset / np.maximum(length, 1e-12)[:, None]
        mirror = np.eye(3) - 2 * unit[:, :, None] * unit[:, None, :]
        middle = (p.centroid[i] + p.centroid[j]) / 2
        for at in np.flatnonzero(apart & self.fits(i, j, mirror)).tolist():
            plane = Symmetry("reflective", triple(middle[at]), triple(unit[at]))
            found.append(self.group(plane, (int(i[at]), int(j[at]))))
        still = np.broadcast_to(np.eye(3), (len(i), 3, 3))
        for at in np.flatnonzero(apart & self.fits(i, j, still)).tolist():
            shift = Symmetry("translational", (0.0, 0.0, 0.0), triple(unit[at]), 2, float(length[at]))
            found.append(self.group(shift, (int(i[at]), int(j[at]))))
        return [group for group in found if group is not None] + self._turned_pairs(i, j)

    def _turned_pairs(self, i: Int[np.ndarray, "m"], j: Int[np.ndarray, "m"]) -> list[SymmetryGroup]:
        """Pairs related by a turn about some axis: the first motion that fits, half turns before others."""
        p = self.parts
        if len(i) == 0:
            return []
        half = half_turns(p.second[i] + p.second[j], p.centroid[j] - p.centroid[i])  # (m, c, 3)
        linear = [2 * half[:, c, :, None] * half[:, c, None, :] - np.eye(3) for c in range(half.shape[1])]
        frames_i, frames_j = (np.linalg.eigh(p.second[x])[1] for x in (i, j))
        proper = np.sign(np.linalg.det(frames_i) * np.linalg.det(frames_j))
        for a, b in ((1, 1), (1, -1), (-1, 1), (-1, -1)):
            signs = np.stack([np.full(len(i), a), np.full(len(i), b), a * b * proper], axis=1)
            linear.append((frames_j * signs[:, None, :]) @ frames_i.transpose(0, 2, 1))
        left, found = np.ones(len(i), bool), []
        slip = 0.02 if p.exact else 0.3  # axes of clouds are rough until they are refined
        for r in linear:
            at = np.flatnonzero(left)
            at = at[self.fits(i[at], j[at], r[at])]
            for m in at.tolist():
                turn = turn_between(r[m], p.centroid[i[m]], p.centroid[j[m]], slip * float(p.size[i[m]]))
                if turn is not None and (group := self.group(turn, (int(i[m]), int(j[m])))) is not None:
                    found.append(group)
                    left[m] = False
        return found

    def chains(self) -> list[SymmetryGroup]:
        """Rows and arcs of three parts or more, small steps first."""
        found: list[SymmetryGroup] = []
        within: list[set[int]] = [set() for _ in range(len(self.parts))]
        for i, j, k in self._triples():
            a, b, c = (self.parts.centroid[x] for x in (i, j, k))
            u, v = b - a, c - b
            axis = np.cross(u, v)
            sine = float(np.linalg.norm(axis)) / float(u @ u)
            step = float(np.arctan2(sine, (u @ v) / float(u @ u)))
            if step < max(0.02, min(0.3, 3 * float(self.jitter[j] / np.linalg.norm(u)))):
                length = float(np.linalg.norm(u))
                motion = Symmetry("translational", (0.0, 0.0, 0.0), triple(u / length), 2, length)
            elif sine < 1e-6:  # there and back again
                continue
            else:
                axis = axis / np.linalg.norm(axis)
                centre = (a + b) / 2 + np.cross(axis, u) / (2 * np.tan(step / 2))
                motion = Symmetry("rotational", triple(centre), triple(axis), 2, step)
            if any(_same_line(found[g].symmetry, motion) for g in within[i] & within[j] & within[k]):
                continue
            members = self._walk(motion, i, j)
            if len(members) < 3:
                continue
            group = self.group(self._whole(motion, members), members)
            if group is not None:
                for part in members:
                    within[part].add(len(found))
                found.append(group)
        return found

    def _triples(self) -> list[tuple[int, int, int]]:
        """(i, j, k) with j congruent to, and equally far from, i and k; nearest first."""
        centroid, out = self.parts.centroid, []
        for j in range(len(self.parts)):
            near = np.flatnonzero(self.same[j])
            distance = np.linalg.norm(centroid[near] - centroid[j], axis=1)
            if len(near) > NEIGHBOURS:
                nearest = np.sort(np.argsort(distance, kind="stable")[:NEIGHBOURS])
                near, distance = near[nearest], distance[nearest]
            equal = np.abs(distance[:, None] - distance[None]) < self._slack(j, distance)[:, None]
            equal &= (distance > self._coincident[j])[:, None] & self.same[np.ix_(near, near)]
            a, b = np.nonzero(np.triu(equal, 1))
            out += [(float(d), int(x), j, int(y)) for d, x, y in zip(distance[a], near[a], near[b], strict=True)]
        digits = 6 - int(np.floor(np.log10(max(self.parts.extent, 1e-12))))
        return [(i, j, k) for _, j, i, k in sorted((round(d, digits), j, i, k) for d, i, j, k in out)]

    def _slack(self, part: int, step: Float[np.ndarray, "m"]) -> Float[np.ndarray, "m"]:
        """How far a centroid may be from where a step of this length leads."""
        noise = np.minimum(3 * self.jitter[part], 0.3 * step)
        return np.maximum(self.near[part] * np.minimum(self.parts.size[part], step), noise)

    def _walk(self, motion: Symmetry, i: int, j: int) -> tuple[int, ...]:
        """Parts met by going on from i and j, and back, in even steps."""
        members = [i, j]
        if not self._steps(motion, i, j):
            return (i,)
        while (after := self._next(motion, members[-1], members)) is not None:
            members.append(after)
        backward = inverse(motion)
        while (before := self._next(backward, members[0], members)) is not None:
            members.insert(0, before)
        if motion.kind == "rotational" and len(members) * motion.step > 2 * np.pi * (1 + 1e-3):
            return (i,)  # goes round more than once
        return tuple(members)

    def _next(self, motion: Symmetry, last: int, members: list[int]) -> int | None:
        here = self.parts.centroid[last]
        there = motion.apply(here[None])[0]
        near = np.flatnonzero(self.same[last])
        distance = np.linalg.norm(self.parts.centroid[near] - there, axis=1)
        reach = self._slack(last, np.linalg.norm(there - here, keepdims=True))[0]
        if not len(near) or distance.min() > reach:
            return None
        found = int(near[distance.argmin()])
        return found if found not in members and self._steps(motion, last, found) else None

    def _steps(self, motion: Symmetry, i: int, j: int) -> bool:
        frame = motion.apply(np.concatenate([np.zeros((1, 3)), np.eye(3)]))
        return bool(self.fits(np.array([i]), np.array([j]), (frame[1:] - frame[0]).T[None])[0])

    def _whole(self, motion: Symmetry, members: tuple[int, ...]) -> Symmetry:
        """The motion fitted to all centroids; a turn that fills the circle has step 2 pi / fold exactly."""
        centroid, fold = self.parts.centroid[list(members)], len(members)
        if motion.kind == "translational":
            steps = np.arange(fold) - (fold - 1) / 2
            step = (steps[:, None] * centroid).sum(0) / (steps**2).sum()
            length = float(np.linalg.norm(step))
            return Symmetry(motion.kind, (0.0, 0.0, 0.0), triple(step / length), fold, length)
        if abs(fold * motion.step - 2 * np.pi) < 0.1 * motion.step:
            spoke = centroid - centroid.mean(0)
            axis = np.cross(spoke, np.roll(spoke, -1, axis=0)).sum(0)
            axis = axis / np.linalg.norm(axis)
            return Symmetry(motion.kind, triple(centroid.mean(0)), triple(axis), fold, 2 * np.pi / fold)
        return Symmetry(motion.kind, motion.point, motion.direction, fold, motion.step)


def _same_line(a: Symmetry, b: Symmetry) -> bool:
    """Motions of one kind along one direction, or about one axis."""
    if a.kind != b.kind or abs(np.dot(a.direction, b.direction)) < 0.999:
        return False
    if a.kind == "translational":
        return True
    apart = np.subtract(a.point, b.point)
    across = apart - np.dot(apart, a.direction) * np.asarray(a.direction)
    return float(np.linalg.norm(across)) < 0.05
