//! One round: trials submitted as arrays, followed by their records until each is over.

use std::fs;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::time::{Duration, Instant};

use super::client;
use super::files::{self, Intent, Job, Spec};
use super::next::Next;
use super::queue::Row;
use super::submit::{MOST_TASKS, script};
use super::track::{Answer, Task, Track};
use super::{Options, random};
use crate::error::Result;
use crate::execute::Finish;
use crate::execute::desk::{Desk, Order};
use crate::execute::signal::{Interrupt, Interrupts};
use crate::model::{RunEvent, Status, Trial};

/// Runs that can be looked at twice a second without a file system noticing; more are looked at less often.
const FEW: u32 = 64;
/// Above so many, Slurm is asked less often too.
const MANY: usize = 200;
/// How often it is asked then.
const SELDOM: Duration = Duration::from_secs(30);
/// Between two questions that cannot wait.
const SOON: Duration = Duration::from_secs(1);

type Question = Pin<Box<dyn Future<Output = Result<Vec<Row>, String>>>>;

/// Trials that are being carried out.
pub struct Round<'a> {
    options: &'a Options,
    shared: &'a Path,
    desk: &'a Desk<'a>,
    waiting: Vec<&'a Trial>,
    tracks: Vec<Track<'a>>,
    answer: Answer,
    asking: Option<Instant>,
    failing: bool,
}

impl<'a> Round<'a> {
    /// A round of these trials; those that an earlier part of the audit has submitted are taken up.
    pub fn new(options: &'a Options, shared: &'a Path, desk: &'a Desk<'a>, trials: &'a [Trial]) -> Result<Self> {
        let mut round = Self {
            options,
            shared,
            desk,
            waiting: Vec::new(),
            tracks: Vec::new(),
            answer: Answer::default(),
            asking: None,
            failing: false,
        };
        for trial in trials {
            match recover(shared, trial) {
                Some(task) => round.tracks.push(Track::new(trial, task, desk.orders(&trial.run))),
                None => round.waiting.push(trial),
            }
        }
        Ok(round)
    }

    /// Carries them out.
    pub async fn run(&mut self, interrupts: &mut Interrupts) -> Result<Finish> {
        let mut interrupt: Option<Interrupt> = None;
        let mut question: Option<Question> = None;
        loop {
            self.submit_waiting().await?;
            if self.options.detach {
                self.let_go();
                return Ok(Finish::Detached);
            }
            let more = self.look().await?;
            if self.tracks.is_empty() && self.waiting.is_empty() {
                break;
            }
            if question.is_none() && self.is_time_to_ask() {
                self.asking = Some(Instant::now());
                question = Some(Box::pin(client::look(self.names())));
            }
            let pause = if more { Duration::ZERO } else { self.pause() };
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                received = interrupts.next() => {
                    let order = if interrupt.is_none() { Order::Interrupt } else { Order::Kill };
                    interrupt.get_or_insert(received);
                    self.desk.give_all(order);
                }
                answer = async { match &mut question { Some(asked) => asked.await, None => std::future::pending().await } } => {
                    question = None;
                    self.hear(answer);
                }
            }
        }
        Ok(match interrupt {
            Some(interrupt) => Finish::Interrupted(interrupt),
            None if self.desk.is_closed() => Finish::Stopped,
            None => Finish::Complete,
        })
    }

    /// Submits what waits: all at once, or, where the user says how many may go side by side, one array after the other.
    async fn submit_waiting(&mut self) -> Result<()> {
        while !self.waiting.is_empty() && (self.options.ask.jobs.is_none() || self.tracks.is_empty()) {
            let rest = self.waiting.split_off(self.waiting.len().min(MOST_TASKS));
            let batch = std::mem::replace(&mut self.waiting, rest);
            let (wanted, unwanted): (Vec<&Trial>, Vec<&Trial>) =
                batch.into_iter().partition(|trial| self.desk.orders(&trial.run).current() == Order::Go);
            for trial in unwanted {
                let task = Task { name: String::new(), folder: PathBuf::new(), job: None, index: 0 };
                Track::new(trial, task, self.desk.orders(&trial.run)).tell_end(Status::Skipped, None, self.desk);
            }
            if wanted.is_empty() {
                continue;
            }
            for trial in &wanted {
                let spec = Spec::new(trial, &self.options.folder, self.options.pty);
                files::folder(&trial.launch.record)?;
                files::write(&trial.launch.record.join(files::SPEC), &spec)?;
            }
            for (trial, task) in wanted.iter().zip(submit(self.options, self.shared, &wanted).await?) {
                self.tracks.push(Track::new(trial, task, self.desk.orders(&trial.run)));
            }
        }
        Ok(())
    }

    /// Tells that each run was submitted and is not waited for.
    fn let_go(&mut self) {
        for track in self.tracks.drain(..) {
            let job = track.task.job.clone().unwrap_or_else(|| track.task.name.clone());
            let why = format!("submitted as job {job}_{}, and not waited for", track.task.index);
            track.tell_end(Status::Lost, Some(why), self.desk);
        }
    }

    /// Looks at every record once, and does what is to be done; true where there may be more at once.
    async fn look(&mut self) -> Result<bool> {
        let mut more = false;
        let (mut again, mut over): (Vec<(usize, String)>, Vec<Task>) = Default::default();
        let mut index = 0;
        while index < self.tracks.len() {
            let track = &mut self.tracks[index];
            more |= track.look(self.desk)?;
            match track.next(self.answer.asked, self.options.grace) {
                Next::Over { status, why } => {
                    let track = self.tracks.remove(index);
                    let left = track.waits_again().then(|| track.task.clone());
                    track.tell_end(status, why, self.desk);
                    over.extend(left);
                    continue;
                }
                Next::Resubmit(why) => again.push((index, why)),
                Next::Wait => {}
            }
            index += 1;
        }
        for task in over {
            // Its own record says that it has ended; Slurm would start it again.
            client::cancel(&task.name, &slurm_id(&task).into_iter().collect::<Vec<_>>()).await;
        }
        for (index, why) in again {
            self.submit_again(index, &why).await?;
        }
        self.pass_orders_on().await?;
        Ok(more)
    }

    /// Submits one run anew. What is left of its old task is cancelled; if it runs all the same, it gives way by itself.
    async fn submit_again(&mut self, index: usize, why: &str) -> Result<()> {
        let (trial, old) = (self.tracks[index].trial, self.tracks[index].task.clone());
        client::cancel(&old.name, &slurm_id(&old).into_iter().collect::<Vec<_>>()).await;
        let note = format!("{why}; it is submitted again");
        self.desk.tell(&RunEvent::Noted { run: &trial.run, note: &note });
        if let Some(task) = submit(self.options, self.shared, &[trial]).await?.into_iter().next() {
            self.tracks[index].submitted_again(task, why);
        }
        Ok(())
    }

    /// Asks runs to end that are to end: by their record first, since it tells them why, then through Slurm.
    async fn pass_orders_on(&mut self) -> Result<()> {
        let mut ordered: Vec<Task> = Vec::new();
        for track in &mut self.tracks {
            if track.new_order().is_some() {
                files::ask_to_stop(&track.trial.launch.record)?;
                ordered.push(track.task.clone());
            }
        }
        while let Some(first) = ordered.first().map(|task| task.name.clone()) {
            let (same, rest): (Vec<Task>, Vec<Task>) = ordered.into_iter().partition(|task| task.name == first);
            ordered = rest;
            let whole = self.tracks.iter().all(|track| track.task.name != first || track.is_ordered());
            let ids: Vec<String> = same.iter().filter_map(slurm_id).collect();
            if whole {
                files::ask_to_stop(&same[0].folder)?;
                client::cancel(&first, &[]).await;
            } else if !ids.is_empty() {
                client::cancel(&first, &ids).await;
            }
        }
        Ok(())
    }

    fn hear(&mut self, answer: Result<Vec<Row>, String>) {
        match answer {
            Ok(rows) => {
                self.answer = Answer { asked: self.asking, rows };
                self.failing = false;
                for track in &mut self.tracks {
                    track.hear(&self.answer, self.desk);
                }
            }
            Err(why) => {
                // Nothing is concluded from it; the records go on growing. The last answer is as old as it is.
                if let (false, Some(track)) = (self.failing, self.tracks.first()) {
                    let note = format!("Slurm cannot be asked ({why}); the record is watched on");
                    self.desk.tell(&RunEvent::Noted { run: &track.trial.run, note: &note });
                }
                self.failing = true;
            }
        }
    }

    fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = self.tracks.iter().map(|track| track.task.name.clone()).collect();
        names.sort();
        names.dedup();
        names
    }

    fn is_time_to_ask(&self) -> bool {
        let Some(asked) = self.asking else { return true };
        let soon = !self.failing && self.tracks.iter().any(|track| track.wants_newer(Some(asked)));
        let usual = if self.tracks.len() > MANY { SELDOM } else { self.options.ask_every };
        asked.elapsed() >= if soon { SOON.min(usual) } else { usual }
    }

    fn pause(&self) -> Duration {
        let open = u32::try_from(self.tracks.len()).unwrap_or(u32::MAX);
        self.options.look_every * open.div_ceil(FEW).max(1)
    }
}

