"""Statistics of a fair comparison: intervals, tests, effects, ranks and power; nothing else of ours is imported.

Whatever an interval or a test is over (seeds, test items or both) it says, and "not separable" and "cannot be told with
so few" are answers.
"""

from bench.statistics.corpus import paired_texts, pseudo_values
from bench.statistics.crossed import Gap, Parts, around, chance, difference_over_both, gap, half_width, over_both, parts
from bench.statistics.curves import Crossover, Point, crossover, ratio
from bench.statistics.effects import Effect, standardised, superiority
from bench.statistics.families import Planned, Verdict, family, holm, paired, sign_flips
from bench.statistics.intervals import (
    BOTH,
    ITEMS,
    LEVEL,
    RESAMPLES,
    SEEDS,
    Floats,
    Interval,
    Values,
    difference_over_seeds,
    interval,
    median_interval,
    over_items,
    over_seeds,
    resampled,
    resampled_means,
    welch,
)
from bench.statistics.planning import Deviations, deviations, power, seeds_needed, smallest_difference
from bench.statistics.ranks import TOO_FEW, Ranks, first_reached, profile, ranked, reached

__all__ = [
    "BOTH",
    "ITEMS",
    "LEVEL",
    "RESAMPLES",
    "SEEDS",
    "TOO_FEW",
    "Crossover",
    "Deviations",
    "Effect",
    "Floats",
    "Gap",
    "Interval",
    "Parts",
    "Planned",
    "Point",
    "Ranks",
    "Values",
    "Verdict",
    "around",
    "chance",
    "crossover",
    "deviations",
    "difference_over_both",
    "difference_over_seeds",
    "family",
    "first_reached",
    "gap",
    "half_width",
    "holm",
    "interval",
    "median_interval",
    "over_both",
    "over_items",
    "over_seeds",
    "paired",
    "paired_texts",
    "parts",
    "power",
    "profile",
    "pseudo_values",
    "ranked",
    "ratio",
    "reached",
    "resampled",
    "resampled_means",
    "seeds_needed",
    "sign_flips",
    "smallest_difference",
    "standardised",
    "superiority",
    "welch",
]
