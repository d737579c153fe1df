"""Text to tokens and back: words, characters or byte-pair pieces, learned from the training split alone."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal

import numpy as np
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

from tasks import EOS, SPECIALS, UNK, until_eos

Kind = Literal["bpe", "word", "character"]
SPACE = "▁"  # stands for the space before a word, as in sentencepiece


class Text:
    """A vocabulary and the way between text and its tokens.

    ```
    Text.learn(["the film was not bad"], "bpe", 30).encode("not bad")  -> [9, 14, 5, 2], EOS last
    ```
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        self.tokenizer = tokenizer
        self.size = tokenizer.get_vocab_size()

    @classmethod
    def learn(cls, sentences: Iterable[str], kind: Kind, size: int, lower: bool = False) -> Text:
        """Learns at most `size` tokens (specials included) from `sentences`: the same from the same."""
        model = {"bpe": _bpe, "word": _word, "character": _character}[kind]
        tokenizer, trainer = model(size)
        steps = [normalizers.NFC()] + ([normalizers.Lowercase()] if lower else [])
        tokenizer.normalizer = normalizers.Sequence(steps)
        tokenizer.train_from_iterator(sentences, trainer)
        return cls(tokenizer)

    @classmethod
    def restore(cls, document: str) -> Text:
        """The vocabulary that `document()` wrote."""
        return cls(Tokenizer.from_str(document))

    def document(self) -> str:
        """The vocabulary as JSON."""
        return self.tokenizer.to_str()

    def encode(self, text: str, eos: bool = True) -> np.ndarray:
        """Tokens (S,) int32 of one sentence, closed by EOS unless told otherwise."""
        return self.encode_all([text], eos)[0]

    def encode_all(self, texts: Sequence[str], eos: bool = True) -> list[np.ndarray]:
        """Tokens of many sentences, in parallel."""
        tail = [EOS] if eos else []
        return [np.array(e.ids + tail, dtype=np.int32) for e in self.tokenizer.encode_batch(list(texts))]

    def decode(self, tokens: Sequence[int]) -> str:
        """Text of the tokens before the first EOS."""
        return str(self.tokenizer.decode(until_eos(tokens), skip_special_tokens=False)).strip()

    def pieces(self, tokens: Sequence[int]) -> tuple[str, ...]:
        """Each token before the first EOS as it is spelt in the vocabulary."""
        return tuple(self.tokenizer.id_to_token(int(t)) or SPECIALS[UNK] for t in until_eos(tokens))


def _bpe(size: int) -> tuple[Tokenizer, trainers.Trainer]:
    """Byte-pair encoding (Sennrich et al., 2016); punctuation and spaces delimit words."""
    tokenizer = Tokenizer(models.BPE(unk_token=SPECIALS[UNK]))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Metaspace(replacement=SPACE, prepend_scheme="always"), pre_tokenizers.Punctuation("isolated")]
    )
    tokenizer.decoder = decoders.Metaspace(replacement=SPACE, prepend_scheme="always")
    return tokenizer, trainers.BpeTrainer(vocab_size=size, special_tokens=list(SPECIALS), show_progress=False)


def _word(size: int) -> tuple[Tokenizer, trainers.Trainer]:
    """Words and punctuation marks; what was not seen in training is UNK."""
    tokenizer = Tokenizer(models.WordLevel(unk_token=SPECIALS[UNK]))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    return tokenizer, trainers.WordLevelTrainer(vocab_size=size, special_tokens=list(SPECIALS), show_progress=False)


def _character(size: int) -> tuple[Tokenizer, trainers.Trainer]:
    """Single characters, spaces included."""
    tokenizer = Tokenizer(models.BPE(unk_token=SPECIALS[UNK]))
    tokenizer.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    tokenizer.decoder = decoders.Fuse()
    trainer = trainers.BpeTrainer(
        vocab_size=size, special_tokens=list(SPECIALS), limit_alphabet=size - len(SPECIALS), show_progress=False
    )
    return tokenizer, trainer
