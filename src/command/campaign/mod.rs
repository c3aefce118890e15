//! Carries treatments out and keeps what came of them: the one place where trials become runs with readings.

mod comparison;
mod shim;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

use crate::compare;
use crate::error::Result;
use crate::execute::{Executor, Finish, Interrupt};
use crate::model::flight::Flight;
use crate::model::{Environment, Reading, Run, Status, Stream, Treatment, TreatmentResult, Trial};
use crate::plan::{self, Job};
use crate::probe::{self, Shim};
use crate::record::{self, Header, Leftovers, Record, Recorded};
use crate::report::{Progress, ProgressKind};

use super::blame::HELD;
use super::executor;
use super::findings::{self, Compared};
use super::leftovers;
use super::objections::objections;
use super::order::{Batch, Order, Recording};
use super::outputs::read;
use super::request::Request;
use super::watch::{Ending, StopRule, Watch};
use super::without_card;

/// How many times as long as the longest run so far, and how much longer beyond that, a run of the search may take.
const TIMES_LONGER: u32 = 10;
const LONGER: Duration = Duration::from_secs(60);

/// Lines of a crashed run's standard error that a report shows.
const LAST_WORDS: usize = 5;

/// An audit that is going on.
pub struct Campaign<'a> {
    request: &'a Request,
    record: Record,
    executor: Box<dyn Executor>,
    progress: Progress,
    environment: Environment,
    recorded: Option<Recorded>,
    runs: Vec<Run>,
    readings: BTreeMap<String, Rc<Reading>>,
    flights: BTreeMap<String, Flight>,
    step_times: BTreeMap<String, Vec<Duration>>,
    shim: Option<Shim>,
    notes: Vec<String>,
    interrupted: Option<Interrupt>,
    detached: bool,
    /// Whether what runs show is read from inside, where they print nothing that could be compared.
    inside: bool,
    /// Where an audit was begun that is taken up elsewhere.
    begun_in: Option<PathBuf>,
    set_apart: Option<PathBuf>,
}

impl<'a> Campaign<'a> {
    /// Opens a record, new or to be continued, and stands ready.
    ///
    /// # Errors
    /// Where the record cannot be made or the system refuses what running processes needs.
    pub fn start(request: &'a Request, progress: ProgressKind, continued: Option<&Path>) -> Result<Self> {
        if request.shim {
            probe::can_be_found(&request.record)?;
        }
        let environment = request.surroundings();
        let (record, recorded) = match continued {
            Some(path) => Record::resume(path).map(|(record, recorded)| (record, Some(recorded)))?,
            None => (Record::create(&request.record, header(request, environment.clone()))?, None),
        };
        let here = std::env::current_dir().ok();
        let begun_in = recorded.as_ref().map(|recorded| recorded.header.folder.clone());
        let begun_in = begun_in.filter(|folder| here.as_ref() != Some(folder));
        let planned = request.treatments.iter().map(|treatment| without_card::runs(request, treatment) as usize).sum();
        let inherited = record::fingerprint(std::env::vars_os());
        let moved = recorded.as_ref().is_some_and(|recorded| recorded.header.inherited != inherited);
        let notes = moved.then(|| {
            "the variables of the environment are not those with which the audit was begun: runs made now may part from \
             earlier ones for that alone"
                .to_owned()
        });
        Ok(Self {
            request,
            executor: executor::of(request, &record, recorded.as_ref())?,
            progress: Progress::new(progress, planned),
            record,
            environment,
            recorded,
            runs: Vec::new(),
            readings: BTreeMap::new(),
            flights: BTreeMap::new(),
            step_times: BTreeMap::new(),
            shim: None,
            notes: notes.into_iter().collect(),
            interrupted: None,
            detached: false,
            inside: false,
            begun_in,
            set_apart: None,
        })
    }

    /// The audit's folder.
    pub fn folder(&self) -> &Path {
        self.record.folder()
    }

    /// The machine, and the versions of what the job uses.
    pub fn surroundings(&self) -> &Environment {
        &self.environment
    }

    /// All runs so far.
    pub fn runs(&self) -> &[Run] {
        &self.runs
    }

    /// What a reader should know of the runs, one line each.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// Whether runs left anything in the working folder, as far as that can be told.
    pub fn left_something(&self) -> bool {
        self.left_behind().is_some()
    }

    /// From now on, runs work in this folder; in the one that the audit was begun in where there is none.
    pub fn work_in(&mut self, folder: Option<&Path>) {
        self.set_apart = folder.map(Path::to_owned);
    }

    /// What runs left in the working folder, where they left anything.
    pub fn left_behind(&self) -> Option<Leftovers> {
        self.record.leftovers().ok().filter(|left| !left.is_empty())
    }

