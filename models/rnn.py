"""Vanilla RNN: h_t = tanh(W x_t + U h_{t-1} + b)  (Elman, 1990), as encoder and as decoder."""

from __future__ import annotations

import dataclasses

from torch import nn

from models.layers.encoder_decoder import EncoderDecoder, Gain


class Rnn(EncoderDecoder):
    """Elman's network; the decoder starts from the encoder's last state (Sutskever et al., 2014)."""

    @dataclasses.dataclass(frozen=True)
    class Config(EncoderDecoder.Config):
        """As for every encoder-decoder on a fixed vector."""

        # at 1, units saturate from the start: on film reviews 500 updates then end at 0.70 nats, near chance
        gain: Gain = 0.5

    cell = nn.RNN


MODEL = Rnn
