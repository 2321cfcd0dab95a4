import dataclasses
import io
import re

import numpy as np
import pytest
from evaluation_cases import disc, random_cases, slice_view
from matplotlib.figure import Figure
from PIL import Image

from wsns.evaluation.failure_modes import CAUSES, cause
from wsns.evaluation.froc import Scan
from wsns.evaluation.scan_marks import Mark
from wsns.evaluation.secondary import secondary, whole_scans
from wsns.report import false_alarms, figures, plots
from wsns.report import slice_view as views
from wsns.report.curves import curves
from wsns.report.slice_view import SliceView

BARE = SliceView(hu=np.full((32, 32), -800, np.int16))


def colours_of(figure: Figure) -> set[tuple[int, ...]]:
    pixels = np.asarray(Image.open(io.BytesIO(views.to_png(figure))).convert("RGB"))
    packed = np.unique(pixels.astype(np.uint32) @ [65536, 256, 1])
    return {(int(p) >> 16, int(p) >> 8 & 255, int(p) & 255) for p in packed}


def rgb(colour: str) -> tuple[int, ...]:
    return tuple(bytes.fromhex(colour[1:]))


@pytest.mark.parametrize("view", [slice_view(), slice_view(nodule=False, detected=False), BARE])
def test_overview_draws_whatever_there_is(view):
    figure = figures.overview(view)
    assert len(figure.axes) == 8
    assert len(colours_of(figure)) > 10


def test_overview_shows_all_outlines():
    seen = colours_of(figures.overview(slice_view()))
    assert {rgb(views.CONSENSUS), rgb(views.RESULT), rgb(views.SCOPE)} <= seen


def test_missing_layers_are_said():
    said = {text.get_text() for axes in figures.overview(BARE).axes for text in axes.texts}
    assert {"not kept", "no lung mask", "no NAM", "no candidates", "no nodule", "no result kept"} <= said
    view = slice_view(detected=False)
    assert "not detected" in {t.get_text() for a in figures.overview(view).axes for t in a.texts}


def test_a_nam_that_is_nowhere_positive_is_said():
    view = dataclasses.replace(slice_view(), nams={2: np.full((64, 64), -1.0)})
    assert "NAM nowhere positive" in {t.get_text() for a in figures.overview(view).axes for t in a.texts}


@pytest.mark.parametrize(
    ("spacing", "side", "expected"), [(0.7, 64, 10), (0.7, 384, 50), (0.5, 20, 2), (0.01, 10, 1)]
)
def test_a_scale_bar_has_the_length_that_it_says(spacing, side, expected):
    axes = Figure().subplots()
    view = SliceView(np.zeros((400, 400)), spacing=spacing)
    views.show_slice(axes, view.hu)
    views.zoom(axes, (10, 20, side))
    views.measured(axes, view)
    (bar,) = [line for line in axes.lines if line.get_gid() == "bar"]
    assert np.ptp(bar.get_xdata()) * side * spacing == pytest.approx(expected)
    assert f"{expected} mm" in {text.get_text() for text in axes.texts}
    assert axes.get_xlim() == (19.5, 19.5 + side)


@pytest.mark.parametrize(
    ("right", "places"), [("left", {"R": 0, "L": 1}), ("right", {"R": 1, "L": 0}), ("", {})]
)
def test_letters_stand_at_the_patient_s_sides_where_these_are_known(right, places):
    axes = Figure().subplots()
    view = dataclasses.replace(slice_view(), right=right)
    views.show_slice(axes, view.hu)
    views.measured(axes, view)
    found = {
        text.get_text(): round(text.get_position()[0]) for text in axes.texts if len(text.get_text()) == 1
    }
    assert found == places


def test_figures_of_slices_say_their_window_and_have_a_bar_in_every_picture():
    case = next(case for case in random_cases(0) if case.nodules == 1 and case.method == "2-GAP fine")
    for figure in (
        figures.overview(slice_view()),
        figures.figure2([slice_view()]),
        figures.gallery({"best": [(slice_view(), case)]}, "2-GAP fine"),
        false_alarms.gallery({"2-GAP fine": [(slice_view(nodule=False), case)]}),
    ):
        (legend,) = figure.legends
        assert any("−1000 to 400 HU" in text.get_text() for text in legend.get_texts())
        assert all(any(line.get_gid() == "bar" for line in axes.lines) for axes in figure.axes)


def test_false_alarms_are_slices_without_a_nodule_the_surest_of_each_patient_first():
    cases = random_cases(0, patients=12)
    marked = [dataclasses.replace(case, area_mm2=9.0) for case in cases if not case.label and case.detected]
    surest = max(case.score for case in marked if case.method == "U-Net")
    chosen = false_alarms.choose([*cases, *marked], "U-Net", 5)
    assert all(case in marked for case in chosen)
    assert chosen[0].score == surest
    assert len({case.patient for case in chosen}) == 5
    assert [case.score for case in chosen] == sorted((case.score for case in chosen), reverse=True)
    assert false_alarms.choose(marked, "U-Net", 0) == []
    empty = [dataclasses.replace(case, area_mm2=0.0) for case in marked]
    assert false_alarms.choose(empty, "U-Net", 5) == []


