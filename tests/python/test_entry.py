"""Every way into an interpreter, each on a real one; and the ways that stay shut."""
import os
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

sys.path.insert(0, os.path.dirname(__file__))
import support

PYTHON = sys.executable
HELD = {"seed.python": "0"}
DRAW = "import random\nprint('result', random.random())\n"


def folder(**files):
    """A folder of files; `a__b` stands for `a/b`, a name without a dot for a Python file."""
    tmp = tempfile.mkdtemp(prefix="repro-audit-entry-")
    for name, text in files.items():
        path = Path(tmp, name.replace("__", "/") + ("" if "." in name else ".py"))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp


class Entry(unittest.TestCase):
    """Entered means: held, so that two runs print the same, and said so."""

    def enters(self, command, processes=1, **more):
        one, two = (support.run(command, level="off", settings=HELD, **more) for _ in range(2))
        self.assertEqual(one.code, 0, one.err)
        self.assertEqual(one.metric(), two.metric(), one.err)
        self.assertTrue(one.metric())
        self.assertGreaterEqual(len(one.entered), processes)
        self.assertTrue(any(r["setting"] == "seed.python" and r["ok"] for r in one.records("apply")))
        return one

    def test_script(self):
        tmp = folder(train=DRAW)
        self.enters([PYTHON, tmp + "/train.py"])

    def test_module(self):
        self.enters([PYTHON, "-m", "pkg.train"], cwd=folder(pkg____init__="", pkg__train=DRAW))

    def test_command(self):
        self.enters([PYTHON, "-c", DRAW])

    def test_optimised_and_without_user_site(self):
        self.enters([PYTHON, "-s", "-OO", "-c", DRAW])

    def test_shell_script(self):
        self.enters(["sh", "-c", '"%s" -c "import random; print(\'result\', random.random())"' % PYTHON])

    def test_console_script(self):
        tmp = folder(tool=DRAW)
        script = Path(tmp, "tool")
        script.write_text("#!%s\n%s" % (PYTHON, DRAW))
        script.chmod(0o700)
        self.enters([str(script)])

    def test_users_own_sitecustomize_still_runs(self):
        tmp = folder(sitecustomize="import builtins\nbuiltins.mine = 'result of mine'\n")
        ran = self.enters([PYTHON, "-c", DRAW + "print(mine)"], env={"PYTHONPATH": tmp})
        self.assertIn("result of mine", ran.out)

    def test_sitecustomize_that_raises_says_the_same(self):
        tmp = folder(sitecustomize="raise ValueError('broken of old')\n")
        env = {"PYTHONPATH": tmp}
        plain = support.run([PYTHON, "-c", DRAW], shim=False, env=env)
        ran = self.enters([PYTHON, "-c", DRAW], env=env)
        self.assertEqual(plain.err, ran.err)
        self.assertIn("broken of old", ran.err)

    def test_virtual_environment_with_its_own_sitecustomize(self):
        tmp = tempfile.mkdtemp(prefix="repro-audit-venv-")
        subprocess.run([PYTHON, "-m", "venv", "--without-pip", tmp], check=True)
        site = next(Path(tmp, "lib").glob("python*/site-packages"))
        (site / "sitecustomize.py").write_text("import builtins\nbuiltins.mine = 'result of venv'\n")
        ran = self.enters([tmp + "/bin/python", "-c", DRAW + "print(mine)"])
        self.assertIn("result of venv", ran.out)

    def test_children_fork_spawn_forkserver(self):
        text = """
import multiprocessing as mp
import random
import sys


def child(q):
    q.put(random.random())


if __name__ == "__main__":
    context = mp.get_context(sys.argv[1])
    q = context.Queue()
    for _ in range(2):
        p = context.Process(target=child, args=(q,))
        p.start()
        print("result", q.get())
        p.join()
"""
        tmp = folder(train=text)
        for way in ("fork", "spawn", "forkserver"):
            with self.subTest(way):
                self.enters([PYTHON, tmp + "/train.py", way])

    def test_isolated_and_siteless_are_not_entered(self):
        for flag in ("-I", "-E", "-S"):
            with self.subTest(flag):
                ran = support.run([PYTHON, flag, "-c", DRAW], level="off", settings=HELD)
                self.assertEqual(ran.code, 0)
                self.assertEqual((ran.entered, ran.files), ([], {}))

    def test_lost_path_shows_as_a_missing_entry(self):
        ran = support.run(["env", "-i", PYTHON, "-c", DRAW], level="off", settings=HELD)
        self.assertEqual((ran.code, ran.entered), (0, []))

    def test_leaves_a_process_that_trains_nothing_alone(self):
        ran = support.run([PYTHON, "-c", "import sys; print('result', 'json' in sys.modules, len(sys.path))"])
        plain = support.run([PYTHON, "-c", "import sys; print('result', 'json' in sys.modules, len(sys.path))"],
                            shim=False)
        self.assertEqual(ran.files, {})
        self.assertEqual(len(ran.entered), 1)
        self.assertEqual(ran.out.split()[-1], plain.out.split()[-1])

    def test_unwritable_record_is_silence_not_failure(self):
        ran = support.run([PYTHON, "-c", DRAW], level="off", settings=HELD, record="/proc/nowhere")
        self.assertEqual((ran.code, ran.err), (0, ""))

    def test_broken_instructions_leave_the_job_alone(self):
        tmp = folder(bad="{ not json")
        ran = support.run([PYTHON, "-c", DRAW], shim=False,
                          env={"PYTHONPATH": str(support.unpacked()), "REPRO_AUDIT_SHIM": tmp + "/bad.py"})
        self.assertEqual((ran.code, ran.err), (0, ""))

    def test_reload_keeps_the_hooks(self):
        text = "import importlib, random\nimportlib.reload(random)\nprint('result', random.random())"
        self.enters([PYTHON, "-c", text])


class Ranks(unittest.TestCase):
    """torchrun: the agent and two ranks, one file each."""

    def test_two_ranks_write_their_own_files(self):
        text = """
import torch
import torch.distributed as dist
from torch.nn.parallel import DistributedDataParallel
dist.init_process_group("gloo")
torch.manual_seed(0)
model = DistributedDataParallel(torch.nn.Linear(4, 1))
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for step in range(3):
    loss = model(torch.ones(2, 4) * (dist.get_rank() + 1)).pow(2).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
print("result", dist.get_rank(), loss.item())
dist.destroy_process_group()
"""
        tmp = folder(train=text)
        command = [PYTHON, "-m", "torch.distributed.run", "--nproc_per_node", "2", "--master_port", "0",
                   "--rdzv_backend", "c10d", "--rdzv_endpoint", "localhost:0", tmp + "/train.py"]
        for _ in range(3):
            ran = support.run(command)
            if ran.code == 0:
                break  # a rank was once seen to abort (signal 6) on a busy machine, at the end or at a lost port
        self.assertEqual(ran.code, 0, ran.err[-2000:])
        by_rank = {}
        for records in ran.files.values():
            by_rank.setdefault(records[0]["rank"], []).extend(r for r in records if r["r"] == "step")
        self.assertEqual([len(by_rank[0]), len(by_rank[1])], [3, 3])
        for a, b in zip(by_rank[0], by_rank[1]):
            one, other = dict((x[0], x[1]) for x in a["items"]), dict((x[0], x[1]) for x in b["items"])
            self.assertEqual(one["grads"], other["grads"])
            self.assertNotEqual(one["loss"], other["loss"])


if __name__ == "__main__":
    unittest.main()
