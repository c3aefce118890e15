//! The gate from outside: accept, pass, and fail for the right reason.

#![expect(clippy::unwrap_used, reason = "a failure here is a failure of the test")]

mod support;

use std::fs;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

const BASELINE: &str = "repro-audit.baseline.toml";
const PENDING: &str = "repro-audit.baseline.pending.toml";

/// A job of thirty steps, with the standard library alone; `KICK` is what the step's randomness is drawn from.
const JOB: &str = "\
import os, random
rng = random.Random(3)
rate = float(os.environ.get('RATE', '0.9'))
x = 2.0
for step in range(30):
    x *= rate + 0.01 * rng.random()
    print(f'step={step} loss={x:.6f}')
";

/// A folder with a job in it.
struct Project(TempDir);

/// How a command ended and what it said on both outputs.
struct Answer {
    code: i32,
    text: String,
}

impl Project {
    fn new(job: &str) -> Self {
        let project = Self(TempDir::new().unwrap());
        project.write("job.py", job);
        project
    }

    /// A project whose job was accepted.
    fn accepted(job: &str, options: &[&str]) -> Self {
        let project = Self::new(job);
        let answer = project.gate(&[&["--accept"], options, &["--", "python3", "job.py"]].concat());
        assert_eq!(answer.code, 0, "{}", answer.text);
        project
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.path().join(name), text).unwrap();
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path().join(name)).unwrap()
    }

    fn has(&self, name: &str) -> bool {
        self.path().join(name).exists()
    }

    fn gate(&self, arguments: &[&str]) -> Answer {
        self.gate_with(arguments, &[])
    }

    fn gate_with(&self, arguments: &[&str], variables: &[(&str, &str)]) -> Answer {
        let mut command = Command::new(env!("CARGO_BIN_EXE_repro-audit"));
        command.arg("gate").args(arguments).current_dir(self.path()).env_remove("GITHUB_STEP_SUMMARY");
        let output = command.envs(variables.iter().copied()).output().unwrap();
        let text = [output.stdout, output.stderr].concat();
        Answer { code: output.status.code().unwrap(), text: String::from_utf8(text).unwrap() }
    }
}

impl Answer {
    /// Fails unless it ended with `code` and said `words` (line ends and indents count as one space).
    fn expect(&self, code: i32, words: &[&str]) {
        let flat = self.text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert_eq!(self.code, code, "{}", self.text);
        for word in words {
            assert!(flat.contains(word), "`{word}` is not in:\n{}", self.text);
        }
    }
}

#[test]
fn what_was_accepted_passes_until_it_no_longer_repeats() {
    let project = Project::new(JOB);
    let none = project.gate(&["--times", "2", "--", "python3", "job.py"]);
    none.expect(3, &["nothing tested", "repro-audit gate --accept --times=2 -- python3 job.py"]);
    assert!(!project.has(BASELINE) && !project.has(PENDING));

    project.gate(&["--accept", "--times", "2", "--", "python3", "job.py"]).expect(0, &["accepted", BASELINE]);
    project.gate(&[]).expect(0, &["as accepted", "2 runs, 30 points", "proved that this gate can fail", "Not checked"]);

    let broken = JOB.replace("0.01 * rng.random()", "0.01 * (rng.random() if step < 7 else random.random())");
    project.write("job.py", &broken);
    let before = project.read(BASELINE);
    let regressed = project.gate(&["--no-blame"]);
    regressed.expect(1, &["determinism regressed", "loss at step 7", "gate --pending", "-outcome = \"agrees\""]);
    assert_eq!(project.read(BASELINE), before, "a failing gate accepts nothing");
    assert!(project.has(PENDING));
    project.gate(&["--pending"]).expect(0, &["+outcome = \"parts\"", "step = 7"]);

    project.gate(&["--accept"]).expect(1, &["not repeatable", "--accept --policy known"]);
    assert_eq!(project.read(BASELINE), before);
    project.gate(&["--accept", "--policy", "known"]).expect(0, &["accepted what was pending"]);
    assert!(!project.has(PENDING));
    project.gate(&[]).expect(0, &["under policy known"]);

    project
        .write("job.py", &JOB.replace("0.01 * rng.random()", "0.01 * (rng.random() if step < 3 else random.random())"));
    project.gate(&[]).expect(1, &["determinism regressed", "parts earlier", "step 3", "accepted: loss at step 7"]);
    project.write("job.py", JOB);
    project.gate(&[]).expect(0, &["improved"]);
    assert!(!project.has(PENDING), "a pass settles what an earlier failure left");
}

