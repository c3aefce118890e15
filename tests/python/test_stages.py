"""The first differing item of two records points at the planted cause."""
import os
import sys
import unittest

sys.path.insert(0, os.path.dirname(__file__))
from jobs import CASES, once

ONLY = os.environ.get("ONLY", "").split()


class Stages(unittest.TestCase):
    """The first differing item of two records points at the planted cause."""


def make_stage(case):
    def test(self):
        for _ in range(4):
            ran = [once(case, level="full", text=case.full) for _ in range(2)]
            if ran[0].out != ran[1].out:
                break
        a, b = (r.records("step") for r in ran[:2])
        for one, other in zip(a, b):
            pairs = [(x[0], x[1]) for x in one["items"]], [(x[0], x[1]) for x in other["items"]]
            first = [x[0] for x, y in zip(*pairs) if x != y and not x[0].startswith("rng.")]
            if first:
                self.assertIn(first[0].replace("inputs", "batch"), (case.stage,))
                return
        self.fail("the records do not part")

    return test


for _case in CASES:
    if _case.stage and (not ONLY or _case.name in ONLY):
        setattr(Stages, "test_" + _case.name, make_stage(_case))


if __name__ == "__main__":
    unittest.main()
