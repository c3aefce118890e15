"""Watching changes nothing: output, exit code and final generators are the same bit for bit with and without the shim."""
import importlib.util
import os
import sys
import unittest

sys.path.insert(0, os.path.dirname(__file__))
import support

HEAD = """
import random
import numpy as np
import torch
import torch.nn as nn
random.seed(1); np.random.seed(1); torch.manual_seed(1)
def net():
    return nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Dropout(0.1), nn.Linear(8, 1))
model = net()
xs = torch.randn(32, 4)
"""
TAIL = """
print("result", random.random(), np.random.rand(), torch.rand(1).item().hex(),
      [p.double().sum().item().hex() for p in model.parameters()])
"""
JOBS = {
    "workers": """
from torch.utils.data import DataLoader, Dataset
class D(Dataset):
    def __len__(self): return 32
    def __getitem__(self, i): return xs[i] + 0.1 * torch.randn(4) + random.random() + float(np.random.rand())
opt = torch.optim.Adam(model.parameters())
for epoch in range(2):
    for x in DataLoader(D(), batch_size=8, shuffle=True, num_workers=2):
        loss = model(x).pow(2).mean(); opt.zero_grad(); loss.backward(); opt.step(); print("loss", loss.item().hex())
""",
    "two_optimizers_and_accumulation": """
other = net()
a, b = torch.optim.AdamW(model.parameters()), torch.optim.SGD(other.parameters(), lr=0.1, momentum=0.9, nesterov=True)
for i in range(4):
    for part in xs.split(16):
        (model(part).mean() / 2).backward()
    a.step(); a.zero_grad()
    loss = other(model(xs).detach().repeat(1, 4)).pow(2).mean(); b.zero_grad(); loss.backward(); b.step()
    print("loss", loss.item().hex())
""",
    "closure": """
opt = torch.optim.LBFGS(model.parameters(), max_iter=3)
model.eval()
def closure():
    opt.zero_grad(); loss = model(xs).pow(2).mean(); loss.backward(); return loss
for i in range(3):
    print("loss", opt.step(closure).item().hex())
""",
    "scaler_skips_a_step": """
opt = torch.optim.SGD(model.parameters(), lr=0.1)
if not hasattr(torch.amp, "GradScaler"):
    raise SystemExit("skipped: this torch scales gradients on a card only")
scaler = torch.amp.GradScaler("cpu", init_scale=1024.0)
for i in range(4):
    opt.zero_grad(); loss = model(xs).pow(2).mean() * (float("inf") if i == 1 else 1)
    scaler.scale(loss).backward(); scaler.step(opt); scaler.update(); print("loss", loss.item(), scaler.get_scale())
""",
    "by_hand_and_functional": """
for i in range(3):
    loss = model(xs).pow(2).mean()
    for p, g in zip(model.parameters(), torch.autograd.grad(loss, list(model.parameters()))):
        p.data.sub_(0.1 * g)
    print("loss", loss.item().hex())
f = lambda w, x: (x @ w).pow(2).sum()
if hasattr(torch, "func"):
    print("result", torch.func.vmap(torch.func.grad(f), in_dims=(None, 0))(torch.ones(4), xs).sum().item().hex())
""",
    "odd_tensors": """
opt = torch.optim.SparseAdam(nn.Embedding(4, 4, sparse=True).parameters())
emb = nn.Embedding(6, 4, sparse=True)
opt = torch.optim.SparseAdam(emb.parameters())
half = nn.Linear(4, 2).bfloat16()
o2 = torch.optim.SGD(half.parameters(), lr=0.1)
conv = nn.Conv2d(3, 4, 3).to(memory_format=torch.channels_last)
o3 = torch.optim.SGD(conv.parameters(), lr=0.1)
unused = nn.Linear(2, 2)
o3.add_param_group({"params": list(unused.parameters())})
for i in range(3):
    opt.zero_grad(); loss = emb(torch.tensor([0, 1, i])).sum(); loss.backward(); opt.step()
    o2.zero_grad(); half(xs.bfloat16()).float().sum().backward(); o2.step()
    o3.zero_grad(); conv(torch.randn(2, 3, 8, 8)).pow(2).sum().backward(); o3.step()
    print("loss", loss.item().hex())
with torch.no_grad():
    if torch.__version__ > "2":
        print("result", conv(torch.ones(0, 3, 8, 8)).shape)
    print("result", model(xs[:0]).shape)
""",
    "inference_and_errors": """
model.eval()
with torch.inference_mode():
    for x in xs.split(8): print("result", model(x).sum().item().hex())
try:
    model(torch.ones(3))
except RuntimeError as e:
    print("result", type(e).__name__)
import pickle, copy, functools
print("result", pickle.loads(pickle.dumps(random.random)).__name__, copy.deepcopy(model)(xs).sum().item().hex())
print("result", type(pickle.loads(pickle.dumps(nn.Linear(2, 2)))).__name__, isinstance(torch.Generator(), torch.Generator))
""",
}