#[test]
fn a_regression_names_its_cause() {
    let project = Project::accepted(JOB, &[]);
    project.write("job.py", &JOB.replace("rng = random.Random(3)", "rng = random"));
    let answer = project.gate(&[]);
    answer.expect(1, &["determinism regressed", "loss at step 0", "cause (proved): seed.python"]);
}

#[test]
fn other_values_fail_under_golden_and_pass_under_repeatable() {
    let project = Project::accepted(JOB, &["--policy", "golden", "--times", "2"]);
    project.gate(&[]).expect(0, &["under policy golden"]);
    project.write("job.py", &JOB.replace("'0.9'", "'0.8'"));
    let moved = project.gate(&[]);
    moved.expect(1, &["values moved", "by step 0, where", "--accept"]);
    project.gate(&["--policy", "repeatable"]).expect(0, &["values moved"]);

    project.gate(&["--accept"]).expect(0, &["accepted what was pending"]);
    project.gate(&[]).expect(0, &["under policy golden"]);
}

#[test]
fn another_environment_is_named_and_fails_nothing_by_itself() {
    let project = Project::accepted(JOB, &["--policy", "golden", "--times", "2"]);
    let text = project.read(BASELINE);
    let old = text.lines().find(|line| line.starts_with("python = ")).unwrap();
    project.write(BASELINE, &text.replace(old, "python = \"2.0.1\""));
    let now = old.split('"').nth(1).unwrap();
    let only = format!("environment moved: python: 2.0.1 → {now}");
    let same = project.gate(&[]);
    same.expect(0, &[&only]);
    assert!(!same.text.contains("cpu.model:"), "{}", same.text);

    let moved = project.gate_with(&[], &[("RATE", "0.8")]);
    moved.expect(3, &["values moved", &only, "the environment moved as well"]);
    project.gate_with(&["--policy", "repeatable"], &[("RATE", "0.8")]).expect(0, &[&only]);

    project.gate(&["--accept", "--times", "2", "--policy", "golden", "--", "python3", "job.py"]).expect(0, &[]);
    let entries = project.read(BASELINE).matches("[[job.default.accepted]]").count();
    assert_eq!(entries, 2, "records of several environments coexist");
    let own = project.gate(&[]);
    own.expect(0, &[]);
    assert!(!own.text.contains("environment moved"), "{}", own.text);
}

#[test]
fn nothing_tested_never_passes() {
    let project = Project::accepted(JOB, &["--times", "2"]);
    project.write("job.py", "pass\n");
    project.gate(&[]).expect(3, &["nothing tested"]);
    project.write("job.py", &JOB.replace("range(30)", "range(20)"));
    project.gate(&[]).expect(3, &["less than was accepted", "20 points"]);
    project.write("job.py", &JOB.replace(":.6f", ":.2f"));
    project.gate(&[]).expect(3, &["2 decimals"]);
    project.write("job.py", &format!("{JOB}raise SystemExit(5)\n"));
    project.gate(&[]).expect(3, &["exit code 5"]);
    project.write("job.py", JOB);
    project.gate(&["--vary", "env.X=1,2"]).expect(3, &["was never accepted"]);
}

#[test]
fn a_setting_that_cannot_take_effect_is_nothing_tested() {
    let project = Project::new(JOB);
    let setting = ["--accept", "--set", "seed.torch=1", "--no-shim", "--", "python3", "job.py"];
    project.gate(&setting).expect(3, &["nothing tested", "seed.torch"]);
    assert!(!project.has(BASELINE));
}

