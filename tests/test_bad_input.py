"""Bad input, a line each: what is given, and words of the one line that answers. Add a line for what you find."""

import ast
import pathlib
import re

import pytest
from absl import flags

import main
from configs import grid, table1, testing, transfer
from wsns import dispatch
from wsns.errors import InputError
from wsns.runtime import config_file

ROOT = pathlib.Path(__file__).resolve().parents[1]
FIELD = re.compile(r"(?<![\w.`/\'])([a-z]+\.[a-z_]+)\b(?!\()")
"""What may be a field of a section, without `config.` before it."""
FIELDS = [
    (testing, "train.rates", 0.001, "config.train.rates=0.001"),
    (testing, "train.rates", (1e-2, 1e-3), "config.train.rates=(0.01, 0.001): must have 3 values"),
    (testing, "train.rates", (1e-2, 1e-3, "fast"), "config.train.rates"),
    (testing, "train.rates", (1e-2, 1e-3, float("nan")), "config.train.rates"),
    (testing, "data.thickness", 3, "config.data.thickness=3"),
    (testing, "data.thickness", (5.0, 1.0), "config.data.thickness=(5.0, 1.0): the first value"),
    (testing, "model.window", (400.0, 400.0), "config.model.window=(400.0, 400.0): the first value"),
    (testing, "model.window", (-1000.0,), "config.model.window"),
    (testing, "model.width", "half", "config.model.width"),
    (testing, "train.flip", 1, "config.train.flip"),
    (testing, "segment.means", "-900", "config.segment.means"),
    (testing, "data", 3, "config.data"),
    (testing, "task", "nonsense", "config.task='nonsense'"),
    (testing, "model.start", "magic", "config.model.start='magic'"),
    (testing, "model.pool", "nonsense", "config.model.pool='nonsense'"),
    (testing, "model.channels", "nonsense", "config.model.channels='nonsense'"),
    (testing, "model.head_scale", "nonsense", "config.model.head_scale='nonsense'"),
    (testing, "model.dtype", "int8", "config.model.dtype='int8'"),
    (testing, "model.size", 100, "config.model.size=100"),
    (testing, "model.weights", "/nowhere/w.npz", "/nowhere/w.npz"),
    (testing, "unet.group", 3, "config.unet.group=3"),
    (testing, "unet.width", 0.3, "config.unet.width=0.3: a layer of 19 filters"),
    (testing, "unet.width", 0.0, "config.unet.width=0"),
    (testing, "model.width", -1.0, "config.model.width=-1"),
    (testing, "unet.trunk_factor", -0.1, "config.unet.trunk_factor=-0.1"),
    (testing, "plan.share", float("nan"), "config.plan.share"),
    (testing, "fit.portions", 0, "config.fit.portions=0"),
    (testing, "fit.input", "disk", "config.fit.input='disk'"),
    (testing, "train.choose", "luck", "config.train.choose='luck'"),
    (testing, "train.batch", 0, "config.train.batch=0"),
    (testing, "segment.tau", 1.5, "config.segment.tau=1.5"),
    (testing, "segment.outline", "nonsense", "config.segment.outline='nonsense'"),
    (testing, "scans.detect", 2.0, "config.scans.detect=2.0"),
    (testing, "scans.smallest", -1.0, "config.scans.smallest=-1: must be a diameter in mm"),
    (testing, "scans.score", "luck", "config.scans.score"),
    (testing, "unet.slices", "some", "config.unet.slices='some'"),
    (testing, "unet.loss", "nonsense", "config.unet.loss='nonsense'"),
    (testing, "unet.encoder", "nonsense", "config.unet.encoder='nonsense'"),
    (testing, "models", ("nonsense",), "nonsense"),
    (testing, "models", ("gap2",), "config.models=('gap2',)"),
    (testing, "unet.rate", float("inf"), "config.unet.rate=inf"),
    (testing, "tune.fields.tau", (0.5, 7.0), "config.tune.fields.tau=7.0"),
    (testing, "real", "nowhere", "config.real='nowhere' is not a folder"),
    (testing, "plan.rate", float("nan"), "config.plan.rate=nan"),
    (testing, "data.manual_dir", "/nowhere", "/nowhere is not a folder"),
    (testing, "data.twin.noise", (50.0, 4.0), "config.data.twin.noise"),
    (table1, "task", "table1", "config.data.manual_dir is empty"),
    (table1, "model.weights", "/nowhere/w.npz", "config.data.manual_dir is empty"),
    (grid, "models", ("gap1", "unet"), "config."),
    (transfer, "transfer.seeds", (1, 1), "config."),
]
FILES = [
    ("configs/demoo.py", None, "did you mean configs/demo.py"),
    ("nowhere/else.py", None, "there is no such file"),
    ("own.py", "this is no Python", "own.py: can't be loaded, line 1"),
    ("own.py", "x = 1", "get_config"),
    ("own.py", "def get_config():\n    return {}", "get_config() returns no ConfigDict"),
    ("own.py", "def get_config():\n    return 1 / 0", "can't be loaded, line 2 (ZeroDivisionError"),
]


