"""Small jobs, one planted cause each, and the settings that must and must not cure it."""
import unittest

import support

TRAIN = '''
import torch
import torch.nn as nn


def train(batches, lr=0.1, seed=1):
    if seed is not None:
        torch.manual_seed(seed)
    model = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 1))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for step, x in enumerate(batches):
        for group in optimizer.param_groups:
            group["lr"] = lr() if callable(lr) else lr
        loss = (model(x) - x.sum(1, keepdim=True)).pow(2).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        print("step", step, "loss", loss.item().hex(), flush=True)


def data(scale=1.0):
    return [torch.arange(8.0).reshape(2, 4) * (0.1 + scale * (i + 1) / 10) for i in range(4)]


def ordered(order):
    plain = data()
    return [plain[i % 4] for i in order]

'''


LIGHT = '''
def train(batches, lr=0.1, seed=1):
    for step, x in enumerate(batches):
        print("step", step, "loss", x, lr() if callable(lr) else lr, seed, flush=True)


def data(scale=1.0):
    return [scale * (i + 1) for i in range(4)]


def ordered(order):
    return list(order)

'''


class Case:
    """A planted cause. What does not need torch is tested without it, which is far quicker. `stage` is the first item that
    differs between two records; one case of each cause has it."""

    def __init__(self, name, cause, text, cures, spares, stage=None):
        self.name, self.cause, self.full = name, cause, TRAIN + text
        light = "torch" not in text and "seed=" not in text
        self.text = (LIGHT if light else TRAIN) + text
        self.cures, self.spares, self.stage = cures, spares, stage


def once(case, hold=None, level="off", text=None):
    """One run of a case with one setting held, or none."""
    settings, env = {}, {}
    if hold:
        name, _, level_asked = hold.partition("=")
        settings[name] = level_asked or "0"
        if name == "hashseed":
            env["PYTHONHASHSEED"] = settings[name]
    run = support.run(text or case.text, settings=settings, env=env, level=level, shim=bool(hold) or level != "off")
    if run.err.startswith("skipped: "):
        raise unittest.SkipTest(run.err.strip())
    assert run.code == 0, run.err[-2000:]
    return run



def parts(case, hold=None, at_most=12):
    """Whether some two of so many runs part; a toss of a coin comes out alike twelve times once in two thousand tests."""
    first = once(case, hold).out
    return any(once(case, hold).out != first for _ in range(at_most - 1))


def three_parts(case):
    """The test of one case: it parts, it repeats with each cure held, and it parts with its neighbours held."""

    def test(self):
        self.assertTrue(parts(case), "the planted cause does not part")
        for cure in case.cures:
            ran = [once(case, cure) for _ in range(2)]
            self.assertEqual(len({run.out for run in ran}), 1, "%s does not cure" % cure)
            setting = cure.split("=")[0]
            told = [r for r in ran[0].records("apply") if r["setting"] == setting]
            self.assertTrue(told and all(r["ok"] or r.get("by_job") for r in told), told)
            self.assertEqual(ran[0].records("fault"), [])
        for neighbour in case.spares:
            self.assertTrue(parts(case, neighbour), "%s cures what is not its own" % neighbour)

    return test


