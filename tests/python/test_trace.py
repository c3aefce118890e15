"""Tracing names the user's lines and never the shim's own doing."""
import os
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


if __name__ == "__main__":
    unittest.main()
