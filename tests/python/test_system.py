"""What is held of the system stays usable: process ids find their process, listings cost what they did, `os` says what it can."""
import os
import sys
import tempfile
import unittest
from pathlib import Path

sys.path.insert(0, os.path.dirname(__file__))
import support


class ImportOfNumpy(unittest.TestCase):
    def test_the_first_seed_of_the_global_generator_is_not_held_with_the_jobs_own_entropy(self):
        job = "import os\nimport numpy as np\nprint(os.urandom(4).hex(), np.random.rand())\n"
        one, two = (support.run(job, level="off", settings={"entropy": "os"}).out.split() for _ in range(2))
        self.assertEqual(one[0], two[0])
        self.assertNotEqual(one[1], two[1])


class ProcessIds(unittest.TestCase):
    JOB = """import multiprocessing, os, subprocess, sys
me, above = os.getpid(), os.getppid()
print("result", me, above, os.getpgid(me) == os.getpgid(0), os.getsid(me) == os.getsid(0))
os.kill(me, 0)
os.kill(above, 0)


def child():
    own, parent = os.getpid(), os.getppid()
    print("result", own, own != me, parent == me, flush=True)
    os.kill(parent, 0)
    os.kill(own, 0)


if __name__ == "__main__":
    for _ in range(2):
        forked = os.fork()
        if forked == 0:
            child()
            os._exit(0)
        print("result", os.waitpid(forked, 0)[1], flush=True)
    fork = multiprocessing.get_context("fork").Process(target=child)
    fork.start()
    fork.join()
    text = "import os\\nown, parent = os.getpid(), os.getppid()\\nos.kill(parent, 0)\\nprint(own, parent)"
    started = subprocess.run([sys.executable, "-c", text], stdout=subprocess.PIPE).stdout.decode().split()
    print("result", fork.exitcode, started[0] != started[1], started[1] == str(me))
"""

    def test_held_ones_repeat_differ_between_processes_and_find_their_own(self):
        one, two = (support.run(self.JOB, level="off", settings={"entropy": "fixed"}) for _ in range(2))
        self.assertEqual((one.code, one.err, one.out), (0, "", two.out))
        lines = [line.split()[1:] for line in one.metric()]
        self.assertEqual(lines[0][2:], ["True", "True"])
        children = [line for line in lines[1:] if len(line) == 3 and line[0] != "0"]
        self.assertEqual([line[1:] for line in children], [["True", "True"]] * 3, one.out)
        self.assertEqual(len({line[0] for line in children}), 3)
        self.assertEqual(lines[-1], ["0", "True", "True"])


class Files(unittest.TestCase):
    def test_a_look_at_each_file_lists_the_folder_once_and_only_for_its_times(self):
        with tempfile.TemporaryDirectory() as folder:
            for i in range(200):
                Path(folder, "%03d" % i).touch()
            os.utime(folder, (1, 1))
            job = """import os, pathlib, sys
listed = []
import repro_audit_shim.settings.files as files
files._real_listdir = lambda path: listed.append(path) or listdir(path)
listdir = os.listdir.__wrapped__
names = [os.path.join(sys.argv[1], name) for name in os.listdir(sys.argv[1])]
assert all(os.path.isfile(name) and os.path.getsize(name) == 0 and pathlib.Path(name).exists() for name in names)
print("result", len(listed))
times = [os.path.getmtime(name) for name in names]
print("result", len(listed), times == sorted(times) and len(set(times)) == len(names))
print("result", [os.stat(name).st_mtime for name in names] == times,
      [pathlib.Path(name).stat().st_mtime for name in names] == times, len(listed))
"""
            path = support.folder_with("job.py", job)
            ran = support.run([sys.executable, path + "/job.py", folder], level="off",
                              settings={"order.filesystem": "sorted"})
            self.assertEqual(ran.metric(), ["result 0", "result 1 True", "result True True 1"], ran.err)

    def test_a_folder_that_changes_is_listed_anew(self):
        job = """import os
for name in ("b", "a", "c"):
    open(name, "w").close()
    print("result", [int(os.path.getmtime(n)) % 10 for n in sorted(os.listdir("."))])
"""
        ran = support.run(job, level="off", settings={"order.filesystem": "sorted"})
        self.assertEqual(ran.metric(), ["result [0]", "result [0, 1]", "result [0, 1, 2]"], ran.err)

    def test_what_os_says_it_can_is_as_before(self):
        job = """import os, shutil
os.makedirs("a/b")
open("a/b/c", "w").close()
shutil.rmtree("a")
print("result", os.path.exists("a"), shutil.rmtree.avoids_symlink_attacks, os.stat in os.supports_dir_fd,
      os.listdir in os.supports_fd, os.stat in os.supports_follow_symlinks)
"""
        plain = support.run(job, shim=False)
        held = support.run(job, level="off", settings={"order.filesystem": "sorted"})
        traced = support.run(job, level="off", trace=["order.filesystem"])
        self.assertEqual((held.out, traced.out), (plain.out, plain.out), held.err + traced.err)


if __name__ == "__main__":
    unittest.main()
