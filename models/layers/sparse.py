"""A fixed sparse matrix times a dense one on a processor, by whichever of torch's kernels is faster."""

from __future__ import annotations

import warnings

import torch
from jaxtyping import Float
from torch import Tensor

WIDE = 24  # columns from which weighted sums of rows (FBGEMM) are faster than a product of MKL


class Sparse:
    """M (R, C), most of it zero, taken apart once; no gradient passes.

    Places are of 32 bits: MKL would convert others at every product.
    """

    def __init__(self, matrix: Float[Tensor, "R C"]) -> None:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Sparse CSR tensor support is in beta")
            made = matrix.to_sparse_csr()
            rows, self.places, self.weights = made.crow_indices().int(), made.col_indices().int(), made.values()
            self.product = torch.sparse_csr_tensor(rows, self.places, self.weights, made.shape, check_invariants=True)
        self.starts = rows[:-1].contiguous()

    def plus(self, added: Float[Tensor, "R B"], dense: Float[Tensor, "C B"]) -> Float[Tensor, "R B"]:
        """`added` + M `dense`, a new tensor; all three of one type of number."""
        if dense.shape[1] < WIDE or dense.dtype != torch.float32:
            return torch.addmm(added, self.product, dense)
        # each row of the product is a weighted sum of rows, which is a bag of embeddings
        summed: Tensor = torch.embedding_bag(dense, self.places, self.starts, False, 0, False, self.weights)[0]
        return summed.add_(added)
