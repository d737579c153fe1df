"""Short sentences of an interface from English to Spanish or German, or one's own parallel text."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from tasks import SPLITS, BadInput, Split
from tasks._files import rows
from tasks._folder import Pairs, parallel
from tasks._parallel import Parallel, languages, words_of

VENDORED = ("en-es", "en-de")
COMMON = 4  # times that each word of a pair occurs in training, at least


class Translation(Parallel):
    """Interface sentences, about five words each, split by the part of the program they belong to.

    ```
    source: Account is already configured   -> 589 2482 319 1448 1077
    target: La cuenta ya está configurada   -> 351 540 1502 418 2461 2
    ```

    With `data`, a folder of line-aligned files such as train.de, train.en, val.de, val.en, test.de and
    test.en, plain or .gz.
    """

    name = "translation"

    @dataclasses.dataclass(frozen=True)
    class Config(Parallel.Config):
        """Settings of the translation."""

        pair: str = "en-es"  # or en-de; of one's own data any source-target
        words: Literal["common", "all"] = "common"  # only pairs whose every word is; one's own are never filtered
        test: str = ""  # which test files of one's own data, without endings, where there are several

    def __init__(self, config: Any = None, data: Path | None = None) -> None:
        config = config or self.Config()
        source, target = languages(config.pair, self.name)
        if data is not None:
            self.build(config, parallel(Path(data), (source, target), config.test))
            return
        if config.pair not in VENDORED:
            raise BadInput(
                f"translation: unknown pair {config.pair!r}; known: {', '.join(VENDORED)}, or give your own data"
            )
        texts = _vendored(config.pair)
        self.build(config, common(texts) if config.words == "common" else texts)


def _vendored(pair: str) -> dict[Split, Pairs]:
    texts: dict[Split, Pairs] = {split: ([], []) for split in SPLITS}
    for split, _, source, target in rows(f"interface/{pair}.tsv.xz")[1:]:
        sources, targets = texts[split]  # type: ignore[index]
        sources.append(source)
        targets.append(target)
    return texts


def common(texts: dict[Split, Pairs], least: int = COMMON) -> dict[Split, Pairs]:
    """The pairs whose every word (lower-cased) occurs at least `least` times on its side of training."""
    counts = [Counter(word for text in side for word in words_of(text)) for side in texts["train"]]

    def is_common(pair: Sequence[str]) -> bool:
        return all(count[word] >= least for count, text in zip(counts, pair, strict=True) for word in words_of(text))

    kept: dict[Split, Pairs] = {}
    for split, sides in texts.items():
        pairs = [pair for pair in zip(*sides, strict=True) if is_common(pair)]
        kept[split] = ([source for source, _ in pairs], [target for _, target in pairs])
    return kept


TASK = Translation