def test_figure2_has_a_row_per_slice():
    figure = figures.figure2([slice_view(), BARE, slice_view(detected=False)])
    assert len(figure.axes) == 3 * 8
    assert views.to_png(figure)


def test_figures_are_reproducible():
    assert views.to_png(figures.overview(slice_view())) == views.to_png(figures.overview(slice_view()))


def test_outline_runs_along_pixel_borders():
    axes = Figure().subplots()
    mask = np.zeros((9, 9), bool)
    mask[3:5, 0:4] = True
    views.outline(axes, mask, "red")
    points = np.concatenate([path.vertices for path in axes.collections[0].get_paths()])
    np.testing.assert_allclose(points.min(0), [-0.5, 2.5], atol=0.13)
    np.testing.assert_allclose(points.max(0), [3.5, 4.5], atol=0.13)


def test_zoom_box_holds_the_layers_and_stays_inside():
    view = SliceView(hu=np.zeros((100, 100)), spacing=1.0)
    for layer in (
        disc(100, (3, 97), 2),
        disc(100, (50, 50), 30),
        disc(100, (0, 0), 1) | disc(100, (99, 99), 1),
    ):
        row, column, side = views.zoom_box(view, None, layer)
        inside = np.zeros((100, 100), bool)
        inside[row : row + side, column : column + side] = True
        assert row >= 0
        assert column >= 0
        assert side >= 40
        assert row + side <= 100
        assert column + side <= 100
        assert (inside | ~layer).all()
    assert views.zoom_box(view, None) == (0, 0, 100)
    assert views.zoom_box(view, np.zeros((100, 100), bool)) == (0, 0, 100)


def test_gallery_is_ranked():
    cases = random_cases(0, patients=12)
    groups = figures.choose_gallery(cases, "2-GAP fine", 3)
    ranked = [case.dice for group in groups.values() for case in group]
    assert [len(group) for group in groups.values()] == [3, 3, 3]
    assert ranked == sorted(ranked, reverse=True)
    every = [c for c in cases if c.method == "2-GAP fine" and c.nodules == 1]
    assert groups["best"][0].dice == max(case.dice for case in every)
    assert groups["median"][1].dice == pytest.approx(np.median([case.dice for case in every]), abs=0.05)
    missed = [case for case in every if case.dice == 0]
    assert groups["worst"][-1].diameter_mm == max(case.diameter_mm for case in missed)


def test_gallery_of_few_slices_shows_none_twice():
    cases = [case for case in random_cases(0) if case.nodules == 1 and case.method == "U-Net"]
    for number in range(8):
        groups = figures.choose_gallery(cases[:number], "U-Net", 5)
        shown = [case for group in groups.values() for case in group]
        assert len(set(shown)) == len(shown) == number // 3 * 3


def test_gallery_draws_empty_and_uneven_groups():
    case = next(case for case in random_cases(0) if case.nodules == 1 and case.method == "U-Net")
    figure = figures.gallery(
        {"best": [(slice_view(), case)] * 2, "worst": [(BARE, case)], "median": []}, "U-Net"
    )
    assert len(figure.axes) == 6
    assert views.to_png(figure)
    assert views.to_png(figures.gallery({"best": [], "worst": []}, "U-Net"))


def test_failures_stand_by_cause_and_show_several_patients():
    cases = random_cases(0, patients=12)
    groups = figures.choose_failures(cases, "2-GAP fine", 3)
    assert list(groups) == [name for name in CAUSES if name in groups]
    assert "good" not in groups
    for name, group in groups.items():
        assert 1 <= len(group) <= 3
        assert {cause(case) for case in group} == {name}
    missed = groups["not detected"]
    assert len({case.patient for case in missed}) == 3
    every = [case for case in cases if case.method == "2-GAP fine" and case.nodules == 1]
    largest = max((case for case in every if not case.detected), key=lambda case: case.diameter_mm)
    assert missed[0] == largest
    cut = [dataclasses.replace(case, area_ref_mm2=0.0) if case == largest else case for case in cases]
    assert largest.z not in [
        case.z
        for group in figures.choose_failures(cut, "2-GAP fine", 99).values()
        for case in group
        if case.series == largest.series
    ]


def test_gallery_with_scopes_draws_them():
    case = next(case for case in random_cases(0) if case.nodules == 1 and case.method == "1-GAP fine")
    plain, scoped = (
        figures.gallery({"wrong blob": [(slice_view(), case)]}, "1-GAP fine", scopes=scopes).axes[0]
        for scopes in (False, True)
    )
    assert len(scoped.collections) == len(plain.collections) + 1


