"""Eq. 3: a score is its bias and what each scale's map adds."""

from types import SimpleNamespace

import jax.numpy as jnp
import numpy as np
import pytest

from wsns.errors import InputError
from wsns.segmentation.score_parts import explain

SHAPES = ((6, 6, 5), (12, 12, 4), (24, 24, 3))


def passed(gaps, pool):
    """Random activations of two slices and the scores that a network with these pools and weights gives them."""
    rng = np.random.default_rng(gaps)
    maps = [rng.random((2, *shape)) for shape in SHAPES[:gaps]]
    features = np.concatenate([getattr(m, pool)(axis=(1, 2)) for m in maps], axis=1)
    kernel, bias = rng.normal(size=(features.shape[1], 2)), np.array([0.3, -0.9])
    final = {"kernel": jnp.asarray(kernel, jnp.float32), "bias": jnp.asarray(bias, jnp.float32)}
    output = SimpleNamespace(
        logits=jnp.asarray(features @ kernel + bias, jnp.float32),
        maps=tuple(jnp.asarray(m, jnp.float32) for m in maps),
    )
    return output, {"classifier": final}


@pytest.mark.parametrize("gaps", [1, 3])
@pytest.mark.parametrize("pool", ["mean", "sum"])
@pytest.mark.parametrize(("contrast", "bias"), [("difference", -1.2), ("nodule", -0.9)])
def test_parts_add_up_to_the_score(gaps, pool, contrast, bias):
    output, params = passed(gaps, pool)
    parts = explain(output, params, pool, contrast)
    normal = np.asarray(output.logits)[:, 0] if contrast == "difference" else 0
    assert parts.scales.shape == (2, gaps)
    assert float(parts.bias) == pytest.approx(bias)
    np.testing.assert_allclose(parts.score, np.asarray(output.logits)[:, 1] - normal, rtol=1e-6)
    np.testing.assert_allclose(parts.bias + parts.scales.sum(1), parts.score, rtol=1e-4, atol=1e-3)


def test_a_scale_of_no_weight_adds_nothing():
    output, params = passed(2, "mean")
    final = params["classifier"]
    final["kernel"] = final["kernel"].at[: SHAPES[0][-1]].set(0)
    scales = explain(output, params, "mean").scales
    assert (scales[:, 0] == 0).all()
    assert (scales[:, 1] != 0).all()


def test_other_poolings_are_refused():
    output, params = passed(1, "mean")
    with pytest.raises(InputError, match="pool is 'lse'"):
        explain(output, params, "lse")
