# These are typical mistakes in the exercises of Session 1. The title of each
# cell gives the number of an exercise and the words that the check must print
# for this mistake. The cells run after the session, so they can use the
# session's variables and the ones below.


def errors_left_out(sizes_of):
    found = []
    for degree in range(1, 9):
        off = []
        for i in range(20):
            curve = fit_polynomial(degree, np.delete(train, i))
            off.append(curve(flipper[train[i]]) - mass[train[i]])
        found.append(sizes_of(np.array(off)))
    return np.array(found)


def errors_on(birds):
    return [rmse(fit_polynomial(it, train), birds) for it in range(1, 9)]


def walked(loss, rate, steps):
    gradient, line = jax.jit(jax.grad(loss)), jnp.array([0.0, 4.0])
    for _ in range(steps):
        line = line - rate * gradient(line, z, kg)
    return line


def boat(line, x, y):
    error = predict(line, x) - y
    return jnp.where(error > 0, error, -9 * error).mean()


def boat_backwards(line, x, y):
    error = predict(line, x) - y
    return jnp.where(error > 0, 9 * error, -error).mean()


kinds = [measured["species"] == name for name in set(measured["species"])]

# %% 1: use the fitted line
answer_1 = predict(by_eye, np.array([190, 200, 210]))

# %% 1: the intercept is missing
answer_1 = fitted[0] * np.array([190, 200, 210])

# %% 1: did you use mm and grams
answer_1 = predict(walks[0.2][-1], np.array([190, 200, 210]))

# %% 1: did you use mm and grams
answer_1 = predict(fitted, np.array([190, 200, 210])) / 1000

# %% 1: these are not three numbers
answer_1 = predict(fitted, 200)

# %% 1: in this order
answer_1 = predict(fitted, np.array([210, 200, 190]))

# %% 2: put both into a list
answer_2 = 0.5

# %% 2: the bottom is at
answer_2 = [0.2, 0.99]

# %% 2: did you swap them
answer_2 = [0.99, 0.5]

# %% 2: never arrives
answer_2 = [0.5, 1.0]

# %% 2: above zero
answer_2 = [0.5, 0]

# %% 2: a larger one does, too
answer_2 = [0.5, 0.9]

# %% 3: you have it backwards
prediction_3, answer_3 = 0.1, walked(boat_backwards, 0.01, 3000)

# %% 3: do you still use the old loss
prediction_3, answer_3 = 0.1, walks[0.2][-1]

# %% 3: predict first
answer_3 = walked(boat, 0.01, 3000)

# %% 3: grams and mm
prediction_3, answer_3 = 0.1, fitted

# %% 3: take more steps
prediction_3, answer_3 = 0.1, walked(boat, 0.01, 30)

# %% 3: it needs a slope and an intercept
prediction_3, answer_3 = 0.1, boat(walked(boat, 0.01, 3000), z, kg)

# %% 4: each draw needs a key of its own
prediction_4, rows = 17, jax.random.choice(key, 342, shape=(20,))
answer_4 = [fit(x[rows], y[rows])[0] for _ in range(1000)]

# %% 4: how many birds do you draw
prediction_4 = 17
answer_4 = jax.vmap(refit)(jax.random.split(key, 1000))[:, 0]

# %% 4: only asks for their slopes
prediction_4, answer_4 = 17, resampled

# %% 4: from all 342 birds
prediction_4 = 17
chosen = jax.vmap(lambda it: jax.random.choice(it, 20, shape=(20,)))(keys)
answer_4 = jax.vmap(lambda rows: fit(x[rows], y[rows])[0])(chosen)

# %% 4: slopes in g per mm
prediction_4, answer_4 = 17, resampled[:, 1]

# %% 4: fewer than 20
prediction_4 = 17
few = jax.vmap(lambda it: jax.random.choice(it, 342, shape=(12,)))(keys)
answer_4 = jax.vmap(lambda rows: fit(x[rows], y[rows])[0])(few)

# %% 4: predict first
answer_4 = resampled[:, 0]

# %% 4: these are not 1,000 slopes
prediction_4, answer_4 = 17, refit(key)

# %% 5: leave the bird out first
answer_5 = errors_on(train)

# %% 5: use only the 20
answer_5 = errors_on(held_out)

# %% 5: take the root
answer_5 = errors_left_out(lambda off: (off**2).mean())

# %% 5: square the errors first
answer_5 = errors_left_out(lambda off: np.abs(off).mean())

# %% 5: one for each degree
answer_5 = errors_on(train)[:7]

# %% 6: makes no difference yet
answer_6 = predict(fitted, flipper)

# %% 6: is there just one slope
answer_6 = np.zeros(342)
for kind in kinds:
    own_line = np.polyfit(flipper[kind], mass[kind], 1)
    answer_6[kind] = predict(own_line, flipper[kind])

# %% 6: never change
answer_6 = fitted[0] * flipper
for kind in kinds:
    answer_6[kind] += (mass - answer_6)[kind].mean()

# %% 6: convert them to grams
answer_6 = predict(fitted, flipper) / 1000

# %% 6: these are not 342 masses
answer_6 = predict(fitted, flipper)[:, None]
