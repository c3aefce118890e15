//! The runner on the node: carries one attempt out, and writes down how it began and how it ended.
//!
//! What it writes is the truth about the attempt, whatever Slurm says of the job. It ends its run when the submitter asks
//! for it, and when a newer attempt has begun elsewhere: a node that was given up for lost goes on running what it has.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::{Duration, Instant};

use super::environment;
use super::files::{self, Attempt, Begin, End, How, Intent, LogSum, Spec};
use crate::error::{Error, Result};
use crate::execute::capture::file_name;
use crate::execute::ranks;
use crate::execute::{Executor as _, Finish, Interrupt, Local, Options};
use crate::model::{Control, RunEvent, Status, Stream};

/// Between asking a run to end and ending it. Slurm kills the runner some seconds after it has asked it to end, on some
/// sites 3 s, and by then the end has to be written down.
const GRACE: Duration = Duration::from_secs(2);
/// How long a signal that ended the job may take to reach the runner as well.
const ECHO: Duration = Duration::from_millis(300);
/// The same for a job that ended well: then there mostly was no signal.
const SHORT_ECHO: Duration = Duration::from_millis(20);

/// Carries out the task of the submission in `folder` that Slurm has started this process for; gives the exit code, which
/// is the job's own where it has one.
///
/// # Errors
/// Where the record cannot be read or the attempt cannot be begun: then there is nothing to write an end to.
pub fn run(folder: &Path) -> Result<u8> {
    let task = Task::from_environment()?;
    let malformed = |what: &str| Error::Malformed { path: folder.to_owned(), what: what.to_owned() };
    let intent: Intent = files::read(&folder.join(files::INTENT))?.ok_or_else(|| malformed("holds no intent.json"))?;
    let member = intent.members.get(task.index).ok_or_else(|| malformed("has no task of this number"))?;
    let spec: Spec =
        files::read(&member.folder.join(files::SPEC))?.ok_or_else(|| malformed("the run has no spec.json"))?;
    let attempt = Attempt { submission: intent.number, restart: task.restart, job: task.job };
    let place = member.folder.join(attempt.folder());
    files::new_folder(&place)?;
    files::write(&place.join(files::BEGIN), &Begin::new(intent.name.clone(), node(), machine()))?;

    let watch = Watch { submission: folder.to_owned(), run: member.folder.clone(), attempt, place: place.clone() };
    let end = carry_out(&spec, &watch)?;
    let code = exit_code(&end);
    files::write(&place.join(files::END), &end)?;
    Ok(code)
}

/// What Slurm says of the task that this process is.
struct Task {
    job: String,
    index: usize,
    restart: u32,
}

impl Task {
    fn from_environment() -> Result<Self> {
        let number =
            |name: &str| std::env::var(name).ok().filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
        let missing =
            |name: &str| Error::Misuse(format!("exec-trial runs inside a job of Slurm only: there is no {name}"));
        let job = number("SLURM_JOB_ID").ok_or_else(|| missing("SLURM_JOB_ID"))?;
        let index = number("SLURM_ARRAY_TASK_ID").and_then(|text| text.parse().ok());
        let restart = number("SLURM_RESTART_COUNT").and_then(|text| text.parse().ok()).unwrap_or(0);
        Ok(Self { job, index: index.ok_or_else(|| missing("SLURM_ARRAY_TASK_ID"))?, restart })
    }
}

/// What is looked at while the job runs.
#[derive(Clone)]
struct Watch {
    submission: PathBuf,
    run: PathBuf,
    attempt: Attempt,
    place: PathBuf,
}

impl Watch {
    /// Why the attempt is not wanted any more; `None` while it is.
    fn unwanted(&self) -> Option<How> {
        if [&self.submission, &self.run].iter().any(|folder| folder.join(files::STOP).exists()) {
            return Some(How::Stopped);
        }
        let newer = files::attempts(&self.run).last().is_some_and(|newest| *newest > self.attempt);
        // Somebody has put the whole run aside: then another one takes its place.
        (newer || !self.place.exists()).then_some(How::Fenced)
    }
}

fn carry_out(spec: &Spec, watch: &Watch) -> Result<End> {
    if let Some(how) = watch.unwanted() {
        return Ok(End::without_job(how, "before it was started".to_owned()));
    }
    if let Err(why) = fs::read_dir(&spec.folder) {
        return Ok(End::without_job(How::Refused, format!("{} cannot be entered: {why}", spec.folder.display())));
    }
    put_aside(spec, watch);
    let environment = match environment::on_the_node(&watch.submission) {
        Ok(environment) => environment,
        Err(why) => return Ok(End::without_job(How::Refused, why.to_string())),
    };
    let trial = spec.trial(environment, &watch.place);
    let mut local =
        Local::new(Options { grace: GRACE, sole: true, pty: spec.pty, straight: !spec.pty, ..Options::default() })?;
    let unwanted: Rc<Cell<Option<How>>> = Rc::default();
    local.while_wanted({
        let (unwanted, watch) = (Rc::clone(&unwanted), watch.clone());
        move || {
            unwanted.set(watch.unwanted());
            unwanted.get().is_none()
        }
    });
    let mut last = None;
    let started = Instant::now();
    let finish = local.execute(std::slice::from_ref(&trial), &mut |event: &RunEvent<'_>| {
        if let RunEvent::Ended { status, exit_code, signal, notes, .. } = event {
            last = Some((*status, *exit_code, *signal, notes.to_vec()));
        }
        Control::Continue
    });
    let finish = match finish {
        Ok(finish) => finish,
        Err(why) => return Ok(End::without_job(How::Refused, why.to_string())),
    };
    let (status, exit_code, signal, notes) = last.unwrap_or((Status::Lost, None, None, Vec::new()));
    let interrupt = match finish {
        Finish::Interrupted(interrupt) => Some(interrupt),
        _ => local.interrupted_within(if status == Status::Finished { SHORT_ECHO } else { ECHO }),
    };
    let (how, reason) = how(status, unwanted.get(), interrupt.filter(|_| status != Status::TimedOut), watch);
    let mut end = End::without_job(how, reason);
    (end.exit_code, end.signal, end.notes, end.logs) = (exit_code, signal, notes, sums(&watch.place)?);
    Ok(end.after(started.elapsed()))
}