class Observer(unittest.TestCase):
    """One test per kind of job, made below."""


def make(text):
    def test(self):
        plain = support.run(HEAD + text + TAIL, shim=False)
        if plain.err.startswith("skipped: "):
            self.skipTest(plain.err.strip())
        seen = support.run(HEAD + text + TAIL)
        self.assertEqual(plain.code, 0, plain.err)
        self.assertEqual(plain.out, seen.out)
        self.assertEqual((plain.code, plain.err), (seen.code, seen.err))
        self.assertEqual(seen.records("fault"), [])
        again = support.run(HEAD + text + TAIL)
        digests = [[(r["r"], r.get("n"), r.get("d"), r.get("items")) for r in x.records()
                    if r["r"] in ("step", "output", "start")] for x in (seen, again)]
        self.assertEqual(digests[0], digests[1])

    return test


for _name, _text in JOBS.items():
    setattr(Observer, "test_" + _name, make(_text))


class Compiled(unittest.TestCase):
    """What the compiler follows into our hooks: the job may forbid it to leave the graph, or take warnings for errors."""

    STEP = """import warnings
import torch
if not hasattr(torch, "compiler"):
    raise SystemExit("skipped: this torch cannot be asked whether it compiles")
warnings.simplefilter("error", UserWarning)
torch.manual_seed(0)
model, xs = torch.nn.Linear(4, 1), torch.randn(8, 4)
opt = torch.optim.SGD(model.parameters(), 0.1)
@torch.compile(backend="eager")
def step():
    opt.step()
for i in range(3):
    opt.zero_grad(); loss = model(xs).pow(2).mean(); loss.backward(); step(); print("loss", loss.item().hex())
"""
    GRAPH = """import torch
if not hasattr(torch, "compiler"):
    raise SystemExit("skipped: this torch cannot be asked whether it compiles")
torch.manual_seed(0)
class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.linear, self.drop = torch.nn.Linear(4, 4), torch.nn.Dropout(0.5)
    def forward(self, x):
        y = self.drop(self.linear(x))
        y = y + torch.rand_like(y) + torch.empty_like(y).normal_() + y.new_empty(4).fill_(1) + torch.randn(4)
        return y.pow(2).mean()
model, xs = Net(), torch.randn(8, 4)
opt = torch.optim.SGD(model.parameters(), 0.1)
compiled = torch.compile(model, fullgraph=True, backend="eager")
for i in range(3):
    opt.zero_grad(); loss = compiled(xs); loss.backward(); opt.step(); print("loss", loss.item().hex())
"""

    def same(self, job, **asked):
        plain = support.run(job, shim=False)
        if plain.err.startswith("skipped: "):
            self.skipTest(plain.err.strip())
        seen = support.run(job, **asked)
        self.assertEqual((plain.code, plain.out), (0, seen.out), plain.err + seen.err)
        self.assertNotIn("repro_audit_shim", seen.err)
        self.assertEqual(seen.records("fault"), [])

    def test_step(self):
        self.same(self.STEP)

    def test_whole_graph_while_traced(self):
        self.same(self.GRAPH, trace=["seed.torch", "uninitialised"])

    def test_whole_graph_while_memory_is_held(self):
        self.same(self.GRAPH, level="off", settings={"uninitialised": "zero"})



