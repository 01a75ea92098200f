"""What W&B's offline runs hold, read from their files alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

_HEADER, _BLOCK = 7, 1 << 15  # of the file and of every chunk in it; chunks do not cross blocks


def history(folder: Path) -> list[dict[str, Any]]:
    """Everything that was logged, in order: one dictionary each time, of the only offline run in a folder."""
    from wandb.proto import wandb_internal_pb2

    (file,) = folder.glob("wandb/offline-run-*/run-*.wandb")
    rows = []
    for data in _records(file.read_bytes()):
        record = wandb_internal_pb2.Record()
        record.ParseFromString(data)
        if record.WhichOneof("record_type") == "history":
            items = record.history.item
            rows.append({"/".join(item.nested_key) or item.key: json.loads(item.value_json) for item in items})
    return rows


def images(folder: Path) -> list[np.ndarray]:
    """The pixels of all pictures of the only offline run in a folder."""
    files = sorted(folder.glob("wandb/offline-run-*/files/media/images/**/*.png"))
    return [np.asarray(Image.open(file)) for file in files]


def _records(data: bytes) -> list[bytes]:
    """Records of a log in LevelDB's format: chunks of (crc 4, length 2, type 1), a record in one chunk or several."""
    out, parts, at = [], [], _HEADER
    while at + _HEADER <= len(data):
        if _BLOCK - at % _BLOCK < _HEADER:  # padding
            at += _BLOCK - at % _BLOCK
            continue
        length, kind = int.from_bytes(data[at + 4 : at + 6], "little"), data[at + 6]
        parts.append(data[at + _HEADER : at + _HEADER + length])
        if kind in (1, 4):  # whole, last
            out.append(b"".join(parts))
            parts = []
        at += _HEADER + length
    return out
