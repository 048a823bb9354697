"""A part of a split that is held out of training, to choose by without looking at the test split."""

import numpy as np

from margin_bench.data.split import Split


def hold_out(split: Split, share: float) -> tuple[Split, Split]:
    """Both parts of a split: what remains, and the share (0 to 1) that is held out, each in the split's order.

    Which samples are held out depends on their number and the share alone, so it is the same for every run.
    """
    order = np.random.default_rng(0).permutation(len(split))
    num_held_out = min(max(1, round(share * len(split))), len(split) - 1)
    return split.rows(np.sort(order[num_held_out:])), split.rows(np.sort(order[:num_held_out]))
