"""`partseg data prepare`: once, resumable, in several processes; an interruption leaves whole files only."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from fakes.psb import write_psb, write_shape
from partseg.cli.data_names import find_dataset
from partseg.cli.data_prepare import as_trained, cache_folder, prepare
from partseg.cli.main import main
from partseg.data.cache import _open
from partseg.data.formats.psb import PsbReader
from partseg.data.reading import ReaderDataset
from partseg.errors import InputError, PartsegError
from partseg.spec import DatasetSpec


@pytest.fixture
def root(tmp_path: Path) -> Path:
    write_psb(tmp_path / "psb")
    return tmp_path / "psb"


def files(cache: Path) -> list[Path]:
    return sorted(path for path in cache.rglob("*") if path.is_file())


def test_prepared_copies_are_those_that_training_reads(root: Path, tmp_path: Path) -> None:
    done = prepare("psb", root, cache=tmp_path / "cache", points=50, normalize="sphere")
    assert (done.made, done.kept, done.damaged) == (3, 0, [])
    data = ReaderDataset(PsbReader(root), 50, normalize="sphere", cache=tmp_path / "cache")
    assert not any(data.prepare(i) for i in range(3)), "every copy is there under the name that training looks for"
    other = ReaderDataset(PsbReader(root), 51, normalize="sphere", cache=tmp_path / "cache")
    assert other.prepare(0)


def test_the_second_time_everything_is_there(root: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    command = ["data", "prepare", "psb", "--root", str(root), "--cache", str(tmp_path / "c"), "--points", "20"]
    assert main([*command, "--workers", "2"]) == 0
    assert capsys.readouterr().out.startswith(f"psb in {tmp_path}/c: 3 shapes: 3 prepared, 0 there already, ")
    before = [path.stat().st_mtime_ns for path in files(tmp_path / "c")]
    (root / "Cup/22_seg/22_0.seg").write_text("0\n1\n1\n1\n")
    assert main([*command, "--workers", "1"]) == 0
    assert "1 prepared, 2 there already" in capsys.readouterr().out
    after = [path.stat().st_mtime_ns for path in files(tmp_path / "c")]
    assert len(before) == len(after) == 3
    assert sum(a != b for a, b in zip(before, after, strict=True)) == 1, "only the changed shape is made anew"


@pytest.mark.parametrize("workers", ["1", pytest.param("2", marks=pytest.mark.slow)])
def test_a_damaged_shape_stops_or_is_left_out(
    root: Path, tmp_path: Path, workers: str, capsys: pytest.CaptureFixture
) -> None:
    (root / "Cup/22.off").write_text("OFF\n4 4")
    command = ["data", "prepare", "psb", "--root", str(root), "--cache", str(tmp_path / "c"), "--points", "20"]
    assert main([*command, "--workers", workers]) == 1
    out, err = capsys.readouterr()
    assert err.startswith(f"partseg: {root}/Cup/22.off: ")
    assert err.count("\n") == 1
    assert not out
    assert main([*command, "--workers", workers, "--skip-damaged"]) == 0
    out, err = capsys.readouterr()
    assert "there already, 1 damaged and left out" in out
    assert err.startswith(f"Cup/22: left out: {root}/Cup/22.off: ")
    assert len(files(tmp_path / "c")) == 2


def test_a_cache_that_cannot_be_written_is_no_damaged_shape(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("a file")
    for cache in (tmp_path / "file", tmp_path / "file" / "c"):
        with pytest.raises(InputError, match=f"{cache}: cannot be written"):
            prepare("psb", root, cache=cache, points=20, skip_damaged=True)

    def full(path: Path, target: Path) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(InputError, match="cannot be written: No space left"):
        prepare("psb", root, cache=tmp_path / "c", points=20, skip_damaged=True)
    assert not files(tmp_path / "c")


def test_a_mesh_needs_a_number_of_points(root: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    command = ["data", "prepare", "psb", "--root", str(root), "--cache", str(tmp_path / "c"), "--workers", "1"]
    assert main([*command, "--points", "all"]) == 1
    assert capsys.readouterr().err == "partseg: Cup/21: a mesh needs a number of points to sample\n"
    for wrong in (["--points", "0"], ["--points", "some"], ["--normalize", "cube"], ["--workers", "-1"]):
        with pytest.raises(SystemExit) as caught:
            main([*command, *wrong])
        assert caught.value.code == 2


def test_without_further_words_training_finds_the_copies(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, root: Path
) -> None:
    monkeypatch.setenv("PARTSEG_CACHE", str(tmp_path / "shared"))
    module = find_dataset("psb").load()(str(root))
    assert Path(module.cache) == cache_folder("psb")
    assert prepare("psb", root).made == 3
    data = module.dataset("test")
    assert [data.prepare(i) for i in range(len(data))] == [False] * 3


def test_settings_are_those_of_each_datamodule_unless_given() -> None:
    assert as_trained(find_dataset("psb"), None, None) == (10_000, "box")
    assert as_trained(find_dataset("scannet"), None, None) == (None, "none")
    assert as_trained(find_dataset("scannet"), 18_000, None) == (18_000, "none")
    assert as_trained(find_dataset("psb"), "all", "sphere") == (None, "sphere")
    broken = DatasetSpec(name="x", summary="x", dataset="partseg.no_such:X", license="MIT", features=())
    assert as_trained(broken, 5, "box") == (5, "box")
    with pytest.raises(PartsegError, match="x: say --points and --normalize, its datamodule is broken: No module"):
        as_trained(broken, 5, None)


def many(root: Path, n: int) -> None:
    for number in range(21, 21 + n):
        write_shape(root, "Cup", number, None, {0: "0\n0\n1\n1\n"})


def start(root: Path, cache: Path) -> subprocess.Popen:
    command = [sys.executable, "-m", "partseg", "data", "prepare", "psb", "--root", str(root), "--cache", str(cache)]
    process = subprocess.Popen(
        [*command, "--workers", "2"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # jobs in the background of a shell ignore it
    )  # fmt: skip
    until(lambda: cache.is_dir() and len(list(cache.glob("??/[!.]*"))) > 5)
    return process


def until(true) -> None:
    for _ in range(1200):
        if true():
            return
        time.sleep(0.05)
    raise AssertionError("it did not come true in a minute")


@pytest.mark.slow
def test_an_interrupted_run_leaves_whole_files_and_is_gone_on_with(tmp_path: Path) -> None:
    many(tmp_path / "psb", 1000)
    process = start(tmp_path / "psb", tmp_path / "c")
    os.killpg(process.pid, signal.SIGINT)  # as Ctrl-C does: every process of the group
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err) == (130, "", "partseg: interrupted\n")
    made = files(tmp_path / "c")
    assert 5 < len(made) < 1000
    for path in made:
        assert not path.name.startswith(".")
        _open(path)
    done = prepare("psb", tmp_path / "psb", cache=tmp_path / "c")
    assert (done.made, done.kept) == (1000 - len(made), len(made))


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="children are found in /proc")
def test_workers_end_when_the_first_process_is_killed_and_the_run_when_they_are(tmp_path: Path) -> None:
    many(tmp_path / "psb", 1000)
    process = start(tmp_path / "psb", tmp_path / "c")
    workers = children(process.pid)
    assert len(workers) >= 2
    process.kill()
    process.communicate()
    until(lambda: not any(alive(worker) for worker in workers))

    process = start(tmp_path / "psb", tmp_path / "d")
    for worker in children(process.pid):
        os.kill(worker, signal.SIGKILL)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 1
    assert err.startswith("partseg: a worker process ended abruptly")


def children(pid: int) -> list[int]:
    """Worker processes, without multiprocessing's own helper."""
    found = [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return [one for one in found if b"spawn_main" in Path(f"/proc/{one}/cmdline").read_bytes()]


def alive(pid: int) -> bool:
    """Whether it runs; one that only waits to be collected does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_an_unknown_dataset_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PartsegError, match="unknown dataset"):
        prepare("no-such", tmp_path)
