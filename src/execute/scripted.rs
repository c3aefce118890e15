//! Runs that were written down beforehand: no process, no disk, no time. For tests of everything that listens.

use std::collections::HashMap;
use std::rc::Rc;
use std::time::Duration;

use super::desk::{Desk, Order, Orders};
use super::{Entry, Executor, Finish, Listener};
use crate::error::Error;
use crate::model::{RunEvent, Status, Stream, Trial};

/// Its line in the list.
pub const ENTRY: Entry =
    Entry { id: "scripted", summary: "runs written down beforehand, for tests", selectable: false };

/// One run, written down.
pub struct Script {
    /// What it writes, cut anywhere; asked for as it is needed, so that it may be endless.
    pub output: Box<dyn Iterator<Item = (Stream, Vec<u8>)>>,
    /// How it ends once it has written everything.
    pub ending: Ending,
}

/// How a run ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ending {
    /// How.
    pub status: Status,
    /// The exit code, where it ended with one.
    pub exit_code: Option<i32>,
    /// The signal that ended it.
    pub signal: Option<i32>,
    /// From start to end.
    pub duration: Duration,
    /// Host it ran on.
    pub node: String,
    /// What a reader must know.
    pub notes: Vec<String>,
}

impl Default for Ending {
    fn default() -> Self {
        Self {
            status: Status::Finished,
            exit_code: Some(0),
            signal: None,
            duration: Duration::ZERO,
            node: "localhost".to_owned(),
            notes: Vec::new(),
        }
    }
}

impl Script {
    /// A run that writes these lines to its standard output, one at a time, and finishes.
    pub fn lines<T: Into<String>>(lines: impl IntoIterator<Item = T, IntoIter: 'static>) -> Self {
        let output = lines.into_iter().map(|line| (Stream::Output, (line.into() + "\n").into_bytes()));
        Self { output: Box::new(output), ending: Ending::default() }
    }

    /// The same run, ending in another way.
    pub fn ending(mut self, ending: Ending) -> Self {
        self.ending = ending;
        self
    }

    /// The same run, ending with an exit code: 0 is finished, all others are crashed.
    pub fn exiting(self, code: i32) -> Self {
        let status = if code == 0 { Status::Finished } else { Status::Crashed };
        self.ending(Ending { status, exit_code: Some(code), ..Ending::default() })
    }
}

type Writer<'a> = dyn FnMut(&Trial) -> Result<Script, Error> + 'a;

/// Plays a script for each trial, `together` of them side by side, one piece of output each in turn.
pub struct Scripted<'a> {
    write: Box<Writer<'a>>,
    together: usize,
}

impl<'a> Scripted<'a> {
    /// `write` gives the script of a trial when its turn comes.
    pub fn new(mut write: impl FnMut(&Trial) -> Script + 'a) -> Self {
        Self::fallible(move |trial| Ok(write(trial)))
    }

    /// As [`Scripted::new`], for scripts that may not be there.
    pub fn fallible(write: impl FnMut(&Trial) -> Result<Script, Error> + 'a) -> Self {
        Self { write: Box::new(write), together: 16 }
    }

    /// These scripts by the id of their run; a run without one is lost.
    pub fn by_run(scripts: impl IntoIterator<Item = (&'a str, Script)>) -> Self {
        let mut scripts: HashMap<&str, Script> = scripts.into_iter().collect();
        Self::new(move |trial| {
            scripts.remove(trial.run.as_str()).unwrap_or_else(|| {
                let ending = Ending { status: Status::Lost, exit_code: None, ..Ending::default() };
                Script::lines([""; 0]).ending(ending)
            })
        })
    }

    /// How many play side by side.
    pub fn together(mut self, together: usize) -> Self {
        self.together = together.max(1);
        self
    }
}

impl Executor for Scripted<'_> {
    fn execute(&mut self, trials: &[Trial], listener: &mut dyn Listener) -> Result<Finish, Error> {
        let desk = Desk::new(trials, listener);
        let mut waiting = trials.iter();
        let mut stage: Vec<Playing<'_>> = Vec::new();
        loop {
            while stage.len() < self.together
                && let Some(trial) = waiting.next()
            {
                let orders = desk.orders(&trial.run);
                if orders.current() > Order::Go {
                    tell_end(&desk, &trial.run, &stopped(Status::Skipped, Ending::default()));
                    continue;
                }
                let script = (self.write)(trial)?;
                desk.tell(&RunEvent::Started { run: &trial.run, process: 0 });
                stage.push(Playing { run: &trial.run, script, orders });
            }
            if stage.is_empty() {
                break;
            }
            stage.retain_mut(|playing| playing.play(&desk));
        }
        Ok(if desk.is_closed() { Finish::Stopped } else { Finish::Complete })
    }
}

