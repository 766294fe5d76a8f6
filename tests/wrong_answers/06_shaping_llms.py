# Typical mistakes in the exercises of Session 6. A cell's title names the
# exercise, and words that the check must say to whoever makes this mistake.
# They run after the session, so its names are there.

# %% 1: that is one block's
answer_1 = 8 * (512 + 256 + 810 + 469)

# %% 1: that is rank 1
answer_1 = size_of(detours(1))

# %% 1: alone
answer_1 = 4 * 8 * (128 + 128 + 128 + 341)

# %% 1: how many stand beside
answer_1 = 4 * (128 * 384 + 128 * 128 + 128 * 682 + 341 * 128 + 2 * 128) + 128

# %% 1: rank times (inputs + outputs)
answer_1 = 4 * 8 * 128 * 128

# %% 2: without beta
answer_2 = 1 / (1 + np.exp(-7))

# %% 2: forgets the start
answer_2 = 1 / (1 + np.exp(-0.1 * (-25 - -30)))

# %% 2: that is for the second
answer_2 = 1 / (1 + np.exp(0.7))

# %% 2: the loss of this pair
answer_2 = np.log(1 + np.exp(-0.7))

# %% 2: now the sigmoid
answer_2 = 0.7

# %% 2: write down both rewards
answer_2 = 0.5

# %% 3: a line of sirs gets more
answer_3 = courtesy


# %% 3: four different words get more
def answer_3(answer):
    return len({"sir", "lord", "lady", "madam"} & set(words_of(answer)))


# %% 3: courtesy should gain something
def answer_3(answer):
    return len(words_of(answer))


# %% 3: a line of one word gets as much
def answer_3(answer):
    return min(courtesy(answer), 1)


# %% 3: a line without an end gets as much
def answer_3(answer):
    return min(courtesy(answer), 1) if len(words_of(answer)) > 3 else 0


# %% 3: a function, please
answer_3 = courtesy("CELIA.\nMy lord, he comes.\n\n")


# %% 3: your function stops at one of the answers
def answer_3(answer):
    _, line = answer.split(".\n")  # there are answers without a name
    return min(courtesy(line), 1)


# %% 4: twice as many
answer_4 = 2 * len(held_out)

# %% 4: that is for ±1 %
answer_4 = (2 * 1.96 * wins(made_sft).std() / 0.02) ** 2

# %% 4: that is for ±4 %
answer_4 = (1.96 * wins(made_sft).std() / 0.04) ** 2

# %% 4: that is the root of it
answer_4 = 1.96 * wins(made_sft).std() / 0.02

# %% 4: 1.96 of them
answer_4 = (wins(made_sft).std() / 0.02) ** 2

# %% 4: the variance, or its root
answer_4 = 1.96**2 * wins(made_sft).std() / 0.02**2

# %% 4: for n
answer_4 = 100

# %% 5: it has forgotten too much
answer_5 = sft

# %% 5: train longer
answer_5 = base

# %% 5: not a GPT
answer_5 = flat

# %% 5: its loss is no number
answer_5 = jax.tree.map(lambda it: it * jnp.nan, base)
