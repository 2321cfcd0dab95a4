import jax
import jax.numpy as jnp
import numpy as np
import pytest
from training_cases import prepare

from wsns.models.vgg_gap import Output
from wsns.training import losses as objectives
from wsns.training.step import AXIS


def test_trunk_learns_at_its_share_of_the_rate():
    optimiser = objectives.sgd(1.0, 0.5, 2, 0.0, 0.1, ("conv1_1", "conv1_2"))
    params = {"conv1_1": {"kernel": jnp.ones(2)}, "gap5": {"kernel": jnp.ones(2)}}
    state = optimiser.init(params)
    gradients = jax.tree.map(jnp.ones_like, params)
    seen = []
    for _ in range(3):
        updates, state = optimiser.update(gradients, state, params)
        seen.append((float(updates["conv1_1"]["kernel"][0]), float(updates["gap5"]["kernel"][0])))
    np.testing.assert_allclose(seen, [(-0.1, -1.0), (-0.1, -1.0), (-0.05, -0.5)], rtol=1e-6)


def test_layers_of_the_trunk_that_start_at_random_learn_at_the_whole_rate():
    params = {name: {"kernel": jnp.ones(2)} for name in ("conv1_1", "conv4_1", "gap5")}
    optimiser = objectives.sgd(1.0, 1.0, 1, 0.0, 0.1, ("conv1_1",))
    updates, _ = optimiser.update(params, optimiser.init(params), params)
    assert [float(updates[name]["kernel"][0]) for name in params] == pytest.approx([-0.1, -1.0, -1.0])


def test_momentum_adds_nine_tenths_of_the_step_before():
    optimiser = objectives.sgd(1.0, 1.0, 1, 0.9, 0.1, ("conv1_1",))
    params = {"conv1_1": jnp.zeros(()), "gap5": jnp.zeros(())}
    state, seen = optimiser.init(params), []
    for _ in range(3):
        updates, state = optimiser.update(jax.tree.map(jnp.ones_like, params), state, params)
        seen.append((float(updates["conv1_1"]), float(updates["gap5"])))
    np.testing.assert_allclose(seen, [(-0.1, -1.0), (-0.19, -1.9), (-0.271, -2.71)], rtol=1e-6)


def test_adam_decays_per_epoch():
    optimiser = objectives.adam(2e-4, 0.5, 2)
    state, seen = optimiser.init(jnp.zeros(())), []
    for _ in range(4):
        update, state = optimiser.update(jnp.float32(1.0), state, jnp.zeros(()))
        seen.append(float(update))
    np.testing.assert_allclose(seen, [-2e-4, -2e-4, -1e-4, -1e-4], rtol=1e-3)


def test_soft_dice_by_hand():
    reference = jnp.array([[[1.0, 1.0], [0.0, 0.0]], [[0.0, 0.0], [0.0, 0.0]]])
    probability = jnp.array([[[1.0, 0.0], [0.5, 0.0]], [[0.0, 0.0], [0.0, 0.0]]])
    np.testing.assert_allclose(objectives.soft_dice(probability, reference), [(2 + 1) / (1.5 + 2 + 1), 1.0])


def test_dice_over_the_batch_has_the_gradient_of_all_pixels_on_any_number_of_devices():
    """Three slices, one without a nodule, and one of padding; devices are emulated by a named axis."""
    rng = np.random.default_rng(0)
    images = jnp.asarray(rng.normal(size=(4, 4, 4)), jnp.float32)
    reference = jnp.asarray(rng.random((4, 4, 4)) > 0.7, jnp.float32).at[1].set(0)
    weight = jnp.array([1.0, 1.0, 1.0, 0.0])

    def whole(scale):
        probability = jax.nn.sigmoid(scale * images[:3])
        sums = (probability * reference[:3]).sum(), probability.sum() + reference[:3].sum()
        return -(2 * sums[0] + 1) / (sums[1] + 1)

    for devices in (1, 2, 4):
        parts = [array.reshape(devices, -1, *array.shape[1:]) for array in (images, reference, weight)]

        def mine(scale, image, truth, own):
            losses = objectives.batch_dice_loss(jax.nn.sigmoid(scale * image), truth, own)
            return (losses * own).sum() / weight.sum()

        share = jax.vmap(jax.value_and_grad(mine), (None, 0, 0, 0), axis_name=AXIS)
        value, gradient = (found.sum() for found in share(jnp.float32(0.8), *parts))
        want, slope = jax.value_and_grad(whole)(jnp.float32(0.8))
        assert abs(slope) > 1e-3
        np.testing.assert_allclose([value, gradient], [want, slope], rtol=1e-5)


def test_localisation_asks_each_position_of_each_scale():
    """One channel a scale, weight 1, bias 0: the logits are the maps themselves."""
    mask = np.zeros((2, 4, 4), np.uint8)
    mask[0, 1, 3] = 1
    coarse = jnp.array([[[-9.0, 9.0], [-9.0, -9.0]], [[-9.0, -9.0], [-9.0, 9.0]]])[..., None]
    fine = jnp.where(jnp.asarray(mask) > 0, 9.0, -9.0)[..., None]
    dense = {"kernel": jnp.array([[0.0, 1.0], [0.0, 1.0]]), "bias": jnp.zeros(2)}
    objective = objectives.localisation(lambda *_: Output(jnp.zeros((2, 2)), (coarse, fine), {}), prepare)
    out = objective({"classifier": dense}, {"hu": np.zeros((2, 4, 4)), "mask": mask})
    assert out.loss[0] < 0.01
    np.testing.assert_allclose(out.loss[1], 9 / 4, rtol=1e-2)
    np.testing.assert_array_equal(out.score, [1.0, 0.0])


