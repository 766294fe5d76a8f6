# Typical mistakes in the exercises of Session 1. A cell's title names the
# exercise, and words that the check must say to whoever makes this mistake.
# They run after the session, so its names are there, and so are these:


def errors_left_out(sizes_of):
    found = []
    for degree in range(1, 9):
        off = []
        for bird in range(20):
            curve = learn(degree, np.delete(seen, bird))
            off.append(curve(flipper[seen[bird]]) - mass[seen[bird]])
        found.append(sizes_of(np.array(off)))
    return np.array(found)


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

# %% 1: take the learned one
answer_1 = predict(by_eye, np.array([190, 200, 210]))

# %% 1: the intercept is missing
answer_1 = learned[0] * np.array([190, 200, 210])

# %% 1: in mm and grams
answer_1 = predict(walks[0.2][-1], np.array([190, 200, 210]))

# %% 1: in mm and grams
answer_1 = predict(learned, np.array([190, 200, 210])) / 1000

# %% 1: not three numbers in a row
answer_1 = predict(learned, 200)

# %% 1: in this order
answer_1 = predict(learned, np.array([210, 200, 190]))

# %% 2: put both into a list
answer_2 = 0.5

# %% 2: the bottom is at
answer_2 = [0.2, 0.99]

# %% 2: swapped
answer_2 = [0.99, 0.5]

# %% 2: for ever
answer_2 = [0.5, 1.0]

# %% 2: above zero
answer_2 = [0.5, 0]

# %% 2: so does a larger one
answer_2 = [0.5, 0.9]

# %% 3: the wrong way round
prediction_3, answer_3 = 0.1, walked(boat_backwards, 0.01, 3000)

# %% 3: is it still the old loss
prediction_3, answer_3 = 0.1, walks[0.2][-1]

# %% 3: predict first
answer_3 = walked(boat, 0.01, 3000)

# %% 3: g and mm
prediction_3, answer_3 = 0.1, learned

# %% 3: more steps
prediction_3, answer_3 = 0.1, walked(boat, 0.01, 30)

# %% 3: slope and intercept
prediction_3, answer_3 = 0.1, boat(walked(boat, 0.01, 3000), z, kg)

# %% 4: each draw needs a key of its own
prediction_4, rows = 17, jax.random.choice(key, 342, shape=(20,))
answer_4 = [fit(x[rows], y[rows])[0] for _ in range(1000)]

# %% 4: how many birds are in each draw
prediction_4 = 17
answer_4 = jax.vmap(refit)(jax.random.split(key, 1000))[:, 0]

# %% 4: only the slope is asked
prediction_4, answer_4 = 17, resampled

# %% 4: From all birds
prediction_4 = 17
chosen = jax.vmap(lambda it: jax.random.choice(it, 20, shape=(20,)))(keys)
answer_4 = jax.vmap(lambda rows: fit(x[rows], y[rows])[0])(chosen)

# %% 4: In grams
prediction_4, answer_4 = 17, resampled[:, 1]

# %% 4: fewer than 20
prediction_4 = 17
few = jax.vmap(lambda it: jax.random.choice(it, 342, shape=(12,)))(keys)
answer_4 = jax.vmap(lambda rows: fit(x[rows], y[rows])[0])(few)

# %% 4: predict first
answer_4 = resampled[:, 0]

# %% 4: not 1,000 slopes in a row
prediction_4, answer_4 = 17, refit(key)

# %% 5: leave it out first
answer_5 = off_seen[:8]

# %% 5: only the 20 are allowed
answer_5 = off_unseen[:8]

# %% 5: take the root
answer_5 = errors_left_out(lambda off: (off**2).mean())

# %% 5: square them first
answer_5 = errors_left_out(lambda off: np.abs(off).mean())

# %% 5: one for each degree
answer_5 = off_seen

# %% 6: makes no difference yet
answer_6 = predict(learned, flipper)

# %% 6: just one
answer_6 = np.zeros(342)
for kind in kinds:
    own_line = np.polyfit(flipper[kind], mass[kind], 1)
    answer_6[kind] = predict(own_line, flipper[kind])

# %% 6: stand still
answer_6 = learned[0] * flipper
for kind in kinds:
    answer_6[kind] += (mass - answer_6)[kind].mean()

# %% 6: in grams, please
answer_6 = predict(learned, flipper) / 1000

# %% 6: not 342 masses in a row
answer_6 = predict(learned, flipper)[:, None]
