"""Finds nodules in your own chest CT: DICOM, NIfTI, NRRD or MetaImage; opens in 3D Slicer, a DICOM viewer, a browser.

python main.py --config=configs/predict.py --config.predict.input=PATH --workdir=OUT
"""

from ml_collections import ConfigDict


def get_config() -> ConfigDict:
    """Returns what to search, and what counts as a nodule."""
    config = ConfigDict()
    config.task = "predict"
    config.predict = predict = ConfigDict()
    # A folder of DICOM files, to any depth; a .nii, .nii.gz, .nrrd, .nhdr, .mha or .mhd file; a folder of many; or
    # 'twin', a synthetic scan.
    predict.input = ""
    # Folder of a finished run whose networks search, or a file that configs/release.py made of one; empty: the small
    # ones that come with the package and were trained on synthetic scans only.
    predict.run = ""
    # UID of the DICOM series to search; empty: of each study the axial one of most slices, then the thinnest.
    predict.series = ""
    # What a person has looked at and lets pass, separated by commas: 'oblique' slices, 'thick' ones of more than 10 mm,
    # 'missing' ones, 'values' that don't look like HU.
    predict.allow = ""
    # Slices with a 1-GAP probability of at least this are searched.
    predict.detect = 0.3
    # Score by which nodules are ranked: 'probability', 'change', 'maps' or 'edge', see scans.score in
    # configs/table1.py; what reaches `least` in one of its slices counts. Chosen by FROC on the validation scans of the
    # package's networks, where this leaves four false nodules per scan (benchmarks/mark_scores.py); other networks have
    # other scores.
    predict.score = "change"
    predict.least = 10.8
    # Smallest nodule: mm, of the diameter of a ball of its volume.
    predict.smallest = 3.0
    # Number of GAPs of the network whose outline is taken; 0: the most that there are.
    predict.gaps = 0
    return config
