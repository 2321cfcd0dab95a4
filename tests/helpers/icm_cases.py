"""What the tests of the phases share: a noisy slice, and the energy by loops from its definition."""

import numpy as np

SIZE = 24


def noisy(seed=0, size=SIZE):
    """A slice of parenchyma with a dense disc, and the box of a lung in it."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:size, :size]
    hu = np.where((y - 11) ** 2 + (x - 12) ** 2 < 25, -250.0, -850.0) + rng.normal(0, 150, (size, size))
    box = np.zeros((size, size), bool)
    box[3:-4, 2:-3] = True
    return hu.astype(np.float32), box


def energy_by_loops(labels, hu, box, means, beta):
    intensity = np.clip(hu.astype(float), -1000, 400)
    variance = intensity[box].var()
    total = 0.0
    for y, x in np.argwhere(box):
        total += (intensity[y, x] - means[labels[y, x]]) ** 2 / variance
        for dy, dx, w in ((0, 1, 1), (1, 0, 1), (1, 1, 2**-0.5), (1, -1, 2**-0.5)):
            v, u = y + dy, x + dx
            if 0 <= v < len(hu) and 0 <= u < len(hu) and box[v, u]:
                total += beta * w * (labels[y, x] != labels[v, u])
    return total
