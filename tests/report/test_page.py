import html.parser
import itertools
import re

import pytest
from evaluation_cases import random_cases

from wsns.evaluation.froc import Scan
from wsns.evaluation.scan_marks import Mark
from wsns.evaluation.secondary import secondary, whole_scans
from wsns.evaluation.table1 import Effort
from wsns.evaluation.table1 import table1 as table_of
from wsns.report import data_section, glossary, table1
from wsns.report import html as markup
from wsns.report import page as report
from wsns.report.table1 import Learned

TABLE = table_of(random_cases(0), effort=Effort(5000, 50))
FINE = [case for case in random_cases(0) if case.method.endswith("fine")]
SCANS = [Scan(f"P{n}", (1,), [Mark(0.9, 0.0, 2, 30.0, (1,))]) for n in range(8)]
WHOLE = whole_scans(FINE, {case.method: SCANS for case in FINE}, 12, threshold=0.5, draws=50)
SECONDARY = secondary(random_cases(0), WHOLE, threshold=0.5, draws=50)
PNG = bytes.fromhex("89504e470d0a1a0a")


def content(**other):
    values = {
        "table": TABLE,
        "source": "LIDC twin",
        "synthetic": True,
        "splits": [report.SplitCount("train", 30, 31, 1200, 1201), report.SplitCount("test", 8, 8, 30, 36)],
        "start": "shapes trunk, not ImageNet",
        "split_fingerprint": "0123456789abcdef",
        "secondary": SECONDARY,
        "pictures": {
            "figure3": report.Picture(PNG, "Figure A. <Path>", 'Eight "panels"'),
            "overview": report.Picture(PNG, "One slice", 'Eight "panels"'),
            "failures": report.Picture(PNG, "Failures", 'Eight "panels"'),
        },
        "learned": [
            Learned("1-GAP", 684, 3, 2, "patches start"),
            Learned("U-Net", 342, 6, 6, "random start"),
        ],
        "choices": [("Scope threshold", "0.5")],
        "notes": ["Demo's network"],
        "config": {"data": {"crop": 384, "seed": 2017}, "gaps": [1, 2, 3]},
        "environment": {"jax": "0.10.2", "git": {"commit": "abc & def"}},
        "accounting": {
            "scans": 1018,
            "voxels_outside_crop": 272,
            "lung_outside_crop_mean": 0.0123,
            "readings": [{"reading": "default", "slices": 10328}, {"reading": "paper"}],
        },
    }
    return report.ReportContent(**values | other)


class Page(html.parser.HTMLParser):
    """Collects tags and text, and fails on tags that don't nest."""

    void = frozenset({"meta", "link", "img"})

    def __init__(self, text):
        super().__init__()
        self.tags, self.open, self.words = [], [], []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in self.void:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)


def test_page_is_self_contained():
    text = report.render(content())
    page = Page(text)
    for tag, attrs in page.tags:
        assert tag not in ("script", "iframe", "object")
        for name in ("src", "href", "srcset", "action"):
            assert (attrs.get(name) or "data:").startswith(("data:", "#"))
        assert not any(name.startswith("on") for name in attrs)
    assert not re.search(r"url\(|@import|https?://", text)


def test_twin_is_called_synthetic_before_the_first_figure():
    text = report.render(content())
    assert text.index(report.SYNTHETIC) < text.index("<table")
    assert "LIDC twin (synthetic, not LIDC results)" in text


def test_real_scans_are_called_real():
    text = report.render(content(synthetic=False, source="LIDC-IDRI"))
    assert "LIDC-IDRI (real scans)" in text
    assert "synthetic" not in text.lower()


def test_page_opens_with_table_1_and_its_basis():
    text = report.render(content())
    headings = re.findall(r"<h2>(.*?)</h2>", text)
    assert headings[:2] == ["Table 1", "What this stands on"]
    words = " ".join(Page(text).words)
    for said in (
        "shapes trunk, not ImageNet",
        "0123456789abcdef",
        "1,200",
        "Demo's network",
        "data.crop",
        "0.10.2",
    ):
        assert said in words
    assert "2017" in words
    assert "2,017" not in words
    assert text.count('class="paper"') == 7 + 1


def test_page_is_accessible():
    page = Page(report.render(content()))
    tags = [tag for tag, _ in page.tags]
    assert dict(page.tags)["html"]["lang"] == "en"
    assert tags.count("h1") == tags.count("main") == tags.count("title") == 1
    levels = [int(tag[1]) for tag in tags if re.fullmatch(r"h\d", tag)]
    assert all(after - before <= 1 for before, after in itertools.pairwise(levels))
    assert tags.count("caption") == tags.count("table")
    for tag, attrs in page.tags:
        if tag == "img":
            assert attrs["alt"] == 'Eight "panels"'
        if tag == "th":
            assert attrs["scope"] in ("col", "row")
        if attrs.get("role") == "region":
            assert attrs["tabindex"] == "0"
            assert attrs["aria-label"]


def test_figures_stand_with_their_sections():
    text = report.render(content())
    assert text.index("<h2>Why results fail") < text.index("<figcaption>Failures") < text.index("<h2>Figures")
    assert text.index("<h2>Figures") < text.index("<figcaption>Figure A")
    assert text.count("<figure>") == 3


def test_overview_and_contents_stand_before_the_first_table():
    text = report.render(content())
    assert (
        text.index(report.SYNTHETIC)
        < text.index("<figcaption>One slice")
        < text.index("<nav")
        < text.index("<table")
    )