    /// Whether anything in the working folder changed since the audit began, as far as that can be told: what a run made and
    /// took away again counts.
    pub fn changed_something(&self) -> bool {
        self.record.leftovers().is_ok_and(|left| left.has_changed())
    }

    /// Whether one of these runs began before another ended, by the times of what they wrote.
    pub fn overlapped(&self, runs: &[String]) -> bool {
        let logs = self.logs(runs);
        let mut times: Vec<_> = logs.filter_map(|log| log.created().ok().zip(log.modified().ok())).collect();
        times.sort();
        times.windows(2).any(|pair| matches!(pair, [(_, ended), (began, _)] if began < ended))
    }

    /// Files in the working folder that one of these runs left and a later one read, as far as the file system tells.
    pub fn handed_on(&self, runs: &[String]) -> Vec<PathBuf> {
        let started: Vec<_> = self.logs(runs).filter_map(|log| log.created().ok()).collect();
        self.record.leftovers().map(|left| left.read_since(&started)).unwrap_or_default()
    }

    /// What the file system knows of the outputs of these runs: they are made as a run starts.
    fn logs(&self, runs: &[String]) -> impl Iterator<Item = fs::Metadata> {
        let of_these = self.runs.iter().filter(|run| runs.contains(&run.id));
        of_these.filter_map(|run| fs::metadata(&run.log).ok())
    }

    /// When a run has shown enough, as the user asked.
    pub fn stop(&self) -> StopRule {
        self.request.stop
    }

    /// Whether every value of the primary metric of these runs is NaN.
    pub fn all_nan(&self, ids: &[String]) -> bool {
        let series = ids.iter().filter_map(|id| self.readings.get(id)?.primary());
        let mut values = series.flat_map(|series| &series.points).map(|point| point.value).peekable();
        values.peek().is_some() && values.all(f64::is_nan)
    }

    /// The first and the last step that a run showed of its primary metric.
    pub fn steps_shown(&self, run: &str) -> Option<(i64, i64)> {
        let points = &self.readings.get(run)?.primary()?.points;
        points.first()?.position.step.zip(points.last()?.position.step)
    }

    /// The output on which runs showed this metric.
    pub fn stream_of(&self, metric: &str) -> Option<Stream> {
        let series = self.readings.values().flat_map(|reading| &reading.series);
        series.filter(|series| series.metric == metric).find_map(|series| series.stream)
    }

    /// The flight record of a run that was entered.
    pub fn flight(&self, run: &str) -> Option<&Flight> {
        self.flights.get(run)
    }

    /// Times between successive points of a run, as they arrived.
    pub fn step_times(&self, run: &str) -> Vec<Duration> {
        self.step_times.get(run).cloned().unwrap_or_default()
    }

    /// Whether the user or the system asked the audit to end.
    pub fn interrupted(&self) -> Option<Interrupt> {
        self.interrupted
    }

    /// Whether runs were handed over to a scheduler and are not waited for.
    pub fn detached(&self) -> bool {
        self.detached
    }

    /// Records every run from now on, and reads the losses of one that prints no result from inside; or no longer does so.
    pub fn look_inside(&mut self, inside: bool) {
        self.inside = inside;
    }

    /// Whether what runs show is read from inside.
    pub fn looks_inside(&self) -> bool {
        self.inside
    }

    /// A line for the reader of the report.
    pub fn note(&mut self, note: String) {
        self.notes.push(note);
    }