CASES = [
    Case("python", "seed.python", """
import random
train(data(random.random()))
""", ["seed.python"], ["seed.numpy", "seed.torch", "clock"], "batch"),
    Case("python_late_reseed", "seed.python", """
import random
random.seed(3)
random.seed()
train(data(random.random()))
""", ["seed.python"], ["seed.numpy"]),
    Case("numpy", "seed.numpy", """
import numpy as np
train(ordered(np.random.permutation(40)[:8]))
""", ["seed.numpy"], ["seed.python", "seed.numpy_generator"], "batch"),
    Case("numpy_generator", "seed.numpy_generator", """
import numpy as np
train(ordered(np.random.default_rng().permutation(40)[:8]))
""", ["seed.numpy_generator"], ["seed.numpy", "seed.worker"], "batch"),
    Case("random_state", "seed.numpy_generator", """
import numpy as np
train(data(float(np.random.RandomState().rand())))
""", ["seed.numpy_generator"], ["seed.numpy"]),
    Case("torch", "seed.torch", """
train(data(), seed=None)
""", ["seed.torch"], ["seed.python", "seed.numpy"], "params_before"),
    Case("torch_reseeded_from_entropy", "seed.torch", """
torch.manual_seed(1)
torch.seed()
train(data(), seed=None)
""", ["seed.torch"], ["seed.python", "dataloader.generator"]),
    Case("worker", "seed.worker", """
import random
from torch.utils.data import DataLoader, Dataset


class Noisy(Dataset):
    rng = None

    def __len__(self):
        return 8

    def __getitem__(self, i):
        if self.rng is None:
            self.rng = random.Random()
        return torch.arange(4.0) * self.rng.random()


torch.manual_seed(0)
train(DataLoader(Noisy(), batch_size=2, num_workers=2))
""", ["seed.worker"], ["seed.python", "dataloader.generator", "seed.numpy_generator"], "batch"),
    Case("worker_clock_and_pid", "seed.worker", """
import os
import time
import numpy as np
from torch.utils.data import DataLoader, Dataset


def init(worker):
    np.random.seed((time.time_ns() + os.getpid() + worker) % 2**32)


class Noisy(Dataset):
    def __len__(self):
        return 8

    def __getitem__(self, i):
        return torch.arange(4.0) * float(np.random.rand())


torch.manual_seed(0)
train(DataLoader(Noisy(), batch_size=2, num_workers=2, worker_init_fn=init))
""", ["seed.worker"], ["seed.numpy"]),
    Case("loader_generator", "dataloader.generator", """
from torch.utils.data import DataLoader
g = torch.Generator()
g.seed()
torch.manual_seed(0)
train(DataLoader(torch.arange(64.0).reshape(16, 4) / 10, batch_size=2, shuffle=True, generator=g))
""", ["dataloader.generator"], ["seed.torch", "clock"], "batch"),
    Case("sampler_generator_from_clock", "dataloader.generator", """
import time
from torch.utils.data import DataLoader, RandomSampler
g = torch.Generator()
g.manual_seed(time.time_ns())
torch.manual_seed(0)
things = torch.arange(64.0).reshape(16, 4) / 10
train(DataLoader(things, batch_size=2, sampler=RandomSampler(things, generator=g)))
""", ["dataloader.generator"], ["seed.torch"]),
    Case("hash_order", "hashseed", """
words = set("the quick brown fox jumps over a lazy dog again and once more".split())
train(data(sum(i * len(w) for i, w in enumerate(words)) / 1000))
""", ["hashseed"], ["seed.python", "order.filesystem=sorted"], "batch"),
    Case("random_file_names", "order.filesystem", """
import os
import uuid
for i in range(8):
    with open("part-%s.txt" % uuid.uuid4().hex, "w") as f:
        f.write(str(i))
train(ordered(int(open(name).read()) for name in sorted(os.listdir("."))))
""", ["order.filesystem=sorted"], ["seed.python", "clock"], "batch"),
    Case("temporary_file_names", "order.filesystem", """
import tempfile
from pathlib import Path
for i in range(8):
    with tempfile.NamedTemporaryFile("w", dir=".", suffix=".part", delete=False) as f:
        f.write(str(i))
train(ordered(int(p.read_text()) for p in Path(".").glob("*.part")))
""", ["order.filesystem=sorted"], ["seed.python"]),
    Case("modification_times", "order.filesystem", """
import os
import threading
import time


def write(i):
    time.sleep(int.from_bytes(os.urandom(1), "big") / 2000)
    with open("shard-%d" % i, "w") as f:
        f.write(str(i))


threads = [threading.Thread(target=write, args=(i,)) for i in range(6)]
for t in threads:
    t.start()
for t in threads:
    t.join()
train(ordered(int(open(n).read()) for n in sorted(os.listdir("."), key=os.path.getmtime)))
""", ["order.filesystem=sorted"], ["seed.python"]),
    Case("rate_by_time", "clock", """
import time
start = time.perf_counter()
train(data(), lr=lambda: 0.1 / (1 + time.perf_counter() - start))
""", ["clock=fixed"], ["entropy=os", "seed.torch"], "lr"),
    Case("seed_from_time", "clock", """
from datetime import datetime
train(data(), seed=int(datetime.now().timestamp() * 1000000))
""", ["clock=fixed"], ["entropy=os", "seed.torch"], "params_before"),
    Case("operating_system_entropy", "entropy", """
import os
train(data(int.from_bytes(os.urandom(4), "big") / 2**32))
""", ["entropy=fixed", "entropy=os"], ["seed.python", "order.filesystem=sorted", "clock"], "batch"),
    Case("uuid_as_number", "entropy", """
import uuid
train(data((uuid.uuid4().int % 2**32) / 2**32))
""", ["entropy=os"], ["order.filesystem=sorted", "seed.python"]),
    Case("process_id_and_secrets", "entropy", """
import os
import secrets
train(data((os.getpid() % 1000 + secrets.randbelow(1000)) / 2000))
""", ["entropy=os"], ["seed.python", "clock"]),
    Case("completed_first", "race", """
import os
import time
from concurrent.futures import ThreadPoolExecutor, as_completed


def load(i):
    time.sleep(int.from_bytes(os.urandom(1), "big") / 3000)
    return i


with ThreadPoolExecutor(4) as pool:
    order = [f.result() for f in as_completed([pool.submit(load, i) for i in range(8)])]
train(ordered(order))
""", ["race=ordered"], ["seed.python", "hashseed"], "batch"),
    Case("taken_as_joblib_has_them", "race", """
import os
import sys
import time
try:
    from joblib import Parallel, delayed
except ImportError:
    sys.exit("skipped: there is no joblib")


def load(i):
    time.sleep(int.from_bytes(os.urandom(1), "big") / 3000)
    return i


train(ordered(Parallel(4, prefer="threads", return_as="generator_unordered")(delayed(load)(i) for i in range(8))))
""", ["race=ordered"], ["seed.python"]),
    Case("threads_fill_a_list", "race", """
import os
import threading
import time
order = []


def load(i):
    time.sleep(int.from_bytes(os.urandom(1), "big") / 3000)
    order.append(i)


threads = [threading.Thread(target=load, args=(i,)) for i in range(8)]
for t in threads:
    t.start()
for t in threads:
    t.join()
train(ordered(order))
""", ["race=ordered"], ["seed.python"]),
    Case("threads_of_a_class_draw_from_one_generator", "race", """
import random
import sys
import threading
random.seed(0)
sys.setswitchinterval(1e-6)


class Drawing(threading.Thread):
    def run(self):
        self.drawn = [random.randrange(4) for _ in range(20000)]


both = [Drawing(), Drawing()]
for one in both:
    one.start()
for one in both:
    one.join()
train(ordered(both[i % 2].drawn[-1 - i] for i in range(8)))
""", ["race=ordered"], ["seed.python"]),
    Case("producers_and_a_queue", "race", """
import os
import queue
import threading
import time
full = queue.Queue(maxsize=2)


def produce(k):
    for i in range(4):
        time.sleep(int.from_bytes(os.urandom(1), "big") / 5000)
        full.put(k * 4 + i)


threads = [threading.Thread(target=produce, args=(k,), daemon=True) for k in range(3)]
for t in threads:
    t.start()
order = [full.get() for _ in range(12)]
train(ordered(order))
""", ["race=ordered"], ["seed.python"]),
    Case("unordered_loader", "race", """
import os
import time
from torch.utils.data import DataLoader, Dataset


class Slow(Dataset):
    def __len__(self):
        return 16

    def __getitem__(self, i):
        time.sleep(int.from_bytes(os.urandom(1), "big") / 4000)
        return torch.arange(4.0) * i / 10


if torch.__version__ < "2.6":
    raise SystemExit("skipped: loaders of this torch are always in order")
train(DataLoader(Slow(), batch_size=2, num_workers=2, in_order=False))
""", ["race=ordered"], ["seed.torch"]),
    Case("shared_updates", "race", """
import threading
weights = torch.zeros(64)
seen = []


def work(k):
    for i in range(3000):
        weights.mul_(0.999).add_(k * 1e-3)


threads = [threading.Thread(target=work, args=(k,)) for k in range(3)]
for t in threads:
    t.start()
for t in threads:
    t.join()
train(data(float(weights[0])))
""", ["race=ordered"], ["seed.torch"]),
    Case("unwritten_memory", "uninitialised", """
junk = torch.tensor([id(object()) + k for k in range(4096)], dtype=torch.int64)
del junk
fresh = torch.empty(4096, dtype=torch.int64)
train(data(float((fresh % 1000).sum() % 97) / 97))
""", ["uninitialised=zero"], ["seed.torch", "deterministic_algorithms=on"], "batch"),
]