def command(config, default, workdir):
    """What main.py does with a config."""
    main.check_fields(config, default)
    dispatch.run(config, workdir)


@pytest.mark.parametrize(("module", "field", "value", "words"), FIELDS, ids=lambda part: str(part)[-30:])
def test_a_bad_field_is_named_in_one_line(module, field, value, words, tmp_path):
    config, default = module.get_config(), module.get_config()
    section, _, name = field.rpartition(".")
    part = config.unlock()
    for key in section.split(".") if section else ():
        part = part[key]
    if field == "model.weights":  # of a start that reads a file
        config.model.start = "patches"
    with part.ignore_type():
        part[name] = value
    with pytest.raises(InputError) as caught:
        command(config, default, tmp_path / "run")
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "run" / "records").exists()


@pytest.mark.parametrize(
    "path", sorted(path for path in (ROOT / "configs").glob("[!_]*.py")), ids=lambda path: path.stem
)
def test_every_config_of_the_project_passes_as_it_is(path):
    config = config_file.load(str(path))
    main.check_fields(config, config_file.load(str(path)))
    assert config.task in dispatch.TASKS


@pytest.mark.parametrize(("name", "text", "words"), FILES)
def test_a_bad_config_file_is_one_line(name, text, words, tmp_path):
    path = tmp_path / name if text else ROOT / name
    if text:
        path.write_text(text)
    with pytest.raises(InputError) as caught:
        config_file.load(str(path), ROOT / "configs")
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--config=configs/demoo.py"], "did you mean configs/demo.py?"),
        (["--config=configs/testing.py", "--config.train.batch=many"], "batch"),
        (["--config=configs/testing.py", "--no_such_flag"], "no_such_flag"),
    ],
)
def test_a_bad_command_line_is_one_line(arguments, words, monkeypatch):
    monkeypatch.chdir(ROOT)
    with pytest.raises(SystemExit) as caught:
        main.parse_flags(["main.py", *arguments])
    flags.FLAGS.unparse_flags()
    assert str(caught.value).startswith("error: ")
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_home_that_is_not_there_is_named():
    with pytest.raises(InputError, match="--workdir=~nobodyhere/x: ~nobodyhere has no home folder"):
        config_file.at_home("~nobodyhere/x", "--workdir")
    assert config_file.at_home("~/x", "--workdir") == pathlib.Path.home() / "x"


@pytest.mark.parametrize("content", [b"", b"<!DOCTYPE html><html>Not found</html>"], ids=["empty", "page"])
@pytest.mark.parametrize("name", ["w.h5", "w.pth", "w.safetensors", "w.npz"])
def test_a_file_that_holds_no_weights_is_named_in_one_line(name, content, tmp_path):
    (tmp_path / name).write_bytes(content)
    config = table1.get_config()
    config.data.manual_dir, config.model.weights = "twin", str(tmp_path / name)
    with pytest.raises(InputError) as caught:
        dispatch.run(config, tmp_path / "run")
    assert name in str(caught.value)
    assert "\n" not in str(caught.value)


def test_every_message_names_fields_in_full():
    found = []
    for path in sorted((ROOT / "wsns").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Raise):
                texts = [
                    inside.value
                    for inside in ast.walk(node)
                    if isinstance(inside, ast.Constant) and isinstance(inside.value, str)
                ]
                text = " ".join(texts)
                found += [(path.name, field) for field in FIELD.findall(text) if _is_a_field(field)]
    assert not found


def _is_a_field(name):
    section, field = name.split(".")
    config = table1.get_config()
    return section in config and field in config[section]
