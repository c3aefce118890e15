"""Each source of variation in three parts: without its setting the job parts, with it it repeats, its neighbours change nothing."""
import os
import sys
import unittest

sys.path.insert(0, os.path.dirname(__file__))
from jobs import CASES, three_parts

ONLY = os.environ.get("ONLY", "").split()


class Settings(unittest.TestCase):
    """One test per planted cause, made below."""


for _case in CASES:
    if not ONLY or _case.name in ONLY:
        setattr(Settings, "test_" + _case.name, three_parts(_case))


if __name__ == "__main__":
    unittest.main()
