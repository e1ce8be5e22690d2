"""g_pass@k_T: the chance that at least the share T of k samples is correct, so a model's reliability.

Source: G-Pass@k of Liu et al., "Are Your LLMs Capable of Stable Reasoning?" (2024), section 3, as
lighteval counts it (`GPassAtK`): at least max(ceil(k * T), 1) of k samples drawn without putting back.

    >>> g_pass_at_k(n=11, c=6, k=5, threshold=0.5)
    0.6082251082251082
"""

import math


def g_pass_at_k(n: int, c: int, k: int, threshold: float) -> float:
    """Estimate G-Pass@k of one problem from `n` samples of which `c` are correct.

    Args:
        threshold: 0 to 1; at 0 it is pass@k, at 1 all k must be correct.

    Returns:
        The upper tail of a hypergeometric distribution, from exact integers, so it holds for any n.

    Raises:
        ValueError: unless 0 <= c <= n, 1 <= k <= n and 0 <= threshold <= 1.
    """
    if not 0 <= c <= n:
        raise ValueError(f"c={c} correct samples of n={n}: expected 0 <= c <= n.")
    if not 1 <= k <= n:
        raise ValueError(f"g_pass@{k} needs 1 <= k <= n, and there are n={n} samples.")
    if not 0 <= threshold <= 1:
        raise ValueError(f"threshold={threshold}: expected a share between 0 and 1, as 0.5.")
    least = max(math.ceil(k * threshold), 1)
    ways = sum(math.comb(c, i) * math.comb(n - c, k - i) for i in range(least, min(c, k) + 1))
    return ways / math.comb(n, k)
