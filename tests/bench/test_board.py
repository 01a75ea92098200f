"""Board files: what they may say, and what is said of those that are wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from partseg.errors import InputError, PartsegError
from partseg_bench.board import EMBEDDED, Board, Limits, MethodEntry, load_board

SMALLEST = "methods: [ward-position]\ndatasets: [procedural]\nprotocols: [some-protocol]\n"


def write(folder: Path, text: str) -> Path:
    path = folder / "my board.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_the_smallest_board(tmp_path):
    board = load_board(write(tmp_path, SMALLEST))
    assert board.name == "my board"
    assert board.methods == (MethodEntry(name="ward-position"),)
    assert board.seeds == (0,) and board.limits == Limits() and board.datasets[0].split == "test"


def test_every_field_has_a_sentence():
    models = [Board, *(hint for hint in (MethodEntry, Limits))]
    for model in models:
        for name, field in model.model_fields.items():
            assert field.description and field.description.endswith("."), name


def test_titles_tell_entries_of_one_method_apart():
    plain = MethodEntry(name="partfield")
    tuned = MethodEntry(name="partfield", config="tiny", overrides={"model": {"width": 8}}, train={})
    assert plain.title == "partfield" and tuned.title == "partfield/tiny/model.width=8"
    assert MethodEntry(name="partfield", label="ours").title == "ours"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("methods: [", "cannot be read as YAML"),
        ("just text", "is not a mapping"),
        ("{}", "datasets"),
        (SMALLEST + "sedes: [1]\n", "sedes"),
        (SMALLEST + "seeds: [1, 1]\n", "seeds"),
        (SMALLEST + "seeds: [-1]\n", "seeds"),
        (SMALLEST + "limits: {seconds: .inf}\n", "limits.seconds"),
        (SMALLEST + "limits: {memory_gb: 0}\n", "limits.memory_gb"),
        (SMALLEST.replace("[ward-position]", "[]"), "name some methods"),
        (SMALLEST.replace("[ward-position]", "[ward-position, ward-position]"), "label"),
        (SMALLEST.replace("[ward-position]", "[{name: partfield, config: tiny}]"), "a config is for training"),
        (SMALLEST.replace("[ward-position]", "[{name: a, weights: w, train: {}}]"), "not both"),
        (SMALLEST.replace("[procedural]", "[{name: procedural, limit: 0}]"), "limit"),
        (SMALLEST.replace("[procedural]", "[{name: procedural, options: {share: .nan}}]"), "nan"),
    ],
)
def test_a_wrong_board_is_an_error_of_its_file(tmp_path, text, says):
    path = write(tmp_path, text)
    with pytest.raises(InputError) as caught:
        load_board(path)
    assert caught.value.path == str(path)
    assert says in str(caught.value) and "\n" not in str(caught.value)


def test_no_board_and_no_text(tmp_path):
    with pytest.raises(InputError, match="cannot be read"):
        load_board(tmp_path / "absent.yaml")
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="cannot be read as YAML"):
        load_board(tmp_path / "binary.yaml")


def test_the_embedded_board_has_every_method_that_is_ready():
    board = load_board()
    assert EMBEDDED.is_file() and board.name == "embedded"
    titles = [entry.title for entry in board.entries()]
    assert {"partfield", "partfield/tiny", "ward-position", "connected-components"} <= set(titles)
    assert len(set(titles)) == len(titles)


def test_optional_methods_that_are_not_installed_are_left_out():
    board = Board(
        methods=[{"name": "absent-method", "optional": True}, "ward-position"],
        datasets=["procedural"],
        protocols=["x"],
    )
    assert [entry.name for entry in board.entries()] == ["ward-position"]


def test_protocol_patterns(monkeypatch):
    board = Board(methods=["ward-position"], datasets=["procedural"], protocols=["nothing-is-called-*"])
    with pytest.raises(PartsegError, match=r"nothing-is-called-\*"):
        board.protocol_names()
    twice = board.model_copy(update={"protocols": ("a:B", "a:B", "c")})
    assert twice.protocol_names() == ("a:B", "c")
