"""Parts that models share, and choices (scores, normalisations) that would hide what a model's own file says."""
