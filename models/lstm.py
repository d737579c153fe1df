"""LSTM: c_t = f_t * c_{t-1} + i_t * g_t, h_t = o_t * tanh(c_t)  (Hochreiter and Schmidhuber, 1997; Gers et al., 2000).

The gates f, i, o = sigmoid(W x_t + U h_{t-1} + b); the candidate g_t = tanh(W x_t + U h_{t-1} + b).
"""

from __future__ import annotations

from torch import nn

from models.layers.encoder_decoder import EncoderDecoder


class Lstm(EncoderDecoder):
    """LSTM to LSTM (Sutskever et al., 2014); both states of the decoder start from the encoder's last."""

    cell = nn.LSTM
    starts = 2


MODEL = Lstm
