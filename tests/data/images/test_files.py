"""One chest in every file format and stored order is the same scan; everything else is one line."""

import itertools

import chest_images
import nibabel
import numpy as np
import pytest
import SimpleITK as sitk

from wsns.data.images.files import read_image, stem
from wsns.data.lungs.masks import segment
from wsns.errors import InputError

ORDERS = [
    ((0, 1, 2), (False, False, False)),
    *((axes, (False, True, False)) for axes in itertools.permutations(range(3))),
    *(((0, 1, 2), flips) for flips in itertools.product((False, True), repeat=3)),
]


@pytest.mark.parametrize("ending", [".nii", ".nii.gz", ".nrrd", ".nhdr", ".mha", ".mhd"])
def test_every_format_gives_the_same_slices(tmp_path, ending):
    sitk.WriteImage(chest_images.image(), str(tmp_path / f"a.b{ending}"))
    found = read_image(tmp_path / f"a.b{ending}")
    np.testing.assert_array_equal(found.volume.hu, chest_images.chest())
    np.testing.assert_allclose(found.volume.z, 100 + 5 * np.arange(30), atol=1e-4)
    assert found.volume.spacing == pytest.approx(1.4)
    assert (found.name, found.volume.hu.dtype) == ("a.b", np.int16)


@pytest.mark.parametrize(("axes", "flips"), ORDERS)
def test_every_stored_order_gives_the_same_slices_and_leads_back_to_its_own_grid(tmp_path, axes, flips):
    image = chest_images.image(axes=axes, flips=flips)
    sitk.WriteImage(image, str(tmp_path / "scan.nii.gz"))
    found = read_image(tmp_path / "scan.nii.gz")
    np.testing.assert_array_equal(found.volume.hu, chest_images.chest())
    np.testing.assert_allclose(found.volume.z, 100 + 5 * np.arange(30), atol=1e-4)
    np.testing.assert_array_equal(found.order.from_axial(found.volume.hu), sitk.GetArrayFromImage(image))
    nodule = np.argwhere(found.order.from_axial(chest_images.chest()) == chest_images.NODULE)[:, ::-1].mean(
        axis=0
    )
    expected = np.argwhere(chest_images.chest() == chest_images.NODULE)[:, ::-1].mean(axis=0)
    centre = np.array(chest_images.ORIGIN) + expected * chest_images.SPACING
    np.testing.assert_allclose(found.grid.position(nodule), centre, atol=1e-3)


def test_the_lungs_are_found_in_it(tmp_path):
    sitk.WriteImage(chest_images.image(), str(tmp_path / "scan.nii"))
    lungs = segment(read_image(tmp_path / "scan.nii").volume)
    assert min(lungs.volumes_ml) > 20


@pytest.mark.parametrize("ending", [".nii", ".nrrd", ".mha"])
def test_voxels_that_are_no_numbers_are_air_and_told(tmp_path, ending):
    array = chest_images.chest().astype(np.float32)
    array[0, 0, :3] = np.nan
    path = tmp_path / f"scan{ending}"
    if ending == ".nii":  # ITK writes 0 for what is no number
        nibabel.save(nibabel.Nifti1Image(array.T, np.diag([-1.4, -1.4, 5, 1])), path)
    else:
        sitk.WriteImage(chest_images.image(array), str(path))
    found = read_image(path)
    assert (found.volume.hu[0, 0, :3] == -1024).all()
    assert found.notes == ("3 voxels are no numbers: read as air",)


def test_one_volume_in_four_dimensions_is_taken(tmp_path):
    sitk.WriteImage(sitk.JoinSeries([chest_images.image()]), str(tmp_path / "scan.nii"))
    np.testing.assert_array_equal(read_image(tmp_path / "scan.nii").volume.hu, chest_images.chest())


def _with(**changes):
    made = chest_images.image()
    for name, value in changes.items():
        getattr(made, f"Set{name}")(value)
    return made


BAD = {
    "4-D": (sitk.JoinSeries([chest_images.image()] * 2), r"4 dimensions.*extract one of its 2 volumes"),
    "one slice": (chest_images.image()[:, :, :1], r"has 1 axial slices"),
    "a colour picture": (sitk.Compose([sitk.Cast(chest_images.image(), sitk.sitkUInt8)] * 3), "several values"),
    "no intercept": (chest_images.image(chest_images.chest() + 1024), r"aren't Hounsfield units.* 0% of the voxels"),
    "an MR": (chest_images.image(np.abs(chest_images.chest())), "aren't Hounsfield units"),
    "a grey picture": (chest_images.image(np.clip(chest_images.chest() + 160, 0, 255)), "aren't Hounsfield units"),
    "pixels in cm": (_with(Spacing=(0.14, 0.14, 0.5)), r"its pixels are 0\.14 mm"),
    "pixels not square": (_with(Spacing=(1.4, 1.2, 5)), r"1\.4 × 1\.2 mm, not square"),
    "thick slices": (_with(Spacing=(1.4, 1.4, 20)), r"20 mm apart.*predict\.allow=thick"),
    "aslant": (
        _with(Direction=(1, 0, 0, 0, np.cos(0.2), -np.sin(0.2), 0, np.sin(0.2), np.cos(0.2))),
        r"aslant, by 11\.5°.*predict\.allow=oblique",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_what_is_no_chest_ct_is_refused_in_one_line(tmp_path, case):
    image, words = BAD[case]
    sitk.WriteImage(image, str(tmp_path / "scan.nrrd"))
    with pytest.raises(InputError, match=words) as caught:
        read_image(tmp_path / "scan.nrrd")
    assert str(caught.value).startswith(f"{tmp_path / 'scan.nrrd'}: ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.nii", b"", "can't be read as an image"),
        ("a.nrrd", b"NRRD0004\ntype: short\n", "can't be read as an image"),
        ("a.png", b"\x89PNG", "none of the images"),
        ("b.nii", None, "no such file"),
    ],
)
def test_files_that_hold_no_image_are_refused_in_one_line(tmp_path, name, content, words):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=words) as caught:
        read_image(tmp_path / name)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("ending", [".nii", ".nii.gz", ".nrrd", ".mha"])
@pytest.mark.parametrize("part", [0.01, 0.5, 0.999])
def test_a_file_that_was_cut_is_refused(tmp_path, ending, part):
    sitk.WriteImage(chest_images.image(), str(tmp_path / f"scan{ending}"))
    whole = (tmp_path / f"scan{ending}").read_bytes()
    (tmp_path / f"cut{ending}").write_bytes(whole[: int(part * len(whole))])
    with pytest.raises(InputError, match="can't be read as an image"):
        read_image(tmp_path / f"cut{ending}")


def test_what_a_person_allows_passes(tmp_path):
    sitk.WriteImage(BAD["thick slices"][0], str(tmp_path / "scan.nrrd"))
    assert len(read_image(tmp_path / "scan.nrrd", allow=("thick",)).volume.hu) == 30
    sitk.WriteImage(BAD["no intercept"][0], str(tmp_path / "scan.nrrd"))
    assert read_image(tmp_path / "scan.nrrd", allow=("values",)).volume.hu.min() > 0


def test_names_lose_their_endings(tmp_path):
    assert [stem(tmp_path / name) for name in ("a.nii.gz", "a.b.NRRD", ".nii")] == ["a", "a.b", ".nii"]
