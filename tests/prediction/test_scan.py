"""One chest in any file and order gives the same nodules, in the patient's coordinates."""

import chest_images
import numpy as np
import pytest
import SimpleITK as sitk
from chest_series import export, read

from wsns.data.images.files import read_image
from wsns.errors import InputError
from wsns.prediction.scan import COLUMNS, Rules, predict_scan
from wsns.segmentation.results import Region, SliceResult

RULES = Rules("maps", 0.0, 3.0)
NODULE = chest_images.chest() == chest_images.NODULE
CENTRE = np.array(chest_images.ORIGIN) + np.argwhere(NODULE)[:, ::-1].mean(axis=0) * chest_images.SPACING


def method(slices):
    """Finds what has the nodule's value."""
    for hu in slices.hu:
        mask = hu == chest_images.NODULE
        region = Region(mask, mask, mask[None], 0, np.zeros(1), np.ones(1), np.ones(1), 0)
        nams = {gaps: mask.astype(np.float32) for gaps in (1, 3)}
        found = bool(mask.any())
        regions = {3: (region,)} if found else {}
        yield SliceResult({1: 0.9 if found else 0.1, 3: 0.5}, nams, found, regions=regions)


def predict(path, rules=RULES, **how):
    return predict_scan(read_image(path), method, rules, gaps=3, crop=how.pop("crop", 256), neighbours=0.0)


def stored(tmp_path, ending=".nii.gz", **how):
    sitk.WriteImage(chest_images.image(**how), str(tmp_path / f"scan{ending}"))
    return tmp_path / f"scan{ending}"


@pytest.mark.parametrize(
    ("ending", "how"),
    [
        (".nii.gz", {}),
        (".nii.gz", {"flips": (True, True, False)}),
        (".nii", {"axes": (2, 0, 1), "flips": (False, True, True)}),
        (".nrrd", {"axes": (0, 2, 1)}),
        (".mha", {"flips": (False, False, True)}),
    ],
)
def test_a_scan_in_any_order_has_the_same_nodules(tmp_path, ending, how):
    found = predict(stored(tmp_path, ending, **how))
    np.testing.assert_array_equal(found.labels, NODULE)
    (row,) = found.nodules
    assert tuple(row) == COLUMNS
    assert (row["x_mm"], row["y_mm"], row["z_mm"]) == pytest.approx(tuple(CENTRE), abs=0.01)
    slices = np.flatnonzero(NODULE.any(axis=(1, 2)))
    assert (row["slice_first"], row["slice_last"]) == (slices[0] + 1, slices[-1] + 1)
    assert row["volume_mm3"] == pytest.approx(NODULE.sum() * 1.4 * 1.4 * 5, abs=0.1)
    assert (row["side"], row["mean_hu"], row["cut_by_edge"]) == ("left", chest_images.NODULE, "no")
    assert row["score"] == 2.0
    np.testing.assert_array_equal(np.nan_to_num(found.probabilities) == 0.9, NODULE.any(axis=(1, 2)))


@pytest.mark.parametrize("orientation", [(1, 0, 0, 0, 1, 0), (-1, 0, 0, 0, -1, 0), (-1, 0, 0, 0, 1, 0)])
def test_a_dicom_series_has_the_same_nodules_as_a_file(tmp_path, orientation):
    export(
        tmp_path / "dicom",
        orientation=orientation,
        order=np.random.default_rng(0).permutation(30),
        square=False,
    )
    found = predict_scan(read(tmp_path / "dicom"), method, RULES, gaps=3, crop=256, neighbours=0.0)
    np.testing.assert_array_equal(found.labels, NODULE)
    sop = ("sop_first", "sop_last")
    own, other = (
        [{name: value for name, value in row.items() if name not in sop} for row in rows]
        for rows in (found.nodules, predict(stored(tmp_path)).nodules)
    )
    assert own == other
    assert all(row[name].startswith("1.") for row in found.nodules for name in sop)


def test_crops_that_cut_the_lungs_find_the_same(tmp_path):
    path = stored(tmp_path)
    one, several = predict(path), predict(path, crop=64)
    np.testing.assert_array_equal(one.labels, several.labels)
    assert one.nodules == several.nodules


def test_what_is_too_small_or_scores_too_little_is_no_nodule(tmp_path):
    path = stored(tmp_path)
    assert not predict(path, Rules("maps", 2.1, 0.0)).nodules
    assert not predict(path, Rules("maps", 0.0, 30.0)).nodules
    nothing = predict(path, Rules("maps", 0.0, 30.0))
    assert not nothing.labels.any()
    assert nothing.lungs.any()


def test_pixels_unlike_the_training_are_told(tmp_path):
    (told,) = [words for words in predict(stored(tmp_path)).warnings if "Pixels" in words]
    assert "1.40 mm" in told


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (("best", 0.0, 3.0), "config.predict.score='best': choose one of probability"),
        (("maps", float("nan"), 3.0), "config.predict.least=nan"),
        (("maps", 0.0, -1.0), "config.predict.smallest=-1"),
    ],
)
def test_rules_that_cant_be_are_named(given, words):
    with pytest.raises(InputError, match=words):
        Rules(*given)
