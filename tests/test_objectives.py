import jax
import jax.numpy as jnp
import numpy as np
from training_cases import prepare

from wsns.models.vgg import Output
from wsns.training import objectives


def test_trunk_learns_at_its_share_of_the_rate():
    optimiser = objectives.sgd(1.0, 0.5, 2, 0.0, 0.1)
    params = {"conv1_1": {"kernel": jnp.ones(2)}, "gap5": {"kernel": jnp.ones(2)}}
    state = optimiser.init(params)
    gradients = jax.tree.map(jnp.ones_like, params)
    seen = []
    for _ in range(3):
        updates, state = optimiser.update(gradients, state, params)
        seen.append((float(updates["conv1_1"]["kernel"][0]), float(updates["gap5"]["kernel"][0])))
    np.testing.assert_allclose(seen, [(-0.1, -1.0), (-0.1, -1.0), (-0.05, -0.5)], rtol=1e-6)


def test_momentum_adds_nine_tenths_of_the_step_before():
    optimiser = objectives.sgd(1.0, 1.0, 1, 0.9, 0.1)
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
    np.testing.assert_allclose(objectives.soft_dice(probability, reference), [2 / (1.5 + 2), 0.0])


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


def test_score_of_the_segmentation_counts_nodule_slices_only():
    """Instances 1 and 2 are one mask to the U-Net."""
    objective = objectives.segmentation(lambda _, images: images[..., 0], prepare)
    hu = np.full((2, 4, 4), -1.0, np.float32)
    hu[:, 0, :2] = 1.0
    nodules = np.zeros((2, 4, 4), np.uint8)
    nodules[0, 0, :4] = [1, 1, 2, 2]
    out = objective({}, {"hu": hu, "nodules": nodules})
    np.testing.assert_allclose(out.score * out.counts, [2 * 2 / 6, 0.0])
    np.testing.assert_array_equal(out.counts, [1.0, 0.0])
    inside, outside = 1 / (1 + np.exp(-1)), 1 / (1 + np.exp(1))
    dice = 2 * (2 * inside + 2 * outside) / (2 * inside + 14 * outside + 4)
    np.testing.assert_allclose(out.loss[0], -dice, rtol=1e-6)
