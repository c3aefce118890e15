//! Real processes, well behaved and not: every trial ends as documented, and nothing is left running.

#![expect(clippy::unwrap_used, reason = "a failure here is a failure of the test")]

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use repro_audit::error::Error;
use repro_audit::execute::{Executor, Finish, Interrupt, Listener, Local, Options};
use repro_audit::model::{Control, Launch, RunEvent, Status, Stream, Trial};

/// How one run ended.
#[derive(Clone, Debug, Default)]
struct End {
    status: Option<Status>,
    exit_code: Option<i32>,
    signal: Option<i32>,
    duration: Duration,
    notes: Vec<String>,
}

/// Everything that was heard of the runs; says stop when told to.
#[derive(Default)]
struct Heard {
    order: Vec<String>,
    processes: HashMap<String, u32>,
    output: HashMap<String, Vec<u8>>,
    bytes: HashMap<(String, Stream), u64>,
    ends: HashMap<String, End>,
    keep_no_output: bool,
    stop: Option<fn(&Heard, &RunEvent<'_>) -> Control>,
}

impl Listener for Heard {
    fn on(&mut self, event: &RunEvent<'_>) -> Control {
        match event {
            RunEvent::Started { run, process } => {
                self.order.push(format!("+{run}"));
                self.processes.insert(run.to_string(), *process);
            }
            RunEvent::Wrote { run, stream, bytes } => {
                *self.bytes.entry((run.to_string(), *stream)).or_default() += bytes.len() as u64;
                if !self.keep_no_output && *stream == Stream::Output {
                    self.output.entry(run.to_string()).or_default().extend_from_slice(bytes);
                }
            }
            RunEvent::Restarted { .. } | RunEvent::Noted { .. } => {}
            RunEvent::Ended { run, status, exit_code, signal, duration, notes, .. } => {
                self.order.push(format!("-{run}"));
                let end = End {
                    status: Some(*status),
                    exit_code: *exit_code,
                    signal: *signal,
                    duration: *duration,
                    notes: notes.to_vec(),
                };
                assert!(self.ends.insert(run.to_string(), end).is_none(), "{run} ended twice");
            }
        }
        self.stop.map_or(Control::Continue, |stop| stop(self, event))
    }
}

impl Heard {
    fn end(&self, run: &str) -> End {
        self.ends[run].clone()
    }

    fn text(&self, run: &str) -> String {
        String::from_utf8_lossy(self.output.get(run).map_or(&[], Vec::as_slice)).into_owned()
    }
}

/// An audit of shell scripts, one run each.
struct Case {
    folder: tempfile::TempDir,
    trials: Vec<Trial>,
    options: Options,
    heard: Heard,
}

impl Case {
    fn new(scripts: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let trials =
            scripts.iter().enumerate().map(|(index, script)| trial(folder.path(), index + 1, script)).collect();
        let options = Options { grace: Duration::from_millis(300), ..Options::default() };
        Self { folder, trials, options, heard: Heard::default() }
    }

    fn jobs(mut self, jobs: usize) -> Self {
        self.options.jobs = jobs;
        self
    }

    fn timeout(mut self, timeout: Duration) -> Self {
        self.trials.iter_mut().for_each(|trial| trial.launch.timeout = Some(timeout));
        self
    }

