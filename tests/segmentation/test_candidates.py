import conftest
import numpy as np
import pytest
from discs import disc, footprint
from scipy import ndimage
from skimage import morphology
from skimage.measure import label

from wsns.data.lungs.hull import hull
from wsns.ops.morphology import dilated, opened
from wsns.segmentation.candidates import candidates
from wsns.segmentation.energy import lung_box
from wsns.segmentation.icm import icm

SIZE = 64
EVERYWHERE = np.ones((SIZE, SIZE), bool)
SCANS = conftest.ROOT / "../shared/lidc"


def candidates_by_definition(labels, scope, hull, spacing):
    """Rules 3 and 4 of the design, component by component."""
    found = set()
    for phase in (1, 2, 3):
        parts = label((labels >= phase) & scope & hull, connectivity=2)
        for part in range(1, parts.max() + 1):
            component = parts == part
            if component.sum() < max(3, 4 / spacing**2):
                continue
            for radius in (1.5, 3.0):
                padded = np.pad(component, 4)
                pieces = label(morphology.opening(padded, footprint(radius))[4:-4, 4:-4], connectivity=2)
                for piece in range(1, pieces.max() + 1):
                    if (pieces == piece).sum() >= max(3, 4 / spacing**2):
                        found.add(ndimage.binary_dilation(pieces == piece).tobytes())
    return found


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("spacing", [0.5, 0.7, 2.0])
def test_candidates_equal_the_definition(seed, spacing):
    rng = np.random.default_rng(seed)
    labels = np.digitize(ndimage.gaussian_filter(rng.normal(size=(SIZE, SIZE)), 2.5), [-0.05, 0.02, 0.1])
    scope, inside = disc(30, 25, 24), disc(32, 32, 31)
    found = candidates(labels, scope, inside, spacing, limit=1000)
    expected = candidates_by_definition(labels, scope, inside, spacing)
    assert {mask.tobytes() for mask in found.masks} == expected
    assert len(found.masks) == len(expected) > 3


def test_a_vessel_comes_off_and_the_nodule_is_a_candidate():
    labels = np.zeros((SIZE, SIZE), int)
    nodule = disc(30, 30, 6)
    labels[nodule] = 3
    labels[29:32, :] = 3
    found = candidates(labels, EVERYWHERE, EVERYWHERE, 0.7)
    best = max(2 * (m & nodule).sum() / (m.sum() + nodule.sum()) for m in found.masks)
    assert best > 0.85


def test_the_largest_come_first_and_the_cut_is_counted():
    labels = np.zeros((SIZE, SIZE), int)
    for n, radius in enumerate((2, 6, 3, 5)):
        labels[disc(32, 8 + 15 * n, radius)] = 3
    every = candidates(labels, EVERYWHERE, EVERYWHERE, 0.7)
    areas = every.masks.sum(axis=(1, 2))
    assert every.cut == 0
    assert (np.diff(areas) <= 0).all()
    few = candidates(labels, EVERYWHERE, EVERYWHERE, 0.7, limit=2)
    np.testing.assert_array_equal(few.masks, every.masks[:2])
    assert few.cut == len(every.masks) - 2


def test_a_candidate_at_the_border_stays_in_the_slice():
    labels = np.where(disc(0, 30, 7), 3, 0)
    found = candidates(labels, EVERYWHERE, EVERYWHERE, 0.7)
    assert len(found.masks) >= 1
    assert found.masks[0][0, 30]


def test_nothing_dense_a_scope_outside_the_lungs_and_specks_give_no_candidate():
    dense = np.full((SIZE, SIZE), 3)
    speck = np.zeros((SIZE, SIZE), int)
    speck[20, 20:22] = 3
    nowhere = np.zeros((SIZE, SIZE), bool)
    cases = (
        (dense * 0, EVERYWHERE, EVERYWHERE),
        (dense, disc(10, 10, 5), disc(50, 50, 8)),
        (dense, EVERYWHERE, nowhere),
        (speck, EVERYWHERE, EVERYWHERE),
    )
    for labels, scope, inside in cases:
        found = candidates(labels, scope, inside, 0.7)
        assert found.masks.shape == (0, SIZE, SIZE)
        assert found.cut == 0


def test_a_whole_dense_lung_is_one_candidate():
    lung = disc(32, 32, 25)
    found = candidates(np.full((SIZE, SIZE), 3), lung, lung, 0.7)
    assert found.masks[0].sum() >= opened(lung, 3.0).sum()
    assert not (found.masks.any(axis=0) & ~dilated(lung, 1)).any()


@pytest.mark.skipif(not SCANS.is_dir(), reason="no real scans beside the project (../shared/lidc)")
def test_the_best_candidate_on_a_real_scan_is_close_to_the_readers():
    pytest.importorskip("SimpleITK", reason="reading DICOM needs SimpleITK")
    from wsns.data.lidc.annotations import cluster, load_scans
    from wsns.data.lidc.consensus import consensus
    from wsns.data.lungs.masks import segment
    from wsns.data.source import open_source

    scans = {uid: scan for uid, scan in load_scans().items() if scan.patient == "LIDC-IDRI-0001"}
    (series,) = scans
    folder = SCANS / "LIDC-IDRI-0001"
    volume = open_source(str(folder), scans).read(series)
    lungs = segment(volume)
    (nodule,) = (c for c in cluster(scans[series]) if len(c.annotations) == 4)
    best = []
    for offset, mask in enumerate(consensus(nodule.masks, "majority")):
        k, i, j = nodule.origin[0] + offset, *nodule.origin[1:]
        wanted = np.zeros(volume.hu.shape[1:], bool)
        wanted[i : i + mask.shape[0], j : j + mask.shape[1]] = mask
        if not wanted.any():
            continue
        lung = lungs.in_slice(volume.hu[k], k)
        labels = np.asarray(icm(volume.hu[k], lung_box(lung)).labels)
        found = candidates(labels, dilated(wanted, 24), hull(lung, volume.spacing), volume.spacing)
        best.append(max(2 * (m & wanted).sum() / (m.sum() + wanted.sum()) for m in found.masks))
    assert len(best) == 8
    assert np.mean(best) > 0.85
