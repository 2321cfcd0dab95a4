import numpy as np
import phantom
import pytest

from wsns.data import annotations
from wsns.data.lungs import segment
from wsns.data.source import open_source
from wsns.data.volume import Volume
from wsns.errors import InputError


@pytest.fixture(scope="module")
def chest():
    return phantom.volume(np.arange(110) * 2.5, 0.7)


def _dice(a, b):
    return 2 * (a & b).sum() / (a.sum() + b.sum())


def test_both_lungs_and_nothing_else(chest):
    volume, truth = chest
    lungs = segment(volume)
    for k in range(20, 95, 5):
        mask = lungs.in_slice(volume.hu[k], k)
        for lung in (1, 2):
            assert _dice(mask == lung, truth[k] == lung) > 0.985
    assert not lungs.in_slice(volume.hu[3], 3).any()  # bowel gas
    assert not lungs.in_slice(volume.hu[107], 107).any()  # trachea alone
    litres = [np.count_nonzero(truth == lung) * 0.7**2 * 2.5 / 1000 for lung in (1, 2)]
    assert lungs.volumes_ml == pytest.approx(litres, rel=0.05)


def test_extent_holds_the_lungs_closely(chest):
    volume, truth = chest
    found = segment(volume).extent(len(volume.z))
    for axis, span in enumerate(found):
        inside = np.flatnonzero(truth.any(axis=tuple(a for a in range(3) if a != axis)))
        assert abs(span.start - inside[0]) <= 4
        assert abs(span.stop - 1 - inside[-1]) <= 4


@pytest.mark.parametrize(("step", "spacing"), [(0.9, 0.55), (5.0, 0.9)])
def test_other_resolutions(step, spacing):
    depth = int(275 / step)
    volume, truth = phantom.volume(np.arange(depth) * step, spacing, side=int(360 / spacing))
    lungs = segment(volume)
    k = depth // 2
    assert _dice(lungs.in_slice(volume.hu[k], k) > 0, truth[k] > 0) > 0.98


def test_vessels_and_nodules_inside_belong_to_the_lung(chest):
    volume, _ = chest
    hu = volume.hu.copy()
    y, x = np.ogrid[:512, :512]
    nodule = (y - 250) ** 2 + (x - 150) ** 2 < 12**2
    hu[48:58, nodule] = 40
    mask = segment(Volume(hu, volume.z, volume.spacing)).in_slice(hu[52], 52)
    assert (mask[nodule] == 1).all()


def test_lungs_that_touch_are_told_apart(chest):
    volume, _ = chest
    hu = volume.hu.copy()
    hu[45:65, 250:256, 180:330] = phantom.LUNG
    lungs = segment(Volume(hu, volume.z, volume.spacing))
    mask = lungs.in_slice(hu[55], 55)
    assert set(np.unique(mask[:, :240])) == {0, 1}
    assert set(np.unique(mask[:, 272:])) == {0, 2}
    assert min(lungs.volumes_ml) > 0.9 * max(lungs.volumes_ml)


@pytest.mark.parametrize("lost", [1, 2])
def test_one_lung_keeps_its_side(chest, lost):
    volume, truth = chest
    hu = np.where(truth == lost, phantom.TISSUE, volume.hu).astype(np.int16)
    ml = segment(Volume(hu, volume.z, volume.spacing)).volumes_ml
    assert ml[lost - 1] == 0
    assert ml[2 - lost] > 1000


def test_no_lung():
    volume = Volume(np.full((20, 128, 128), 30, np.int16), np.arange(20) * 2.5, 2.0)
    with pytest.raises(InputError, match="no lung found"):
        segment(volume)


def test_real_scan(real_scans):
    """LIDC-IDRI-0001, looked at: both lungs, airway out, nodule at the back of the left lung."""
    scans = annotations.load_scans()
    source = open_source(str(real_scans / "LIDC-IDRI-0001"), scans)
    volume = source.read(source.series[0])
    lungs = segment(volume)
    assert lungs.volumes_ml == pytest.approx((1951, 1723), rel=0.03)
    mask = lungs.in_slice(volume.hu[92], 92)
    assert mask[240, 150] == 1
    assert mask[200, 350] == 2
    assert mask[245, 235] == 0  # carina
    assert not lungs.in_slice(volume.hu[5], 5).any()  # bowel gas
