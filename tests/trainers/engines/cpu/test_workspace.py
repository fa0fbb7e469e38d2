from __future__ import annotations

import torch

from trainers.engines.cpu.workspace import Workspace


def test_a_block_is_used_again_when_nothing_refers_to_it_any_more() -> None:
    space = Workspace(tokens=64, longest=64)
    first = space.matrix(torch.bfloat16, 40, 8)
    place, part = first.data_ptr(), first[:, :4]
    assert (first.shape, first.dtype, first.is_contiguous()) == ((40, 8), torch.bfloat16, True)
    other = space.matrix(torch.bfloat16, 64, 8)
    assert other.data_ptr() != place
    del first
    assert space.size_bytes == 0  # a part of it is still there
    del part
    assert space.size_bytes == 2 * 64 * 8
    assert space.matrix(torch.bfloat16, 64, 4, heads=2).data_ptr() == place


def test_autograd_does_not_take_what_it_keeps_for_modified_when_a_block_is_used_again() -> None:
    space = Workspace(tokens=4, longest=4)
    x = torch.ones(4, 2, requires_grad=True)
    kept = space.matrix(torch.float32, 4, 2).fill_(3.0)
    loss = (x * kept).sum()
    space.matrix(torch.float32, 4, 2).fill_(7.0)
    loss.backward()
    assert x.grad is not None
    assert float(x.grad.sum()) == 24.0


def test_a_larger_batch_than_was_known_gets_larger_blocks_and_the_old_ones_go() -> None:
    space = Workspace(tokens=4, longest=4)
    small = space.matrix(torch.float32, 4, 2)
    space.fit(8, 8)
    del small
    assert space.size_bytes == 0
    assert space.matrix(torch.float32, 8, 2).shape == (8, 2)
    assert space.size_bytes == 4 * 8 * 2
    assert space.scores(torch.float32, (2, 3, 5), heads=2, strip=3).shape == (2, 3, 5)
