//! What may befall an audit from outside, driven through the binary: each ends as documented, and loses nothing.
#![expect(clippy::unwrap_used, reason = "a test that cannot set up its case has failed")]

use std::fs;
use std::io::Read as _;
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

struct Case {
    folder: TempDir,
}

impl Case {
    fn new(job: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("job.sh"), job).unwrap();
        Self { folder }
    }

    fn audit(&self, options: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_repro-audit"));
        command.args(["run", "--no-blame", "--no-shim", "--format", "json"]).args(options).args(["--", "sh", "job.sh"]);
        command.current_dir(self.folder.path()).stdin(Stdio::null());
        command
    }

    fn latest(&self, path: &str) -> PathBuf {
        self.folder.path().join(".repro-audit/latest").join(path)
    }

    fn take_up(&self) -> (i32, Value) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_repro-audit"));
        command.args(["run", "--continue", ".repro-audit/latest", "--format", "json"]);
        report(&command.current_dir(self.folder.path()).output().unwrap())
    }
}

fn report(output: &Output) -> (i32, Value) {
    let said = String::from_utf8_lossy(&output.stderr);
    let report = serde_json::from_slice(&output.stdout).unwrap_or_else(|why| panic!("{why}: {said}"));
    (output.status.code().unwrap(), report)
}

fn soon(what: &str, mut holds: impl FnMut() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < Duration::from_secs(30), "not in time: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn ended(audit: &mut Child) -> ExitStatus {
    soon("the end of the audit", || audit.try_wait().unwrap().is_some());
    audit.wait().unwrap()
}

const STEPS: &str = "for i in 1 2 3 4 5; do echo step $i loss 0.$i; done\n";

#[test]
fn runs_that_had_ended_when_an_audit_was_killed_are_not_repeated() {
    // The third run hangs the first time it is tried; the two before it are of the same round.
    let hang = "N=$(($(cat count 2>/dev/null || echo 0) + 1)); echo $N > count; [ $N = 3 ] && sleep 1000";
    let case = Case::new(&format!("{STEPS}{hang}\nexit 0\n"));
    let mut audit = case.audit(&["--times", "3", "--jobs", "1"]).stdout(Stdio::null()).spawn().unwrap();
    soon("the third run", || fs::read_to_string(case.folder.path().join("count")).is_ok_and(|count| count == "3\n"));
    audit.kill().unwrap();
    ended(&mut audit);
    let (code, report) = case.take_up();
    assert_eq!(code, 0, "{report:#}");
    assert_eq!(fs::read_to_string(case.folder.path().join("count")).unwrap(), "4\n", "a finished run was repeated");
    // What two parts of an audit left is one record.
    let shown = Command::new(env!("CARGO_BIN_EXE_repro-audit")).arg("report").arg(case.latest("")).output().unwrap();
    assert_eq!(shown.status.code(), Some(0), "{}", String::from_utf8_lossy(&shown.stderr));
}

#[test]
fn a_clock_that_jumps_ends_no_run_and_spoils_no_duration() {
    let folder = tempfile::tempdir().unwrap();
    let library = folder.path().join("jump.so");
    let source = folder.path().join("jump.c");
    fs::write(&source, JUMPING_CLOCK).unwrap();
    let built = Command::new("cc").args(["-shared", "-fPIC", "-o"]).args([&library, &source]).arg("-ldl").status();
    if !built.is_ok_and(|status| status.success()) {
        eprintln!("skipped: there is no C compiler to make the clock jump with");
        return;
    }
    let case = Case::new("for i in 1 2 3; do echo step $i loss 0.$i; sleep 0.5; done; date +%Y > year\n");
    let output = case.audit(&["--times", "2", "--timeout", "20s"]).env("LD_PRELOAD", &library).output().unwrap();
    let (code, report) = report(&output);
    assert_eq!(code, 0, "{report:#}");
    let year: u32 = fs::read_to_string(case.folder.path().join("year")).unwrap().trim().parse().unwrap();
    assert!(year > 2100, "the clock did not jump for the job: {year}");
    for run in report["runs"].as_array().unwrap() {
        let seconds = run["seconds"].as_f64().unwrap();
        assert!((1.0..20.0).contains(&seconds), "{report:#}");
    }
}

/// The time of day is a century ahead, and jumps on by more at each call; the other clocks go on as ever.
const JUMPING_CLOCK: &str = r#"
#define _GNU_SOURCE
#include <dlfcn.h>
#include <time.h>
static long jumped = 0;
int clock_gettime(clockid_t id, struct timespec *t) {
    static int (*real)(clockid_t, struct timespec *);
    if (!real) real = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
    int told = real(id, t);
    if (id == CLOCK_REALTIME) { t->tv_sec += (jumped + 100) * 31557600L; jumped += 90; if (jumped > 200) jumped = 200; }
    return told;
}
"#;

