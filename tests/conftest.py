"""What all tests share: the folder of real scans, where there is one."""

import pathlib

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def real_scans() -> pathlib.Path:
    """The folder with four scans of LIDC-IDRI beside the checkout."""
    folder = ROOT.parent / "shared" / "lidc"
    if not folder.is_dir():
        pytest.skip("no real scans: ../shared/lidc is not there")
    return folder


@pytest.fixture(scope="session")
def imagenet_kernels() -> pathlib.Path:
    """The folder with real kernels of VGG16 beside the checkout."""
    folder = ROOT.parent / "shared" / "imagenet"
    if not folder.is_dir():
        pytest.skip("no ImageNet kernels: ../shared/imagenet is not there")
    return folder