    fn stopping(mut self, stop: fn(&Heard, &RunEvent<'_>) -> Control) -> Self {
        self.heard.stop = Some(stop);
        self
    }

    fn run(&mut self) -> Finish {
        self.try_run().unwrap()
    }

    fn try_run(&mut self) -> Result<Finish, Error> {
        Local::new(self.options.clone()).unwrap().execute(&self.trials, &mut self.heard)
    }

    fn log(&self, run: &str, name: &str) -> Vec<u8> {
        fs::read(self.folder.path().join(run).join(name)).unwrap()
    }
}

fn trial(folder: &Path, number: usize, script: &str) -> Trial {
    let run = format!("r{number}");
    Trial {
        treatment: "reference".to_owned(),
        replicate: number as u32,
        settings: BTreeMap::new(),
        launch: Launch {
            command: ["bash", "-c", script].map(str::to_owned).to_vec(),
            record: folder.join(&run),
            ..Launch::default()
        },
        run,
    }
}

/// A number of seconds that no other process sleeps: by it a stray one is known.
fn unusual() -> String {
    use std::sync::atomic::{AtomicU32, Ordering};
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!("{}.{:06}", 5000 + NEXT.fetch_add(1, Ordering::Relaxed), std::process::id())
}

/// Processes whose command line holds `word`.
fn carrying(word: &str) -> Vec<u32> {
    let processes = fs::read_dir("/proc").unwrap().flatten();
    let ids = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    ids.filter(|id| {
        let line = fs::read(format!("/proc/{id}/cmdline")).unwrap_or_default();
        *id != std::process::id() && String::from_utf8_lossy(&line).contains(word)
    })
    .collect()
}

/// Waits until `holds`, up to some seconds.
fn soon(what: &str, mut holds: impl FnMut() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < Duration::from_secs(20), "not in time: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn what_a_run_writes_reaches_file_and_listener_alike() {
    let mut case = Case::new(&["echo one; echo two >&2; printf three"]);
    assert_eq!(case.run(), Finish::Complete);
    assert_eq!(case.heard.text("r1"), "one\nthree");
    assert_eq!(case.log("r1", "stdout.log"), b"one\nthree");
    assert_eq!(case.log("r1", "stderr.log"), b"two\n");
    let end = case.heard.end("r1");
    assert_eq!((end.status, end.exit_code, end.signal), (Some(Status::Finished), Some(0), None));
    assert_eq!(end.notes, [""; 0]);
}

#[test]
fn a_crash_in_run_two_of_three_leaves_the_others_alone() {
    let mut case = Case::new(&["echo 1", "echo 2; exit 7", "echo 3"]);
    case.run();
    assert_eq!(case.heard.end("r1").status, Some(Status::Finished));
    let end = case.heard.end("r2");
    assert_eq!((end.status, end.exit_code), (Some(Status::Crashed), Some(7)));
    assert_eq!(case.heard.text("r2"), "2\n");
    assert_eq!(case.heard.end("r3").status, Some(Status::Finished));
}

#[test]
fn a_run_killed_by_a_signal_is_crashed_and_names_it() {
    let mut case = Case::new(&["kill -SEGV $$"]);
    case.run();
    let end = case.heard.end("r1");
    assert_eq!((end.status, end.exit_code, end.signal), (Some(Status::Crashed), None, Some(11)));
    assert!(end.notes[0].contains("SIGSEGV"), "{:?}", end.notes);
}

#[test]
fn a_run_killed_by_another_hand_does_not_count_as_ours() {
    let mut case = Case::new(&["kill -KILL $$"]);
    case.run();
    let end = case.heard.end("r1");
    assert_eq!((end.status, end.signal), (Some(Status::Crashed), Some(9)));
    assert_eq!(end.notes, ["ended by SIGKILL, which the audit did not send"]);
}

#[test]
fn a_listener_that_fails_leaves_no_process() {
    let word = unusual();
    let script = format!("setsid sleep {word} & echo ready; sleep {word}");
    let result = std::panic::catch_unwind(|| {
        Case::new(&[&script])
            .stopping(|_, event| match event {
                RunEvent::Wrote { .. } => panic!("the listener fails, as this test wants"),
                _ => Control::Continue,
            })
            .run()
    });
    assert!(result.is_err());
    soon("the end of its processes", || carrying(&word).is_empty());
}

#[test]
fn a_silent_run_finishes_with_empty_logs() {
    let mut case = Case::new(&["exit 0"]);
    case.run();
    assert_eq!(case.heard.end("r1").status, Some(Status::Finished));
    assert!(case.log("r1", "stdout.log").is_empty());
}

#[test]
fn a_run_that_never_ends_is_timed_out() {
    let word = unusual();
    let mut case = Case::new(&[&format!("echo on; sleep {word}; echo off")]).timeout(Duration::from_millis(200));
    let start = Instant::now();
    case.run();
    assert!(start.elapsed() < Duration::from_secs(5));
    let end = case.heard.end("r1");
    assert_eq!((end.status, end.signal), (Some(Status::TimedOut), Some(15)));
    assert!(end.duration >= Duration::from_millis(200));
    assert_eq!(case.heard.text("r1"), "on\n");
    assert_eq!(carrying(&word), [0; 0]);
}

#[test]
fn a_run_that_ignores_the_request_to_end_is_killed_after_the_grace() {
    let word = unusual();
    let script = format!("trap '' TERM; echo on; sleep {word} & while :; do wait; done");
    let mut case = Case::new(&[&script]).timeout(Duration::from_millis(200));
    case.run();
    let end = case.heard.end("r1");
    assert_eq!((end.status, end.signal), (Some(Status::TimedOut), Some(9)));
    assert!(end.duration >= Duration::from_millis(450), "{:?}", end.duration);
    assert!(end.notes.iter().any(|note| note.contains("killed")), "{:?}", end.notes);
    assert_eq!(carrying(&word), [0; 0]);
}

#[test]
fn a_run_may_clean_up_within_the_grace() {
    let mut case = Case::new(&["trap 'echo saved; exit 0' TERM; echo on; while :; do sleep 0.01; done"]);
    case.options.grace = Duration::from_secs(10);
    case = case.timeout(Duration::from_millis(300));
    case.run();
    let end = case.heard.end("r1");
    assert_eq!((end.status, end.exit_code), (Some(Status::TimedOut), Some(0)));
    assert_eq!(case.heard.text("r1"), "on\nsaved\n");
}

#[test]
fn a_stop_from_the_listener_ends_that_run_only() {
    let word = unusual();
    let endless = format!("echo ready; sleep {word}");
    let mut case = Case::new(&[&endless, "sleep 0.5; echo done"]).jobs(2).stopping(|_, event| match event {
        RunEvent::Wrote { run: "r1", .. } => Control::Stop(vec!["r1".to_owned()]),
        _ => Control::Continue,
    });
    assert_eq!(case.run(), Finish::Complete);
    assert_eq!(case.heard.end("r1").status, Some(Status::Stopped));
    assert_eq!(case.heard.end("r2").status, Some(Status::Finished));
    assert_eq!(carrying(&word), [0; 0]);
}

#[test]
fn stopping_all_skips_what_was_not_started() {
    let mut case =
        Case::new(&["echo ready; sleep 1000", "echo never", "echo never"]).stopping(|_, event| match event {
            RunEvent::Wrote { .. } => Control::StopAll,
            _ => Control::Continue,
        });
    assert_eq!(case.run(), Finish::Stopped);
    assert_eq!(case.heard.end("r1").status, Some(Status::Stopped));
    assert_eq!(case.heard.end("r2").status, Some(Status::Skipped));
    assert_eq!(case.heard.end("r3").status, Some(Status::Skipped));
    assert_eq!(case.heard.order, ["+r1", "-r1", "-r2", "-r3"]);
}

#[test]
fn runs_go_side_by_side_up_to_jobs_and_no_further() {
    let mut case = Case::new(&["sleep 0.2"; 4]).jobs(2);
    case.run();
    let (mut going, mut most) = (0, 0);
    for event in &case.heard.order {
        going += if event.starts_with('+') { 1 } else { -1 };
        most = most.max(going);
    }
    assert_eq!((going, most), (0, 2), "{:?}", case.heard.order);
}

#[test]
fn the_environment_is_set_and_unset_as_asked() {
    let mut case = Case::new(&["echo ${GIVEN-none} ${HOME-none}; pwd"]);
    let launch = &mut case.trials[0].launch;
    launch.environment = [("GIVEN".to_owned(), Some("a b".to_owned())), ("HOME".to_owned(), None)].into();
    launch.folder = Some(PathBuf::from("/usr"));
    case.run();
    assert_eq!(case.heard.text("r1"), "a b none\n/usr\n");
}

#[test]
fn a_run_leads_a_session_and_a_group_of_its_own() {
    // Otherwise Ctrl-C in a terminal would reach the run past the audit.
    let mut case = Case::new(&["read -r _ _ _ _ group session _ < /proc/$$/stat; echo $$ $group $session"]);
    case.run();
    let process = case.heard.processes["r1"];
    assert_eq!(case.heard.text("r1"), format!("{process} {process} {process}\n"));
}

#[test]
fn standard_input_is_empty() {
    let mut case = Case::new(&["cat; echo end"]).timeout(Duration::from_secs(10));
    case.run();
    assert_eq!(case.heard.text("r1"), "end\n");
    assert_eq!(case.heard.end("r1").status, Some(Status::Finished));
}

#[test]
fn a_program_that_is_not_there_is_an_error_that_names_it() {
    let mut case = Case::new(&[""]);
    case.trials[0].launch.command = vec!["/no/such/program".to_owned()];
    let error = case.try_run().unwrap_err();
    assert!(matches!(&error, Error::Launch { program, .. } if program == "/no/such/program"), "{error}");
    assert!(case.heard.order.is_empty());
}

#[test]
fn a_folder_that_is_not_there_is_not_taken_for_the_program() {
    let mut case = Case::new(&["true"]);
    case.trials[0].launch.folder = Some(PathBuf::from("/no/such/folder"));
    assert!(matches!(case.try_run(), Err(Error::File { path, .. }) if path == Path::new("/no/such/folder")));
}

#[test]
fn a_program_that_goes_missing_later_is_a_crashed_run() {
    let mut case = Case::new(&["true", "", "true"]);
    case.trials[1].launch.command = vec!["/no/such/program".to_owned()];
    case.run();
    let end = case.heard.end("r2");
    assert_eq!(end.status, Some(Status::Crashed));
    assert!(end.notes[0].contains("/no/such/program"), "{:?}", end.notes);
    assert_eq!(case.heard.end("r3").status, Some(Status::Finished));
}

#[test]
fn a_run_that_closes_its_output_is_still_waited_for() {
    let mut case = Case::new(&["echo before; exec >&- 2>&-; sleep 0.4; exit 3"]);
    case.run();
    let end = case.heard.end("r1");
    assert_eq!((end.status, end.exit_code), (Some(Status::Crashed), Some(3)));
    assert!(end.duration >= Duration::from_millis(400));
}

#[test]
fn what_a_run_leaves_behind_is_ended_and_counted() {
    let word = unusual();
    let mut case = Case::new(&[&format!("echo on; sleep {word} & setsid sleep {word} & echo off")]);
    case.run();
    let end = case.heard.end("r1");
    assert_eq!((end.status, end.exit_code), (Some(Status::Finished), Some(0)));
    assert_eq!(end.notes, ["left 2 processes behind, ended"]);
    assert_eq!(carrying(&word), [0; 0]);
}

#[test]
fn what_a_run_leaves_in_its_session_is_found_without_a_name() {
    let word = unusual();
    let mut case = Case::new(&[&format!("env -i sleep {word} & sleep 0.2; echo off")]);
    case.run();
    assert_eq!(case.heard.end("r1").notes, ["left 1 process behind, ended"]);
    assert_eq!(carrying(&word), [0; 0]);
}

#[test]
fn descendants_in_sessions_of_their_own_end_with_a_run_that_is_stopped() {
    let word = unusual();
    // The grandchild ignores the request, has lost its parent and its place in the run's session.
    let hidden = format!("setsid bash -c \"trap '' TERM; sleep {word} & while :; do wait; done\" & ");
    let mut case = Case::new(&[&format!("({hidden}) ; echo ready; sleep {word}")]).stopping(|_, event| match event {
        RunEvent::Wrote { .. } => Control::StopAll,
        _ => Control::Continue,
    });
    case.run();
    assert_eq!(case.heard.end("r1").status, Some(Status::Stopped));
    assert_eq!(carrying(&word), [0; 0]);
}

#[test]
fn what_a_run_leaves_may_still_finish_writing() {
    let mut case = Case::new(&["(sleep 0.1; echo last) & echo first"]);
    case.run();
    assert_eq!(case.heard.text("r1"), "first\nlast\n");
    assert_eq!(case.heard.end("r1").notes, [""; 0]);
}

#[test]
fn an_output_held_open_by_a_stranger_does_not_hang_the_audit() {
    // A process of this test, not of the run, holds the run's standard output open: as if the run had handed it to a
    // service. /proc gives it away.
    let folder = tempfile::tempdir().unwrap();
    let note = folder.path().join("process");
    let script =
        format!("echo $$ > {0}.tmp; mv {0}.tmp {0}; while [ ! -e {0}.held ]; do sleep 0.01; done", note.display());
    let mut case = Case::new(&[&script]);
    let stranger = std::thread::spawn({
        let note = note.clone();
        move || {
            soon("the run's process id", || note.exists());
            let process = fs::read_to_string(&note).unwrap();
            let held = fs::File::options().write(true).open(format!("/proc/{}/fd/1", process.trim())).unwrap();
            fs::write(note.with_extension("held"), "").unwrap();
            held
        }
    });
    let start = Instant::now();
    case.run();
    let _held = stranger.join().unwrap();
    assert!(start.elapsed() < Duration::from_secs(10));
    let end = case.heard.end("r1");
    assert_eq!(end.status, Some(Status::Finished));
    assert!(end.notes.iter().any(|note| note.contains("holds its output open")), "{:?}", end.notes);
}

#[test]
fn a_flood_costs_no_memory_and_loses_no_byte() {
    const FLOOD: u64 = 400 << 20;
    let mut case = Case::new(&[&format!("yes | head -c {FLOOD}; yes '' | head -c 1000000 | tr '\\n' x >&2")]);
    case.heard.keep_no_output = true;
    let before = peak_memory();
    case.run();
    let grown = peak_memory() - before;
    assert_eq!(case.heard.end("r1").status, Some(Status::Finished));
    assert_eq!(case.heard.bytes[&("r1".to_owned(), Stream::Output)], FLOOD);
    assert_eq!(case.heard.bytes[&("r1".to_owned(), Stream::Error)], 1_000_000);
    let log = fs::metadata(case.folder.path().join("r1/stdout.log")).unwrap();
    assert_eq!(log.len(), FLOOD);
    assert!(grown < LITTLE, "grew by {grown} KiB");
}

#[test]
fn no_line_end_for_1_gb_costs_no_memory() {
    const FLOOD: u64 = 1 << 30;
    let mut case = Case::new(&[&format!("head -c {FLOOD} /dev/zero")]);
    case.heard.keep_no_output = true;
    let before = peak_memory();
    case.run();
    assert_eq!(case.heard.bytes[&("r1".to_owned(), Stream::Output)], FLOOD);
    assert!(peak_memory() - before < LITTLE);
}

/// A quarter of a flood, in KiB: far from holding it, far from what the other tests of this process use meanwhile.
const LITTLE: u64 = 100 << 10;

/// The most memory that this process has used, in KiB. Other tests add to it, a little.
fn peak_memory() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

#[test]
fn a_full_disk_is_noted_and_the_run_goes_on() {
    let mut case = Case::new(&["echo one; sleep 0.1; echo two"]);
    let folder = case.folder.path().join("r1");
    fs::create_dir(&folder).unwrap();
    std::os::unix::fs::symlink("/dev/full", folder.join("stdout.log")).unwrap();
    case.run();
    let end = case.heard.end("r1");
    assert_eq!(case.heard.text("r1"), "one\ntwo\n");
    assert_eq!(end.status, Some(Status::Finished));
    assert!(end.notes[0].contains("standard output could not be written"), "{:?}", end.notes);
    assert!(end.notes[0].contains("No space left"), "{:?}", end.notes);
}

#[test]
fn a_record_folder_that_cannot_be_made_is_noted_and_the_run_goes_on() {
    let mut case = Case::new(&["echo one"]);
    fs::write(case.folder.path().join("r1"), "in the way").unwrap();
    case.run();
    assert_eq!(case.heard.text("r1"), "one\n");
    assert!(case.heard.end("r1").notes[0].contains("could not be made"), "{:?}", case.heard.end("r1").notes);
}

#[test]
fn a_record_folder_that_vanishes_stops_nothing() {
    let mut case = Case::new(&["echo one; sleep 0.2; echo two", "echo three"]);
    let folder = case.folder.path().to_owned();
    let vandal = std::thread::spawn(move || {
        soon("the first log", || folder.join("r1/stdout.log").exists());
        fs::remove_dir_all(&folder).unwrap();
    });
    case.run();
    vandal.join().unwrap();
    assert_eq!(case.heard.text("r1"), "one\ntwo\n");
    assert_eq!(case.heard.text("r2"), "three\n");
}

#[test]
fn a_job_on_a_terminal_sees_one_and_its_line_ends_stay() {
    let mut case = Case::new(&["[ -t 1 ] && echo terminal; [ -t 0 ] || echo no input"]);
    case.options.pty = true;
    case.run();
    assert_eq!(case.heard.text("r1"), "terminal\nno input\n");
    assert_eq!(case.heard.end("r1").notes, [""; 0]);
}

#[test]
fn runs_side_by_side_get_a_card_each() {
    let mut case = Case::new(&["echo ${CUDA_VISIBLE_DEVICES-all}; sleep 0.2"; 3]).jobs(3);
    case.options.cards = vec!["0".to_owned(), "1".to_owned()];
    case.run();
    let mut first: Vec<String> = ["r1", "r2"].map(|run| case.heard.text(run)).to_vec();
    first.sort();
    assert_eq!(first, ["0\n", "1\n"]);
    assert_eq!(case.heard.order[..2], ["+r1", "+r2"]);
    assert!(case.heard.order[2].starts_with('-'), "three runs on two cards: {:?}", case.heard.order);
}

// What follows ends the audit itself, so it happens in a process of its own: this test binary, started again.

/// Does nothing, unless it was started as an auditor by [`Auditor::start`].
#[test]
fn as_auditor() {
    let Ok(folder) = std::env::var("TEST_AUDIT_FOLDER") else { return };
    let scripts = std::env::var("TEST_AUDIT_SCRIPTS").unwrap();
    let folder = PathBuf::from(folder);
    let trials: Vec<Trial> =
        scripts.split('\x1e').enumerate().map(|(index, script)| trial(&folder, index + 1, script)).collect();
    let grace = Duration::from_millis(std::env::var("TEST_AUDIT_GRACE").unwrap().parse().unwrap());
    let options = Options { jobs: trials.len(), grace, sole: true, ..Options::default() };
    let mut heard = Heard::default();
    let finish = Local::new(options).unwrap().execute(&trials, &mut heard).unwrap();
    let mut told = format!("{finish:?}\n");
    for trial in &trials {
        let end = heard.end(&trial.run);
        told += &format!("{} {:?} {:?} {:?}\n", trial.run, end.status.unwrap(), end.signal, end.notes);
    }
    fs::write(folder.join("told"), told).unwrap();
}

/// An auditor that is told to go on after its runs, as if it wrote a long report.
#[test]
fn a_signal_after_the_last_run_ends_the_process_as_ever() {
    let Ok(folder) = std::env::var("TEST_AUDIT_AFTERWARDS") else {
        let folder = tempfile::tempdir().unwrap();
        let mut process = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "a_signal_after_the_last_run_ends_the_process_as_ever"])
            .env("TEST_AUDIT_AFTERWARDS", folder.path())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        soon("the last run", || folder.path().join("over").exists());
        assert!(Command::new("kill").args(["-INT", &process.id().to_string()]).status().unwrap().success());
        let start = Instant::now();
        let status = process.wait().unwrap();
        assert_eq!(std::os::unix::process::ExitStatusExt::signal(&status), Some(2));
        assert!(start.elapsed() < Duration::from_secs(10));
        return;
    };
    let folder = PathBuf::from(folder);
    // Two audits in one process: the second hears signals again, and gives them back again.
    for _ in 0..2 {
        let mut local = Local::new(Options { sole: true, ..Options::default() }).unwrap();
        let script = "kill -INT $PPID; sleep 1000";
        let finish = local.execute(&[trial(&folder, 1, script)], &mut Heard::default()).unwrap();
        assert_eq!(finish, Finish::Interrupted(Interrupt::Interrupted));
    }
    fs::write(folder.join("over"), "").unwrap();
    std::thread::sleep(Duration::from_secs(20));
}