#[test]
fn an_audit_whose_terminal_goes_away_ends_its_runs_and_can_be_taken_up() {
    let case = Case::new(&format!("{STEPS}[ -e again ] || sleep 1000\n"));
    let terminal = nix::pty::openpty(None, None).unwrap();
    // An audit that held this end itself would never see the terminal go.
    nix::fcntl::fcntl(&terminal.master, nix::fcntl::FcntlArg::F_SETFD(nix::fcntl::FdFlag::FD_CLOEXEC)).unwrap();
    let mut command = case.audit(&["--times", "2"]);
    let ends: [OwnedFd; 3] = std::array::from_fn(|_| terminal.slave.try_clone().unwrap());
    let [input, output, error] = ends;
    command.stdin(input).stdout(output).stderr(error);
    // SAFETY: two async-signal-safe system calls between fork and exec.
    #[expect(unsafe_code, reason = "a terminal becomes a process's own only between fork and exec")]
    unsafe {
        command.pre_exec(|| {
            nix::unistd::setsid()?;
            if libc::ioctl(0, libc::TIOCSCTTY, 0) == 0 { Ok(()) } else { Err(std::io::Error::last_os_error()) }
        });
    }
    let mut audit = command.spawn().unwrap();
    drop(command);
    drop(terminal.slave);
    soon("the first run", || {
        fs::read_to_string(case.latest("runs/r1/stdout.log")).is_ok_and(|log| log.contains("step 5"))
    });
    let job = children(audit.id());
    assert!(!job.is_empty());
    // The connection breaks: the other end of the terminal is closed.
    let mut screen = fs::File::from(terminal.master.as_fd().try_clone_to_owned().unwrap());
    nix::fcntl::fcntl(&screen, nix::fcntl::FcntlArg::F_SETFL(nix::fcntl::OFlag::O_NONBLOCK)).unwrap();
    let _ = screen.read(&mut [0; 4096]);
    drop((screen, terminal.master));
    let status = ended(&mut audit);
    assert_eq!(status.code(), Some(2), "it ends by itself, and had nowhere to show its report: {status}");
    soon("the end of its processes", || job.iter().all(|id| !Path::new(&format!("/proc/{id}")).exists()));
    fs::write(case.folder.path().join("again"), "").unwrap();
    assert_eq!(case.take_up().0, 0);
}

fn children(process: u32) -> Vec<u32> {
    let list = fs::read_to_string(format!("/proc/{process}/task/{process}/children")).unwrap_or_default();
    list.split_ascii_whitespace().filter_map(|id| id.parse().ok()).collect()
}

#[test]
fn a_run_that_the_kernel_ends_for_want_of_memory_says_so() {
    let group = PathBuf::from(format!("/sys/fs/cgroup/memory/repro-audit-test-{}", std::process::id()));
    let limited = fs::create_dir(&group).and_then(|()| fs::write(group.join("memory.limit_in_bytes"), "33554432"));
    if limited.is_err() {
        eprintln!("skipped: no control group for memory can be made here");
        let _ = fs::remove_dir(&group);
        return;
    }
    // A line without end takes memory without end.
    let case = Case::new("echo $$ > \"$GROUP/cgroup.procs\"\necho step 1 loss 0.5\nexec sort /dev/zero\n");
    let (code, report) =
        report(&case.audit(&["--times", "2", "--timeout", "60s"]).env("GROUP", &group).output().unwrap());
    soon("the end of the group", || fs::remove_dir(&group).is_ok());
    assert_eq!(code, 3, "{report:#}");
    assert_eq!(
        (&report["runs"][0]["status"], &report["runs"][0]["signal"]),
        (&"crashed".into(), &9.into()),
        "{report:#}"
    );
    assert!(report["warnings"].to_string().contains("for want of memory"), "{report:#}");
}

#[test]
fn audits_in_one_folder_do_not_touch_one_another() {
    let case = Case::new(&format!("{STEPS}sleep 0.5\n"));
    let start = || case.audit(&["--times", "2"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let audits = [start(), start()];
    let reports = audits.map(|audit| report(&audit.wait_with_output().unwrap()));
    let records: Vec<&Value> = reports
        .iter()
        .map(|(code, report)| {
            assert_eq!(*code, 0, "{report:#}");
            &report["record"]
        })
        .collect();
    assert_ne!(records[0], records[1]);
}

#[test]
fn a_job_of_2000_steps_that_parts_at_step_50_ends_before_step_100() {
    let job = "i=0; while [ $i -lt 2000 ]; do\n\
               if [ $i -lt 50 ]; then echo \"step $i/2000 loss 0.$i\"; else echo \"step $i/2000 loss 0.$i$$\"; fi\n\
               i=$((i + 1)); sleep 0.004; done\n";
    let case = Case::new(job);
    let (code, early) = report(&case.audit(&["--times", "3", "--jobs", "3"]).output().unwrap());
    assert_eq!((code, &early["divergence"]["step"]), (1, &Value::from(50)), "{early:#}");
    let mut made = 0;
    for run in early["runs"].as_array().unwrap() {
        assert_eq!(run["status"], "stopped", "{early:#}");
        assert!(run["points"].as_u64().unwrap() < 100, "{early:#}");
        made += run["points"].as_u64().unwrap();
    }
    // Step n of 2000 is the (n + 1)th point, and 1999 - n are left of each.
    let saved = format!("{} steps were saved", 6000 - made);
    let near = |warning: &Value| warning.as_str().unwrap().contains(&saved);
    assert!(early["warnings"].as_array().unwrap().iter().any(near), "{saved}: {early:#}");
    let (code, whole) = report(&case.audit(&["--times", "3", "--jobs", "3", "--full-length"]).output().unwrap());
    assert_eq!(code, 1);
    assert_eq!(early["verdict"], whole["verdict"]);
    assert_eq!(early["divergence"]["step"], whole["divergence"]["step"]);
    assert_eq!(whole["runs"][2]["points"], 2000);
}