def test_contents_link_to_every_section_by_its_heading():
    text = report.render(content(opening=markup.section("Tried on “real” ones & more", "<p>x</p>")))
    links = re.findall(r'<a href="#([^"]+)">(.*?)</a>', text)
    sections = re.findall(r'<section [^>]*id="([^"]+)">\n<h2>(.*?)</h2>', text)
    assert links == sections
    assert len({name for name, _ in links}) == len(links) == text.count("<section")


def sections_of(text):
    return re.findall(r"<section.*?</section>", text, re.DOTALL)


@pytest.mark.parametrize(
    "term", [*table1.TERMS[6:], "AUC", "Brier score", "HD95", "Surface Dice", "Readers’ Dice"]
)
def test_a_column_is_defined_where_it_first_stands(term):
    """And nowhere else: a reader should not meet two meanings."""
    parts = sections_of(report.render(content()))
    first = next(part for part in parts if re.search(rf'<th scope="col">{term}\b', part))
    assert [f"<dt>{term}</dt>" in part for part in parts] == [part is first for part in parts]
    assert markup.text(glossary.MEANINGS[term]) in first


def test_wherever_tpr_stands_fpr_stands_in_the_same_row():
    tables = [
        part
        for part in re.findall(r"<table.*?</table>", report.render(content()), re.DOTALL)
        if ">TPR<" in part
    ]
    assert len(tables) >= 5
    for table in tables:
        heads = re.findall(r'<th scope="col">(.*?)</th>', table)
        for row in re.findall(r"<tr.*?</tr>", table.split("</thead>")[1], re.DOTALL):
            cells = re.findall(r"<t[dh][^>]*>(.*?)</t[dh]>", row)
            if len(cells) > 1:
                assert re.match(r"[+−]?\d", cells[heads.index("FPR")]), row


def test_accounting_is_said_in_words_and_raw_keys_are_folded():
    part = data_section.section(content().accounting)
    shown, folded = part.split("<details>")
    assert "272" in shown
    assert "1.2 %" in shown
    assert not re.search(r"[a-z]_[a-z]", re.sub(r"<[^>]*>", "", shown))
    assert "voxels_outside_crop" in folded
    assert data_section.section({}) == ""


def test_what_the_unet_learned_from_stands_beside_its_row():
    text = report.render(content())
    table = text[text.index('<table class="table1">') :]
    table = table[: table.index("</table>")]
    rows = re.findall(r"<tr.*?</tr>", table, re.DOTALL)
    place = next(n for n, row in enumerate(rows) if ">U-Net</th>" in row)
    aside = next(row for row in rows if 'class="aside"' in row)
    assert rows.index(aside) - place <= 2
    for fact in ("342 slices", "6 epochs", "start: random", "theirs: patches"):
        assert fact in aside


WEAK = Learned("1-GAP", 684, 3, 3, "random start")


@pytest.mark.parametrize(
    ("unet", "fewer", "passes", "start"),
    [
        (Learned("U-Net", 684, 3, 1, "random start"), False, False, False),
        (Learned("U-Net", 342, 6, 6, "random start"), True, False, False),
        (Learned("U-Net", 684, 2, 2, "random start"), False, True, False),
        (Learned("U-Net", 700, 9, 9, "patches start"), False, False, True),
    ],
)
def test_effort_names_what_the_unet_lacked_and_nothing_else(unet, fewer, passes, start):
    said = table1.effort([WEAK, unet])
    found = ("fewer slices" in said, "fewer passes" in said, "another start" in said)
    assert found == (fewer, passes, start)
    assert ("no baseline at equal effort" in said) == any(found)


def test_effort_claims_nothing_that_the_run_did_not_say():
    assert table1.effort([WEAK]) == ""
    assert table1.effort([Learned("U-Net", 684, 3, 3, "random start")]) == ""
    unknown = Learned("U-Net", None, 3, 3, "random start")
    assert table1.effort([WEAK, unknown]) == ""
    assert "slices" not in table1.lesson(unknown)


def test_every_interval_is_that_of_its_figure():
    words = " ".join(Page(report.render(content())).words)
    for row in SECONDARY.groups:
        if row.method == "3-GAP fine" and row.group == "all":
            dice = row.figures["tp_dice"]
            assert f"{dice.value:.2f} {dice.low:.2f}–{dice.high:.2f}" in " ".join(words.split())
    assert "80 slices of 8 test scans with 8 nodules" in words


def test_text_is_escaped():
    text = report.render(content(start="<b>&", notes=["<script>"]))
    assert "<script" not in text
    assert "&lt;b&gt;&amp;" in text


@pytest.mark.parametrize("patients", [1, 2])
def test_few_patients_are_no_result(patients):
    cases = random_cases(0, patients=patients)
    found = secondary(cases, threshold=0.5, draws=20)
    text = report.render(content(table=table_of(cases), secondary=found, synthetic=False))
    assert "are no result" in text
    assert "nan" not in text


def test_least_content_renders():
    cases = [case for case in random_cases(0) if case.nodules == 0 and case.method == "U-Net"]
    found = secondary(cases, threshold=0.5)
    text = report.render(
        report.ReportContent(table_of(cases), "LIDC-IDRI", False, [], "random", "0", secondary=found)
    )
    assert "No scan was searched whole" in text
    assert "no slice with two nodules" in text
    assert "nan" not in text


def test_flatten():
    flat = markup.flatten({"a": {"b": 1234567, "seed": 1234}, "c": [], "d": (1, "x"), "e": True, "f": None})
    assert flat == {"a.b": "1,234,567", "a.seed": "1234", "c": "none", "d": "1, x", "e": "True", "f": "None"}