struct Playing<'a> {
    run: &'a str,
    script: Script,
    orders: Rc<Orders>,
}

impl Playing<'_> {
    /// Plays the next piece; false when it was the end.
    fn play(&mut self, desk: &Desk<'_>) -> bool {
        let ending = if self.orders.current() > Order::Go {
            stopped(Status::Stopped, std::mem::take(&mut self.script.ending))
        } else if let Some((stream, bytes)) = self.script.output.next() {
            desk.tell(&RunEvent::Wrote { run: self.run, stream, bytes: &bytes });
            return true;
        } else {
            std::mem::take(&mut self.script.ending)
        };
        tell_end(desk, self.run, &ending);
        false
    }
}

fn stopped(status: Status, ending: Ending) -> Ending {
    Ending { status, exit_code: None, signal: None, ..ending }
}

fn tell_end(desk: &Desk<'_>, run: &str, ending: &Ending) {
    desk.tell(&RunEvent::Ended {
        run,
        status: ending.status,
        exit_code: ending.exit_code,
        signal: ending.signal,
        duration: ending.duration,
        node: &ending.node,
        attempts: &[],
        notes: &ending.notes,
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Control, Launch};

    fn trials(count: usize) -> Vec<Trial> {
        let trial = |index: usize| Trial {
            run: format!("r{index}"),
            treatment: "reference".to_owned(),
            replicate: index as u32,
            settings: Default::default(),
            launch: Launch::default(),
        };
        (1..=count).map(trial).collect()
    }

    /// What is heard, one word an event.
    fn word(event: &RunEvent<'_>) -> String {
        match event {
            RunEvent::Started { run, .. } => format!("+{run}"),
            RunEvent::Wrote { run, bytes, .. } => format!("{run}:{}", String::from_utf8_lossy(bytes).trim()),
            RunEvent::Restarted { run } | RunEvent::Noted { run, .. } => format!("~{run}"),
            RunEvent::Ended { run, status, .. } => format!("-{run} {status:?}"),
        }
    }

    #[test]
    fn runs_side_by_side_write_in_turn() {
        let mut heard = Vec::new();
        let mut listener = |event: &RunEvent<'_>| {
            heard.push(word(event));
            Control::Continue
        };
        let mut scripted = Scripted::by_run([
            ("r1", Script::lines(["a", "b"])),
            ("r2", Script::lines(["a"]).exiting(1)),
            ("r3", Script::lines(["a"])),
        ])
        .together(2);
        assert_eq!(scripted.execute(&trials(4), &mut listener).unwrap(), Finish::Complete);
        assert_eq!(
            heard,
            [
                "+r1",
                "+r2",
                "r1:a",
                "r2:a",
                "r1:b",
                "-r2 Crashed",
                "+r3",
                "-r1 Finished",
                "r3:a",
                "+r4",
                "-r3 Finished",
                "-r4 Lost",
            ]
        );
    }

    #[test]
    fn an_endless_run_ends_when_it_is_stopped() {
        let mut points = 0_u32;
        let mut listener = |event: &RunEvent<'_>| {
            points += u32::from(matches!(event, RunEvent::Wrote { .. }));
            if points == 1000 { Control::StopAll } else { Control::Continue }
        };
        let mut scripted = Scripted::new(|_| Script::lines((0_u64..).map(|step| format!("step {step} loss 1.0"))));
        assert_eq!(scripted.execute(&trials(20), &mut listener).unwrap(), Finish::Stopped);
        assert_eq!(points, 1000);
    }

    #[test]
    fn every_trial_ends_once_even_those_that_never_start() {
        let mut ended = Vec::new();
        let mut listener = |event: &RunEvent<'_>| match event {
            RunEvent::Ended { run, status, .. } => {
                ended.push((run.to_string(), *status));
                Control::Continue
            }
            RunEvent::Started { .. } => Control::Stop(vec!["r1".to_owned(), "r3".to_owned(), "r9".to_owned()]),
            RunEvent::Wrote { .. } | RunEvent::Restarted { .. } | RunEvent::Noted { .. } => Control::Continue,
        };
        Scripted::new(|_| Script::lines(["a"])).together(1).execute(&trials(3), &mut listener).unwrap();
        let expected = [("r1", Status::Stopped), ("r2", Status::Finished), ("r3", Status::Skipped)];
        assert_eq!(ended, expected.map(|(run, status)| (run.to_owned(), status)));
    }
}
