import re

import numpy as np
import phantom
import pytest

from wsns.data.lungs.masks import Lungs, segment
from wsns.data.records.qc_image import (
    BAR,
    BAR_MM,
    FRAME,
    GAP,
    LUNG_COLOURS,
    NODULE,
    SIDE,
    WIDTH,
    WINDOW,
    check_picture,
    shown_slices,
)
from wsns.data.records.qc_levels import RULES
from wsns.data.volume import Volume
from wsns.report.qc_page import write_check_page

CROP, ORIGIN = 384, (60, 64)


@pytest.fixture(scope="module")
def chest():
    volume, truth = phantom.volume(np.arange(110) * 2.5, 0.7)
    return volume, truth, segment(volume)


@pytest.fixture(scope="module")
def nodules():
    labels = np.zeros((512, 512), np.uint8)
    labels[240:260, 140:160] = 1
    return {70: labels, 71: labels * (np.arange(512) < 150), 30: labels[:, ::-1], 31: np.zeros_like(labels)}


@pytest.fixture(scope="module")
def panels(chest, nodules):
    volume, _, lungs = chest
    picture = check_picture(volume, lungs, ORIGIN, CROP, nodules)
    assert picture.shape == (SIDE, WIDTH, 3)
    assert picture.dtype == np.uint8
    return [picture[:, n * (SIDE + GAP) :][:, :SIDE] for n in range(4)]


def has(panel, colour):
    return (panel == np.array(colour)).all(axis=-1)


def test_each_third_shows_the_slice_with_the_largest_nodules_or_its_middle(chest, nodules):
    _, _, lungs = chest
    span = lungs.extent(110)[0]
    top, middle, bottom = shown_slices(lungs, 110, nodules)
    assert (top, bottom) == (70, 30)
    assert abs(middle - (span.start + span.stop) / 2) <= 1


def test_nodules_outside_a_lung_that_disease_hides_are_shown(chest, nodules):
    volume, truth, _ = chest
    hidden = np.where((truth > 0) & (np.arange(110)[:, None, None] < 55), np.int16(phantom.TISSUE), volume.hu)
    lungs = segment(Volume(hidden, volume.z, volume.spacing))
    assert lungs.extent(110)[0].start > 50
    assert {70, 30} <= set(shown_slices(lungs, 110, nodules))


def test_the_coronal_section_has_true_proportions_and_stands_head_up(chest, panels):
    _, truth, _ = chest
    step = 512 * 0.7 / SIDE  # mm per pixel: the chest is wider than it is high
    coloured = panels[0][..., 1].astype(int) - panels[0][..., 0] > 20
    rows, columns = np.flatnonzero(coloured.any(axis=1)), np.flatnonzero(coloured.any(axis=0))
    height = np.flatnonzero(truth.any(axis=(1, 2)))
    width = np.flatnonzero(truth.any(axis=(0, 1)))
    assert np.ptp(rows) * step == pytest.approx(np.ptp(height) * 2.5, rel=0.05)
    assert np.ptp(columns) * step == pytest.approx(np.ptp(width) * 0.7, rel=0.05)
    marks = np.flatnonzero(has(panels[0], NODULE)[:, 0])
    top = (SIDE - 109 * 2.5 / step) / 2
    wanted = [round(top + (109 - k) * 2.5 / step) for k in (71, 70, 30)]
    np.testing.assert_allclose(marks, wanted, atol=1)


def test_axial_panels_hold_outlines_frame_and_nodules_at_their_place(chest, panels, nodules):
    scale = SIDE / 512
    for panel, k in ((panels[1], 70), (panels[3], 30)):
        frame = np.argwhere(has(panel, FRAME))
        np.testing.assert_allclose(frame.min(axis=0), np.array(ORIGIN) * scale, atol=1.5)
        np.testing.assert_allclose(frame.max(axis=0), (np.array(ORIGIN) + CROP) * scale, atol=1.5)
        rim = np.argwhere(has(panel, NODULE))
        inside = np.argwhere(nodules[k])
        np.testing.assert_allclose(rim.mean(axis=0), inside.mean(axis=0) * scale, atol=1.5)
        for lung, low in ((1, True), (2, False)):
            columns = np.nonzero(has(panel, LUNG_COLOURS[lung]))[1]
            assert len(columns) > 100
            assert ((columns < SIDE / 2) == low).all()
    assert not has(panels[2], NODULE).any()