/// A signal from outside outranks whatever the job made of it.
fn how(status: Status, unwanted: Option<How>, interrupt: Option<Interrupt>, watch: &Watch) -> (How, String) {
    match (unwanted, interrupt) {
        (Some(how), _) if status == Status::Stopped => (how, String::new()),
        // The signal may come first, and the file that explains it a moment later.
        (_, Some(interrupt)) => (watch.unwanted().unwrap_or(How::Interrupted), interrupt.to_string()),
        _ if status == Status::TimedOut => (How::TimedOut, String::new()),
        _ if status == Status::Lost => (How::Interrupted, "what became of it is not known".to_owned()),
        _ => (How::Finished, String::new()),
    }
}

/// What an earlier attempt recorded inside its processes goes to that attempt's folder.
fn put_aside(spec: &Spec, watch: &Watch) {
    let Some(flight) = &spec.flight else { return };
    let earlier = files::attempts(&watch.run).into_iter().rev().find(|attempt| *attempt < watch.attempt);
    let Some(earlier) = earlier else { return };
    let aside = watch.run.join(earlier.folder()).join("flight");
    for name in files::names(flight).into_iter().filter(|name| !spec.prepared.contains(name)) {
        if files::folder(&aside).is_ok() {
            // What cannot be moved is on another file system or gone; the record of a run says whose each part is.
            let _ = fs::rename(flight.join(&name), aside.join(&name));
        }
    }
}

fn sums(place: &Path) -> Result<BTreeMap<String, LogSum>> {
    let mut logs = BTreeMap::new();
    for name in [Stream::Output, Stream::Error].map(file_name) {
        let path = place.join(name);
        match File::open(&path) {
            Ok(file) => logs.insert(name.to_owned(), sum(file).map_err(Error::file("read", &path))?),
            Err(_) => logs.insert(name.to_owned(), LogSum { bytes: 0, crc32c: 0 }),
        };
    }
    for path in ranks::logs(place).into_values() {
        let name = path.strip_prefix(place).unwrap_or(&path).to_string_lossy().into_owned();
        let file = File::open(&path).map_err(Error::file("read", &path))?;
        logs.insert(name, sum(file).map_err(Error::file("read", &path))?);
    }
    Ok(logs)
}

fn sum(mut file: File) -> std::io::Result<LogSum> {
    let mut sum = LogSum { bytes: 0, crc32c: 0 };
    let mut block = vec![0; 1 << 20];
    loop {
        let count = file.read(&mut block)?;
        if count == 0 {
            return Ok(sum);
        }
        sum.bytes += count as u64;
        sum.crc32c = crc32c::crc32c_append(sum.crc32c, &block[..count]);
    }
}

/// For Slurm's own books; nobody of us reads it.
fn exit_code(end: &End) -> u8 {
    let own = end.exit_code.or(end.signal.map(|signal| signal + 128));
    let failed = if end.how == How::Finished { 0 } else { 1 };
    own.and_then(|code| u8::try_from(code).ok()).unwrap_or(failed)
}

/// The node, as Slurm calls it; several of them may be one machine.
fn node() -> String {
    std::env::var("SLURMD_NODENAME").unwrap_or_else(|_| fact("/proc/sys/kernel/hostname", "").unwrap_or_default())
}

/// What may make one node compute otherwise than another.
fn machine() -> BTreeMap<String, String> {
    let cards = files::names(Path::new("/proc/driver/nvidia/gpus"));
    let card = |card: &String| fact(&format!("/proc/driver/nvidia/gpus/{card}/information"), "Model:");
    let cards: Vec<String> = cards.iter().filter_map(card).collect();
    let facts = [
        ("boot", fact("/proc/sys/kernel/random/boot_id", "")),
        ("kernel", fact("/proc/sys/kernel/osrelease", "")),
        ("cpu", fact("/proc/cpuinfo", "model name")),
        ("cores", fact("/proc/self/status", "Cpus_allowed_list:")),
        ("cards", (!cards.is_empty()).then(|| cards.join(", "))),
        ("driver", fact("/proc/driver/nvidia/version", "NVRM version:")),
    ];
    facts.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
}

/// What follows `label` in the first line of a file that begins with it.
fn fact(path: &str, label: &str) -> Option<String> {
    let text = fs::read_to_string(path).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(label))?;
    Some(line.trim_start_matches([' ', '\t', ':']).trim().to_owned())
}
