"""The switches of the arithmetic and of loaders, each in three parts as the other settings, and all of them read back."""
import os
import sys
import unittest

sys.path.insert(0, os.path.dirname(__file__))
import support
from jobs import SWITCHES, TRAIN, three_parts

ONLY = os.environ.get("ONLY", "").split()


class Switches(unittest.TestCase):
    """One test per switch, made below."""


for _case in SWITCHES:
    if not ONLY or _case.name in ONLY:
        setattr(Switches, "test_" + _case.name, three_parts(_case))


class Flags(unittest.TestCase):
    """Levels of torch's own switches hold against the job and are read back."""

    JOB = TRAIN + """
torch.set_num_threads(2)
torch.backends.cudnn.benchmark = True
torch.backends.cudnn.deterministic = False
torch.backends.cudnn.enabled = False
torch.use_deterministic_algorithms(False)
torch.backends.cuda.matmul.allow_tf32 = True
if hasattr(torch.backends, "fp32_precision"):
    torch.backends.cuda.matmul.fp32_precision = "tf32"
torch.backends.cuda.enable_flash_sdp(True)
if hasattr(torch, "compile"):
    model = torch.compile(torch.nn.Linear(2, 2))
    assert type(model) is torch.nn.Linear
    print("compiled")
with torch.backends.cudnn.flags(enabled=False):
    pass
train(data())
print("result", torch.get_num_threads(), torch.backends.cudnn.benchmark, torch.cuda.is_available())
"""

    def test_are_enforced_and_read_back(self):
        asked = {"threads": "1", "cudnn.benchmark": "off", "cudnn.deterministic": "on", "cudnn.enabled": "on",
                 "deterministic_algorithms": "on", "cuda.tf32": "off", "sdpa.backend": "math", "compile": "off",
                 "device": "cpu", "no.such": "1", "threads.x": "2"}
        ran = support.run(self.JOB, settings=asked)
        self.assertEqual(ran.code, 0, ran.err)
        self.assertIn("result 1 False False", ran.out)
        last = {r["setting"]: r for r in ran.records("apply")}
        for setting, level in asked.items():
            if "no.such" in setting or setting == "threads.x":
                self.assertFalse(last[setting]["ok"])
                continue
            self.assertTrue(last[setting]["ok"], last[setting])
            self.assertEqual(last[setting]["read_back"], level)
        overridden = {r["setting"]: r for r in ran.records("override")}
        compiled = ["compile"] if "compiled" in ran.out else []  # torch before 2.0 has no such thing
        for setting in ["threads", "cudnn.benchmark", "deterministic_algorithms", "cuda.tf32"] + compiled:
            self.assertTrue(overridden[setting]["file"].endswith("job.py"), overridden)

    def test_a_card_that_is_not_there_is_refused(self):
        for level in ("cuda", "cuda:1"):
            ran = support.run(TRAIN + "train(data())\n", settings={"device": level}, env={"CUDA_VISIBLE_DEVICES": ""})
            self.assertEqual(ran.code, 0, ran.err)
            told = ran.records("apply")[-1]
            self.assertEqual((told["setting"], told["asked"], told["ok"]), ("device", level, False), told)

    def test_are_read_back_at_the_first_step_and_at_the_end_without_a_recording(self):
        job = TRAIN + """
torch.set_num_threads.__wrapped__(2)
train(data())
torch.set_num_threads.__wrapped__(1)
"""
        ran = support.run(job, level="off", settings={"threads": "1"})
        self.assertEqual((ran.code, ran.err, ran.records("step")), (0, "", []))
        told = [(r["phase"], r["read_back"], r["ok"]) for r in ran.records("apply")]
        self.assertEqual(told, [("import", "1", True), ("step", "2", False), ("end", "1", True)])

    def test_a_job_that_stays_on_the_cpu_does_not_have_the_level_of_a_card(self):
        for ends, phase in (("train(data())", "step"), ("torch.nn.Linear(2, 2)(torch.ones(2))", "end")):
            job = TRAIN + """
torch.cuda.is_available = lambda: True
from repro_audit_shim.settings import flags
flags._on_card(torch, "device", "cuda")
%s
""" % ends
            ran = support.run(job, level="off", settings={"threads": "1"})
            told = [(r["phase"], r["read_back"]) for r in ran.records("apply") if r["setting"] == "device" and not r["ok"]]
            self.assertIn((phase, "cpu"), told, ran.err)

    def test_announce_nondeterministic_operations_without_a_word_to_the_job(self):
        job = TRAIN + """
import warnings
warnings.simplefilter("ignore")
x = torch.zeros(4, requires_grad=True)
torch.zeros(3).put_(torch.tensor([0, 0]), torch.ones(2), accumulate=False)
train(data())
"""
        ran = support.run(job, settings={"deterministic_algorithms": "warn"})
        self.assertEqual(ran.code, 0, ran.err)
        self.assertEqual(ran.err, "")

    def test_force_loader_arguments(self):
        job = TRAIN + """
from torch.utils.data import DataLoader
train(DataLoader(torch.arange(64.0).reshape(16, 4), batch_size=2, num_workers=2, persistent_workers=True,
                 prefetch_factor=4, timeout=30))
"""
        ran = support.run(job, settings={"num_workers": "0", "batch_size": "4"})
        self.assertEqual(ran.code, 0, ran.err)
        self.assertEqual(len(ran.metric()), 4)
        told = {r["setting"]: r for r in ran.records("apply") if r["phase"] == "loader"}
        self.assertEqual((told["num_workers"]["read_back"], told["batch_size"]["read_back"]), ("0", "4"))
        self.assertEqual([len(ran.records("loader")), ran.records("loader")[0]["num_workers"]], [1, 0])

    def test_copies_are_waited_for_where_the_card_is_to_keep_the_order(self):
        job = """import torch
asked = []
class Spy(torch.utils._python_dispatch.TorchDispatchMode):
    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        given = [kwargs.get("non_blocking", False), *[value for value in args[1:] if isinstance(value, bool)]]
        if "copy" in str(func):
            asked.append(any(given))
        return func(*args, **kwargs)
one, other = torch.zeros(2), torch.zeros(2, dtype=torch.float64)
with Spy():
    one.copy_(other, True)
    one.copy_(other, non_blocking=True)
    one.to(torch.float64, non_blocking=True)
    one.to("cpu", torch.float64, True, True)
print("result", len(asked), any(asked))
"""
        spoken = "import torch.utils._python_dispatch\n" + job
        told = lambda ran: [(r["ok"], r["note"]) for r in ran.records("apply")]
        ran = support.run(spoken, settings={"cuda.streams": "ordered"}, env={"CUDA_LAUNCH_BLOCKING": "1"})
        self.assertEqual((ran.out, told(ran)[-1]), ("result 4 False\n", (True, "4 copies waited for so far")), ran.err)
        self.assertEqual(support.run(spoken, shim=False).out, "result 4 True\n")
        ran = support.run(spoken, settings={"cuda.streams": "ordered"})
        self.assertEqual(told(ran), [(False, "CUDA_LAUNCH_BLOCKING is not 1 in this process")])

    def test_refuse_levels_they_do_not_know(self):
        ran = support.run(TRAIN + "train(data())", settings={"threads": "many", "sdpa.backend": "best"})
        self.assertEqual([r["ok"] for r in ran.records("apply")], [False, False])


if __name__ == "__main__":
    unittest.main()
