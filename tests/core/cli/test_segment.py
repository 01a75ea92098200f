"""`partseg segment` in this process, with a method of our own."""

from __future__ import annotations

import io
import os
import sys
from pathlib import Path

import numpy as np
import pytest

from partseg.cli.main import main
from partseg.cli.segment import default_method, plan
from partseg.errors import InputError, UnknownNameError

RESULTS = ["labels.npy", "parts.glb", "parts.png", "tree.json"]


def listing(folder: Path) -> dict[str, list[str]]:
    return {item.name: sorted(file.name for file in item.iterdir()) for item in sorted(folder.iterdir())}


def test_one_file(shapes: Path, scratch: str, capsys: pytest.CaptureFixture) -> None:
    assert main(["segment", "a.obj", "--method", scratch]) == 0
    assert listing(shapes / "parts") == {"a": RESULTS}
    out = capsys.readouterr().out
    assert out.startswith("a.obj: 2 parts, ")
    assert out.rstrip().endswith("parts/a")


def test_many_go_on_past_bad_ones_and_list_them_at_the_end(
    shapes: Path, scratch: str, capsys: pytest.CaptureFixture
) -> None:
    (shapes / "empty.obj").touch()
    (shapes / "text.ply").write_text("this is not a ply file\n")
    for name in ("refused", "broken"):
        (shapes / f"{name}.obj").write_text((shapes / "a.obj").read_text())
    inputs = ["a.obj", "empty.obj", "text.ply", "missing.obj", "refused.obj", "broken.obj", "b.obj"]
    assert main(["segment", *inputs, "--method", scratch, "-o", "out", "--parts", "3"]) == 1
    assert listing(shapes / "out") == {"a": RESULTS, "b": RESULTS}
    captured = capsys.readouterr()
    assert "Traceback" not in captured.out + captured.err
    summary = captured.err.strip().splitlines()
    assert summary[0] == "2 of 7 done; 5 failed:"
    assert [line.strip().partition(":")[0] for line in summary[1:]] == inputs[1:6]
    assert "ZeroDivisionError: a mistake in the method" in summary[-1]
    assert "is not wanted here" in summary[-2]


def test_one_bad_file_is_one_line(shapes: Path, scratch: str, capsys: pytest.CaptureFixture) -> None:
    assert main(["segment", "missing.obj", "--method", scratch]) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert len(captured.err.strip().splitlines()) == 1
    assert "missing.obj" in captured.err
    assert listing(shapes / "parts") == {}


def test_debug_shows_the_traceback(shapes: Path, scratch: str, capsys: pytest.CaptureFixture) -> None:
    (shapes / "broken.obj").write_text((shapes / "a.obj").read_text())
    with pytest.raises(ZeroDivisionError):
        main(["segment", "broken.obj", "--method", scratch, "--debug"])
    assert main(["--debug", "segment", "a.obj", "--method", "nothing"]) == 1
    assert "Traceback" in capsys.readouterr().err


def test_an_interrupt_ends_the_run_in_one_line(shapes: Path, scratch: str, capsys: pytest.CaptureFixture) -> None:
    (shapes / "stopped.obj").write_text((shapes / "a.obj").read_text())
    assert main(["segment", "a.obj", "stopped.obj", "b.obj", "--method", scratch]) == 130
    assert capsys.readouterr().err.strip() == "partseg: interrupted"
    assert listing(shapes / "parts") == {"a": RESULTS}


def test_results_are_not_overwritten_unasked(shapes: Path, scratch: str, capsys: pytest.CaptureFixture) -> None:
    assert main(["segment", "a.obj", "--method", scratch]) == 0
    assert main(["segment", "a.obj", "--method", scratch, "--parts", "4"]) == 1
    assert "--overwrite" in capsys.readouterr().err
    assert main(["segment", "a.obj", "--method", scratch, "--parts", "4", "--overwrite"]) == 0
    assert len(set(np.load(shapes / "parts" / "a" / "labels.npy"))) == 4


