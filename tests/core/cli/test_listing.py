"""`partseg datasets`: what there is, whether it is found, how to obtain and use it."""

from __future__ import annotations

import inspect
import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from partseg.cli.data_names import is_found, root_of
from partseg.cli.data_readers import OWN, describe_options, reader_class
from partseg.cli.main import main
from partseg.data.formats.base import Reader
from partseg.data.modules import Psb
from partseg.data.specs import DATASETS
from partseg.errors import PartsegError
from partseg.methods import registry
from partseg.spec import DatasetSpec


def test_the_listing_is_quick_and_reads_nothing(tmp_path: Path) -> None:
    program = (
        "import sys\n"
        "from partseg.cli.main import main\n"
        "code = main(['datasets'])\n"
        "heavy = {'numpy', 'torch', 'lightning', 'jsonargparse', 'rich'} & set(sys.modules)\n"
        "sys.exit(f'imported {heavy}' if heavy else code)"
    )

    def once() -> float:
        start = time.perf_counter()
        done = subprocess.run(
            [sys.executable, "-c", program], capture_output=True, text=True, cwd=tmp_path, check=False
        )
        assert done.returncode == 0, done.stderr
        return time.perf_counter() - start

    assert min(once() for _ in range(3)) < 0.5, "best of three, because other tests run beside this one"


def test_levels_licence_and_whether_the_files_are_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.setenv("PARTSEG_DATA", str(tmp_path))
    (tmp_path / "partnet").mkdir()
    assert main(["datasets"]) == 0
    lines = [line.strip() for line in capsys.readouterr().out.splitlines()]
    about = {line.split()[0]: below for line, below in zip(lines[::2], lines[1::2], strict=True)}
    assert about["partnet"] == f"levels 1, 2, 3; licence ShapeNet-terms; found at {tmp_path}/partnet"
    assert about["psb"] == f"levels vary; licence research-only; not found at {tmp_path}/psb"
    assert about["procedural"] == "levels coarse, middle, fine; licence MIT; embedded"
    assert set(about) >= {spec.name for spec in DATASETS}
    assert main(["datasets", "--json"]) == 0
    rows = {row["name"]: row for row in json.loads(capsys.readouterr().out)}
    assert (rows["partnet"]["found"], rows["partnet"]["root"]) == (True, str(tmp_path / "partnet"))
    assert (rows["psb"]["found"], rows["procedural"]["found"], rows["procedural"]["root"]) == (False, True, None)
    assert rows["psb"]["spec"]["reader"] == "partseg.data.formats.psb:PsbReader"


def test_the_place_is_the_one_that_training_looks_at(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    spec = next(spec for spec in DATASETS if spec.name == "psb")
    for value in (str(tmp_path), "", None):
        if value is None:
            monkeypatch.delenv("PARTSEG_DATA")
        else:
            monkeypatch.setenv("PARTSEG_DATA", value)
        assert root_of(spec) == Psb(cache=None).reader.root
    monkeypatch.chdir(tmp_path)
    (tmp_path / "psb").write_text("a file")
    assert not is_found(spec)


def test_one_dataset_in_full(capsys: pytest.CaptureFixture) -> None:
    assert main(["datasets", "Psb"]) == 0
    out = " ".join(capsys.readouterr().out.split())
    assert "obtain: the benchmark's page" in out
    assert 'options: --category: only this one, e.g. "Airplane".' in out
    assert "partseg data check psb --root D" in out
    assert main(["datasets", "PSB", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["name"], "found" in told, "root" in told) == ("psb", True, True)


def test_a_reader_that_cannot_be_imported_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    spec = DatasetSpec(
        name="gone", summary="x", dataset="a.b:Gone", license="MIT", features=(), reader="partseg.no_such:Reader"
    )
    monkeypatch.setitem(registry.BUILT_IN, "dataset", (spec,))
    assert main(["datasets", "gone"]) == 0
    assert "the reader of 'gone' cannot be imported: No module named 'partseg.no_such'" in " ".join(
        capsys.readouterr().out.split()
    )
    assert main(["data", "check", "gone"]) == 1
    assert capsys.readouterr().err.startswith("partseg: the reader of 'gone' cannot be imported")


class Clashing(Reader):
    """A reader.

    Args:
        root: the folder.
        points: of each scene.
        area: which one.
    """

    def __init__(self, root: str, points: int | None = None, area: int = 5) -> None:
        super().__init__(root)
        self.points, self.area = points, area

    def index(self) -> tuple:
        return ()

    def load(self, item):
        raise NotImplementedError

    def taxonomy(self) -> dict:
        return {}


def test_a_reader_s_option_named_as_one_of_the_command_s_is_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    from partseg.cli.data_readers import chosen_reader, reader_parser

    module = type(sys)("clashing_reader")
    module.Clashing = Clashing
    monkeypatch.setitem(sys.modules, "clashing_reader", module)
    spec = DatasetSpec(
        name="clash", summary="x", dataset="a.b:Clash", license="MIT", features=(), reader="clashing_reader:Clashing"
    )
    parser = reader_parser("prepare", spec, "about", "  partseg {name}")
    parser.add_argument("--points", type=int, default=1)
    reader = chosen_reader(spec, parser.parse_args(["--points", "3", "--reader.points", "7", "--area", "2"]))
    assert (reader.points, reader.area) == (7, 2)
    assert describe_options(spec)[0].startswith("--reader.points: of each scene.")


@pytest.mark.parametrize("spec", [spec for spec in DATASETS if spec.reader], ids=lambda spec: spec.name)
def test_every_reader_of_core_has_a_command_line(spec: DatasetSpec, capsys: pytest.CaptureFixture) -> None:
    try:
        cls = reader_class(spec)
    except PartsegError as error:
        pytest.skip(str(error))
    names = [name for name in inspect.signature(cls).parameters if name != "root"]
    for verb in ("check", "prepare", "preview"):
        with pytest.raises(SystemExit) as caught:
            main(["data", verb, spec.name, "--help"])
        assert caught.value.code == 0
        out = capsys.readouterr().out
        assert all(f"--{'reader.' if name in OWN else ''}{name} " in out for name in names)
    assert all(": (" not in line for line in describe_options(spec)), "every option says what it does"
