"""Each network learns one real batch by heart: nothing between the records and the loss is wrong."""

import numpy as np
import optax
import pytest

from configs import demo, table1
from wsns.data.records import input as records_input
from wsns.models import build
from wsns.tasks import records
from wsns.training import feed, objectives
from wsns.training import step as steps


@pytest.fixture(scope="module")
def slices(real_scans, tmp_path_factory):
    """The test split of four real scans."""
    config = table1.get_config()
    config.data.manual_dir = str(real_scans)
    directory = tmp_path_factory.mktemp("run") / "records"
    records.build(config.data, directory)
    return records_input.load(directory, "test")


def spread(rows, count):
    return rows[np.linspace(0, len(rows) - 1, count).astype(int)]


def losses(config, name, slices, batch, rate, most, enough):
    """Returns the loss of each step on the same slices, until it is `enough`."""
    network = build.build(config, name)
    outlined = slices.nodules.any(axis=(1, 2))
    if name == "unet":
        own = slices.take(spread(np.flatnonzero(outlined), batch))
        arrays = {"hu": own.hu, "nodules": own.nodules}
        objective = objectives.segmentation(network.apply, network.prepare)
    else:
        rows = [spread(np.flatnonzero(slices.label == label), batch // 2) for label in (0, 1)]
        own = slices.take(np.concatenate(rows))
        arrays = {"hu": own.hu, "label": own.label}
        objective = objectives.classification(network.apply, network.prepare)
    data = feed.Feed(feed.InMemory(arrays), batch)
    (part,) = data.batches(np.arange(batch))
    optimiser = optax.adam(rate)
    train = steps.make_train_step(objective, optimiser)
    state = steps.place(steps.init_state(network.first_params(0, config.model.size), optimiser), 1)
    seen = []
    while len(seen) < most and not (seen and seen[-1] < enough):
        state, shown = train(state, part, data.data)
        seen.append(float(steps.unreplicate(shown)["loss"]))
    return seen


@pytest.mark.slow
@pytest.mark.parametrize("name", ["gap1", "gap2", "gap3"])
def test_weak_networks_of_the_demo_learn_a_real_batch_to_zero(slices, name):
    seen = losses(demo.get_config(), name, slices, 8, 3e-3, most=200, enough=0.01)
    assert seen[0] > 0.3
    assert seen[-1] < 0.01, seen[::20]


@pytest.mark.slow
def test_unet_of_the_demo_learns_a_real_batch(slices):
    seen = losses(demo.get_config(), "unet", slices, 4, 1e-2, most=300, enough=-0.9)
    assert seen[0] > -0.3
    assert seen[-1] < -0.9, seen[::20]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["gap1", "gap2", "gap3"])
def test_networks_of_the_papers_size_learn_two_real_slices_to_zero(slices, name):
    """Full width, 384 × 384, from random numbers."""
    config = table1.get_config()
    config.model.start = "random"
    seen = losses(config, name, slices, 2, 1e-4, most=60, enough=0.01)
    assert seen[0] > 0.6
    assert seen[-1] < 0.01, seen[::5]
