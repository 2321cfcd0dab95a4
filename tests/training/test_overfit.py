"""Each network learns one real batch by heart: nothing between the records and the loss is wrong."""

import numpy as np
import optax
import pytest

from configs import demo, table1
from wsns.data.records import loading as records_input
from wsns.models import factory
from wsns.tasks import records
from wsns.training import batching, losses
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


def learn(config, name, slices, batch, rate, most, enough):
    """Returns loss and score of each step on the same slices, until one of them is `enough`."""
    network = factory.build(config, name)
    outlined = slices.nodules.any(axis=(1, 2))
    if name == "unet":
        own = slices.take(spread(np.flatnonzero(outlined), batch))
        arrays = {"hu": own.hu, "nodules": own.nodules}
        objective = losses.segmentation(network.apply, network.prepare)
    else:
        rows = [spread(np.flatnonzero(slices.label == label), batch // 2) for label in (0, 1)]
        own = slices.take(np.concatenate(rows))
        arrays = {"hu": own.hu, "label": own.label}
        objective = losses.classification(network.apply, network.prepare)
    data = batching.Feed(batching.InMemory(arrays), batch)
    (part,) = data.batches(np.arange(batch))
    optimiser = optax.adam(rate)
    train = steps.make_train_step(objective, optimiser)
    state = steps.place(steps.init_state(network.first_params(0, config.model.size), optimiser), 1)
    seen = []
    while len(seen) < most and not (seen and enough(*seen[-1])):
        state, shown = train(state, part, data.data)
        values = steps.unreplicate(shown)
        seen.append((float(values["loss"]), float(values["score"])))
    return seen


def is_zero(loss, score):
    return loss < 0.01


def is_outlined(loss, score):
    return score > 0.95


@pytest.mark.slow
@pytest.mark.parametrize("name", ["gap1", "gap2", "gap3"])
def test_weak_networks_of_the_demo_learn_a_real_batch_to_zero(slices, name):
    seen = learn(demo.get_config(), name, slices, 8, 5e-4, most=400, enough=is_zero)
    assert seen[0][0] > 0.3
    assert is_zero(*seen[-1]), seen[::20]


@pytest.mark.slow
def test_unet_of_the_demo_learns_a_real_batch(slices):
    """By the Dice of its outline: at half resolution the soft one never reaches 1, as edges are fractions."""
    seen = learn(demo.get_config(), "unet", slices, 4, 1e-2, most=400, enough=is_outlined)
    assert seen[0][1] < 0.3
    assert is_outlined(*seen[-1]), seen[::20]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["gap1", "gap2", "gap3"])
def test_networks_of_the_papers_size_learn_two_real_slices_to_zero(slices, name):
    """Full width, 384 × 384, from random numbers."""
    config = table1.get_config()
    config.model.start = "random"
    seen = learn(config, name, slices, 2, 1e-4, most=60, enough=is_zero)
    assert seen[0][0] > 0.6
    assert is_zero(*seen[-1]), seen[::5]