def test_a_nodule_of_one_pixel_is_seen(chest):
    volume, _, lungs = chest
    labels = np.zeros((512, 512), np.uint8)
    labels[251, 147] = 1
    picture = check_picture(volume, lungs, ORIGIN, CROP, {55: labels})
    assert has(picture[:, SIDE:], NODULE).sum() >= 2


@pytest.mark.parametrize("origin", [(-40, -60), (200, 300), (600, 600)])
def test_a_crop_that_leaves_the_slice(chest, origin):
    volume, _, lungs = chest
    assert check_picture(volume, lungs, origin, CROP, {}).shape == (SIDE, WIDTH, 3)


def test_uneven_slices_keep_their_place(chest):
    volume, _, _ = chest
    kept = np.r_[0:50, 65:110]  # a gap of 38 mm
    gap = Volume(volume.hu[kept], volume.z[kept], volume.spacing)
    whole, holed = (check_picture(v, segment(v), ORIGIN, CROP, {}) for v in (volume, gap))
    bodies = [np.flatnonzero((part[:, :SIDE] > 150).all(axis=-1).any(axis=1)) for part in (whole, holed)]
    assert abs(np.ptp(bodies[0]) - np.ptp(bodies[1])) <= 2


def test_the_bar_is_as_long_as_it_says(chest, panels):
    volume, _, _ = chest
    across = SIDE / (512 * volume.spacing)
    for panel in panels:
        columns = np.flatnonzero(has(panel, BAR).any(axis=0))
        assert len(columns) == pytest.approx(BAR_MM * across, abs=1)


def row(patient, level="fine", weight=0.0, warnings=()):
    return {
        "patient": patient,
        "series": "1.2.3",
        "picture": f"check/{patient}.png",
        "thickness": 2.5,
        "slices": 133,
        "lung_1_ml": 1950,
        "lung_2_ml": 1724,
        "positives": 1,
        "outside_crop": 0,
        "outside_hull": 1234,
        "lung_outside_crop": 0.021,
        "level": level,
        "weight": weight,
        "warnings": list(warnings),
    }


def test_the_page_puts_the_worst_scans_first_and_escapes(tmp_path):
    warned = ["Lung 1 has <100 ml & more."]
    write_check_page(
        tmp_path,
        [
            row("A"),
            row("B", "minor", 0.9, warned),
            row("C", "must look", 1.2, warned),
            row("D", "must look", 4, warned),
        ],
    )
    page = (tmp_path / "check.html").read_text()
    assert re.findall(r"<h3>(\w)</h3>", page) == ["D", "C", "B", "A"]
    assert re.findall(r"<h2>(\w+)", page) == ["Must", "Minor", "Fine"]
    assert page.count("<li>Lung 1 has &lt;100 ml &amp; more.</li>") == 3
    assert page.count('class="alarm"') == 2
    assert "4 scans: 2 must look, 1 minor, 1 fine" in page
    for level, rule in RULES.items():
        assert f"<dt>{level.capitalize()}</dt><dd>{rule}" in page
    assert (
        page.count('loading="lazy"')
        == page.count("<img")
        == len(re.findall(r'<img [^>]*alt="[^"]+"', page))
        == 4
    )
    assert 'src="check/B.png"' in page
    assert "1,950 and 1,724 ml" in page
    assert "1 slice with a nodule" in page
    assert "1,234" in page
    assert f"{WINDOW[1]} HU" in page


def test_a_page_without_scans_has_no_empty_section(tmp_path):
    write_check_page(tmp_path, [])
    assert "<h2>" not in (tmp_path / "check.html").read_text()


@pytest.mark.parametrize("spacing", [0.611328125, 0.6171875, 0.644, 0.7])
def test_rounding_never_makes_a_panel_too_wide(spacing):
    """A panel of 301 pixels once ended a build: the sides of real scans don't divide evenly."""
    depth = 12
    hu = np.full((depth, 512, 512), -870, np.int16)
    labels = np.ones((depth, 128, 128), np.uint8)
    lungs = Lungs(labels, (1, 4, 4), (2.5, 4 * spacing, 4 * spacing), 64.0, (0.0, 0.0))
    for volume in (Volume(hu, np.arange(depth) * step, spacing) for step in (2.5, 30.7, 512 * spacing / 11)):
        assert check_picture(volume, lungs, ORIGIN, CROP, {}).shape == (SIDE, 4 * SIDE + 12, 3)
