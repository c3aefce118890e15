//! The runs of an audit of resuming: straight, interrupted, resumed; and how they are compared.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::command::campaign::Campaign;
use crate::command::findings::{self, Compared};
use crate::command::order::{Order, Recording};
use crate::command::words;
use crate::compare::{self, Group};
use crate::error::Result;
use crate::model::flight::FlightProcess;
use crate::model::{Audit, Divergence, Outcome, Point, Reading, Run, Status, Tolerance, Treatment, TreatmentResult};
use crate::probe::Kill;

use super::super::words::CHECKPOINTS;
use super::aligned::{self, Aligned, One};
use super::folder::Folder;
use super::lines::Lines;
use super::picture::{Extent, Stretch};
use super::{FIRST, RESUMED, Runs, STRAIGHT};

/// Carries the runs out, one at a time: they share the checkpoint's file.
pub struct Stages<'c, 'r> {
    campaign: &'c mut Campaign<'r>,
    lines: &'c Lines,
    tolerance: Tolerance,
    named: Vec<(String, Vec<String>)>,
    kill: Option<Kill>,
    folder: Option<Folder>,
}

impl<'c, 'r> Stages<'c, 'r> {
    /// Stands ready.
    pub fn new(campaign: &'c mut Campaign<'r>, lines: &'c Lines, tolerance: Tolerance) -> Self {
        let folder = lines.name(CHECKPOINTS).then(|| Folder::below(campaign.folder()));
        Self { campaign, lines, tolerance, named: Vec::new(), kill: None, folder }
    }

    /// From now on, ends the first run there.
    pub fn end_at(&mut self, kill: Option<Kill>) {
        self.kill = kill;
    }

    /// From now on, where the job keeps its checkpoints in its working folder by itself, runs have one of the audit's own: else a
    /// job that goes on from what it finds would go on from the straight run's.
    pub fn set_apart(&mut self) {
        let apart = self.folder.is_none() && self.leaves_first();
        let Some(hidden) = apart.then(|| self.campaign.left_behind()).flatten() else { return };
        self.folder = Some(Folder::to_work_in(self.campaign.folder(), hidden));
    }

    /// How many points a run shows.
    pub fn points(&self, id: &str) -> usize {
        self.run(id).map_or(0, |run| run.points)
    }

    /// How many steps a run made: of its first optimizer where it was recorded, else as many as it shows.
    pub fn steps(&self, id: &str) -> usize {
        let own = |process: &FlightProcess| process.steps.iter().filter(|step| step.optimizer == 0).count();
        self.trained(id).map(own).filter(|steps| *steps > 0).unwrap_or_else(|| self.points(id))
    }

    /// Whether another run than the straight one leaves the checkpoint.
    pub fn leaves_first(&self) -> bool {
        self.lines.first.is_some()
    }

    /// Runs the job without interruption; gives the run's id.
    pub fn straight(&mut self, recording: Option<Recording>) -> Result<String> {
        let lines = self.lines;
        self.folder.as_ref().map(Folder::clear).transpose()?;
        let id = self.once(STRAIGHT, &lines.straight, recording)?;
        if !self.leaves_first() {
            self.folder.as_ref().map(Folder::keep).transpose()?;
        }
        Ok(id)
    }

    /// Runs what leaves the checkpoint.
    pub fn leave(&mut self, recording: Option<Recording>) -> Result<String> {
        let lines = self.lines;
        let Some(first) = &lines.first else { return self.straight(recording) };
        let recording = match (&self.kill, recording) {
            (Some(kill), None) => Some(Recording { kill: Some(kill.clone()), ..Recording::none() }),
            (Some(kill), Some(recording)) => Some(Recording { kill: Some(kill.clone()), ..recording }),
            (None, recording) => recording,
        };
        self.folder.as_ref().map(Folder::clear).transpose()?;
        let id = self.once(FIRST, first, recording)?;
        self.folder.as_ref().map(Folder::keep).transpose()?;
        Ok(id)
    }

    /// Runs what starts from the checkpoint.
    pub fn resumed(&mut self, recording: Option<Recording>) -> Result<String> {
        let lines = self.lines;
        let given = recording.as_ref().and_then(|recording| recording.checkpoint.as_ref());
        let name = match given.filter(|checkpoint| !checkpoint.give.is_empty()) {
            Some(checkpoint) => format!("resumed, given {}", checkpoint.give.join(" ")),
            None => RESUMED.to_owned(),
        };
        self.folder.as_ref().map(Folder::restore).transpose()?;
        self.once(&name, &lines.resumed, recording)
    }