struct Auditor {
    folder: tempfile::TempDir,
    process: Child,
}

impl Auditor {
    fn start(scripts: &[&str], grace: u64) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let process = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "as_auditor", "--nocapture"])
            .env("TEST_AUDIT_FOLDER", folder.path())
            .env("TEST_AUDIT_SCRIPTS", scripts.join("\x1e"))
            .env("TEST_AUDIT_GRACE", grace.to_string())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        Self { folder, process }
    }

    fn after(self, lines: &[(&str, &str)]) -> Self {
        for (run, line) in lines {
            let log = self.folder.path().join(run).join("stdout.log");
            soon("the run's first line", || fs::read_to_string(&log).is_ok_and(|text| text.contains(line)));
        }
        self
    }

    fn signal(&self, name: &str) {
        assert!(Command::new("kill").args([name, &self.process.id().to_string()]).status().unwrap().success());
    }

    fn told(mut self) -> String {
        let start = Instant::now();
        while self.process.try_wait().unwrap().is_none() {
            assert!(start.elapsed() < Duration::from_secs(30), "the auditor hangs");
            std::thread::sleep(Duration::from_millis(10));
        }
        let mut errors = String::new();
        self.process.stderr.take().unwrap().read_to_string(&mut errors).unwrap();
        fs::read_to_string(self.folder.path().join("told")).unwrap_or_else(|_| panic!("the auditor said: {errors}"))
    }
}

