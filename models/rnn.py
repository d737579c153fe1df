"""Vanilla RNN: h_t = tanh(W x_t + U h_{t-1} + b)  (Elman, 1990), as encoder and as decoder."""

from __future__ import annotations

from torch import nn

from models.layers.encoder_decoder import EncoderDecoder


class Rnn(EncoderDecoder):
    """Elman's network; the decoder starts from the encoder's last state (Sutskever et al., 2014)."""

    cell = nn.RNN


MODEL = Rnn