    /// Has the checkpoint as the interrupted run left it, where a resumed run may have written over it.
    pub fn restore(&mut self) -> Result<()> {
        // Of a job that names its files itself, some may lie elsewhere.
        if self.folder.as_ref().is_none_or(|folder| folder.working().is_some()) {
            self.leave(None)?;
        }
        Ok(())
    }

    /// Cleans up after the last run.
    pub fn finish(&self) -> Result<()> {
        self.folder.as_ref().map_or(Ok(()), Folder::finish)
    }

    /// Why the first run was not interrupted where it should have been; `None` where it was.
    pub fn not_interrupted(&self, first: &str) -> Option<String> {
        let kill = self.kill.as_ref()?;
        let flight = self.campaign.flight(first);
        let point = kill.words();
        match flight {
            Some(flight) if flight.processes.iter().any(|process| process.interrupted) => None,
            Some(flight) if kill.at == "epoch" && flight.processes.iter().all(|process| process.loaders.is_empty()) => {
                Some(format!(
                    "the first run ({first}) was not interrupted at {point}: epochs are counted by a DataLoader, and it has \
                     none; give --interrupt step=K or checkpoint=N"
                ))
            }
            Some(flight) if flight.entered > 0 => Some(format!(
                "the first run ({first}) ended before it was interrupted: it never came to {point} as seen from inside"
            )),
            _ => Some(format!("the first run ({first}) started no Python that could be interrupted at {point}")),
        }
    }

    /// Whether the first run went on to the end although it was interrupted.
    pub fn went_on(&self, straight: &str, first: &str) -> bool {
        self.kill.is_some()
            && self.status(first) == Some(Status::Finished)
            && self.points(first) >= self.points(straight)
    }

    fn once(&mut self, name: &str, command: &[String], recording: Option<Recording>) -> Result<String> {
        let treatment = Treatment { id: name.to_owned(), settings: BTreeMap::new() };
        let order = Order { treatment: &treatment, repeats: 1, stop: self.campaign.stop(), recording };
        let filled = self.folder.as_ref().map(|folder| folder.fill(command));
        self.campaign.work_in(self.folder.as_ref().and_then(Folder::working));
        let batch = self.campaign.repeat_command(filled.as_deref().unwrap_or(command), &order, &[])?;
        let id = batch.runs.first().cloned().unwrap_or_default();
        match self.named.iter_mut().find(|(known, _)| known == name) {
            Some((_, runs)) => runs.push(id.clone()),
            None => self.named.push((name.to_owned(), vec![id.clone()])),
        }
        Ok(id)
    }

    /// Shows a line beside the progress.
    pub fn say(&mut self, text: &str) {
        self.campaign.say(text);
    }

    /// Whether the user or the system asked the audit to end.
    pub fn interrupted(&self) -> bool {
        self.campaign.interrupted().is_some()
    }

    /// Where a run's flight record lies.
    pub fn flight_folder(&self, run: &str) -> PathBuf {
        self.campaign.flight_folder(run)
    }

    /// The process of a recorded run that trained.
    pub fn trained(&self, run: &str) -> Option<&FlightProcess> {
        self.campaign.flight(run)?.trained().next()
    }

    /// Compares runs that are repeats of one another.
    pub fn compare(&self, ids: &[String]) -> Group {
        self.campaign.compare(ids)
    }

