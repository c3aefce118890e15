"""Trainers, compilers and odd loops: recorded step by step, and not changed by it to the bit."""
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
torch.set_num_threads(1)
random.seed(1); np.random.seed(1); torch.manual_seed(1)
xs = torch.randn(16, 4)
"""
TAIL = """
print("result", random.random(), float(np.random.rand()), torch.rand(1).item().hex(),
      [p.detach().double().sum().item().hex() for p in model.parameters()])
"""
LIGHTNING = """
import logging
import lightning
logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
class Module(lightning.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = nn.Linear(4, 1)
    def training_step(self, batch, index):
        loss = self.net(batch[0]).square().mean()
        print("loss", loss.item().hex())
        return loss
    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=0.1)
model = Module()
data = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(xs), batch_size=4, shuffle=True)
lightning.Trainer(max_epochs=1, accelerator="cpu", logger=False, enable_checkpointing=False, gradient_clip_val=0.5,
                  enable_progress_bar=False, enable_model_summary=False).fit(model, data)
"""
TRAINER = """
import tempfile
from transformers import GPT2Config, GPT2LMHeadModel, PrinterCallback, Trainer, TrainingArguments
model = GPT2LMHeadModel(GPT2Config(n_layer=1, n_head=2, n_embd=8, vocab_size=32, n_positions=16))
data = [{"input_ids": torch.randint(32, (8,)), "labels": torch.randint(32, (8,))} for _ in range(12)]
with tempfile.TemporaryDirectory() as folder:
    trainer = Trainer(model=model, train_dataset=data, args=TrainingArguments(
        output_dir=folder, per_device_train_batch_size=2, gradient_accumulation_steps=2, max_steps=3, logging_steps=1,
        report_to=[], disable_tqdm=True, use_cpu=True, save_strategy="no"))
    trainer.remove_callback(PrinterCallback)  # it prints times
    trainer.train()
for line in trainer.state.log_history[:3]:
    print("loss", line["step"], float(line["loss"]).hex())
"""
ACCELERATE = """
from accelerate import Accelerator
accelerator = Accelerator(cpu=True, gradient_accumulation_steps=2)
model = nn.Linear(4, 1)
data = torch.utils.data.DataLoader(xs, batch_size=2, shuffle=True)
model, optimizer, data = accelerator.prepare(model, torch.optim.SGD(model.parameters(), lr=0.1), data)
for x in data:
    with accelerator.accumulate(model):
        loss = model(x).square().mean()
        accelerator.backward(loss)
        optimizer.step()
        optimizer.zero_grad()
        print("loss", loss.item().hex())
"""
COMPILED = """
net = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Dropout(0.1), nn.Linear(8, 1))
model = torch.compile(net, backend="aot_eager")
optimizer = torch.optim.Adam(model.parameters(), lr=0.1)
for x in xs.split(4):
    loss = model(x).square().mean()
    optimizer.zero_grad(); loss.backward(); optimizer.step()
    print("loss", loss.item().hex())
"""
IN_BACKWARD = """
model = nn.Sequential(nn.Linear(4, 8), nn.Linear(8, 1))
optimizers = {p: torch.optim.SGD([p], lr=0.1) for p in model.parameters()}
def update(p):
    optimizers[p].step(); optimizers[p].zero_grad()
for p in model.parameters():
    p.register_post_accumulate_grad_hook(update)
for x in xs.split(8):
    loss = model(x).square().mean(); loss.backward(); print("loss", loss.item().hex())
"""
AVERAGED_MIXED = """
model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 1))
averaged = torch.optim.swa_utils.AveragedModel(model)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
schedule = torch.optim.lr_scheduler.StepLR(optimizer, 2, 0.5)
scaler = torch.amp.GradScaler("cpu", init_scale=1024.0)
for x in xs.split(4):
    with torch.autocast("cpu", torch.bfloat16):
        loss = model(x).float().square().mean()
    optimizer.zero_grad(); scaler.scale(loss).backward(); scaler.unscale_(optimizer)
    nn.utils.clip_grad_norm_(model.parameters(), 0.5)
    scaler.step(optimizer); scaler.update(); schedule.step(); averaged.update_parameters(model)
    print("loss", loss.item().hex())
"""
# Name: (job, how it is started, modules it needs, steps made, losses of each).
JOBS = {
    "lightning": (LIGHTNING, [], ["lightning"], 4, 1),
    "transformers_trainer": (TRAINER, [], ["transformers", "accelerate"], 3, 2),
    "accelerate_launch": (ACCELERATE, ["-m", "accelerate.commands.launch", "--cpu", "--num_processes", "1"],
                          ["accelerate"], 4, 2),
    "compiled_module": (COMPILED, [], ["torch._dynamo"], 4, 1),
    "optimizers_in_backward": (IN_BACKWARD, [], [], 8, None),
    "autocast_scaler_schedule_average": (AVERAGED_MIXED, [], [], 4, 1),
}


class Frameworks(unittest.TestCase):
    """One test per kind of job, made below."""


def missing(names):
    """The first of these modules that this interpreter lacks."""
    import importlib.util

    return next((name for name in names if importlib.util.find_spec(name) is None), None)


def make(text, launcher, needs, steps, losses):
    def test(self):
        lacks = missing(needs)
        if lacks:
            self.skipTest("%s is not installed" % lacks)
        folder = support.folder_with("job.py", HEAD + text + TAIL)
        command = [sys.executable] + launcher + [os.path.join(folder, "job.py")]
        plain, seen = support.run(command, shim=False), support.run(command)
        self.assertEqual(plain.code, 0, plain.err[-3000:])
        self.assertEqual((plain.metric(), plain.code), (seen.metric(), seen.code), seen.err[-3000:])
        self.assertTrue(plain.metric())
        self.assertEqual(seen.records("fault"), [])
        made = seen.records("step")
        self.assertEqual(len(made), steps)
        for record in made:
            items = {item[0]: item for item in record["items"]}
            self.assertTrue({"params_before", "grads", "lr", "params", "rng.torch"} <= set(items), items)
            if losses is not None:
                self.assertEqual(len(items["loss"][1]), losses, items["loss"])
        self.assertEqual(len({item[1] for r in made for item in r["items"] if item[0] == "params"}), steps)

    return test


for _name, _case in JOBS.items():
    setattr(Frameworks, "test_" + _name, make(*_case))


if __name__ == "__main__":
    unittest.main()
