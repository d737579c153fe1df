"""Verses of the Bible from English to French or Spanish: longer sentences, split by whole books."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from tasks import SPLITS, BadInput, Split
from tasks._files import rows, text
from tasks._folder import Pairs
from tasks._parallel import Longest, Parallel
from tasks._text import Vocabulary

PAIRS = ("en-fr", "en-es")


class Verses(Parallel):
    """Verses, about 25 words each; the books of the test are never seen in training.

    ```
    source: Jesus wept.    -> 928 4723 11
    target: Jésus pleura.  -> 723 7745 11 2
    ```
    """

    name = "verses"

    @dataclasses.dataclass(frozen=True)
    class Config(Parallel.Config):
        """Settings of the verses."""

        pair: str = "en-fr"  # or en-es
        vocabulary: Vocabulary = 8000  # most tokens, specials included; of both languages together if joint
        longest: Longest = 80  # tokens; longer pairs are left out of training, longer sources cut elsewhere

    def __init__(self, config: Any = None, data: Path | None = None) -> None:
        config = config or self.Config()
        if data is not None:
            raise BadInput("verses takes no data of your own; parallel text is for the task translation")
        if config.pair not in PAIRS:
            raise BadInput(f"verses: unknown pair {config.pair!r}; known: {', '.join(PAIRS)}")
        self.build(config, _vendored(config.pair))


def _vendored(pair: str) -> dict[Split, Pairs]:
    texts: dict[Split, Pairs] = {split: ([], []) for split in SPLITS}
    splits = [row[0] for row in rows("bible/references.tsv.xz")[1:]]
    versions = [text(f"bible/{language}.txt.xz").splitlines() for language in pair.split("-")]
    for split, source, target in zip(splits, *versions, strict=True):
        texts[split][0].append(source)
        texts[split][1].append(target)
    return texts


TASK = Verses
