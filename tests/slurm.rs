//! Audits on a real Slurm cluster of this machine: the same answers as locally, and nothing that the cluster does to a run
//! is taken for a divergence. Where no cluster can be had, each test says so and tests nothing.
#![expect(clippy::unwrap_used, reason = "a test that cannot set up its case has failed")]
#![expect(clippy::print_stderr, reason = "a test that is skipped says so")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

/// A cluster of two nodes, and a folder that all of them share.
struct Cluster {
    base: TempDir,
    conf: String,
}

impl Cluster {
    /// Starts one; `None` where this machine cannot have one.
    fn up(options: &[&str]) -> Option<Self> {
        let base = tempfile::Builder::new().prefix("ra").tempdir().unwrap();
        let output = Command::new(script("slurm-up"))
            .arg(base.path().join("c"))
            .args(["--cpus", "4"])
            .args(options)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        if output.status.code() == Some(77) {
            eprintln!("skipped: {}", said.trim());
            return None;
        }
        assert!(output.status.success(), "the cluster did not start: {said}");
        let told = String::from_utf8(output.stdout).unwrap();
        let conf = told.trim().strip_prefix("export SLURM_CONF=").unwrap().to_owned();
        Some(Self { base, conf })
    }

    fn work(&self) -> PathBuf {
        let work = self.base.path().join("work");
        fs::create_dir_all(&work).unwrap();
        work
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.work().join(name), text).unwrap();
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.current_dir(self.work()).env("SLURM_CONF", &self.conf).stdin(Stdio::null());
        command
    }

    fn tell(&self, program: &str, arguments: &[&str]) -> String {
        let output = self.command(program).args(arguments).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    }

    fn audit(&self, arguments: &[&str]) -> Command {
        let mut command = self.command(env!("CARGO_BIN_EXE_repro-audit"));
        command.args(["run", "--format", "json"]).args(arguments);
        command
    }

    /// Starts an audit of `job.sh`, and leaves it to itself.
    fn start(&self, options: &[&str]) -> Child {
        let mut command = self.audit(&[&["--executor", "slurm", "--no-blame", "--no-shim"], options].concat());
        command.args(["--", "sh", "job.sh"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }

    /// The output of every run so far, by the run's id.
    fn log(&self, run: &str) -> String {
        fs::read_to_string(self.work().join(".repro-audit/latest/runs").join(run).join("stdout.log"))
            .unwrap_or_default()
    }

    fn queue(&self) -> String {
        self.tell("squeue", &["-h", "-o", "%i %T %N"])
    }

    fn nothing_is_left(&self) {
        soon("an empty queue", Duration::from_secs(20), || self.queue().is_empty());
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let down = Command::new(script("slurm-down")).arg(self.base.path().join("c")).arg("--purge").output();
        let stopped = down.is_ok_and(|output| output.status.success());
        assert!(stopped || std::thread::panicking(), "the cluster did not stop");
    }
}

fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/support/slurm").join(name)
}

fn soon(what: &str, within: Duration, mut holds: impl FnMut() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < within, "not in time: {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

const A_WHILE: Duration = Duration::from_secs(40);

/// The exit code and the report, which must fit its schema.
fn report(output: &Output) -> (i32, Value) {
    let said = String::from_utf8_lossy(&output.stderr);
    let report: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|why| panic!("{why}: {said}"));
    let schema = fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/report.schema.json")).unwrap();
    let schema = jsonschema::validator_for(&serde_json::from_slice(&schema).unwrap()).unwrap();
    let errors: Vec<String> = schema.iter_errors(&report).map(|error| error.to_string()).collect();
    assert!(errors.is_empty(), "{errors:?}\n{report:#}");
    (output.status.code().unwrap(), report)
}

fn finish(audit: Child) -> (i32, Value) {
    report(&audit.wait_with_output().unwrap())
}

fn statuses(report: &Value) -> Vec<&str> {
    report["runs"].as_array().unwrap().iter().map(|run| run["status"].as_str().unwrap()).collect()
}

fn attempts(report: &Value, run: usize) -> Vec<&str> {
    let attempts = report["runs"][run]["attempts"].as_array().unwrap();
    attempts.iter().map(|attempt| attempt["status"].as_str().unwrap()).collect()
}

/// A job of so many steps, some twenty a second.
fn steps(count: u32) -> String {
    format!("i=0; while [ $i -lt {count} ]; do echo \"step $i loss 0.$i\"; i=$((i+1)); sleep 0.05; done\n")
}