def pointed(nams, where, label=(1, 1)):
    """What `pointing` says of maps (B, 2, 2), the second of two features, which alone has a weight."""
    maps = jnp.stack([jnp.ones_like(nams), nams], axis=-1)
    output = Output(jnp.array([[0.0, 1.0], [1.0, 0.0]]), (maps,), {})
    objective = objectives.pointing(lambda *_: output, prepare, "difference")
    params = {"classifier": {"kernel": jnp.array([[1.0, 1.0], [-1.0, 1.0]])}}
    return objective(params, {"hu": np.zeros((2, 4, 4)), "label": jnp.array(label), "where": where})


def test_pointing_looks_at_the_peak_where_one_is_sought():
    """The maps are highest at the top left; only there, then only elsewhere, is a nodule near."""
    nams = jnp.array([[[9.0, 1.0], [1.0, 5.0]]] * 2)
    where = np.ones((2, 4, 4), np.uint8)
    where[0, :2, :2] = 2
    where[1, 2:, 2:] = 2
    out = pointed(nams, where)
    np.testing.assert_array_equal(out.score, [1.0, 0.0])
    hit, counts = out.more["hit"]
    np.testing.assert_array_equal(hit, [1.0, 0.0])
    np.testing.assert_array_equal(counts, [1.0, 1.0])
    where[:, :2] = 0
    where[:, 2:] = [[[1, 1, 2, 2]] * 2, [[2, 2, 1, 1]] * 2]
    np.testing.assert_array_equal(pointed(nams, where).more["hit"][0], [1.0, 0.0])


def test_pointing_counts_no_slice_without_a_place_and_leaves_loss_and_accuracy_as_they_are():
    where = np.zeros((2, 4, 4), np.uint8)
    where[0] = 1
    out = pointed(jnp.zeros((2, 2, 2)), where, (1, 0))
    np.testing.assert_array_equal(out.more["hit"], [[0.0, 0.0], [1.0, 0.0]])
    np.testing.assert_array_equal(out.score, [1.0, 1.0])
    np.testing.assert_allclose(out.loss, [np.log(1 + np.exp(-1.0))] * 2, rtol=1e-6)


def quality(marks, nodules):
    """What the score of marks and nodules (B, 2, 2) comes to over a split."""
    objective = objectives.segmentation(lambda _, images: images[..., 0], prepare)
    out = objective({}, {"hu": np.where(marks, 1.0, -1.0).astype(np.float32), "nodules": np.array(nodules)})
    return float((out.score * out.counts).sum() / max(out.counts.sum(), 1))


@pytest.mark.parametrize(
    ("marks", "want"),
    [
        ([[1, 0], [1, 0], [0, 0], [0, 0]], 1.0),  # what there is, and nothing else
        ([[0, 0], [0, 0], [0, 0], [0, 0]], 0.0),  # nothing anywhere
        ([[1, 0], [1, 0], [1, 0], [1, 0]], 2 * 2 / (2 + 4)),  # something everywhere
        ([[1, 0], [0, 0], [0, 0], [0, 0]], 2 * 1 / (2 + 1)),  # a miss
        ([[1, 0], [0, 1], [0, 0], [0, 0]], 2 * 1 / (2 + 2)),  # beside it
        ([[1, 0], [1, 1], [0, 0], [1, 0]], 2 * (1 + 2 / 3) / (2 + 3)),
    ],
)
def test_quality_punishes_misses_and_false_alarms_alike(marks, want):
    """Four slices of two pixels in a square, the first of which is the nodule in two of them."""
    square = np.zeros((4, 2, 2), bool)
    square[:, 0] = marks
    truth = np.zeros((4, 2, 2), np.uint8)
    truth[:2, 0, 0] = 1
    assert quality(square, truth) == pytest.approx(want)


def test_segmentation_takes_both_nodules_for_one_mask():
    objective = objectives.segmentation(lambda _, images: images[..., 0], prepare)
    hu = np.full((2, 4, 4), -1.0, np.float32)
    hu[:, 0, :2] = 1.0
    nodules = np.zeros((2, 4, 4), np.uint8)
    nodules[0, 0, :4] = [1, 1, 2, 2]
    out = objective({}, {"hu": hu, "nodules": nodules})
    np.testing.assert_allclose(out.score * out.counts, [2 * 2 / 6, 0.0])
    np.testing.assert_array_equal(out.counts, [1.0, 0.5])
    inside, outside = 1 / (1 + np.exp(-1)), 1 / (1 + np.exp(1))
    dice = (2 * (2 * inside + 2 * outside) + 1) / (2 * inside + 14 * outside + 4 + 1)
    np.testing.assert_allclose(out.loss[0], -dice, rtol=1e-6)
