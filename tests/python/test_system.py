"""What is held of the system stays usable: process ids find their process, listings cost what they did, `os` says what it can."""
import os
import sys
import tempfile
import unittest
from pathlib import Path

sys.path.insert(0, os.path.dirname(__file__))
import support


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


if __name__ == "__main__":
    unittest.main()
