"""Wilson 95 % confidence interval of a proportion."""

from math import sqrt

_Z = 1.959963984540054  # the 97.5 % quantile of the normal distribution


def wilson_interval(right: int, total: int) -> tuple[float, float]:
    """95 % interval (Wilson 1927, J. Am. Stat. Assoc. 22(158)); the total must count independent things."""
    if not total:
        return 0.0, 1.0
    center = right + _Z**2 / 2
    reach = _Z * sqrt(right * (total - right) / total + _Z**2 / 4)
    low, high = (center - reach) / (total + _Z**2), (center + reach) / (total + _Z**2)
    return low if right else 0.0, high if right < total else 1.0
