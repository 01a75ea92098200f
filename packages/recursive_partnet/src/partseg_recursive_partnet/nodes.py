"""What a node of a decomposition can be."""

from __future__ import annotations

from enum import IntEnum


class NodeType(IntEnum):
    """Types in the order of the classifier's outputs (section 3.1; the release has four, the paper the first three).

    With four types SYMMETRY is a turn or shift whose copies are labelled at once, and REFLECTION a mirror whose sides
    are split and go on like any node. With three, SYMMETRY is any of them.
    """

    LEAF = 0
    ADJACENCY = 1
    SYMMETRY = 2
    REFLECTION = 3
