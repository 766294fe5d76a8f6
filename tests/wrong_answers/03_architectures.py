# These are typical mistakes in the exercises of Session 3. The title of each
# cell gives the number of an exercise and the words that the check must print
# for this mistake. The cells run after the session, so they can use the
# session's variables and the ones below.


def softmax(scores, axis):
    return np.exp(scores) / np.exp(scores).sum(axis=axis, keepdims=True)


scores_5 = np.einsum("qhd,khd->hqk", Q5, K5)
future_5 = np.triu(np.full((6, 6), -np.inf), k=1)

# %% 1: each kernel has a bias
answer_1 = 64 * 7 * 7 * 3

# %% 1: the window has three channels
answer_1 = 64 * (7 * 7 + 1)

# %% 1: these are the parameters of one kernel
answer_1 = 7 * 7 * 3 + 1

# %% 1: count the weights of one kernel
answer_1 = 224 * 224 * 3 * 64

# %% 1: this should be one number
answer_1 = nnx.Conv(3, 64, (7, 7), rngs=nnx.Rngs(0)).kernel.shape

# %% 2: look at each column
answer_2 = kernel

# %% 2: it is upside down
answer_2 = -kernel.T

# %% 2: it responds to plain ink
answer_2 = [[1, 1, 1], [1, 1, 1], [-1, -1, -1]]

# %% 2: this is not a kernel of 3 rows
answer_2 = kernel.T[:, :, None, None]

# %% 2: not positive at every edge
answer_2 = np.zeros((3, 3))

# %% 2: look at each column
answer_2 = kernel + kernel.T

# %% 2: not positive at every edge
answer_2 = [[1, 2, 1], [-2, -4, -2], [1, 2, 1]]

# %% 3: this looks like the gate z itself
answer_3 = 0.5 ** (1 / 128)

# %% 3: look at the sign
answer_3 = -5.21

# %% 3: try a larger bias
answer_3 = np.log(128 / 2)

# %% 3: try a smaller bias
answer_3 = np.log(256 / np.log(2))

# %% 3: this should be one number
answer_3 = [0.9946, 5.21]

# %% 4: positions still matter
answer_4 = cnns[0]

# %% 4: this is not a model
answer_4 = CNN

# %% 4: use such digits, too
answer_4 = fit(small_mlp, lambda key: (moved(x_train, 2), y_train), 0, 300)

# %% 4: train on `x_train`
answer_4 = fit(small_mlp, lambda key: (moved(x_test, 2), y_test), 0, 300)

# %% 4: this is not a model
answer_4 = accuracy(cnns[0], moved(x_train, 2), y_train)

# %% 5: the first word must get its own value
answer_5 = np.einsum("hqk,khd->qhd", softmax(scores_5 / 2, -1), V5)

# %% 5: the first word must get its own value
weights_5 = np.where(future_5 < 0, 0, softmax(scores_5 / 2, -1))
answer_5 = np.einsum("hqk,khd->qhd", weights_5, V5)

# %% 5: do you divide the scores by
weights_5 = softmax(scores_5 + future_5, -1)
answer_5 = np.einsum("hqk,khd->qhd", weights_5, V5)

# %% 5: a softmax for each head
weights_5 = softmax(scores_5.sum(axis=0) / np.sqrt(8) + future_5, -1)
answer_5 = np.einsum("qk,khd->qhd", weights_5, V5)

# %% 5: words, heads, numbers
weights_5 = softmax(scores_5 / 2 + future_5, -1)
answer_5 = np.einsum("hqk,khd->hqd", weights_5, V5)

# %% 5: compute it with NumPy
answer_5 = library_5

# %% 6: it does not know yet which pair came first
answer_6 = Attention(nnx.Rngs(0), width=26)

# %% 6: 5,000 are enough
answer_6 = Transformer(nnx.Rngs(0), blocks=1)

# %% 6: repair `Attention`
answer_6 = recallers["simple RNN"](nnx.Rngs(0))

# %% 6: this is not a model
answer_6 = Attention

# %% 6: eight logits
answer_6 = nnx.Embed(73, 8, rngs=nnx.Rngs(0))