# Switches of the arithmetic and of loaders.
SWITCHES = [
    Case("threads_by_chance", "threads", """
import os
torch.set_num_threads(1 + os.urandom(1)[0] % 4)
train(data(1.0 / torch.get_num_threads()))
""", ["threads=1"], ["seed.torch", "deterministic_algorithms=on"]),
    Case("sums_in_the_order_of_threads", "op.nondeterministic", """
torch.set_num_threads(2)
where = torch.randint(0, 8, (1 << 18,), generator=torch.Generator().manual_seed(1))
what = torch.rand(1 << 18, generator=torch.Generator().manual_seed(2))
# Sixteen times: on a busy machine one time in two the threads come one after the other.
sums = [float(torch.zeros(8).index_put_((where,), what, accumulate=True).pow(2).sum()) for _ in range(16)]
train(data(sum(sums) / 1e9))
""", ["deterministic_algorithms=on", "threads=1"], ["seed.torch", "cudnn.deterministic=on"]),
    Case("autotuner_by_chance", "cudnn.benchmark", """
import os
torch.backends.cudnn.benchmark = os.urandom(1)[0] % 2 == 0
train(data(1.0 + torch.backends.cudnn.benchmark))
""", ["cudnn.benchmark=off"], ["cudnn.deterministic=on"]),
    Case("deterministic_kernels_by_chance", "cudnn.deterministic", """
import os
torch.backends.cudnn.deterministic = os.urandom(1)[0] % 2 == 0
train(data(1.0 + torch.backends.cudnn.deterministic))
""", ["cudnn.deterministic=on"], ["cudnn.benchmark=off"]),
    Case("cudnn_by_chance", "cudnn.enabled", """
import os
torch.backends.cudnn.enabled = os.urandom(1)[0] % 2 == 0
train(data(1.0 + torch.backends.cudnn.enabled))
""", ["cudnn.enabled=off"], ["cudnn.benchmark=off"]),
    Case("tf32_by_chance", "cuda.tf32", """
import os
torch.backends.cuda.matmul.allow_tf32 = os.urandom(1)[0] % 2 == 0
train(data(1.0 + torch.backends.cuda.matmul.allow_tf32))
""", ["cuda.tf32=off"], ["deterministic_algorithms=on"]),
    Case("attention_by_chance", "sdpa.backend", """
import os
import zlib
if not hasattr(torch.nn.functional, "scaled_dot_product_attention"):
    raise SystemExit("skipped: this torch has no such attention")
torch.backends.cuda.enable_flash_sdp(os.urandom(1)[0] % 2 == 0)
q = torch.randn(1, 2, 64, 16, generator=torch.Generator().manual_seed(1))
seen = torch.nn.functional.scaled_dot_product_attention(q, q, q)
train(data(zlib.crc32(seen.numpy().tobytes()) / 2**32))
""", ["sdpa.backend=math"], ["deterministic_algorithms=on"]),
    Case("compiled_by_chance", "compile", """
import os


def doubling(module, examples):
    return lambda *inputs: tuple(2 * x for x in module(*inputs))


def work(x):
    return x + 1


if not hasattr(torch, "compile"):
    raise SystemExit("skipped: this torch compiles nothing")
if os.urandom(1)[0] % 2 == 0:
    work = torch.compile(work, backend=doubling)
train([work(x) for x in data()])
""", ["compile=off"], ["deterministic_algorithms=on"]),
    Case("workers_by_chance", "num_workers", """
import os
from torch.utils.data import DataLoader, Dataset


class Noisy(Dataset):
    def __len__(self):
        return 8

    def __getitem__(self, i):
        return torch.rand(4)


torch.manual_seed(0)
train(DataLoader(Noisy(), batch_size=2, num_workers=os.urandom(1)[0] % 3))
""", ["num_workers=1"], ["batch_size=2"]),
    Case("batch_size_by_chance", "batch_size", """
import os
from torch.utils.data import DataLoader
torch.manual_seed(0)
train(DataLoader(torch.arange(64.0).reshape(16, 4) / 10, batch_size=1 + os.urandom(1)[0] % 8))
""", ["batch_size=4"], ["num_workers=0", "seed.torch"]),
]
