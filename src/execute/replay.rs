//! Runs of a recorded audit, told again: the same listeners then draw the same reports.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use super::capture::file_name;
use super::scripted::{Ending, Script, Scripted};
use super::{Entry, Executor, Finish, Listener};
use crate::error::{Error, Result};
use crate::model::{Run, Status, Stream, Trial};

/// Its line in the list.
pub const ENTRY: Entry = Entry { id: "replay", summary: "the runs of a recorded audit, told again", selectable: false };

const BLOCK: usize = 64 * 1024;

/// Tells recorded runs again. Logs are read block by block, standard output before standard error.
pub struct Replay {
    folder: PathBuf,
    runs: HashMap<String, Run>,
    notes: BTreeMap<String, Vec<String>>,
}

impl Replay {
    /// The runs of the audit in `folder`, with what there is to note of each.
    pub fn new(folder: &Path, runs: impl IntoIterator<Item = Run>, notes: BTreeMap<String, Vec<String>>) -> Self {
        let runs = runs.into_iter().map(|run| (run.id.clone(), run)).collect();
        Self { folder: folder.to_owned(), runs, notes }
    }

    fn script(&self, trial: &Trial) -> Result<Script> {
        let Some(run) = self.runs.get(&trial.run) else {
            return Err(Error::Misuse(format!("run {} is not in the record {}", trial.run, self.folder.display())));
        };
        let output = self.folder.join(&run.log);
        let error = output.with_file_name(file_name(Stream::Error));
        Ok(Script {
            output: Box::new(blocks(Stream::Output, &output)?.chain(blocks(Stream::Error, &error)?)),
            ending: Ending {
                status: run.status,
                exit_code: run.exit_code,
                signal: run.signal,
                duration: run.duration,
                node: run.node.clone(),
                notes: self.notes.get(&run.id).cloned().unwrap_or_default(),
            },
        })
    }
}

impl Executor for Replay {
    fn execute(&mut self, trials: &[Trial], listener: &mut dyn Listener) -> Result<Finish> {
        let (skipped, kept): (Vec<&Trial>, Vec<&Trial>) =
            trials.iter().partition(|trial| self.runs.get(&trial.run).is_some_and(|run| run.status == Status::Skipped));
        let kept: Vec<Trial> = kept.into_iter().cloned().collect();
        let finish = Scripted::fallible(|trial| self.script(trial)).execute(&kept, listener)?;
        for trial in skipped {
            listener.on(&crate::model::RunEvent::Ended {
                run: &trial.run,
                status: Status::Skipped,
                exit_code: None,
                signal: None,
                duration: std::time::Duration::ZERO,
                node: "",
                attempts: &[],
                notes: self.notes.get(&trial.run).map_or(&[], Vec::as_slice),
            });
        }
        Ok(finish)
    }
}

/// The blocks of a log; none where it was never written.
fn blocks(stream: Stream, path: &Path) -> Result<impl Iterator<Item = (Stream, Vec<u8>)> + use<>> {
    let mut file = match File::open(path) {
        Ok(file) => Some(file),
        Err(why) if why.kind() == std::io::ErrorKind::NotFound => None,
        Err(why) => return Err(Error::file("read", path)(why)),
    };
    Ok(std::iter::from_fn(move || {
        let mut block = vec![0; BLOCK];
        match file.as_mut()?.read(&mut block) {
            Ok(count) if count > 0 => {
                block.truncate(count);
                Some((stream, block))
            }
            // A log that cannot be read to its end gives what could be read: a shorter run is never silently equal.
            _ => {
                file = None;
                None
            }
        }
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Control, Launch, RunEvent};
    use std::time::Duration;

    fn run(id: &str, status: Status) -> Run {
        Run {
            id: id.to_owned(),
            treatment: "reference".to_owned(),
            replicate: 1,
            settings: BTreeMap::new(),
            read_back: BTreeMap::new(),
            status,
            exit_code: None,
            signal: Some(11),
            points: 0,
            duration: Duration::from_secs(7),
            node: "elsewhere".to_owned(),
            attempts: Vec::new(),
            log: Path::new("runs").join(id).join("stdout.log"),
            last_words: Vec::new(),
        }
    }

    fn trial(run: &str) -> Trial {
        Trial {
            run: run.to_owned(),
            treatment: "reference".to_owned(),
            replicate: 1,
            settings: BTreeMap::new(),
            launch: Launch::default(),
        }
    }

    #[test]
    fn tells_what_was_recorded_and_how_it_ended() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(folder.path().join("runs/r1")).unwrap();
        let output = "step 1 loss 0.5\n".repeat(10_000);
        std::fs::write(folder.path().join("runs/r1/stdout.log"), &output).unwrap();
        std::fs::write(folder.path().join("runs/r1/stderr.log"), "trouble\n").unwrap();
        let runs = [run("r1", Status::Crashed), run("r2", Status::Lost), run("r3", Status::Skipped)];
        let notes = [("r1".to_owned(), vec!["a note".to_owned()])].into();
        let (mut heard, mut errors, mut ends) = (Vec::new(), Vec::new(), Vec::new());
        let mut listener = |event: &RunEvent<'_>| {
            match event {
                RunEvent::Wrote { stream: Stream::Output | Stream::Rank(_), bytes, .. } => {
                    heard.extend_from_slice(bytes)
                }
                RunEvent::Wrote { stream: Stream::Error, bytes, .. } => errors.extend_from_slice(bytes),
                RunEvent::Ended { run, status, signal, duration, node, notes, .. } => {
                    ends.push(format!("{run} {status:?} {signal:?} {duration:?} {node} {notes:?}"));
                }
                RunEvent::Started { .. } | RunEvent::Restarted { .. } | RunEvent::Noted { .. } => {}
            }
            Control::Continue
        };
        let trials = ["r1", "r2", "r3"].map(trial);
        Replay::new(folder.path(), runs, notes).execute(&trials, &mut listener).unwrap();
        assert_eq!(heard, output.as_bytes());
        assert_eq!(errors, b"trouble\n");
        ends.sort();
        assert_eq!(
            ends,
            [
                "r1 Crashed Some(11) 7s elsewhere [\"a note\"]",
                "r2 Lost Some(11) 7s elsewhere []",
                "r3 Skipped None 0ns  []"
            ]
        );
    }

    #[test]
    fn a_run_that_is_not_in_the_record_is_an_error() {
        let mut listener = |_: &RunEvent<'_>| Control::Continue;
        let error = Replay::new(Path::new("/tmp"), [], BTreeMap::new()).execute(&[trial("r1")], &mut listener);
        assert!(error.unwrap_err().to_string().contains("r1"));
    }
}