    /// Runs of these ids with their readings and logs.
    pub fn compared(&self, ids: &[String]) -> Vec<Compared<'_>> {
        ids.iter().filter_map(|id| self.one(id)).collect()
    }

    fn one(&self, id: &str) -> Option<Compared<'_>> {
        let run = self.runs.iter().find(|run| run.id == id)?;
        Some(Compared { name: &run.id, reading: self.readings.get(id)?, log: &run.log })
    }

    /// Runs a treatment as ordered and compares the runs, with earlier ones where `beside` names them.
    ///
    /// # Errors
    /// Where the job cannot be started at all or the record cannot be written.
    pub fn repeat(&mut self, order: &Order<'_>, beside: &[String]) -> Result<Batch> {
        let request = self.request;
        self.repeat_command(&request.command, order, beside)
    }

    /// The same with another command than the audit's own.
    ///
    /// # Errors
    /// Where the job cannot be started at all or the record cannot be written.
    pub fn repeat_command(&mut self, command: &[String], order: &Order<'_>, beside: &[String]) -> Result<Batch> {
        let levels = self.request.levels(&order.treatment.settings)?;
        let applied = plan::apply(command, &levels, self.request.shim);
        if !applied.unapplied.is_empty() {
            return Ok(Batch::not_applied(Vec::new(), applied.unapplied));
        }
        let hidden = match leftovers::hidden(&self.record, &levels) {
            Ok(hidden) => hidden,
            Err(refused) => return Ok(Batch::not_applied(Vec::new(), vec![refused])),
        };
        let job = Job {
            environment: self.request.variables(),
            timeout: self.request.timeout.or_else(|| self.patience(order)),
            runs: self.record.folder().join("runs"),
        };
        let mut trials = plan::trials(&job, order.treatment, &applied, order.repeats, self.runs.len() + 1);
        if hidden.is_none() {
            let folder = self.set_apart.as_ref().or(self.begun_in.as_ref());
            trials.iter_mut().for_each(|trial| trial.launch.folder = folder.cloned());
        }
        for folder in self.request.own_folders() {
            folder.fill(&mut trials)?;
        }
        let recording = order.recording.clone().or_else(|| self.inside.then(Recording::light));
        let entered = recording.is_some() || !applied.shim.is_empty();
        if entered {
            self.enter(&mut trials, &applied, recording.unwrap_or_else(Recording::none))?;
        }
        self.carry_out(order, &trials, hidden.as_ref())?;
        if entered {
            self.read_flights(&trials);
        }
        let ids: Vec<String> = trials.into_iter().map(|trial| trial.run).collect();
        if self.inside {
            self.read_losses(&ids);
        }
        let not_applied = self.read_back(&ids, &applied);
        let runs: Vec<String> = beside.iter().chain(&ids).cloned().collect();
        let group = self.doubt(self.compare(&runs), &order.stop, &runs);
        // Reading and comparing take their time as well.
        self.interrupted = self.interrupted.or_else(|| self.executor.interrupted());
        if not_applied.is_empty() {
            return Ok(Batch { group, runs: ids, not_applied });
        }
        Ok(Batch::not_applied(ids, not_applied))
    }

    /// The longest time of a run of the search for the cause, where the user set none: what is held may have a job wait for
    /// itself for ever, and what takes so much longer than it took before is no answer.
    fn patience(&self, order: &Order<'_>) -> Option<Duration> {
        let ended = self.runs.iter().filter(|run| run.status == Status::Finished).map(|run| run.duration);
        let longest = ended.max().filter(|_| order.treatment.id.starts_with(HELD))?;
        Some(longest * TIMES_LONGER + LONGER)
    }

    fn carry_out(&mut self, order: &Order<'_>, trials: &[Trial], hidden: Option<&Leftovers>) -> Result<()> {
        let open: Vec<Trial> = trials.iter().filter(|trial| !self.take_recorded(trial)).cloned().collect();
        if open.is_empty() || self.interrupted.is_some() {
            return Ok(());
        }
        self.record.plan(std::slice::from_ref(order.treatment), &open)?;
        for trial in open.iter().filter(|trial| !self.executor.holds(trial)) {
            self.record.begin(trial)?;
            leftovers::make(trial, hidden)?;
            for folder in self.request.own_folders() {
                folder.make(trial)?;
            }
        }
        let sharing = self.executor.side_by_side(&open, self.request.jobs);
        self.notes.extend(sharing.filter(|note| !self.notes.contains(note)));
        self.progress.plan(self.runs.len() + open.len());
        let (record, mut failure) = (&self.record, None);
        let mut write_down = |run: &str, ending: &Ending, points: usize| {
            let Some(trial) = open.iter().find(|trial| trial.run == run) else { return };
            let run = ended(trial, ending, points);
            let shown = Run { log: findings::relative(&run.log, record.folder()), ..run };
            if let Err(why) = record.end(&shown, &ending.notes) {
                failure.get_or_insert(why);
            }
        };
        // What a run prints says nothing of when its files part.
        let stop = if self.request.metric_files { StopRule::never(order.stop.tolerance) } else { order.stop };
        let watch = Watch::new(stop, self.request.reading.clone(), &mut self.progress);
        let mut watch = watch.telling(&mut write_down);
        let ended = order.recording.as_ref().and_then(|recording| recording.disturbed_from.as_ref());
        if let Some((run, series)) = ended.and_then(|run| Some((run, self.readings.get(run)?.primary()?))) {
            watch.compare_with(run, series);
        }
        let finish = self.executor.execute(&open, &mut watch)?;
        let mut endings = std::mem::take(&mut watch.endings);
        drop(watch);
        if let Some(why) = failure {
            return Err(why);
        }
        match finish {
            Finish::Interrupted(interrupt) => self.interrupted = Some(interrupt),
            Finish::Detached => self.detached = true,
            Finish::Complete | Finish::Stopped => {}
        }
        if !self.detached {
            leftovers::remove(&open)?;
        }
        for trial in &open {
            let ending = endings.remove(&trial.run).unwrap_or_default();
            self.keep(trial, ending);
        }
        Ok(())
    }

    /// Whether an interrupted audit had finished this very run.
    fn is_recorded(&self, trial: &Trial) -> bool {
        self.recorded.as_ref().is_some_and(|recorded| finished(recorded, trial).is_some())
    }

    /// Takes a run that an interrupted audit had finished, instead of repeating it.
    fn take_recorded(&mut self, trial: &Trial) -> bool {
        let Some(recorded) = &self.recorded else { return false };
        let Some(run) = finished(recorded, trial).cloned() else { return false };
        let run = Run { log: recorded.folder.join(&run.log), ..run };
        if let Ok(reading) = read(&run.log, &self.request.reading) {
            self.keep_reading(&run.id, reading);
            self.runs.push(run);
            return true;
        }
        false
    }

    /// Reads a run's log in full.
    fn keep(&mut self, trial: &Trial, ending: Ending) {
        let mut run = ended(trial, &ending, 0);
        let reading = match run.status {
            Status::Skipped => Reading { warnings: Vec::new(), ..Reading::nothing("", "") },
            _ => read(&run.log, &self.request.reading)
                .unwrap_or_else(|error| Reading::nothing("", format!("its output could not be read: {error}"))),
        };
        self.step_times.insert(run.id.clone(), ending.step_times);
        self.notes.extend(ending.notes.iter().map(|note| format!("{}: {note}", run.id)));
        run.points = self.keep_reading(&run.id, reading);
        self.runs.push(run);
    }

    /// Keeps a reading, as far as it counts, and gives the number of its primary metric's points; runs that read the same share
    /// one, so that memory does not grow with runs that agree.
    fn keep_reading(&mut self, run: &str, mut reading: Reading) -> usize {
        if let Some(most) = self.request.stop.after_points {
            compare::beginning::cut(&mut reading, most);
        }
        let points = reading.primary().map_or(0, |series| series.points.len());
        let same = self.readings.values().find(|known| ***known == reading).cloned();
        self.readings.insert(run.to_owned(), same.unwrap_or_else(|| Rc::new(reading)));
        points
    }

    /// A treatment's result for the report.
    pub fn result(&self, treatment: &Treatment, batch: &Batch) -> TreatmentResult {
        TreatmentResult {
            treatment: treatment.clone(),
            outcome: Some(batch.group.outcome.clone()),
            notes: objections(batch.runs.iter().filter_map(|run| self.flight(run))).into_iter().collect(),
            runs: batch.runs.clone(),
        }
    }

    /// Shows a line beside the progress.
    pub fn say(&mut self, text: &str) {
        self.progress.message(text);
    }

    /// Ends the progress display and keeps the report with the record.
    ///
    /// # Errors
    /// Where the record cannot be written.
    pub fn finish(&mut self, report: &[u8]) -> Result<PathBuf> {
        self.progress.finish();
        self.record.write_document("report.json", report)
    }
}

