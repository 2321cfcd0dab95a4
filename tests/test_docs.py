"""The documentation: every link leads somewhere, every name in it exists, and README stays short."""

import importlib
import pathlib
import re

import conftest
import pytest

from wsns.models.factory import CHANNELS, HEAD_SCALES
from wsns.models.vgg_gap import POOLS
from wsns.segmentation.options import CHOICES

PAGES = sorted(
    path
    for path in [*conftest.ROOT.glob("*.md"), *conftest.ROOT.glob("d*/**/*.md")]
    if "CHANGELOG" not in path.name
)
LINK = re.compile(r"\]\(([^)\s]+)\)")
NAME = re.compile(r"`(wsns(?:\.\w+)+)`")


def _anchors(text):
    heads = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


WORDS = {
    "model.pool": POOLS,
    "model.channels": CHANNELS,
    "model.head_scale": HEAD_SCALES,
    **{f"segment.{field}": words for field, words in CHOICES.items()},
}
"""Fields that take one of a few words, and the table that has them."""


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(conftest.ROOT)))
def test_every_link_leads_somewhere(page):
    for link in LINK.findall(page.read_text(encoding="utf-8")):
        if link.startswith(("https://", "http://")):
            continue
        file, _, anchor = link.partition("#")
        target = (page.parent / file).resolve() if file else page
        assert target.exists(), link
        assert conftest.ROOT in (target, *target.parents), link
        assert not anchor or anchor in _anchors(target.read_text(encoding="utf-8")), link


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(conftest.ROOT)))
def test_every_name_exists(page):
    for name in NAME.findall(page.read_text(encoding="utf-8")):
        assert _found(name), name


def test_every_file_that_is_named_exists():
    known = {path.name for path in conftest.ROOT.rglob("*.py") if ".venv" not in path.parts}
    for page in PAGES:
        for name in re.findall(
            r"`((?:wsns|configs|benchmarks|notebooks|tests)/[\w/]+\.py)`", page.read_text()
        ):
            assert (conftest.ROOT / name).is_file(), f"{page.name}: {name}"
        for command in re.findall(r"python (\w+/\w+\.py|main\.py)", page.read_text(encoding="utf-8")):
            assert pathlib.Path(command).name in known, f"{page.name}: {command}"


@pytest.mark.parametrize("field", WORDS)
def test_the_config_says_of_a_field_the_words_that_it_takes(field):
    lines = (conftest.ROOT / "configs" / "table1.py").read_text(encoding="utf-8").splitlines()
    (at,) = [n for n, line in enumerate(lines) if line.strip().startswith(f"{field} = ")]
    said = []
    while lines[at - 1].strip().startswith("#"):
        at -= 1
        said += re.findall(r"'(\w+)'", lines[at])
    assert sorted(said) == sorted(WORDS[field])


def test_the_page_from_the_paper_names_every_equation_table_and_figure():
    text = (conftest.ROOT / "docs" / "paper_to_code.md").read_text(encoding="utf-8")
    parts = ("Eq. 1", "Eq. 2", "Eq. 3", "Eq. 4", "Table 1", "Figure 2", "Figure 3")
    for part in (*parts, "§2.1", "§2.2", "§3.1", "§3.2", "§3.3"):
        assert f"| {part} |" in text, part
    assert len(NAME.findall(text)) > 30


def test_the_readme_is_short():
    assert len((conftest.ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 150


def _found(name):
    parts = name.split(".")
    for end in range(len(parts), 0, -1):
        try:
            found = importlib.import_module(".".join(parts[:end]))
        except ModuleNotFoundError:
            continue
        for part in parts[end:]:
            if not hasattr(found, part):
                return False
            found = getattr(found, part)
        return True
    return False