class Steps(unittest.TestCase):
    """What the records say."""

    TRAIN = HEAD + JOBS["two_optimizers_and_accumulation"] + TAIL

    def test_items_come_in_order_of_execution(self):
        ran = support.run(self.TRAIN)
        step = ran.records("step")[0]
        names = [x[0] for x in step["items"] if not x[0].startswith("rng.")]
        self.assertEqual(names, ["params_before", "inputs", "loss", "grads", "lr", "params", "optimizer"])
        losses = next(x for x in step["items"] if x[0] == "loss")[1]
        self.assertEqual([len(losses), losses[0][1]], [2, "float32"])

    def test_a_step_that_calls_its_parents_is_one_step(self):
        text = """import torch
class Mine(torch.optim.SGD):
    def step(self, closure=None):
        return super().step(closure)
weight = torch.nn.Parameter(torch.ones(4))
unused, optimizer = torch.optim.SGD([weight], lr=0.1), Mine([weight], lr=0.1)
for step in range(4):
    weight.square().sum().backward()
    optimizer.step()
    print('loss', weight.sum().item())
"""
        ran = support.run(text)
        self.assertEqual((len(ran.records("step")), len(ran.metric())), (4, 4))
        self.assertTrue(all(any(x[0] == "grads" for x in r["items"]) for r in ran.records("step")))

    def test_a_clock_that_the_job_puts_in_place_is_not_read_by_us(self):
        clock = """import time
ticks = [0]
def tick():
    ticks[0] += 1
    return ticks[0]
time.time = time.monotonic = time.perf_counter = time.perf_counter_ns = tick
"""
        text = clock + self.TRAIN + "with torch.no_grad(): model(xs)\nprint('result', ticks)\n"
        ran = support.run(text)
        self.assertTrue(ran.records("step") and ran.records("output"))
        self.assertEqual(ran.out, support.run(text, shim=False).out)

    def test_light_looks_at_no_weights(self):
        ran = support.run(self.TRAIN, level="light")
        names = {x[0] for r in ran.records("step") for x in r["items"]}
        self.assertTrue({"loss", "lr", "rng.torch"} <= names)
        self.assertFalse(names & {"params", "grads", "params_before", "optimizer"})

    def test_drills_one_step_only(self):
        ran = support.run(self.TRAIN, drill={"step": 1})
        ops = ran.records("op")
        self.assertTrue(any("addmm" in r["name"] for r in ops))
        self.assertTrue(any("backward" in r["name"] for r in ops))
        self.assertTrue(all(r["step"] == 1 and r["file"].endswith("job.py") for r in ops))
        [told] = ran.records("drilled")
        self.assertTrue(0 < told["again"] <= len(ops), told)
        self.assertEqual((told["step"], told["late"], told["failed"], told["error"]), (1, 0, 0, None))
        self.assertEqual(ran.out, support.run(self.TRAIN, shim=False).out)

    def test_does_operations_again_without_changing_the_job_and_accuses_none_that_repeats(self):
        text = """import torch
torch.manual_seed(0)
model = torch.nn.Sequential(torch.nn.Linear(8, 8), torch.nn.Dropout(0.5), torch.nn.Linear(8, 1))
optimizer = torch.optim.Adam(model.parameters(), lr=0.1)
for step in range(4):
    hidden = torch.zeros(8)
    hidden.index_put_((torch.tensor([1, 1, 2]),), torch.rand(3), accumulate=True)
    hidden += 1
    optimizer.zero_grad()
    loss = model(hidden).square().sum()
    loss.backward()
    optimizer.step()
    print('loss', loss.item())
"""
        ran = support.run(text, drill={"step": 2})
        self.assertEqual((ran.records("alert"), ran.records("fault")), ([], []))
        self.assertEqual(ran.out, support.run(text, shim=False).out)

    def test_tells_an_operation_that_answers_differently_when_done_again_with_its_forward_line(self):
        text = """import torch
calls = [0]
def drifting(grad, output):
    calls[0] += 1
    return grad * (1 - output * output) + calls[0]
library = torch.library.Library("aten", "IMPL")
library.impl("tanh_backward", drifting, "CPU")
weight = torch.nn.Parameter(torch.ones(4))
optimizer = torch.optim.SGD([weight], lr=0.1)
for step in range(4):
    bent = weight.tanh()
    bent.square().sum().backward()
    optimizer.step()
print("knows", hasattr(torch._C, "_current_autograd_node"))
"""
        ran = support.run(text, drill={"step": 2})
        self.assertEqual(ran.records("fault"), [], ran.err)
        # An older torch does not tell which backward node is at work: the line of the backward call is told then.
        line = 11 if "knows True" in ran.out else 12
        self.assertEqual([(r["operation"], r["line"]) for r in ran.records("alert")],
                         [("aten.tanh_backward.default", line)], ran.err)

    @unittest.skipUnless(importlib.util.find_spec("triton"), "needs triton")
    def test_does_kernels_of_triton_again_and_tells_the_one_that_answers_differently(self):
        text = """import torch, triton, triton.language as tl
calls = [0]
def drift():
    calls[0] += 1
    return float(calls[0])
@triton.jit
def drifting(x, out, n, block: tl.constexpr):
    at = tl.program_id(0) * block + tl.arange(0, block)
    tl.store(out + at, tl.load(x + at, mask=at < n) + drift(), mask=at < n)
@triton.jit
def total(x, out, n, block: tl.constexpr):
    at = tl.program_id(0) * block + tl.arange(0, block)
    tl.atomic_add(out + at * 0, tl.load(x + at, mask=at < n), mask=at < n)
weight = torch.nn.Parameter(torch.ones(4))
optimizer = torch.optim.SGD([weight], lr=0.1)
both = torch.zeros(8)
for step in range(4):
    total[(2,)](weight.detach(), both[4:], 4, block=2)
    drifting[(2,)](weight.detach(), both, n=4, block=2)
    (weight * both[:4] * both[4]).sum().backward()
    optimizer.step()
    print('loss', both.tolist())
"""
        ran = support.run(text, drill={"step": 2}, env={"TRITON_INTERPRET": "1"})
        self.assertEqual(ran.records("fault"), [], ran.err)
        self.assertEqual([(r["operation"], r["line"]) for r in ran.records("alert")], [("triton.drifting", 19)], ran.err)
        [told] = ran.records("drilled")
        self.assertEqual((told["failed"], told["error"]), (0, None))

    def test_traces_the_users_lines_and_none_of_its_own(self):
        text = "import os, time\nstart = time.time()\nos.listdir('.')\nprint('result')\n"
        ran = support.run(text, level="off", trace=["clock", "order.filesystem"])
        self.assertEqual([r["r"] for r in ran.records()][0], "hello")
        self.assertEqual([(r["source"], r["line"]) for r in ran.records("trace")],
                         [("clock", 2), ("order.filesystem", 3)])

    def test_falls_back_to_crc_without_the_native_digest(self):
        text = "import repro_audit_shim.digest as d; d._tried = True\n" + self.TRAIN
        ran = support.run(text)
        self.assertEqual(ran.records("fault"), [])
        self.assertEqual(len(ran.records("step")), 8)


if __name__ == "__main__":
    unittest.main()
