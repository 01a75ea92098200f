"""How much memory processes hold."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from pathlib import Path

_PROC = Path("/proc/self/stat").exists()


def group_mb(group: int) -> float:
    """Resident memory of all processes of a process group, MiB; what they share is counted for each. 0.0 for none."""
    return _group_from_proc(group) if _PROC else _group_from_ps(group)


def own_peak_mb() -> float:
    """The most resident memory this process has held since it was started, MiB."""
    try:
        with open("/proc/self/status", encoding="ascii") as file:  # unlike getrusage's, not inherited from the parent
            return next(int(line.split()[1]) for line in file if line.startswith("VmHWM:")) / 1024
    except (OSError, StopIteration):
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak / (2**20 if sys.platform == "darwin" else 1024)


def out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory is short, that of a GPU included."""
    return isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError"  # torch's, without torch


def _group_from_proc(group: int) -> float:
    page = os.sysconf("SC_PAGE_SIZE")
    total = 0
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        try:
            with open(f"/proc/{name}/stat", encoding="ascii", errors="replace") as file:
                fields = file.read().rpartition(")")[2].split()
        except OSError:  # it has just ended
            continue
        if int(fields[2]) == group:
            total += int(fields[21]) * page
    return total / 2**20


def _group_from_ps(group: int) -> float:
    told = subprocess.run(["ps", "-A", "-o", "pgid=,rss="], capture_output=True, text=True).stdout
    rows = (line.split() for line in told.splitlines())
    return sum(int(row[1]) for row in rows if len(row) == 2 and int(row[0]) == group) / 1024