#[test]
fn the_cnn_gives_the_same_report_as_locally() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let python = root.join(".venv/bin/python");
    if !python.exists() {
        eprintln!("skipped: there is no .venv; scripts/setup makes it");
        return;
    }
    let Some(cluster) = Cluster::up(&[]) else { return };
    let audit = |executor: &str, flags: &[&str]| {
        let mut command = cluster.audit(&["--executor", executor, "--times", "3", "--no-blame", "--jobs", "2", "--"]);
        command.arg(&python).arg(root.join("fixtures/jobs/cnn.py")).args(["--steps", "8"]).args(flags);
        report(&command.env("OMP_NUM_THREADS", "1").env("TMPDIR", cluster.work()).output().unwrap())
    };
    let (here, mut local) = audit("local", &["--seed", "1"]);
    let (there, mut slurm) = audit("slurm", &["--seed", "1"]);
    assert_eq!((here, there), (0, 0), "{slurm:#}");
    for run in slurm["runs"].as_array().unwrap() {
        assert!(["n1", "n2"].contains(&run["node"].as_str().unwrap()), "{run:#}");
        assert_eq!(run["attempts"].as_array().unwrap().len(), 1, "{run:#}");
    }
    for report in [&mut local, &mut slurm] {
        // Where and how long is not what the job answers.
        report["record"].take();
        report["warnings"].take();
        for run in report["runs"].as_array_mut().unwrap() {
            for field in ["node", "seconds", "attempts"] {
                run[field].take();
            }
        }
    }
    assert_eq!(local, slurm);
    let (code, parted) = audit("slurm", &[]);
    assert_eq!((code, &parted["divergence"]["index"]), (1, &Value::from(0)), "{parted:#}");
    cluster.nothing_is_left();
}

#[test]
fn a_preempted_run_is_its_newest_attempt() {
    let Some(cluster) = Cluster::up(&[]) else { return };
    cluster.write("job.sh", &steps(60));
    let audit = cluster.start(&["--times", "3"]);
    soon("some steps of every run", A_WHILE, || {
        ["r1", "r2", "r3"].iter().all(|run| cluster.log(run).contains("step 9"))
    });
    cluster.tell("sbatch", &["--partition=high", "--nodes=2", "--exclusive", "--wrap=sleep 1"]);
    let (code, report) = finish(audit);
    assert_eq!((code, report["verdict"].as_str()), (0, Some("agreed")), "{report:#}");
    for run in 0..3 {
        assert_eq!(attempts(&report, run), ["interrupted", "finished"], "{report:#}");
        assert_eq!(report["runs"][run]["points"], 60);
    }
}

#[test]
fn a_node_that_is_lost_takes_no_run_along_and_its_zombie_gives_way() {
    // One run on each node, and room on either for both.
    let options = ["--set", "SlurmdTimeout=2", "--set", "SelectTypeParameters=CR_CPU_Memory,CR_LLN"];
    let Some(cluster) = Cluster::up(&options) else { return };
    // Long enough that the first copy is still going when the second one starts.
    cluster.write("job.sh", &steps(700));
    let audit = cluster.start(&["--times", "2"]);
    soon("both runs", A_WHILE, || ["r1", "r2"].iter().all(|run| cluster.log(run).contains("step 3")));
    let daemon = fs::read_to_string(cluster.base.path().join("c/run/slurmd.n2.pid")).unwrap();
    assert!(Command::new("kill").args(["-KILL", daemon.trim()]).status().unwrap().success());
    let (code, report) = finish(audit);
    assert_eq!((code, report["verdict"].as_str()), (0, Some("agreed")), "{report:#}");
    let moved = usize::from(report["runs"][0]["attempts"].as_array().unwrap().len() == 1);
    assert_eq!(attempts(&report, moved), ["fenced", "finished"], "{report:#}");
    assert_eq!(report["runs"][moved]["node"], "n1");
    assert_eq!(report["runs"][moved]["points"], 700, "the copies' lines were mixed");
}

#[test]
fn the_time_limit_of_the_site_is_a_time_limit() {
    let Some(cluster) = Cluster::up(&[]) else { return };
    cluster.write("job.sh", "echo step 1 loss 0.5; sleep 600");
    let (code, report) = finish(cluster.start(&["--times", "2", "--slurm-arg=--time=1"]));
    assert_eq!(code, 3, "{report:#}");
    assert_eq!(statuses(&report), ["timed-out", "timed-out"]);
    assert_eq!(attempts(&report, 0), ["interrupted"]);
}

