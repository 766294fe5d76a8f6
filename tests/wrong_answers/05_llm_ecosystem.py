# These are typical mistakes in the exercises of Session 5. The title of each
# cell gives the number of an exercise and the words that the check must print
# for this mistake. The cells run after the session, so they can use the
# session's variables and the ones below.


def grouped(w, bits, rows):
    filled = np.pad(w, ((0, -len(w) % rows), (0, 0)))
    whole, scale = quantized(filled.reshape(-1, rows, w.shape[1]), bits, 1)
    back = (whole * np.maximum(scale, 1e-9)).reshape(filled.shape)
    return back[: len(w)]


def rounded(params, bits=8):
    made = {}
    for name, w in flatten_dict(params, sep=".").items():
        w = np.asarray(w)
        if w.ndim == 2:
            whole, scale = quantized(w, bits, 0)
            w = whole * scale
        made[name] = w
    return nested(made)


def mapped(change):
    made = {k: change(w) if w.ndim == 2 else w for k, w in flat.items()}
    return nested(made)


# %% 1: who made them
answer_1 = models["name"][opens.all(axis=1)].tolist()

# %% 1: open in all four ways
answer_1 = models["maker"][opens["weights"]].unique()

# %% 1: open in all four ways
answer_1 = models["maker"][opens.any(axis=1)].unique()

# %% 1: still missing
answer_1 = models["maker"][opens.all(axis=1)].unique()[:3]

# %% 1: only once
answer_1 = models["maker"][opens.all(axis=1)].tolist()

# %% 1: don't belong here
answer_1 = ["OpenAI", "Mistral AI"]

# %% 2: without sharing
answer_2 = 2 * 80 * 64 * 128 * 131_072 * 2 / 1e9

# %% 2: half of it
answer_2 = 80 * 8 * 128 * 131_072 * 2 / 1e9

# %% 2: twice as much
answer_2 = 2 * 80 * 8 * 128 * 131_072 * 4 / 1e9

# %% 2: the number of bytes
answer_2 = 2 * 80 * 8 * 128 * 131_072 * 2

# %% 2: these are GiB
answer_2 = 40

# %% 2: the cache of one layer
answer_2 = 2 * 8 * 128 * 131_072 * 2 / 1e9

# %% 2: factor by factor
answer_2 = 140

# %% 3: not all of them are fast enough
m4_max = {"memory_GB": 128, "GB_per_s": 546}
answer_3 = run_on(m4_max, models[opens["weights"]]).notna().sum()

# %% 3: count only open weights
m4_max = {"memory_GB": 128, "GB_per_s": 546}
answer_3 = (run_on(m4_max, models) >= 10).sum()

# %% 3: at 16 bits
m4_max = {"memory_GB": 128, "GB_per_s": 546}
answer_3 = (run_on(m4_max, models[opens["weights"]], 16) >= 10).sum()

# %% 3: check the 128 GB
answer_3 = (run_on(machines.iloc[0], models[opens["weights"]]) >= 10).sum()

# %% 4: its own scale
answer_4 = with_bits(3, 0)

# %% 4: there are NaNs
answer_4 = mapped(lambda w: w * np.nan)

# %% 4: 3 bits are -3 to 3
answer_4 = with_bits(4, 0)

# %% 4: 3 bits are -3 to 3
answer_4 = params

# %% 4: these are not parameters
answer_4 = flat["head.kernel"]

# %% 4: does each group have
answer_4 = mapped(lambda w: grouped(w, 2, 32))

# %% 5: only 30,000 are allowed
answer_5 = with_bits(8, 0)

# %% 5: not yet below 2.15
answer_5 = rounded(init_params(jax.random.key(0), 32, 2))

# %% 5: round to 8 bits
answer_5 = init_params(jax.random.key(0), 32, 2)

# %% 5: this is not a student
answer_5 = student_from