impl Drop for Auditor {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[test]
fn an_interrupted_audit_ends_its_runs_and_says_so() {
    for (signal, expected) in
        [("-INT", Interrupt::Interrupted), ("-TERM", Interrupt::Terminated), ("-HUP", Interrupt::HungUp)]
    {
        let word = unusual();
        let endless = format!("echo ready; setsid sleep {word} & sleep {word}");
        let auditor = Auditor::start(&["echo done", &endless], 5000).after(&[("r2", "ready"), ("r1", "done")]);
        std::thread::sleep(Duration::from_millis(100));
        auditor.signal(signal);
        let told = auditor.told();
        assert!(told.starts_with(&format!("{:?}\n", Finish::Interrupted(expected))), "{told}");
        assert!(told.contains("r1 Finished None"), "{told}");
        assert!(told.contains("r2 Lost Some(15)"), "{told}");
        assert_eq!(carrying(&word), [0; 0]);
    }
}

#[test]
fn a_second_interrupt_kills_at_once() {
    let word = unusual();
    let stubborn = format!("trap '' TERM INT; echo ready; sleep {word} & while :; do wait; done");
    let auditor = Auditor::start(&[&stubborn], 60_000).after(&[("r1", "ready")]);
    auditor.signal("-INT");
    std::thread::sleep(Duration::from_millis(300));
    let start = Instant::now();
    auditor.signal("-INT");
    let told = auditor.told();
    assert!(start.elapsed() < Duration::from_secs(20), "it sat out the grace");
    assert!(told.contains("r1 Lost Some(9)"), "{told}");
    assert_eq!(carrying(&word), [0; 0]);
}

#[test]
fn a_killed_audit_takes_its_runs_and_their_descendants_along() {
    let word = unusual();
    let family =
        format!("trap '' TERM HUP; echo ready; setsid sleep {word} & sleep {word} & sleep {word}; sleep {word}");
    let auditor = Auditor::start(&[&family, &family], 5000).after(&[("r1", "ready"), ("r2", "ready")]);
    soon("both families", || carrying(&word).len() >= 8);
    auditor.signal("-KILL");
    soon("the end of both families", || carrying(&word).is_empty());
}

#[test]
fn a_killed_audit_leaves_no_watchdog() {
    let auditor = Auditor::start(&["echo ready; sleep 1000"], 5000).after(&[("r1", "ready")]);
    let own = auditor.process.id();
    let watchdogs: Vec<u32> =
        carrying("repro-audit-watchdog").into_iter().filter(|id| parent(*id) == Some(own)).collect();
    assert_eq!(watchdogs.len(), 1);
    auditor.signal("-KILL");
    // This process may have become its parent, and does not wait for it.
    soon("the watchdog's end", || state(watchdogs[0]).is_none_or(|state| state == 'Z'));
}

#[test]
fn a_run_dies_with_its_audit_even_without_a_watchdog() {
    let word = unusual();
    let auditor = Auditor::start(&[&format!("echo ready; exec sleep {word}")], 5000).after(&[("r1", "ready")]);
    let own = auditor.process.id();
    let watchdog = carrying("repro-audit-watchdog").into_iter().find(|id| parent(*id) == Some(own)).unwrap();
    assert!(Command::new("kill").args(["-KILL", &watchdog.to_string()]).status().unwrap().success());
    auditor.signal("-KILL");
    soon("the end of the run", || carrying(&word).is_empty());
}

#[test]
fn an_orphan_without_session_or_name_is_found_by_a_sole_auditor() {
    let word = unusual();
    let auditor = Auditor::start(&[&format!("env -i setsid sleep {word} & sleep 0.1; echo off")], 1000);
    let told = auditor.told();
    assert!(told.contains("left 1 process behind"), "{told}");
    assert_eq!(carrying(&word), [0; 0]);
}

fn state(process: u32) -> Option<char> {
    field(process, 0)?.chars().next()
}

fn parent(process: u32) -> Option<u32> {
    field(process, 1)?.parse().ok()
}

fn field(process: u32, number: usize) -> Option<String> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    Some(stat.rsplit_once(')')?.1.split_ascii_whitespace().nth(number)?.to_owned())
}
