"""Run a naive version of Session 2's computations, for `make bench`.

Nothing is compiled. The Bayesian model uses the default sampler and is fitted
twice, as happens when one cell plots the model and another cell tabulates it.
"""

import bambi as bmb
import flax.linen as nn
import jax
import numpy as np
import optax
import pandas as pd
from scipy import stats

EPOCHS = 10_000


class Net(nn.Module):
    """A linear model, or a net with a hidden layer of `hidden` relu units."""

    hidden: int = 0

    @nn.compact
    def __call__(self, x):
        if self.hidden:
            x = nn.relu(nn.Dense(self.hidden)(x))
        return nn.Dense(1)(x)


def train(model, x, y):
    """Train on x (points, inputs) and y (points, 1), and return the loss."""
    params = model.init(jax.random.key(0), x)
    optimizer = optax.adam(0.001)
    opt_state = optimizer.init(params)

    def loss_fn(params):
        return optax.l2_loss(model.apply(params, x), y).sum()

    for _ in range(EPOCHS):
        loss, grads = jax.value_and_grad(loss_fn)(params)
        updates, opt_state = optimizer.update(grads, opt_state)
        params = optax.apply_updates(params, updates)
    return loss


def main():
    """Fit the Bayesian model twice, and train the three networks."""
    rng = np.random.default_rng(12345)
    x = rng.uniform(-10, 10, size=(200, 2))
    noise = stats.norm(scale=0.5).rvs(size=(200, 1), random_state=rng)
    y = x @ np.array([[1.1], [2.1]]) + 3.1 + noise
    frame = pd.DataFrame({"y": y[:, 0], "x0": x[:, 0], "x1": x[:, 1]})
    for _ in range(2):
        model = bmb.Model("y ~ x0 + x1", frame)
        model.fit(random_seed=1, chains=4, progressbar=False)
    x_quad = np.linspace(-10, 10, 100)[:, None]
    for net, inputs, outputs in (
        (Net(), x, y),
        (Net(), x_quad, 2 * x_quad**2),
        (Net(hidden=128), x_quad, 2 * x_quad**2),
    ):
        train(net, inputs, outputs)


if __name__ == "__main__":
    main()
