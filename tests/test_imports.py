"""Training and segmentation run on machines that lack what only the data stage needs."""

import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]
BLOCKED = """
import sys
for name in ("SimpleITK", "pylidc", "pydicom", "tensorflow", "tensorflow_datasets"):
    sys.modules[name] = None
import wsns.tasks, wsns.tasks.train, wsns.tasks.segment, wsns.tasks.scans, wsns.tasks.evaluate
import wsns.tasks.pretrain, wsns.studies.grid_search.task, wsns.tasks.weights
import wsns.studies.comparison.task, wsns.studies.comparison.ablations, wsns.tasks.plan
import wsns.segmentation.pipeline, wsns.training.loop, wsns.report.page
from configs import gap1, gap2, gap3, unet, demo, testing, grid, weights, compare, ablations
from configs import pretrain_shapes, pretrain_patches
for config in (gap1, gap2, gap3, unet, demo, testing, pretrain_shapes, pretrain_patches, grid, weights, compare,
               ablations):
    print(config.get_config().task)
"""


def test_training_and_segmentation_need_nothing_of_the_data_stage():
    run = subprocess.run([sys.executable, "-c", BLOCKED], cwd=ROOT, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr[-2000:]
    alone = ["pretrain", "pretrain", "grid", "weights", "compare", "ablations"]
    assert run.stdout.split() == ["train"] * 4 + ["table1"] * 2 + alone
