"""Text to tokens and back: words, characters or byte-pair pieces, learned from the training split alone."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Annotated, Any, Literal

import numpy as np
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

from tasks import EOS, SPECIALS, UNK, BadInput, Range, until_eos

Kind = Literal["bpe", "word", "character"]
Vocabulary = Annotated[int, Range(8, 1_000_000)]  # tokens, the four specials included
SPACE = "▁"  # stands for the space before a word, as in sentencepiece
LONGEST_WORD = 1000  # characters of a word that are learned from: byte pairs take time with the square of them


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
        """Learns at most `size` tokens (specials included) from `sentences`: the same from the same.

        Where there are more characters than that, the rarest become UNK.
        """
        tokenizer = {"bpe": _bpe, "word": _word, "character": _character}[kind]()
        steps = [normalizers.NFC()] + ([normalizers.Lowercase()] if lower else [])
        tokenizer.normalizer = normalizers.Sequence(steps)
        known = [s if kind == "word" else _shortened(s) for s in sentences]
        tokenizer.train_from_iterator(known, _trainer(known, kind, size, lower))
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


def written(text: str, of: str) -> str:
    """The text, if it is one. Raises BadInput for bytes that were no UTF-8 and for halves of characters."""
    if not is_text(text):
        raise BadInput(f"{of}: {text!r} holds bytes that are not valid UTF-8; give plain text")
    return text


def is_text(text: str) -> bool:
    """Whether every character can be written: Python lets halves of surrogate pairs stand in a string."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _bpe() -> Tokenizer:
    """Byte-pair encoding (Sennrich et al., 2016); punctuation and spaces delimit words."""
    tokenizer = Tokenizer(models.BPE(unk_token=SPECIALS[UNK]))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Metaspace(replacement=SPACE, prepend_scheme="always"), pre_tokenizers.Punctuation("isolated")]
    )
    tokenizer.decoder = decoders.Metaspace(replacement=SPACE, prepend_scheme="always")
    return tokenizer


def _word() -> Tokenizer:
    """Words and punctuation marks; what was not seen in training is UNK."""
    tokenizer = Tokenizer(models.WordLevel(unk_token=SPECIALS[UNK]))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    return tokenizer


def _character() -> Tokenizer:
    """Single characters, spaces included."""
    tokenizer = Tokenizer(models.BPE(unk_token=SPECIALS[UNK]))
    tokenizer.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    tokenizer.decoder = decoders.Fuse()
    return tokenizer


def _trainer(sentences: Sequence[str], kind: Kind, size: int, lower: bool) -> trainers.Trainer:
    """What learns at most `size` tokens."""
    room = size - len(SPECIALS)
    common: dict[str, Any] = {"vocab_size": size, "special_tokens": list(SPECIALS), "show_progress": False}
    if kind == "word":
        return trainers.WordLevelTrainer(**common)
    text = (" " if kind == "bpe" else "").join(sentences)
    if kind == "bpe":
        text = text.replace(" ", SPACE)
    return trainers.BpeTrainer(limit_alphabet=room, initial_alphabet=_alphabet(text, room, lower), **common)


def _alphabet(text: str, room: int, lower: bool) -> list[str]:
    """The `room` most frequent characters where there are more: left to itself, the trainer draws among equals."""
    text = unicodedata.normalize("NFC", text.lower() if lower else text)
    if len(set(text)) <= room:
        return []
    count = Counter(text)
    return sorted(count, key=lambda c: (-count[c], c))[:room]


def _shortened(sentence: str) -> str:
    """The sentence, of every word its beginning."""
    if len(sentence) <= LONGEST_WORD:
        return sentence
    return " ".join(word[:LONGEST_WORD] for word in sentence.split(" "))
