"""The whole data stage on the four real scans."""

import collections
import csv
import json

import pytest

from configs import records as config
from wsns.data.lidc.annotations import cluster, load_scans
from wsns.data.records.loading import load
from wsns.data.records.split import SPLITS
from wsns.tasks import records


@pytest.mark.slow
def test_real_scans(real_scans, tmp_path):
    data = config.get_config().data
    data.manual_dir = str(real_scans)
    records.build(data, tmp_path / "records")
    facts = json.loads((tmp_path / "records" / "accounting.json").read_text())
    assert (facts["source"], facts["patients"], facts["scans"]) == ("LIDC-IDRI", 4, 4)
    assert facts["scans_missing"] == 1014
    with (tmp_path / "records" / "slices.csv").open() as file:
        positive = collections.Counter(row["patient"] for row in csv.DictReader(file) if row["label"] == "1")
    assert positive == {"LIDC-IDRI-0001": 8, "LIDC-IDRI-0002": 23, "LIDC-IDRI-0003": 13, "LIDC-IDRI-0181": 30}
    assert (facts["slices_with_two_nodules"], facts["voxels"], facts["voxels_outside_crop"]) == (5, 21706, 0)
    assert facts["scans_to_look_at"] == 0
    scans = load_scans()
    for part in SPLITS:
        slices = load(tmp_path / "records", part)
        for n in range(len(slices)):
            k, numbers = slices.slice_index[n], slices.cluster[n, : slices.count[n]]
            groups = cluster(scans[slices.series[n]])
            row, column = slices.origin[n]
            for instance, number in enumerate(numbers, start=1):
                # Every pixel of an instance lies in the box of its nodule, and in the crop's own place.
                box = groups[number - 1].in_slice(k)
                i, j = (slices.nodules[n] == instance).nonzero()
                low, high = groups[number - 1].origin[1:], box.shape[1:]
                assert ((i + row >= low[0]) & (i + row < low[0] + high[0])).all()
                assert ((j + column >= low[1]) & (j + column < low[1] + high[1])).all()
                assert box.any(axis=0)[i + row - low[0], j + column - low[1]].all()