/// How Slurm calls a task, where that is known.
fn slurm_id(task: &Task) -> Option<String> {
    Some(format!("{}_{}", task.job.as_ref()?, task.index))
}

/// Submits these trials as one array: what it is meant to be is written down first, so that it can be found again by its
/// name whatever happens to us.
async fn submit(options: &Options, shared: &Path, trials: &[&Trial]) -> Result<Vec<Task>> {
    let number = files::submissions(shared).last().map_or(1, |(_, last)| last.number + 1);
    let intent = Intent::new(format!("ra-{:012x}", random() >> 16), number, trials);
    let folder = shared.join(intent.folder());
    files::new_folder(&folder)?;
    files::write(&folder.join(files::INTENT), &intent)?;
    let job = client::submit(&options.ask.arguments(&intent, &folder), &script(&options.audit, &folder)).await;
    let job = job.inspect_err(|_| {
        // It did not come to be, so nothing is to be found again.
        let _ = fs::remove_dir_all(&folder);
    })?;
    files::write(&folder.join(files::JOB), &Job::new(job.clone()))?;
    let task = |index| Task { name: intent.name.clone(), folder: folder.clone(), job: Some(job.clone()), index };
    Ok((0..trials.len()).map(task).collect())
}

/// The newest submission of a trial that an earlier part of the audit made and did not call off.
pub fn recover(shared: &Path, trial: &Trial) -> Option<Task> {
    let record = &trial.launch.record;
    let spec: Spec = files::read(&record.join(files::SPEC)).ok()??;
    if !spec.is_of(trial) || record.join(files::STOP).exists() {
        return None;
    }
    files::submissions(shared).into_iter().rev().find_map(|(folder, intent)| {
        let index = intent.members.iter().position(|member| member.run == trial.run && member.folder == *record)?;
        let job: Option<Job> = files::read(&folder.join(files::JOB)).ok().flatten();
        let called_off = folder.join(files::STOP).exists();
        (!called_off).then(|| Task { name: intent.name.clone(), folder, job: job.map(|job| job.id), index })
    })
}
