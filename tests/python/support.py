"""Runs small jobs under the shim and reads what they left; used by every test here."""
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SHIM = ROOT / "shim"
_unpacked = None


def unpacked():
    """The shim with its native digest, as the tool would unpack it; built once per test process."""
    global _unpacked
    if _unpacked is None:
        folder = Path(tempfile.mkdtemp(prefix="repro-audit-shim-"))
        shutil.copytree(SHIM, folder / "shim", ignore=shutil.ignore_patterns("__pycache__", "digest.rs", "*.so"))
        rustc = shutil.which(os.environ.get("RUSTC", "rustc"))
        if rustc:
            subprocess.run([rustc, "--edition", "2021", "--crate-type", "cdylib", "-O", "-C", "panic=abort",
                            "-C", "strip=symbols", "--crate-name", "repro_audit_digest", "-o",
                            str(folder / "shim/repro_audit_shim/librepro_audit_digest.so"),
                            str(SHIM / "digest/digest.rs")], check=True)
        _unpacked = folder / "shim"
        import atexit

        atexit.register(shutil.rmtree, folder, True)
    return _unpacked


def folder_with(name, text):
    """A folder that holds one file, and goes when the tests end."""
    import atexit

    folder = tempfile.mkdtemp(prefix="repro-audit-job-")
    atexit.register(shutil.rmtree, folder, True)
    path = Path(folder, name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return folder


class Ran:
    """One finished run: its exit code, what it printed, and its flight records."""

    def __init__(self, process, folder):
        self.code, self.out, self.err = process.returncode, process.stdout, process.stderr
        self.files = {}
        for path in sorted(Path(folder).glob("flight-*.jsonl")) if folder else []:
            self.files[path.name] = [json.loads(line) for line in path.read_text().splitlines()]
        entered = Path(folder or "/nowhere", "entered.jsonl")
        self.entered = [json.loads(x) for x in entered.read_text().splitlines()] if entered.exists() else []

    def records(self, kind=None):
        """All records of this kind, of all processes, by file."""
        return [r for name in self.files for r in self.files[name] if kind is None or r["r"] == kind]

    def metric(self):
        """What the job printed, the lines about loss and results only."""
        return [line for line in self.out.splitlines() if "loss" in line or "result" in line]


def run(command, shim=True, env=None, cwd=None, level="full", settings=None, timeout=120, keep=None, **more):
    """Runs a command line; a string is the text of a job file."""
    with tempfile.TemporaryDirectory(prefix="repro-audit-test-") as tmp:
        if isinstance(command, str):
            job = Path(tmp, "job.py")
            job.write_text(command)
            command = [sys.executable, str(job)]
        work = Path(tmp, "cwd")
        work.mkdir()
        full = {k: v for k, v in os.environ.items() if k not in ("PYTHONHASHSEED", "PYTHONPATH")}
        full.update({"OMP_NUM_THREADS": "1"})
        full.update(env or {})
        record = None
        if shim:
            record = Path(keep or Path(tmp, "record"))
            record.mkdir(parents=True, exist_ok=True)
            told = {"version": 1, "record": str(record), "level": level, "settings": settings or {},
                    "trace": [], "drill": None, "kill": None}
            told.update(more)
            instructions = Path(tmp, "instructions.json")
            instructions.write_text(json.dumps(told))
            path = [str(unpacked())] + ([full["PYTHONPATH"]] if full.get("PYTHONPATH") else [])
            full["PYTHONPATH"] = os.pathsep.join(path)
            full["REPRO_AUDIT_SHIM"] = str(instructions)
        done = subprocess.run(command, env=full, cwd=str(cwd or work), capture_output=True, text=True, timeout=timeout)
        return Ran(done, record)
