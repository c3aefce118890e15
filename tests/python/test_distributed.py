"""`repro-audit diff` of what torch.distributed.checkpoint saves, against torch itself, on random models in random pieces."""
import os
import random
import sys
import tempfile
import unittest
from pathlib import Path

import torch

sys.path.insert(0, os.path.dirname(__file__))
from test_checkpoint import ROOT, Random, diff, expected

sys.path.insert(0, str(ROOT / "fixtures" / "checkpoints"))
from make import Sharded, save


def rows(make, tensor):
    """The tensor in pieces of whole rows, or as it is."""
    if tensor.dim() == 0 or tensor.shape[0] < 2 or not tensor.numel() or make.random() < 0.3:
        return tensor
    cuts = sorted({0, tensor.shape[0], *(make.randrange(tensor.shape[0]) for _ in range(2))})
    rest = [0] * (tensor.dim() - 1)
    return Sharded(tensor.contiguous(), [([a, *rest], [b - a, *tensor.shape[1:]]) for a, b in zip(cuts, cuts[1:])])


class Distributed(unittest.TestCase):
    def setUp(self):
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.folder = Path(scratch.name)

    def test_random_models(self):
        for seed in range(12):
            make, tensors = random.Random(seed), Random(seed)
            a = {f"t{i}": tensors.tensor() for i in range(10)}
            b = {name: tensors.changed(tensor) for name, tensor in a.items()}
            save({"m": {name: rows(make, tensor) for name, tensor in a.items()}, "epoch": 3}, self.folder / "a")
            save({"m": {name: rows(make, tensor) for name, tensor in b.items()}, "epoch": 3}, self.folder / "b")
            torch.save({"m": b, "epoch": 3}, self.folder / "b.pt")
            for other in ["b", "b.pt"]:
                code, compared, report = diff(self.folder / "a", self.folder / other)
                want = {f"m.{name}": expected(a[name], b[name]) for name in a}
                self.assertEqual(code, int(any(one["differing"] for one in want.values())), report)
                found = {one["name"]: one for one in compared["tensors"]}
                self.assertEqual(set(found), set(want), f"{seed} {other}")
                for name, one in want.items():
                    self.assertEqual(found[name]["differing"], one["differing"], f"{seed} {other} {name}")
                    self.assertEqual(found[name]["elements"], a[name[2:]].numel(), f"{seed} {other} {name}")
                    if one["differing"]:
                        self.assertEqual(found[name]["spread"]["first"]["index"], one["first"], f"{seed} {name}")

    def test_columns_are_compared_piece_by_piece(self):
        w = torch.arange(12.0).reshape(2, 6)
        columns = [([0, 0], [2, 2]), ([0, 2], [2, 4])]
        save({"w": Sharded(w, columns)}, self.folder / "a")
        w[1, 3] = 0.0
        save({"w": Sharded(w, columns)}, self.folder / "b")
        self.assertEqual(diff(self.folder / "a", self.folder / "a")[0], 0)
        code, compared, _ = diff(self.folder / "a", self.folder / "b")
        kinds = {one["name"]: one["kind"] for one in compared["tensors"]}
        self.assertEqual((code, kinds), (1, {"w[0:2,0:2]": "equal", "w[0:2,2:6]": "value"}))


if __name__ == "__main__":
    unittest.main()
