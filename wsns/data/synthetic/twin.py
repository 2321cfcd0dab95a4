"""The LIDC twin: a synthetic CT with the geometry of a real scan and nodules where its readers drew them.

Nothing in it comes from an image: anatomy, vessels and noise are drawn at random from the series UID, so
that the whole path runs, and can be checked, without the archive's 128 GB. It is a crude phantom, not a
model of disease; every figure made from it must say so.
"""

import hashlib

import numpy as np

from wsns.data.lidc.annotations import Scan, cluster
from wsns.data.synthetic import lidc_nodules, scanner
from wsns.data.synthetic import placement as twin_fit
from wsns.data.synthetic.renderer import SIZE, Renderer
from wsns.data.volume import Volume

VERSION = 4
AT_PLEURA = 0.5
"""Share of the nodules that should touch the lungs' surface, as far as the others' places allow it."""


def render(scan: Scan, *, seed: int = 0, looks: scanner.Ranges = scanner.RANDOMISED) -> Volume:
    """Renders the synthetic volume of one scan.

    Args:
        scan: geometry and annotations; every reader's nodule is painted.
        seed: another seed gives another chest and noise around the same nodules.
        looks: of the scanners; other ranges change nothing of the chest.

    Returns:
        A volume with the scan's z and spacing; the same for the same series UID, seed, ranges and `VERSION`.
    """
    rng = np.random.default_rng(_entropy(scan.series, seed))
    groups = cluster(scan)
    places = [lidc_nodules.place(scan, group) for group in groups]
    centres = np.array([centre for centre, _ in places]).reshape(-1, 3)
    at_pleura = rng.random(len(places)) < AT_PLEURA
    radii = np.array([radius for _, radius in places])
    depths = np.minimum(np.where(at_pleura, 0.5, 1.3) * radii, 18.0)
    most = np.where(at_pleura, radii, np.inf)
    chest = twin_fit.draw(rng, scan.z, SIZE * scan.spacing, centres, depths, most)
    blur = rng.uniform(0.45, 0.75)
    painted = [lidc_nodules.paint(rng, scan, group, blur) for group in groups]
    renderer = Renderer(rng, scan, chest, blur, scanner.draw(rng, looks))
    hu = np.empty((len(scan.z), SIZE, SIZE), np.int16)
    for k in range(len(scan.z)):
        hu[k] = renderer.slice(k, painted)
    return Volume(hu=hu, z=scan.z, spacing=scan.spacing)


def _entropy(series: str, seed: int) -> int:
    text = f"wsns twin {VERSION} {series} {seed}"
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:16], "big")