#[test]
fn a_comparison_that_notices_nothing_cannot_pass() {
    let project = Project::accepted(JOB, &["--times", "2"]);
    project.gate(&["--tolerance", "rel=1e300"]).expect(3, &["the gate cannot fail"]);
    project.gate(&["--tolerance", "rel=1e-9"]).expect(0, &["proved that this gate can fail: bit"]);
    let loose = ["--accept", "--times", "2", "--tolerance", "abs=1e300", "--", "python3", "job.py"];
    project.gate(&loose).expect(3, &["the gate cannot fail"]);
}

#[test]
fn where_the_shim_is_present_disturbed_seeds_have_to_be_noticed() {
    let project = Project::new(&JOB.replace("random.Random(3)", "random"));
    let with = |seed: &str| ["--accept", "--times", "2", "--set", seed, "--", "python3", "job.py"].map(str::to_owned);
    let accept = |seed| project.gate(&with(seed).each_ref().map(String::as_str));
    let accepted = accept("seed.python=1");
    let noticed = ["seed.python was given 0 instead of 1", "and loss parts at step 0 (reference)"];
    accepted.expect(0, &["accepted", noticed[0], noticed[1]]);
    let passed = project.gate(&["--format", "json"]);
    passed.expect(0, &noticed);
    assert!(!passed.text.contains("\"r3\""), "the disturbed run is none of the audit's:\n{}", passed.text);

    // What is logged no longer follows from any seed: a gate that looks at it sees nothing of what seeds do.
    project.write("job.py", "import random\nfor step in range(9):\n    print(f'step={step} loss=1.5')\n");
    accept("seed.python=1").expect(3, &["the gate cannot fail", "no value that the job logs changed"]);
    // Nothing that is seeded is nothing to disturb, which is said.
    project.write("job.py", "for step in range(9):\n    print(f'step={step} loss={2.5 - step / 10}')\n");
    accept("order.filesystem=sorted").expect(0, &["disturbed seeds: the job gives no generator a seed that could be"]);
}

#[test]
fn a_broken_baseline_is_left_as_it_is() {
    let project = Project::accepted(JOB, &["--times", "2"]);
    let whole = project.read(BASELINE);
    let half = whole[..whole.len() / 2].to_owned();
    let conflicts = whole.replace("points = 30", "<<<<<<< HEAD\npoints = 30\n=======\npoints = 31\n>>>>>>> other\n");
    for (text, words) in [
        (half, "cut off"),
        (whole.replace("# end of the baseline", ""), "cut off"),
        (conflicts, "merge conflict"),
        (whole.replace("format = 1", "format = 2"), "use a newer one"),
        (whole.replace("outcome", "outcom"), "outcom"),
        (String::new(), "no baseline"),
        ("\u{0}\u{1}".to_owned(), "cannot be read"),
    ] {
        project.write(BASELINE, &text);
        for arguments in [&[][..], &["--accept", "--", "python3", "job.py"], &["--pending"]] {
            project.gate(arguments).expect(2, &[words, "left as it is"]);
            assert_eq!(project.read(BASELINE), text);
        }
    }
}

#[test]
fn a_project_names_its_jobs_and_the_command_line_wins() {
    let project = Project::new(JOB);
    project.write(
        "repro-audit.toml",
        "times = 2\n[job.slow]\ncommand = ['python3', 'job.py']\nenv = ['RATE=0.95']\n[job.fast]\ncommand = 'python3 job.py'\n",
    );
    project.gate(&["--accept"]).expect(0, &["fast: accepted", "slow: accepted"]);
    assert!(project.read(BASELINE).contains("[job.slow]"));
    project.gate(&["--format", "json"]).expect(0, &["fast: as accepted", "slow: as accepted", "\"slow/r1\""]);
    project.gate(&["--job", "fast", "--times", "3"]).expect(0, &["3 runs, 60 points", "the options changed"]);
    project.gate(&["--job", "none"]).expect(2, &["there is no job `none`; there are: fast, slow"]);

    project.write("repro-audit.toml", "tims = 2\ncommand = 'python3 job.py'\n");
    project.gate(&[]).expect(2, &["repro-audit.toml: line 1: there is no option `tims`"]);
}

