"""A logistic regression on features and their squares, for telling crops of two kinds apart."""

import dataclasses

import numpy as np
from scipy import optimize, special

PENALTY = 0.01
"""On half the squared weights, beside the mean log loss."""
_FARTHEST = 5.0  # standard deviations; a feature that lies farther out counts as if it lay there


@dataclasses.dataclass(frozen=True, eq=False)
class Classifier:
    """A logistic regression: `centre`, `scale` (F,) of the features, `weights` (1 + 2 F,), the constant first."""

    centre: np.ndarray
    scale: np.ndarray
    weights: np.ndarray

    def score(self, features: np.ndarray) -> np.ndarray:
        """Returns (N,) the log odds of features (N, F)."""
        return design(features, self.centre, self.scale) @ self.weights


def fit(real: np.ndarray, synthetic: np.ndarray) -> Classifier:
    """Fits the classifier; both kinds weigh the same, however many crops each has.

    Args:
        real: (N, F) features.
        synthetic: (M, F).
    """
    features = np.concatenate([real, synthetic])
    centre, scale = features.mean(axis=0), features.std(axis=0)
    scale = np.where(scale > 0, scale, 1.0)
    columns = design(features, centre, scale)
    sign = np.repeat([1.0, -1.0], [len(real), len(synthetic)])
    share = np.repeat([0.5 / len(real), 0.5 / len(synthetic)], [len(real), len(synthetic)])
    penalised = np.append(0.0, np.full(columns.shape[1] - 1, PENALTY))

    def loss(weights: np.ndarray) -> tuple[float, np.ndarray]:
        margin = sign * (columns @ weights)
        value = share @ np.logaddexp(0, -margin) + penalised @ weights**2 / 2
        return float(value), -columns.T @ (share * sign * special.expit(-margin)) + penalised * weights

    start = np.zeros(columns.shape[1])
    found = optimize.minimize(loss, start, jac=True, method="L-BFGS-B", options={"gtol": 1e-6})
    return Classifier(centre, scale, found.x)


def design(features: np.ndarray, centre: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """Returns (N, 1 + 2 F): a constant, the standardised features, and their squares."""
    standard = np.clip((features - centre) / scale, -_FARTHEST, _FARTHEST)
    return np.concatenate([np.ones((len(features), 1)), standard, standard**2], axis=1)