#[test]
fn our_own_time_limit_is_kept_on_the_node() {
    let Some(cluster) = Cluster::up(&[]) else { return };
    cluster.write("job.sh", "trap '' TERM; echo step 1 loss 0.5; while :; do sleep 1; done");
    let start = Instant::now();
    let (code, report) = finish(cluster.start(&["--times", "2", "--timeout", "1s"]));
    assert_eq!((code, statuses(&report)), (3, vec!["timed-out", "timed-out"]), "{report:#}");
    assert!(start.elapsed() < A_WHILE);
}

#[test]
fn a_killed_submitter_is_taken_up_and_no_run_is_repeated() {
    let Some(cluster) = Cluster::up(&[]) else { return };
    cluster.write("job.sh", &format!("echo x >> begun\n{}", steps(60)));
    let mut audit = cluster.start(&["--times", "3"]);
    soon("some steps", A_WHILE, || cluster.log("r1").contains("step 9"));
    audit.kill().unwrap();
    audit.wait().unwrap();
    let again = cluster.audit(&["--continue", ".repro-audit/latest"]).output().unwrap();
    let (code, report) = report(&again);
    assert_eq!((code, statuses(&report)), (0, vec!["finished"; 3]), "{report:#}");
    assert_eq!(fs::read_to_string(cluster.work().join("begun")).unwrap(), "x\n".repeat(3), "a run was repeated");
    // And the record of both parts is one record.
    let shown = cluster.command(env!("CARGO_BIN_EXE_repro-audit")).args(["report", ".repro-audit"]).output().unwrap();
    assert!(shown.status.success(), "{}", String::from_utf8_lossy(&shown.stderr));
}

#[test]
fn a_detached_audit_is_finished_from_anywhere() {
    let Some(cluster) = Cluster::up(&[]) else { return };
    cluster.write("job.sh", &steps(5));
    let (code, first) = finish(cluster.start(&["--times", "2", "--vary", "env.WHICH=1,2", "--detach"]));
    assert_eq!((code, first["verdict"].as_str()), (3, Some("unresolved")), "{first:#}");
    assert!(first["next"][0].as_str().unwrap().contains("--attach"), "{first:#}");
    let record = first["record"].as_str().unwrap();
    let attached = cluster.audit(&["--attach", record]).current_dir("/").output().unwrap();
    let (code, report) = report(&attached);
    assert_eq!((code, statuses(&report)), (0, vec!["finished"; 4]), "{report:#}");
    assert!(!Path::new(record).join("slurm/environment").exists(), "the user's environment was left in the record");
}

#[test]
fn the_first_divergence_cancels_what_is_left() {
    let Some(cluster) = Cluster::up(&[]) else { return };
    cluster.write("job.sh", &steps(4000).replace("0.$i\"", "0.$((i < 5 ? i : i * $$))\""));
    let start = Instant::now();
    let (code, report) = finish(cluster.start(&["--times", "3"]));
    assert_eq!((code, &report["divergence"]["step"]), (1, &Value::from(5)), "{report:#}");
    assert_eq!(statuses(&report), ["stopped"; 3]);
    assert!(start.elapsed() < A_WHILE, "4000 steps take 200 s");
    cluster.nothing_is_left();
}

#[test]
fn cancelled_from_outside_is_lost_and_never_agreed() {
    let Some(cluster) = Cluster::up(&[]) else { return };
    // The job makes the best of it, which Slurm then calls completed.
    cluster.write("job.sh", &format!("trap 'exit 0' TERM\n{}", steps(4000)));
    let audit = cluster.start(&["--times", "2"]);
    soon("some steps", A_WHILE, || ["r1", "r2"].iter().all(|run| cluster.log(run).contains("step 9")));
    let ids = cluster.queue();
    let ids: Vec<&str> = ids.lines().filter_map(|line| line.split(' ').next()).collect();
    cluster.tell("scancel", &ids);
    let (code, report) = finish(audit);
    assert_eq!((code, statuses(&report)), (3, vec!["lost", "lost"]), "{report:#}");
    assert!(report["warnings"].to_string().contains("SIGTERM"), "{report:#}");
}