#[test]
fn a_job_that_was_accepted_cannot_be_left_out_in_silence() {
    let project = Project::new(JOB);
    let slow = "[job.slow]\ncommand = 'python3 job.py'\n";
    let fast = "[job.fast]\ncommand = 'python3 job.py'\n";
    project.write("repro-audit.toml", &format!("times = 2\n{slow}{fast}"));
    project.gate(&["--accept"]).expect(0, &["fast: accepted", "slow: accepted"]);
    project.write("repro-audit.toml", &format!("times = 2\n{fast}"));
    project.gate(&[]).expect(3, &["job slow was accepted, and repro-audit.toml no longer names it"]);
    project.gate(&["--job", "fast"]).expect(0, &["as accepted"]);
    project.gate(&["--accept"]).expect(0, &["job slow is no longer named, and was taken out"]);
    project.gate(&[]).expect(0, &["as accepted"]);
}

#[test]
fn what_is_compared_cannot_be_narrowed_in_silence() {
    let project = Project::new(
        &JOB.replace("loss={x:.6f}", "loss={x:.6f} acc={noise()}")
            .replace("rng = ", "noise = (lambda: random.random()) if 'NOISE' in os.environ else (lambda: 0.5)\nrng = "),
    );
    project.write("repro-audit.toml", "times = 2\ncommand = 'python3 job.py'\n");
    project.gate(&["--accept"]).expect(0, &["accepted"]);
    let noise = [("NOISE", "1")];
    project.gate_with(&["--no-blame"], &noise).expect(1, &["determinism regressed"]);
    project.write("repro-audit.toml", "times = 2\nmetric = 'loss'\ncommand = 'python3 job.py'\n");
    project.gate_with(&[], &noise).expect(3, &["what is compared changed since acceptance (metric)"]);
    project.gate_with(&["--accept", "--times", "2"], &noise).expect(0, &["accepted"]);
    project.gate_with(&[], &noise).expect(0, &["as accepted"]);
}

#[test]
fn an_envelope_passes_noise_and_fails_what_left_it() {
    let noisy = "\
import os, random
bias = float(os.environ.get('BIAS', '0'))
for step in range(12):
    print(f'step={step} loss={1.0 / (step + 1) + bias + random.gauss(0, 1e-5):.8f}')
";
    let project = Project::new(noisy);
    let few = ["--accept", "--policy", "envelope", "--times", "3", "--", "python3", "job.py"];
    project.gate(&few).expect(3, &["at least 5 runs"]);
    project
        .gate(&["--accept", "--policy", "envelope", "--times", "8", "--", "python3", "job.py"])
        .expect(0, &["accepted"]);
    assert!(project.read(BASELINE).contains("deviation = "));
    project
        .gate_with(&["--times", "2"], &[("BIAS", "0.3")])
        .expect(1, &["values moved", "left its band", "8 accepted runs"]);
}

#[test]
fn github_gets_a_job_summary() {
    let project = Project::accepted(JOB, &["--times", "2"]);
    let path = project.path().join("summary.md");
    project
        .gate_with(&["--format", "github"], &[("GITHUB_STEP_SUMMARY", path.to_str().unwrap())])
        .expect(0, &["::notice"]);
    assert!(project.read("summary.md").contains("as accepted"));
}

#[test]
fn a_varied_setting_that_begins_to_matter_is_a_regression_under_invariant() {
    let options = ["--policy", "invariant", "--times", "2", "--vary", "env.RATE=0.9,0.8", "--no-blame"];
    let project = Project::new(JOB);
    let accept = [&["--accept"][..], &options, &["--", "python3", "job.py"]].concat();
    project.gate(&accept).expect(1, &["not repeatable", "depends on env.RATE"]);
    assert!(!project.has(BASELINE));

    project.write("job.py", &JOB.replace("os.environ.get('RATE', '0.9')", "0.9"));
    project.gate(&accept).expect(0, &["accepted", "2 treatments"]);
    project.gate(&[]).expect(0, &["4 runs"]);
    project.write("job.py", JOB);
    project.gate(&[]).expect(1, &["determinism regressed", "depends on env.RATE"]);
}