def test_an_unwritable_output_folder_fails_before_any_work(
    shapes: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("partseg.cli.segment.load_method", lambda *a, **k: pytest.fail("work was begun"))
    (shapes / "file").touch()
    outputs = ["file", "file/below"]
    if os.access("/proc/version", os.F_OK):
        outputs.append("/proc/out")  # refused to everybody, root too
    for output in outputs:
        assert main(["segment", "a.obj", "--method", "x:Y", "-o", output]) == 1
        error = capsys.readouterr().err
        assert len(error.strip().splitlines()) == 1
        assert f"{output}: cannot be written" in error
        assert "--output" in error


def test_a_method_that_does_not_segment_is_refused(
    shapes: Path, scratch: str, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    import sys

    monkeypatch.setattr(sys.modules["scratch_halves"], "Halves", type("Halves", (), {}))
    assert main(["segment", "a.obj", "--method", scratch]) == 1
    assert "does not segment" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["a.obj", "--parts", "0"],
        ["a.obj", "--seed", "-5"],
        ["a.obj", "--parts", "many"],
        ["a.obj", "--levels", "3,,8"],
        ["a.obj", "--parts", "3", "--levels", "3,8"],
    ],
)
def test_wrong_usage_exits_with_two(arguments: list[str], capsys: pytest.CaptureFixture) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["segment", *arguments])
    assert caught.value.code == 2
    assert "usage: partseg segment" in capsys.readouterr().err


def test_inputs_may_stand_on_both_sides_of_options(shapes: Path, scratch: str) -> None:
    assert main(["segment", "a.obj", "--method", scratch, "-o", "both", "b.obj", "--parts", "2"]) == 0
    assert sorted(folder.name for folder in Path("both").iterdir()) == ["a", "b"]


def test_a_link_to_itself_is_a_bad_file_among_good_ones(
    shapes: Path, scratch: str, capsys: pytest.CaptureFixture
) -> None:
    (shapes / "loop.obj").symlink_to("loop.obj")
    assert main(["segment", "loop.obj", "a.obj", "--method", scratch]) == 1
    assert "loop.obj: FAILED: " in capsys.readouterr().out
    assert list(listing(shapes / "parts")) == ["a"]


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no such names")
def test_a_name_that_is_no_text_is_no_obstacle(shapes: Path, scratch: str, monkeypatch: pytest.MonkeyPatch) -> None:
    name = os.fsdecode(b"b\xffad.obj")
    (shapes / "a.obj").rename(shapes / name)
    terminal = io.TextIOWrapper(io.BytesIO(), encoding="utf-8", errors="strict")
    monkeypatch.setattr(sys, "stdout", terminal)
    assert main(["segment", name, "--method", scratch]) == 0
    assert terminal.buffer.getvalue().startswith(b"b\\udcffad.obj: 2 parts")
    assert listing(shapes / "parts") == {Path(name).stem: RESULTS}


def test_same_names_get_folders_of_their_own(shapes: Path) -> None:
    (shapes / "sub").mkdir()
    for name in ("sub/a.obj", "A.obj", "a-2.obj"):
        (shapes / name).write_text("")
    jobs = plan(["a.obj", "sub/a.obj", "A.obj", "a-2.obj", "./a.obj"], "out")
    assert [(str(path), folder.name) for path, folder in jobs] == [
        ("a.obj", "a"),
        ("sub/a.obj", "a-2"),
        ("A.obj", "A-3"),
        ("a-2.obj", "a-2-2"),
    ]


def test_folders_and_patterns_are_expanded(shapes: Path) -> None:
    (shapes / "sub").mkdir()
    (shapes / "sub" / "d.stl").touch()
    (shapes / "notes.txt").touch()
    (shapes / "out" / "a").mkdir(parents=True)
    (shapes / "out" / "a" / "parts.glb").touch()
    found = [str(path) for path, _ in plan([str(shapes)], shapes / "out")]
    assert [Path(path).name for path in found] == ["a.obj", "b.obj", "c.obj", "d.stl"]
    assert [path.name for path, _ in plan(["[ab].obj"], "out")] == ["a.obj", "b.obj"]
    assert [path.name for path, _ in plan(["**/*.stl"], "out")] == ["d.stl"]
    (shapes / "nothing").mkdir()
    for item in ("nothing", "*.step"):
        with pytest.raises(InputError, match=item.replace("*", r"\*")):
            plan([item], "out")


def test_the_default_method_is_one_that_is_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    from partseg.spec import MethodSpec

    def spec(name: str, **fields: object) -> MethodSpec:
        return MethodSpec(
            name=name, summary="x", method="a:B", license="MIT", **({"capabilities": ("segmenter",)} | fields)
        )

    weights = {"weights": {"w": "p:q"}, "default_weights": "w"}
    for specs, expected in (
        ([spec("a", trainable=False), spec("partfield", **weights)], "partfield"),
        ([spec("a"), spec("b", trainable=False)], "b"),
        ([spec("a"), spec("b", capabilities=())], "a"),
    ):
        monkeypatch.setattr("partseg.cli.segment.list_methods", lambda specs=specs: specs)
        assert default_method() == expected
    monkeypatch.setattr("partseg.cli.segment.list_methods", list)
    with pytest.raises(UnknownNameError, match="pip install partseg-partfield"):
        default_method()