#[test]
fn settings_reach_the_node_as_they_were_given() {
    let Some(cluster) = Cluster::up(&[]) else { return };
    cluster.write("job.sh", "printf %s \"$ODD\" > seen-$SLURM_ARRAY_TASK_ID; echo $ONLY_HERE >> seen-$SLURM_ARRAY_TASK_ID; echo step 1 loss 0.5; echo step 2 loss 0.5; echo step 3 loss 0.25");
    let odd = "q,r='s' \"t\" $HOME\n{u}";
    let mut command = cluster.audit(&["--executor", "slurm", "--no-blame", "--times", "2", "--env"]);
    command.arg(format!("ODD={odd}")).args(["--", "sh", "job.sh"]).env("ONLY_HERE", "of the submitter");
    let (code, report) = report(&command.output().unwrap());
    assert_eq!(code, 0, "{report:#}");
    assert_eq!(fs::read_to_string(cluster.work().join("seen-1")).unwrap(), format!("{odd}of the submitter\n"));
}

#[test]
fn the_cause_is_found_through_the_queue_as_well() {
    let Some(cluster) = Cluster::up(&[]) else { return };
    cluster.write(
        "job.py",
        "for step in range(5):\n    print('step', step, 'loss', 0.5 + (hash('x') % 1000) / 4096, flush=True)\n",
    );
    let output = cluster.audit(&["--executor", "slurm", "--", "python3", "job.py"]).output().unwrap();
    let (code, report) = report(&output);
    assert_eq!(code, 1, "{report:#}");
    assert_eq!(report["blame"]["causes"][0]["id"], "hashseed", "{report:#}");
    assert_eq!(report["blame"]["causes"][0]["grade"], "proved", "{report:#}");
}

#[test]
fn a_result_that_depends_on_the_node_is_the_nodes_effect() {
    let Some(cluster) = Cluster::up(&["--set", "SelectTypeParameters=CR_CPU_Memory,CR_LLN"]) else { return };
    // Long enough that all of them are there at once, two on each node.
    cluster
        .write("job.sh", "for i in 1 2 3; do echo step $i loss 0.$(echo $SLURMD_NODENAME | tr -d n)$i; done; sleep 2");
    let (code, report) = finish(cluster.start(&["--times", "4", "--full-length"]));
    assert_eq!(code, 1, "{report:#}");
    let effect = &report["effects"][0];
    assert_eq!((effect["setting"].as_str(), effect["levels"].as_array().map(Vec::len)), (Some("node"), Some(2)));
    assert_eq!(effect["changes_result"], true, "{report:#}");
}

#[test]
fn a_folder_that_the_nodes_lack_is_named() {
    let Some(cluster) = Cluster::up(&[]) else { return };
    let gone = cluster.base.path().join("gone");
    fs::create_dir(&gone).unwrap();
    let mut command = cluster.audit(&["--executor", "slurm", "--no-blame", "--times", "2"]);
    command.args(["--slurm-arg=--begin=now+3", "--record"]).arg(cluster.work().join("record"));
    let audit =
        command.args(["--", "echo"]).current_dir(&gone).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    soon("the submission", A_WHILE, || !cluster.queue().is_empty());
    fs::remove_dir(&gone).unwrap();
    let (code, report) = finish(audit);
    assert_eq!((code, statuses(&report)), (3, vec!["lost", "lost"]), "{report:#}");
    assert!(report["warnings"].to_string().contains(&gone.display().to_string()), "{report:#}");
}

#[test]
fn a_dry_run_prints_the_submission_and_submits_nothing() {
    let output = Command::new(env!("CARGO_BIN_EXE_repro-audit"))
        .args(["run", "--dry-run", "--executor", "slurm", "--times", "4", "--jobs", "2", "--timeout", "10m"])
        .args(["--slurm-arg=--partition=gpu", "--set", "threads=2", "--", "true"])
        .output()
        .unwrap();
    let shown = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    for expected in ["sbatch", "--array=0-3%2", "--time=12", "--cpus-per-task=2", "--partition=gpu", "exec-trial"] {
        assert!(shown.contains(expected), "no {expected} in {shown}");
    }
}

#[test]
fn options_of_slurm_without_slurm_are_misuse() {
    for options in [&["--slurm-arg=--mem=1G"][..], &["--detach"], &["--executor", "slurm", "--slurm-arg=--array=0-9"]] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_repro-audit"));
        let output = command.arg("run").args(options).args(["--", "true"]).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{options:?}");
    }
}
