"""The page of a searched scan: what it says, what it holds, and that no more than that can run in it."""

import base64
import hashlib
import html.parser
import io
import json
import re

import numpy as np
import pytest
from PIL import Image

from wsns.report import html as markup
from wsns.report import scan_page, scan_pictures, scan_viewer
from wsns.report.scan_page import ScanView
from wsns.report.scan_view import hexadecimal

SHAPE = (12, 90, 120)


def view(**other):
    """A scan of two lungs, two nodules and a map around the first; three slices were not searched."""
    z, y, x = np.indices(SHAPE)
    hu = np.where((y > 10) & (y < 80), 40, -1000)
    lungs = np.where((z > 0) & (abs(y - 45) < 20), 1 * (abs(x - 35) < 18) + 2 * (abs(x - 85) < 18), 0)
    hu = np.where(lungs > 0, -850, hu) + np.random.default_rng(0).integers(-12, 13, SHAPE)
    near = (z - 5) ** 2 + (y - 40) ** 2 + (x - 30) ** 2
    labels = np.where(near < 10, 1, 0) + np.where((abs(z - 8) < 1) & (abs(y - 50) < 2) & (x == 90), 2, 0)
    probabilities = np.where(np.arange(SHAPE[0]) < 3, np.nan, np.linspace(0, 0.9, SHAPE[0]))
    values = {
        "hu": np.where(labels > 0, 60, hu).astype(np.int16),
        "z": -200.25 + 2.5 * np.arange(SHAPE[0]),
        "spacing": 0.7,
        "labels": labels.astype(np.uint16),
        "lungs": lungs.astype(np.uint8),
        "nam": (np.exp(-near / 60) - 0.2).astype(np.float32),
        "probabilities": probabilities,
    }
    return ScanView(**values | other)


def row(number, **other):
    values = {
        "nodule": number, "score": 0.91, "x_mm": -12.25, "y_mm": 3.5, "z_mm": -187.75, "slice_first": 3,
        "slice_last": 9, "volume_mm3": 84.5, "long_axis_mm": 5.1, "short_axis_mm": 4.9, "mean_axis_mm": 5,
        "mean_hu": -60.0, "side": "right", "cut_by_edge": "no",
    }  # fmt: skip
    return values | other


ROWS = [row(1), row(2, score=0.5, side="")]


def made(own=None, rows=ROWS, facts=None, warnings=(), title="Scan 7"):
    return scan_page.scan_page(title, view() if own is None else own, rows, facts or {}, warnings)


def data(text):
    found = re.search(r'<script type="application/json" id="scan-data">(.*?)</script>', text, re.DOTALL)
    return json.loads(found[1])


def opened(text):
    return Image.open(io.BytesIO(base64.b64decode(text)))


def painted(found, k, shape=SHAPE[1:]):
    """A slice's label map as the page's script reads it, in its crop."""
    plane = np.zeros(found["height"] * found["width"], int)
    for number, start, length in np.reshape(found["runs"].get(str(k), []), (-1, 3)).astype(int):
        assert not plane[start : start + length].any()
        plane[start : start + length] = number
    return plane.reshape(found["height"], found["width"])