/// A run as it ended, before its log is read.
fn ended(trial: &Trial, ending: &Ending, points: usize) -> Run {
    let log = trial.launch.record.join("stdout.log");
    let mut status = ending.status.unwrap_or(Status::Lost);
    // A pipe or a script around a job hides its exit code.
    let broke_off = record::broke_off(&log).filter(|_| status == Status::Finished);
    if broke_off.is_some() {
        status = Status::Crashed;
    }
    let last_words = broke_off.unwrap_or_else(|| log.with_file_name("stderr.log"));
    Run {
        id: trial.run.clone(),
        treatment: trial.treatment.clone(),
        replicate: trial.replicate,
        settings: trial.settings.clone(),
        read_back: BTreeMap::new(),
        status,
        exit_code: ending.exit_code,
        signal: ending.signal,
        points,
        duration: ending.duration,
        node: ending.node.clone(),
        attempts: ending.attempts.clone(),
        last_words: match status {
            Status::Crashed => record::last_lines(&last_words, LAST_WORDS),
            _ => Vec::new(),
        },
        log,
    }
}

/// The finished run of a record that carried this very trial out.
fn finished<'r>(recorded: &'r Recorded, trial: &Trial) -> Option<&'r Run> {
    recorded.runs.iter().find(|run| {
        run.id == trial.run
            && run.treatment == trial.treatment
            && run.settings == trial.settings
            && !matches!(run.status, Status::Lost | Status::Skipped)
    })
}

fn header(request: &Request, environment: Environment) -> Header {
    Header {
        command_line: request.line.clone(),
        job: request.command.clone(),
        folder: std::env::current_dir().unwrap_or_default(),
        metric: request.metric.clone(),
        pattern: request.reading.pattern.as_ref().map(|pattern| pattern.as_str().to_owned()),
        tolerance: request.tolerance,
        invariant: request.invariant,
        steps: request.stop.after_points,
        checkpoints: request.checkpoints.clone(),
        inherited: record::fingerprint(std::env::vars_os()),
        environment,
        ..Header::default()
    }
}
