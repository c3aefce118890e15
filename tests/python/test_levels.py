"""A level counts only while it is in effect: the job may seed a generator itself, or replace what holds a source."""
import os
import sys
import unittest

sys.path.insert(0, os.path.dirname(__file__))
import support


def told(job, settings):
    """[(setting, phase, ok, by the job, note)...] of all levels that were read back."""
    ran = support.run(job, level="off", settings=settings)
    assert ran.code == 0, ran.err
    return [(r["setting"], r["phase"], r["ok"], r.get("by_job", False), r["note"]) for r in ran.records("apply")]


class Seeds(unittest.TestCase):
    def test_a_number_of_the_jobs_own_is_not_the_level(self):
        job = """import random
import numpy as np
random.seed(5)
np.random.seed(5)
"""
        seen = told(job, {"seed.python": "0", "seed.numpy": "0"})
        for setting, line in (("seed.python", 3), ("seed.numpy", 4)):
            last = [r for r in seen if r[0] == setting][-1]
            self.assertEqual(last[1:4], ("end", False, True), seen)
            self.assertRegex(last[4], r"the job seeds it itself at .*job\.py:%d" % line)

    def test_so_it_is_for_torch_and_no_loader_worker_counts(self):
        job = """import torch
torch.manual_seed(int("5"))
class Data(torch.utils.data.Dataset):
    def __len__(self): return 4
    def __getitem__(self, i): return torch.rand(1)
for x in torch.utils.data.DataLoader(Data(), num_workers=2): pass
"""
        asked = {"seed.torch": "0", "seed.python": "0"}
        seen = {r[0]: r[1:] for r in told(job, asked)}
        self.assertEqual(seen["seed.torch"][:3], ("end", False, True))
        self.assertRegex(seen["seed.torch"][3], r"job\.py:2$")
        self.assertEqual(seen["seed.python"][:3], ("end", True, False))
        seen = told(job.replace('int("5")', "0"), asked)
        self.assertTrue(all(r[2] for r in seen), seen)

    def test_what_is_put_back_and_what_asks_for_entropy_leave_the_level_in_effect(self):
        job = """import random
import numpy as np
import torch
state, other = random.getstate(), np.random.get_state()
random.seed(3), np.random.seed(3)
random.setstate(state), np.random.set_state(other)
with torch.random.fork_rng():
    torch.manual_seed(3)
random.seed(), np.random.seed(), torch.seed()
"""
        seen = {r[0]: r[1:4] for r in told(job, {"seed.python": "0", "seed.numpy": "0", "seed.torch": "0"})}
        self.assertEqual(seen, dict.fromkeys(seen, ("end", True, False)))
        self.assertEqual(len(seen), 3)


class Replaced(unittest.TestCase):
    """Levels that are nothing but what stands in the place of a function."""

    CASES = {
        "clock": ("import time\ntime.time = lambda: 0.0\n", "time.time"),
        "order.filesystem": ("import os\nreal = os.scandir('.')\nos.listdir = lambda path='.': []\n", "posix.listdir"),
        "entropy": ("import os\nos.urandom = bytes\n", "posix.urandom"),
        "race": ("import threading\nthreading.Thread.join = lambda self, timeout=None: None\n", "Thread.join"),
    }

    def test_is_told_where_the_job_replaces_it(self):
        for setting, (job, name) in self.CASES.items():
            level = {"clock": "fixed", "entropy": "fixed", "race": "ordered"}.get(setting, "sorted")
            last = told(job, {setting: level})[-1]
            self.assertEqual(last[:3], (setting, "end", False))
            self.assertIn("the job itself replaces", last[4])
            self.assertIn(name.split(".")[1], last[4])

    def test_a_wrapper_around_it_leaves_it_in_effect(self):
        job = """import functools
import time
def timed(call):
    @functools.wraps(call)
    def now(): return call()
    return now
time.time, plain = timed(time.time), time.perf_counter
time.perf_counter = lambda: plain()
def closed(call): return lambda: call()
time.monotonic = closed(time.monotonic)
time.perf_counter = plain
"""
        self.assertEqual(told(job, {"clock": "fixed"})[-1][:3], ("clock", "end", True))


if __name__ == "__main__":
    unittest.main()