def test_curves_of_the_test_split_and_of_whole_scans():
    cases = random_cases(0)
    fine = [case for case in cases if case.method.endswith("fine")]
    scans = [Scan(f"P{n}", (1,), [Mark(0.9, 0.0, 2, 30.0, (1,))] if n else []) for n in range(8)]
    whole = whole_scans(fine, {case.method: scans for case in fine}, 0, threshold=0.5, draws=20)
    figure = curves(secondary(cases, whole, threshold=0.5, draws=20))
    assert [axes.get_title().split(",")[0] for axes in figure.axes] == [
        "ROC of the slice classifiers", "Calibration", "FROC", "Calibration",
    ]  # fmt: skip
    assert figure.axes[2].lines[0].get_ydata()[-1] == pytest.approx(7 / 8)
    assert views.to_png(figure)
    for few in ([case for case in cases if case.method == "U-Net"], [c for c in cases if c.label == 0]):
        assert views.to_png(curves(secondary(few, threshold=0.5, draws=20)))


def test_scans_without_a_mark_have_a_flat_froc():
    cases = [case for case in random_cases(0) if case.method == "1-GAP fine"]
    scans = {"1-GAP fine": [Scan(f"P{n}", (1,), []) for n in range(8)]}
    figure = curves(
        secondary(cases, whole_scans(cases, scans, 0, threshold=0.5, draws=20), threshold=0.5, draws=20)
    )
    assert set(figure.axes[2].lines[0].get_ydata()) == {0.0}


def test_cause_bars_are_as_long_as_their_counts():
    counts = {"1-GAP fine": dict.fromkeys(CAUSES, 2), "U-Net": {**dict.fromkeys(CAUSES, 0), "good": 12}}
    axes = plots.cause_bars(counts).axes[0]
    ends = [bar.get_x() + bar.get_width() for bar in axes.patches]
    assert ends[0] == 2
    assert max(ends) == 12
    assert len(axes.patches) == 2 * len(CAUSES)


def test_readers_stand_beside_dice_only():
    cases = [dataclasses.replace(case, reader_dice=0.8) if case.label else case for case in random_cases(0)]
    figure = plots.figure3(cases)
    labels = [axes.get_legend_handles_labels()[1] for axes in figure.axes]
    assert ["readers" in own for own in labels] == [True, False, True, False]
    np.testing.assert_allclose(plots.binned([c for c in cases if c.label], "readers")[0][1:3], 0.8)


def test_figure3_means_by_hand():
    case = next(case for case in random_cases(0) if case.tp == 1 and case.nodules == 1)
    cases = [
        dataclasses.replace(case, dice=dice, diameter_mm=diameter, area_mm2=area, area_ref_mm2=30.0)
        for dice, diameter, area in ((0.5, 5.0, 20.0), (0.7, 5.9, 60.0), (0.9, 6.0, 33.0))
    ]
    mean, deviation = plots.binned(cases, "TP Dice")
    np.testing.assert_allclose(mean[1:3], [0.6, 0.9])
    np.testing.assert_allclose(deviation[1:3], [0.1, 0], atol=1e-12)
    assert np.isnan(mean[[0, 3, 4, 5]]).all()
    np.testing.assert_allclose(plots.binned(cases, "TP DOA, mm²")[0][1:3], [20, 3])


def test_figure3_draws_full_and_empty_cases():
    figure = plots.figure3(random_cases(0))
    assert len(figure.axes) == 4
    counts = [re.search(r"n = (\d+)", label.get_text())[1] for label in figure.axes[0].get_xticklabels()]
    one = [case for case in random_cases(0) if case.method == "U-Net" and case.nodules == 1]
    assert sum(map(int, counts)) == len(one)
    assert views.to_png(figure)
    assert views.to_png(plots.figure3([]))


def test_figure3_says_how_many_true_positives_its_means_are_of():
    case = next(case for case in random_cases(0) if case.tp == 1 and case.nodules == 1)
    cases = [
        dataclasses.replace(case, method=method, z=float(n), diameter_mm=3.0, tp=tp, dice=0.5 * tp)
        for method, hits in (("1-GAP fine", (1, 0, 0, 0)), ("2-GAP fine", (1, 1, 1, 0)))
        for n, tp in enumerate(hits)
    ]
    labels = [label.get_text() for label in plots.figure3(cases).axes[2].get_xticklabels()]
    assert labels[0].endswith("n = 4\nTP 1·3")
    assert labels[1].endswith("n = 0\nTP 0")


def test_training_curves():
    rows = [
        {"model": model, "epoch": epoch, "split": split, "loss": 1 / epoch, quality: 0.5}
        for model, quality in (("1-GAP", "accuracy"), ("U-Net", "quality"))
        for epoch in (1, 2)
        for split in ("train", "validation")
    ]
    figure = plots.training_curves([*rows, {"model": "1-GAP", "epoch": 3, "split": "train"}])
    assert [axes.get_ylabel() for axes in figure.axes] == ["loss", "loss", "accuracy", "quality"]
    assert all(len(axes.lines) == 2 for axes in figure.axes)
    assert views.to_png(figure)
    assert views.to_png(plots.training_curves([]))