class Page(html.parser.HTMLParser):
    """Collects tags, and fails on those that don't nest."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.open = [], []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in {"meta", "link", "img", "input"}:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_nothing_is_loaded_and_only_its_own_script_may_run():
    text = made()
    tags = Page(text).tags
    policy = next(own["content"] for tag, own in tags if own.get("http-equiv") == "Content-Security-Policy")
    (script,) = re.findall(r"<script>(.*?)</script>", text, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert dict(part.split(maxsplit=1) for part in policy.split("; ")) == {
        "default-src": "'none'",
        "img-src": "data:",
        "style-src": "'unsafe-inline'",
        "script-src": f"'sha256-{digest}'",
        "base-uri": "'none'",
        "form-action": "'none'",
    }
    assert [own.get("type") for tag, own in tags if tag == "script"] == ["application/json", None]
    for tag, own in tags:
        assert tag not in ("iframe", "object", "embed", "base", "form")
        for name in ("src", "href", "srcset", "action"):
            assert (own.get(name) or "#").startswith(("data:", "#"))
        assert not any(name.startswith("on") for name in own)
    assert not re.search(r"url\(|@import|https?://", text)
    assert "<!--" not in script


def test_pages_without_a_script_allow_none():
    assert "script" not in markup.page("x", "y")


def test_texts_are_escaped():
    bad = "</script><script>alert(1)</script>&<b>"
    text = made(
        title=bad, warnings=[bad], facts={bad: {"a": bad}}, rows=[row(1, side=bad), row(2, score=bad)]
    )
    assert text.count("<script") == 2
    assert "alert(1)</script>" not in text
    assert "<b>" not in text
    assert text.count(markup.text(bad)) >= 6
    Page(text)


def test_data_cannot_end_its_block():
    bad = {"</script>": "<!-- & \u2028 ünï"}
    block = markup.data("x", bad)
    assert block.count("<") == 2
    assert json.loads(re.sub("<[^>]*>", "", block)) == bad


def test_ids_are_unique_and_all_that_the_script_looks_for_is_there():
    text = made()
    names = [own["id"] for _, own in Page(text).tags if "id" in own]
    assert len(set(names)) == len(names)
    script = re.search(r"<script>(.*?)</script>", text, re.DOTALL)[1]
    assert set(re.findall(r'byId\("([\w-]+)"\)', script)) <= set(names)


def test_notice_and_warnings_stand_before_all_else():
    text = made(warnings=["Lung 2 is cut.", "Slices 5 mm apart."])
    places = [text.index(words) for words in (scan_page.NOTICE, "2 warnings", "Lung 2 is cut.", "<section")]
    assert places == sorted(places)
    assert (
        "warning" not in re.sub(r"<script.*?</script>|<style.*?</style>", "", made(), flags=re.DOTALL).lower()
    )


def test_slices_are_those_of_the_crop():
    own = view()
    found = data(made(own))
    # 15 mm of 0.7 mm are 21 pixels around the lungs, which begin at (26, 18).
    rows, columns = slice(5, 86), slice(0, 120)
    assert (found["height"], found["width"]) == (81, 120)
    tones = np.array(found["tones"])
    assert len(found["slices"]) == len(found["z"]) == SHAPE[0]
    for picture, hu in zip(found["slices"], own.hu[:, rows, columns], strict=True):
        grey = np.asarray(opened(picture))
        assert (grey.ndim, grey.dtype) == (2, np.uint8)
        off = np.abs(tones[grey] - hu)
        assert off.mean() < 12
        assert np.percentile(off, 99) < 60


def test_greys_hold_every_window_and_are_finest_in_soft_tissue():
    hu = np.arange(-1024, 1051, dtype=np.int16)
    off = np.abs(scan_pictures.tones()[scan_pictures.greys(hu)] - hu)
    assert off.max() <= 8
    assert off[(hu > -160) & (hu < 240)].max() <= 2.01
    assert scan_pictures.greys(np.array([-3000, 3000], np.int16)).tolist() == [0, 255]
    for low, high in scan_viewer.WINDOWS.values():
        assert max(low, -1024) >= scan_pictures.TONES[0][0]
        assert high <= scan_pictures.TONES[-1][0]


def test_labels_are_exact():
    rng = np.random.default_rng(1)
    labels = np.where(rng.random(SHAPE) < 0.3, rng.integers(1, 65536, SHAPE), 0).astype(np.uint16)
    labels[4] = 0
    labels[5] = 7
    lines = [scan_pictures.runs(plane) for plane in labels]
    for k, plane in enumerate(labels):
        found = {"runs": {str(k): lines[k]}, "height": SHAPE[1], "width": SHAPE[2]}
        np.testing.assert_array_equal(painted(found, k), plane)
    assert (lines[4], lines[5]) == ([], [7, 0, SHAPE[1] * SHAPE[2]])


def test_the_pages_labels_are_those_of_the_scan():
    own = view()
    found = data(made(own))
    for k, plane in enumerate(own.labels[:, 5:86]):
        np.testing.assert_array_equal(painted(found, k), plane)
    assert [one["number"] for one in found["nodules"]] == [1, 2]
    assert [one["slice"] for one in found["nodules"]] == [5, 8]
    assert len({one["colour"] for one in found["nodules"]}) == 2
    assert found["probability"][:3] == [None] * 3
    assert found["probability"][-1] == 0.9


def test_nodules_outside_the_lungs_are_kept():
    labels = view().labels.copy()
    labels[3, 88, 119] = 3
    found = data(made(view(labels=labels), [*ROWS, row(3)]))
    assert (painted(found, 3) == 3).sum() == 1


def test_maps_are_where_the_map_is_positive():
    own = view()
    found = data(made(own))
    assert found["step"] == 4
    there = {int(k) for k in found["maps"]}
    assert there == {k for k in range(SHAPE[0]) if own.nam[k].max() > 0.01}
    image = opened(found["maps"]["5"])
    assert image.size == (30, 21)
    levels = np.asarray(image)
    row_of, column_of = np.unravel_index(levels.argmax(), levels.shape)
    assert (row_of, column_of) == ((40 - 5) // 4, 30 // 4)
    alpha = np.asarray(image.convert("RGBA"))[..., 3]
    assert (alpha[levels == 0] == 0).all()
    assert alpha.max() > 150
    assert data(made(view(nam=-np.abs(own.nam))))["maps"] == {}


def test_colours_are_those_of_the_segments():
    assert hexadecimal(1) == "#ff9533"
    assert len({hexadecimal(n) for n in range(1, 40)}) == 39


def test_borders_go_along_pixels():
    assert scan_pictures.edges(np.array([[1]])) == "M0 0h1M0 1h1M0 0v1M1 0v1"
    assert scan_pictures.edges(np.array([[0, 1, 1]])) == "M1 0h2M1 1h2M1 0v1M3 0v1"
    assert scan_pictures.edges(np.zeros((2, 2), bool)) == ""


def strips(text):
    return [part.count('class="outline"') for part in re.findall(r"<article>.*?</article>", text, re.DOTALL)]


def test_each_nodule_has_pictures_at_most_five():
    text = made()
    assert strips(text) == [5, 1]
    shown = re.findall(r'data-slice="(\d+)" data-nodule="1" aria-label="Nodule 1, slice (\d+)', text)
    assert shown == [(k, k) for k in ("3", "5", "6", "7", "9")]
    width = int(re.search(r'<svg viewBox="0 0 (\d+) \1"', text)[1])
    assert 40 <= width * 0.7 < 42


def test_pictures_are_lossless():
    hu = np.array([[-1000, 400], [-300, 3000]], np.int16)
    image = np.asarray(Image.open(io.BytesIO(scan_pictures.windowed(hu, (-1000, 400)))))
    assert image.tolist() == [[0, 255], [128, 255]]


def test_many_nodules():
    labels = np.zeros(SHAPE, np.uint16)
    labels[:, ::4, ::4] = np.arange(1, labels[:, ::4, ::4].size + 1).reshape(labels[:, ::4, ::4].shape)
    count = int(labels.max())
    assert count > 8000
    labels = np.where(labels > 400, 0, labels)
    text = made(view(labels=labels), [row(n) for n in range(1, 401)])
    assert len(strips(text)) == scan_page.SHOWN
    assert "first 30 of 400 nodules" in text
    assert len(data(text)["nodules"]) == 400
    assert len(re.findall("<tr><th scope=.row.", text)) == 400


def test_numbers_may_be_missing():
    labels = np.where(view().labels == 2, 9, view().labels).astype(np.uint16)
    text = made(view(labels=labels), [row(1), row(9)])
    assert [one["number"] for one in data(text)["nodules"]] == [1, 9]
    assert len(strips(text)) == 2


def test_the_table_has_units_and_jumps():
    text = made()
    table = re.search(r"<table>.*?</table>", text, re.DOTALL)[0]
    for head in ("x, mm", "Volume, mm³", "Long axis, mm", "Mean HU", "Slices"):
        assert f'<th scope="col">{head}</th>' in table
    assert re.findall(r'data-slice="(\d+)" data-nodule="(\d+)"', table) == [("6", "1"), ("9", "2")]
    cells = re.findall("<td>(.*?)</td>", table)
    assert cells[:3] == ["0.91", "3–9", "−12.25"]
    assert "(LPS)" in text


def test_no_nodules_do_not_reassure():
    text = made(view(labels=np.zeros(SHAPE, np.uint16)), [])
    assert "No nodules found, which does not mean that there are none" in text[: text.index("<section")]
    assert scan_page.NONE_FOUND in text
    assert "sensitivity is limited" in text
    assert "<table>" not in text
    assert strips(text) == []
    found = data(text)
    assert (found["nodules"], found["runs"]) == ([], {})
    assert scan_page.NONE_FOUND not in made()


def test_without_lungs_slices_are_whole():
    none = np.zeros(SHAPE, np.uint8)
    text = made(view(lungs=none, labels=none.astype(np.uint16)), [])
    found = data(text)
    assert (found["height"], found["width"]) == SHAPE[1:]
    assert "whole slices of 90 × 120 pixels" in text
    assert "rows 6 to 86 and columns 1 to 120 of 90 × 120" in made()


def test_a_single_slice():
    own = view()
    one = {name: getattr(own, name)[5:6] for name in ("hu", "z", "labels", "lungs", "nam", "probabilities")}
    text = made(view(**one), ROWS[:1])
    found = data(text)
    assert len(found["slices"]) == 1
    assert strips(text) == [1]
    Page(text)


def test_nothing_searched():
    text = made(view(probabilities=np.full(SHAPE[0], np.nan)))
    assert "No slice was searched" in text
    assert "0 of 12 slices searched" in text
    assert "NaN" not in json.dumps(data(text))


def test_the_curve_has_a_step_for_each_slice_and_gaps():
    values = np.array([np.nan, 0.25, 0.5, np.nan, 1.0])
    assert scan_viewer.steps(values) == "M1 0.75H2V0.5H3M4 0H5"


def test_extents_that_overlap_are_in_different_rows():
    assert scan_viewer.lanes([(0, 30), (10, 40), (30, 35), (90, 100)], 100) == [0, 1, 0, 0]


@pytest.mark.parametrize("count", [1, 2, 7, 60, 133, 261, 2000])
def test_ticks_name_first_and_last(count):
    found = scan_viewer.ticks(count)
    assert (found[0], found[-1]) == (1, count)
    assert found == sorted(set(found))
    assert len(found) <= 9