/// The CNN in a git repository of its own, run by the Python that has torch.
struct Cnn(Project);

impl Cnn {
    /// Small batches and few steps: what is asked is whether runs repeat, not how well the network learns.
    fn committed() -> Option<Self> {
        let python = support::python::with_torch()?;
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let project = Project::new(&fs::read_to_string(root.join("fixtures/jobs/cnn.py")).unwrap());
        project.write(
            "repro-audit.toml",
            &format!(
                "times = 2\nenv = ['OMP_NUM_THREADS=1']\ncommand = ['{}', 'job.py', '--seed', '1', '--num-workers', '1', \
                 '--steps', '6', '--batch-size', '8', '--worker-init']\n",
                python.display()
            ),
        );
        project.write(".gitignore", ".repro-audit/\n");
        let cnn = Self(project);
        cnn.git(&["init", "--quiet"]);
        cnn.commit();
        Some(cnn)
    }

    fn git(&self, arguments: &[&str]) -> String {
        let mut git = Command::new("git");
        git.args(["-c", "user.name=t", "-c", "user.email=t@example.org"]).args(arguments).current_dir(self.0.path());
        let output = git.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    fn commit(&self) {
        self.git(&["add", "."]);
        self.git(&["commit", "--quiet", "--message", "as accepted"]);
    }

    /// Puts everything back as it was committed, the pending record included.
    fn restore(&self) {
        self.git(&["checkout", "--quiet", "."]);
        self.git(&["clean", "--quiet", "--force"]);
    }

    /// Another job, or another baseline: `old` must be there.
    fn change(&self, file: &str, old: &str, new: &str) {
        let text = self.0.read(file);
        assert!(text.contains(old), "`{old}` is not in {file}");
        self.0.write(file, &text.replace(old, new));
    }
}

#[test]
fn a_cnn_is_gated_from_its_acceptance_to_a_lost_worker_seed() {
    let Some(cnn) = Cnn::committed() else { return };
    let gate = |arguments: &[&str]| cnn.0.gate(arguments);
    gate(&["--accept"]).expect(0, &["accepted", "commit repro-audit.baseline.toml"]);
    cnn.commit();
    gate(&[]).expect(0, &["as accepted", "proved that this gate can fail"]);
    assert_eq!(cnn.git(&["status", "--porcelain"]), "", "a pass leaves nothing to commit");

    cnn.change("job.py", "worker_init_fn=init_worker if args.worker_init else None", "worker_init_fn=None");
    let line = 1 + cnn.0.read("job.py").lines().position(|line| line.contains("# cause: seed.worker")).unwrap();
    let blamed = format!("job.py:{line}");
    gate(&[]).expect(1, &["determinism regressed", "step 0", "cause (proved): seed.worker", &blamed, "--accept"]);
    assert_eq!(cnn.git(&["status", "--porcelain"]), format!(" M job.py\n?? {PENDING}\n"), "nothing is accepted");
    cnn.restore();

    cnn.change("job.py", "default=0.01", "default=0.02");
    gate(&["--policy", "golden"]).expect(1, &["values moved", "Loss", "after step 0 and by step 8"]);
    gate(&[]).expect(0, &["values moved", "as accepted under policy repeatable"]);
    cnn.restore();

    let torch = cnn.0.read(BASELINE).lines().find(|line| line.starts_with("torch = ")).map(str::to_owned).unwrap();
    cnn.change(BASELINE, &torch, "torch = \"1.0\"");
    let moved = gate(&[]);
    moved.expect(0, &["environment moved: torch: 1.0 → "]);
    assert!(!moved.text.contains("numpy:"), "only what differs is named:\n{}", moved.text);
    cnn.restore();

    gate(&["--set", "deterministic_algorithms=on", "--no-shim"])
        .expect(3, &["nothing tested", "deterministic_algorithms"]);
    cnn.0.write("job.py", "import torch\n");
    gate(&[]).expect(3, &["nothing tested", "no losses"]);
}
