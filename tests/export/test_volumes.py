"""What is written lies where the scan lies: read back by nibabel and SimpleITK, for every stored order."""

import itertools

import chest_images
import nibabel
import numpy as np
import pytest
import SimpleITK as sitk

from wsns.data.images.files import read_image
from wsns.export import volumes

ORDERS = [
    (axes, flips)
    for axes in itertools.permutations(range(3))
    for flips in [(False, False, False), (True, False, True)]
]


def scan(tmp_path, axes=(0, 1, 2), flips=(False, False, False)):
    sitk.WriteImage(chest_images.image(axes=axes, flips=flips), str(tmp_path / "scan.nii.gz"))
    return read_image(tmp_path / "scan.nii.gz")


def centre():
    nodule = np.argwhere(chest_images.chest() == chest_images.NODULE)[:, ::-1].mean(axis=0)
    return np.array(chest_images.ORIGIN) + nodule * chest_images.SPACING


@pytest.mark.parametrize(("axes", "flips"), ORDERS)
def test_a_label_map_has_the_scans_grid_and_its_nodule_the_same_place(tmp_path, axes, flips):
    ct = scan(tmp_path, axes, flips)
    labels = (ct.volume.hu == chest_images.NODULE).astype(np.uint8)
    volumes.write_volume(tmp_path / "out" / "nodules.nii.gz", labels, ct)
    found, given = nibabel.load(tmp_path / "out" / "nodules.nii.gz"), nibabel.load(tmp_path / "scan.nii.gz")
    assert found.shape == given.shape
    np.testing.assert_allclose(found.affine, given.affine, atol=1e-4)
    np.testing.assert_array_equal(
        np.asanyarray(found.dataobj) > 0, np.asanyarray(given.dataobj) == chest_images.NODULE
    )
    voxels = np.argwhere(np.asanyarray(found.dataobj)).mean(axis=0)
    np.testing.assert_allclose(
        nibabel.affines.apply_affine(found.affine, voxels) * [-1, -1, 1], centre(), atol=1e-3
    )
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["nodules.nii.gz"]


def test_segments_have_names_and_colours_and_the_scans_grid(tmp_path):
    ct = scan(tmp_path)
    labels = np.zeros(ct.volume.hu.shape, np.uint16)
    labels[3, 10:14, 20:30], labels[5, 40:42, 50:52] = 1, 2
    volumes.write_segments(tmp_path / "nodules.seg.nrrd", labels, ["Nodule 1", "Nodule 2"], ct)
    image = sitk.ReadImage(str(tmp_path / "nodules.seg.nrrd"))
    np.testing.assert_array_equal(sitk.GetArrayFromImage(image), labels)
    assert image.GetOrigin() == pytest.approx(chest_images.ORIGIN)
    assert image.GetMetaData("Segment1_Name") == "Nodule 2"
    assert image.GetMetaData("Segment1_LabelValue") == "2"
    assert image.GetMetaData("Segment0_Extent") == "20 51 10 41 3 5"
    assert len({image.GetMetaData(f"Segment{n}_Color") for n in (0, 1)}) == 2


def test_a_volume_of_numbers_keeps_them(tmp_path):
    ct = scan(tmp_path)
    values = np.random.default_rng(0).normal(size=ct.volume.hu.shape).astype(np.float32)
    volumes.write_volume(tmp_path / "nam.nii.gz", values, ct)
    np.testing.assert_array_equal(np.asanyarray(nibabel.load(tmp_path / "nam.nii.gz").dataobj).T, values)


def test_colours_differ():
    made = [volumes.colour(n) for n in range(12)]
    for one, other in itertools.combinations(made, 2):
        assert np.abs(np.subtract(one, other)).max() > 0.05
