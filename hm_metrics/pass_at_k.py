"""pass@k: the chance that at least one of k samples is correct.

Source: the unbiased estimator of Chen et al., "Evaluating Large Language Models Trained on Code"
(2021), equation 1.

    >>> pass_at_k(n=11, c=2, k=5)
    0.7272727272727273
"""

import math


def pass_at_k(n: int, c: int, k: int) -> float:
    """Estimate pass@k of one problem from `n` samples of which `c` are correct.

    Returns:
        1 - C(n - c, k) / C(n, k), from exact integers, so it holds for any n.

    Raises:
        ValueError: unless 0 <= c <= n and 1 <= k <= n.
    """
    if not 0 <= c <= n:
        raise ValueError(f"c={c} correct samples of n={n}: expected 0 <= c <= n.")
    if not 1 <= k <= n:
        raise ValueError(f"pass@{k} needs 1 <= k <= n, and there are n={n} samples.")
    return 1.0 - math.comb(n - c, k) / math.comb(n, k)
