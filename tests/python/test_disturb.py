"""A disturbed run gets other seeds than it asks for, by every function that takes one, and says so."""
import os
import sys
import unittest

sys.path.insert(0, os.path.dirname(__file__))
import support

SEEDED = """
import random
random.seed(7)
own = random.Random("seven")
import numpy as np
np.random.seed(7)
new = np.random.default_rng([7, 8])
import torch
torch.manual_seed(7)
generator = torch.Generator()
generator.manual_seed(7)
print(random.random(), own.random(), np.random.rand(), new.random(), torch.rand(1), torch.rand(1, generator=generator))
print(torch.initial_seed(), generator.initial_seed())
"""


class Disturb(unittest.TestCase):
    def test_every_seed_is_another_one_and_is_told(self):
        plain = support.run(SEEDED, level="off")
        disturbed = support.run(SEEDED, level="off", disturb=True)
        again = support.run(SEEDED, level="off", disturb=True)
        self.assertEqual(disturbed.out, again.out)
        self.assertEqual(plain.records("disturbed"), [])
        kept = set(plain.out.split()) & set(disturbed.out.split())
        self.assertEqual(kept, set(), "some value did not move")
        self.assertEqual(disturbed.out.splitlines()[-1], "6 6", "the lowest bit of the seed, flipped once")
        told = [(r["how"], r["asked"], r["given"], r["line"]) for r in disturbed.records("disturbed")]
        self.assertEqual(told, [
            ("random.seed", "7", "6", 3), ("random.Random", "'seven'", '"seven\'"', 4),
            ("numpy.random.seed", "7", "6", 6), ("numpy.random.default_rng", "[7, 8]", "[6, 8]", 7),
            ("torch.manual_seed", "7", "6", 9), ("torch.Generator.manual_seed", "7", "6", 11)])
        self.assertEqual(disturbed.records("fault"), [])

    def test_levels_that_seed_are_disturbed_too(self):
        job = "import random, torch\nprint(random.random(), torch.rand(1))"
        levels = {"seed.python": "1", "seed.torch": "1"}
        plain = support.run(job, level="off", settings=levels)
        disturbed = support.run(job, level="off", settings=levels, disturb=True)
        self.assertEqual(set(plain.out.split()) & set(disturbed.out.split()), set())
        self.assertEqual({r["how"] for r in disturbed.records("disturbed")}, set(levels))

    def test_what_takes_no_seed_is_left_alone(self):
        job = "import random\nrandom.Random().random()\nrandom.seed()\nprint(sorted([3, 1]))"
        ran = support.run(job, level="off", disturb=True)
        self.assertEqual((ran.code, ran.records("disturbed"), ran.out), (0, [], "[1, 3]\n"))


if __name__ == "__main__":
    unittest.main()