    /// Runs with their readings and logs.
    pub fn compared(&self, ids: &[String]) -> Vec<Compared<'_>> {
        self.campaign.compared(ids)
    }

    /// How a run ended.
    pub fn status(&self, id: &str) -> Option<Status> {
        self.run(id).map(|run| run.status)
    }

    fn run(&self, id: &str) -> Option<&Run> {
        self.campaign.runs().iter().find(|run| run.id == id)
    }

    fn reading(&self, id: &str) -> Option<&Reading> {
        self.one(id).map(|one| one.reading)
    }

    /// A run as it is held against another; `None` where it was not read.
    fn one(&self, id: &str) -> Option<One<'_>> {
        let run = self.run(id)?;
        let reading = self.campaign.compared(&[id.to_owned()]).first().map(|one| one.reading)?;
        Some(One { name: &run.id, reading, status: Some(run.status), log: &run.log })
    }

    /// Lines a resumed run up with a straight one; `None` where one of them was not read.
    pub fn aligned(&self, straight: &str, resumed: &str) -> Option<Aligned<'_>> {
        Some(Aligned::new(self.one(straight)?, self.one(resumed)?, self.tolerance))
    }

    /// Metrics that are another one in a resumed run by nature.
    pub fn left_out(&self, straight: &str, resumed: &str) -> Vec<String> {
        let readings = self.reading(straight).zip(self.reading(resumed));
        let names = readings.map(|(straight, resumed)| compare::resume::left_out(straight, resumed));
        names.unwrap_or_default().into_iter().map(str::to_owned).collect()
    }

    /// Whether a resumed run is the straight one.
    pub fn same_as_straight(&self, straight: &str, resumed: &str) -> bool {
        let agreed = |aligned: Aligned<'_>| aligned.group().outcome == Outcome::Agreed;
        self.status(resumed) == Some(Status::Finished) && self.aligned(straight, resumed).is_some_and(agreed)
    }

    /// Where an interrupted run parts from the straight one in a value that both show.
    pub fn parts_on_the_way(&self, straight: &str, first: &str) -> Option<Divergence> {
        aligned::on_the_way(self.one(straight)?, self.one(first)?, self.tolerance)
    }

    /// The straight command, as it would be typed.
    pub fn straight_line(&self) -> String {
        self.lines.straight.iter().map(|word| words::shell(word)).collect::<Vec<_>>().join(" ")
    }

    /// Runs started, and steps they made.
    pub fn spent(&self) -> (usize, u64) {
        let runs = self.campaign.runs();
        (runs.len(), runs.iter().map(|run| run.points as u64).sum())
    }

    /// How far each run goes, on the time line of the straight one.
    pub fn extent(&self, runs: &Runs) -> Extent {
        let places = |reading: &Reading| {
            let points = &reading.primary()?.points;
            Some((at(points.first()?), at(points.last()?)))
        };
        let stretch = |id: &str, from: usize| {
            let reading = self.reading(id)?;
            let to = from + reading.primary()?.points.len();
            Some(Stretch { run: id.to_owned(), from, to, places: places(reading)? })
        };
        let straight = stretch(&runs.straight, 0);
        let whole = straight.as_ref().map_or(0, |straight| straight.to);
        let aligned = self.aligned(&runs.straight, &runs.resumed);
        let resumed = aligned.as_ref().and_then(|aligned| {
            let (tail, part) = aligned.readings();
            let stretch = stretch(&runs.resumed, whole.saturating_sub(tail.primary()?.points.len()))?;
            // A line before the first named epoch is told as the straight run tells it.
            Some(Stretch { places: places(part).unwrap_or_default(), ..stretch })
        });
        let how =
            self.kill.as_ref().map_or("it ended".to_owned(), |kill| format!("{} at {}", kill.signal, kill.words()));
        let first = runs.first.as_deref().and_then(|first| stretch(first, 0)).map(|stretch| (stretch, how));
        Extent { straight, first, resumed }
    }

    /// Enters runs, treatments and notes into the audit.
    pub fn show(&self, audit: &mut Audit) {
        let folder: &Path = self.campaign.folder();
        let shown = |run: &Run| Run {
            log: findings::relative(&run.log, folder),
            status: if self.ended_by_us(run) { Status::Stopped } else { run.status },
            ..run.clone()
        };
        audit.runs = self.campaign.runs().iter().map(shown).collect();
        audit.treatments = self.named.iter().map(|(name, runs)| self.result(name, runs)).collect();
        let ours: Vec<String> = self
            .campaign
            .runs()
            .iter()
            .filter(|run| self.ended_by_us(run))
            .map(|run| format!("{}: ended by", run.id))
            .collect();
        let notes = self.campaign.notes().iter().filter(|note| !ours.iter().any(|own| note.starts_with(own)));
        audit.warnings.extend(notes.cloned());
        if self.interrupted() && audit.verdict != crate::model::Verdict::Diverged {
            audit.verdict = crate::model::Verdict::Unresolved;
            audit.reason = "the audit was interrupted".to_owned();
        }
    }

    /// Whether the shim ended this run, as it was told to.
    fn ended_by_us(&self, run: &Run) -> bool {
        self.kill.is_some() && run.treatment == FIRST && run.status == Status::Crashed
    }

    /// What a kind of run showed: whether it is the straight run, as far as both go.
    fn result(&self, name: &str, runs: &[String]) -> TreatmentResult {
        let straight = self.named.first().and_then(|(_, runs)| runs.first());
        let outcome = straight.zip(runs.last()).and_then(|(straight, run)| match name {
            STRAIGHT => Some(self.campaign.compare(runs).outcome),
            _ => Some(aligned::outcome(name, self.one(straight)?, self.one(run)?, self.tolerance)),
        });
        let treatment = Treatment { id: name.to_owned(), settings: BTreeMap::new() };
        TreatmentResult { treatment, outcome, notes: Vec::new(), runs: runs.to_vec() }
    }
}

/// A point's place, short.
fn at(point: &Point) -> String {
    match (point.position.epoch, point.position.step) {
        (Some(epoch), Some(step)) => format!("epoch {epoch} step {step}"),
        (Some(epoch), None) => format!("epoch {epoch}"),
        (None, Some(step)) => format!("step {step}"),
        (None, None) => format!("line {}", point.line),
    }
}
