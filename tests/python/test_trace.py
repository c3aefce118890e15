"""Tracing names the user's lines and never the shim's own doing."""
import os
import sys
import unittest

import support

SOURCES = ["seed.python", "seed.numpy", "entropy", "clock", "order.filesystem"]


class Trace(unittest.TestCase):
    def test_saying_hello_is_not_traced_as_the_jobs_doing(self):
        job = "import random\nrandom.seed(1)\nimport numpy\nnumpy.random.seed(2)\nprint('result', random.random())\n"
        ran = support.run(job, trace=SOURCES)
        self.assertEqual(ran.records("fault"), [])
        self.assertEqual([r["generator"] for r in ran.records("seed")], ["python", "numpy"])
        self.assertEqual([r["source"] for r in ran.records("trace")], ["seed.python"])
        self.assertEqual(ran.records("trace")[0]["line"], 5)

    def test_a_place_that_is_used_again_is_told_again_before_the_end(self):
        job = "import os, time\nfor _ in range(3):\n    time.time()\nprint('result', flush=True)\nos._exit(0)\n"
        ran = support.run(job, trace=SOURCES)
        self.assertEqual([r["count"] for r in ran.records("trace")], [1, 2])

    def test_a_library_that_takes_the_global_generator_is_told_with_the_users_line(self):
        library = ("import numpy\ndef check_random_state(seed):\n"
                   "    return numpy.random.mtrand._rand if seed is None else numpy.random.RandomState(seed)\n")
        folder = support.folder_with("site-packages/sklearn/utils/validation.py", library)
        with open(os.path.join(folder, "site-packages/sklearn/utils/__init__.py"), "w") as file:
            file.write("from sklearn.utils.validation import check_random_state\n")
        job = ("from sklearn.utils import check_random_state\ncheck_random_state(3).rand()\n"
               "print('result', check_random_state(None).rand())\n")
        ran = support.run(job, trace=["seed.numpy"], env={"PYTHONPATH": os.path.join(folder, "site-packages")})
        places = [(r["source"], r["kind"], r["line"]) for r in ran.records("trace")]
        self.assertEqual((places, ran.records("fault")), ([("seed.numpy", "draw", 3)], []), ran.err)

    def test_copies_from_a_card_that_nobody_waits_for_are_told_and_not_those_of_ours(self):
        job = """import torch, repro_audit_shim.card
from torch._subclasses.fake_tensor import FakeTensorMode
with FakeTensorMode():  # tensors that say they are on a card, where there is none
    card, host = torch.empty(4, device="cuda"), torch.empty(4)
    host.copy_(card)
    card.to("cpu")
    card.copy_(host, non_blocking=True)
    host.copy_(card, non_blocking=True)
    card.to("cpu", torch.float64, True)
    exec(compile("host.copy_(card, True)", repro_audit_shim.card.__file__, "exec"))
"""
        ran = support.run(job, level="off", trace=["cuda.streams"])
        places = [(r["kind"], r["line"]) for r in ran.records("trace")]
        self.assertEqual((places, ran.records("fault")), ([("copy", 8), ("copy", 9)], []), ran.err)

    def test_what_a_library_generates_for_itself_is_not_the_jobs_own(self):
        folder = support.folder_with("tmp/generated_layer.py", "import random\ndef layer():\n    return random.random()\n")
        job = ("import sys\nsys.path.append(sys.argv[1])\nimport generated_layer\n"
               "def train():\n    return generated_layer.layer()\ntrain()\nprint('result')\n")
        script = os.path.join(support.folder_with("job.py", job), "job.py")
        temporary = os.path.join(folder, "tmp")
        for env, line in (({"TMPDIR": temporary}, 5), ({}, 3)):
            ran = support.run([sys.executable, script, temporary], level="off", trace=["seed.python"], env=env)
            self.assertEqual([r["line"] for r in ran.records("trace")], [line], ran.err)

    def test_lines_that_walk_a_set_are_told_before_a_job_is_stopped(self):
        other = "names = {'a', 'b'}\ndef walk():\n    return [name for name in names]\n"
        folder = support.folder_with("common.py", other)
        job = "import os, common\nfor name in {'c', 'd'}:\n    pass\nprint('result', flush=True)\nos._exit(0)\n"
        ran = support.run(job, trace=["hashseed"], env={"PYTHONPATH": folder})
        places = [(r["file"].split("/")[-1], r["line"]) for r in ran.records("trace")]
        self.assertEqual((ran.code, places, ran.records("fault")), (0, [("job.py", 2), ("common.py", 3)], []), ran.err)
        again = support.run(job.replace("os._exit(0)", "import torch"), trace=["hashseed"], env={"PYTHONPATH": folder})
        self.assertEqual(len(again.records("trace")), 2)
        self.assertTrue(again.records("libraries")[0]["torch"])

    def test_results_that_are_awaited_as_they_come_are_told_and_so_is_work_that_is_shared_out(self):
        job = """import asyncio, multiprocessing
async def load(i):
    return i
async def all_of_them():
    return [await one for one in asyncio.as_completed([load(i) for i in range(3)])]
if __name__ == "__main__":
    asyncio.run(all_of_them())
    with multiprocessing.Pool(2) as pool:
        pool.map(abs, range(4))
    print("result")
"""
        ran = support.run(job, level="off", trace=["race"])
        places = [(r["what"], r["kind"], r["line"]) for r in ran.records("trace") if r["line"]]
        self.assertEqual((places, ran.records("fault")), ([("as_completed", "order", 5), ("Pool.map", "start", 9)], []), ran.err)

    def test_the_import_of_another_framework_is_told(self):
        folder = support.folder_with("jax/__init__.py", "__version__ = '0.10.2'\n")
        ran = support.run("import jax\nprint('result')\n", env={"PYTHONPATH": folder})
        self.assertEqual([r["jax"] for r in ran.records("libraries")], ["0.10.2"], ran.err)


if __name__ == "__main__":
    unittest.main()
