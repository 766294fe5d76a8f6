# These are typical mistakes in the exercises of Session 2. The title of each
# cell gives the number of an exercise and the words that the check must print
# for this mistake. The cells run after the session, so they can use the
# session's variables and the ones below.

import math

import statsmodels.api as sm
from sklearn.linear_model import Ridge
from sklearn.tree import DecisionTreeRegressor


def trained_from(start, rate, net, inputs, outputs):
    state = TrainState.create(
        apply_fn=net.apply, params=start, tx=optax.adam(rate)
    )
    return train(state, inputs, outputs, 10_000)


# %% 1: the intercept is missing
answer_1 = sm.OLS(y, x).fit().params

# %% 1: the intercept comes first
answer_1 = sm.OLS(y, np.column_stack([x, np.ones(200)])).fit().params

# %% 1: to the noisy y
answer_1 = sm.OLS(y_column, sm.add_constant(x)).fit().params

# %% 1: the digits are not ours
answer_1 = np.roll(least_squares, 1) + 1e-4  # as far off as Bambi's means

# %% 1: the digits are not ours
answer_1 = [[3.1, None, 2.1]]

# %% 1: look for `params`
answer_1 = sm.OLS(y, sm.add_constant(x)).fit()

# %% 2: some of these points were used in the fit
answer_2 = Ridge().fit(x[:150], y[:150, 0]).predict(x[:150])

# %% 2: it saw these points
answer_2 = DecisionTreeRegressor().fit(x, y[:, 0]).predict(x[150:])

# %% 2: do the rows of x and y match
answer_2 = Ridge().fit(x[:150], y[:150, 0]).predict(x[:50])

# %% 2: hardly better than y's mean
answer_2 = np.full(50, y[:150].mean())

# %% 2: not 50 numbers
answer_2 = Ridge().fit(x[:150], y[:150, 0]).score(x[150:], y[150:, 0])

# %% 3: the state still holds the old optimizer
prediction_3 = 50
optimizer = optax.adam(0.1)
_, answer_3 = train(state, x, y, 10_000)

# %% 3: the state still holds the old optimizer
prediction_3 = 50
trained, losses = train(state, x, y, 10_000)
answer_3 = losses

# %% 3: not 10,000 losses
prediction_3 = 50
answer_3 = trained_from(params, 0.1, model, x, y)

# %% 3: with `x` and `y`
prediction_3 = 50
_, answer_3 = trained_from(params, 0.1, model, x, y_column)

# %% 3: never reaches the best loss
prediction_3 = 50
_, answer_3 = trained_from(params, 0.1, model, x, y)
answer_3 = answer_3.at[40:].set(np.nan)

# %% 3: never reaches the best loss
prediction_3 = 50
_, answer_3 = trained_from(params, 0.1, model, x, y)
answer_3 = jnp.maximum(answer_3, 1.1 * best_loss)

# %% 3: the first loss is not ours
prediction_3 = 50
_, answer_3 = trained_from(trained.params, 0.1, model, x, y)

# %% 3: predict first
_, answer_3 = trained_from(params, 0.1, model, x, y)

# %% 3: which rate did you use
prediction_3 = 500
_, answer_3 = trained_from(params, 0.01, model, x, y)

# %% 3: not 10,000 losses
prediction_3 = 50
answer_3, _ = train(state, x, y, 10_000)

# %% 4: Now try fewer units
units_4, answer_4 = 128, y_relu

# %% 4: did you apply the net to `x_quad`
units_4 = 4
answer_4 = relu_net.apply(relu_net.init(key, x_flat), x_flat)

# %% 4: did you apply the net to `x_quad`
units_4, answer_4 = 128, y_relu[:, 0]

# %% 4: if one side is flat
units_4 = 1
answer_4 = 20.5 * np.maximum(0, x_quad) - 20

# %% 4: if one side is flat
units_4 = 4
answer_4 = np.full((100, 1), 68)

# %% 4: off by nan
units_4 = 4
answer_4 = np.full((100, 1), np.nan)

# %% 4: did you apply the net to `x_quad`
units_4 = 4
answer_4 = train(state_relu, x_quad, y_quad, 10)

# %% 4: put the number of units into
answer_4 = y_relu

# %% 4: put the number of units into
units_4, answer_4 = "4", y_relu

# %% 4: the parabola itself
units_4, answer_4 = 4, y_quad

# %% 4: Now try fewer units
units_4, answer_4 = 5, y_relu

# %% 4: more units, epochs or keys
units_4 = 2
answer_4 = 22 * np.maximum(0, np.abs(x_quad) - 2.5)

# %% 4: count your units again
units_4, answer_4 = 2, y_relu

# %% 5: the shape is not (333, 1)
own, answer_5 = np.abs, np.abs(x_new[:, 0])

# %% 5: apply your net to `x_new`
own = np.sin
answer_5 = train(state_relu, x_quad, np.sin(x_quad), 10)

# %% 5: not attempted yet
own = math.sin

# %% 5: must give 333 numbers
own = math.sin
answer_5 = np.sin(x_new)


# %% 5: must give 333 numbers
def own(x):
    return -x if x < 0 else x**2


answer_5 = x_new**2


# %% 5: must give 333 numbers
def own(x):
    np.sin(x)


answer_5 = np.sin(x_new)


# %% 5: must give 333 numbers
def own(x):
    with np.errstate(invalid="ignore"):
        return np.sqrt(x)


answer_5 = relu_net.apply(trained_relu.params, x_new)


# %% 5: almost a line
def own(x):
    return 0 * x + 3


answer_5 = own(x_new) + 0.1

# %% 5: still our parabola
answer_5 = relu_net.apply(trained_relu.params, x_new)


# %% 5: almost a line
def own(x):
    return 3 * x + 1


answer_5 = own(x_new) + 0.1

# %% 5: the function's own values
own = np.sin
answer_5 = np.sin(x_new)

# %% 5: has not learned it
own = np.cos
answer_5 = relu_net.apply(relu_net.init(key, x_new), x_new)


# %% 5: has not learned it
def own(x):
    return 20 * np.abs(x)


x_half = np.linspace(0, 10, 100)[..., None]
half, _ = trained_from(params_relu, 0.01, relu_net, x_half, own(x_half))
answer_5 = relu_net.apply(half.params, x_new)

# %% 5: train longer
own = np.sin
answer_5 = 0.7 * np.sin(x_new)

# %% 6: too low, because it is straight
answer_6 = relu_net.apply(trained_relu.params, x_far)

# %% 6: Did it train on data from there
x_seen = np.linspace(-20, 20, 100)[..., None]
fading = optax.cosine_decay_schedule(0.05, 10_000)
seen, _ = trained_from(params_relu, fading, relu_net, x_seen, 2 * x_seen**2)
answer_6 = relu_net.apply(seen.params, x_far)


# %% 6: not there yet. Train longer
def with_square(x):
    return np.hstack([x, x**2])


square, _ = train(
    TrainState.create(
        apply_fn=model.apply,
        params=model.init(key, with_square(x_quad)),
        tx=optax.adam(0.001),
    ),
    with_square(x_quad),
    y_quad,
    1_800,
)
answer_6 = model.apply(square.params, with_square(x_far))

# %% 6: too high
answer_6 = x_far**4 / 100

# %% 6: the shape is not (4, 1)
answer_6 = train(state_relu, x_quad, y_quad, 10)

# %% 6: one row for each row of `x_far`
answer_6 = 2 * x_far[:, 0] ** 2

# %% 6: It keeps bending, but it is not there yet
answer_6 = 3 * x_far**2
