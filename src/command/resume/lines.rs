//! What was typed to the command lines of the three runs.

use std::collections::BTreeMap;

use crate::cli;
use crate::command::request::{Place, Request, reading_options};
use crate::command::watch::StopRule;
use crate::command::words;
use crate::error::{Error, Result};
use crate::model::Treatment;
use crate::plan::Catalogue;
use crate::probe::Kill;

/// The command lines of an audit of resuming.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lines {
    /// The uninterrupted run.
    pub straight: Vec<String>,
    /// The run that leaves the checkpoint; `None` where the straight one does.
    pub first: Option<Vec<String>>,
    /// The run that starts from it.
    pub resumed: Vec<String>,
    /// When the first run is ended, where that is ours to do.
    pub end: End,
}

/// When the first run is ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// By itself.
    Own,
    /// By us, at this point.
    At(Kill),
    /// By us, at several points, by this signal.
    Sweep(&'static str),
}

impl End {
    /// Whether the points depend on how many steps the job makes.
    pub fn needs_steps(&self) -> bool {
        matches!(self, Self::Sweep(_))
    }

    /// The points to try, for a job that makes so many steps.
    pub fn points(&self, steps: usize) -> Vec<Option<Kill>> {
        let kill = |at, number, signal| Some(Kill { at, number, signal });
        match self {
            Self::Own => vec![None],
            Self::At(kill) => vec![Some(kill.clone())],
            Self::Sweep(signal) => {
                let middle = (steps as u64 * 2 / 5).max(1) + 1;
                vec![
                    kill("step", middle, signal),
                    kill("epoch", 1, signal),
                    kill("backward", middle, signal),
                    kill("checkpoint", 1, signal),
                ]
            }
        }
    }
}

impl Lines {
    /// Whether one of the lines holds a text.
    pub fn name(&self, text: &str) -> bool {
        let all = [Some(&self.straight), self.first.as_ref(), Some(&self.resumed)];
        all.into_iter().flatten().flatten().any(|word| word.contains(text))
    }

    /// Resolves the two forms of the command.
    ///
    /// # Errors
    /// Where neither form is complete, or a quoted command line does not close its quotes.
    pub fn new(typed: &cli::Resume) -> Result<Self> {
        match (&typed.straight, &typed.resumed, &typed.interrupt) {
            (Some(_), Some(_), None) if !typed.command.is_empty() => Err(Error::Misuse(
                "--straight and --resumed are whole command lines: there is nothing to be given behind `--`".to_owned(),
            )),
            (Some(straight), Some(resumed), None) => Ok(Self {
                straight: split("--straight", straight)?,
                first: typed.first.as_deref().map(|line| split("--first", line)).transpose()?,
                resumed: split("--resumed", resumed)?,
                end: End::Own,
            }),
            (None, None, interrupt) if !typed.command.is_empty() && (interrupt.is_some() || typed.sweep) => {
                let rest = typed.resume_args.as_deref().unwrap_or_default();
                let resumed = typed.command.iter().cloned().chain(words_of("--resume-args", rest)?).collect();
                Ok(Self {
                    straight: typed.command.clone(),
                    first: Some(typed.command.clone()),
                    resumed,
                    end: match interrupt {
                        Some(interrupt) => End::At(kill(interrupt, signal(typed.signal))?),
                        None => End::Sweep(signal(typed.signal)),
                    },
                })
            }
            _ => Err(Error::Misuse(
                "resume takes --straight CMD [--first CMD] --resumed CMD, or --interrupt step=K --resume-args ARGS -- CMD"
                    .to_owned(),
            )),
        }
    }
}

fn words_of(option: &str, line: &str) -> Result<Vec<String>> {
    shlex::split(line).ok_or_else(|| Error::Misuse(format!("{option}: a quote is not closed in `{line}`")))
}

fn split(option: &str, line: &str) -> Result<Vec<String>> {
    let words = words_of(option, line)?;
    if words.is_empty() { Err(Error::Misuse(format!("{option} needs a command line in quotes"))) } else { Ok(words) }
}

fn signal(typed: cli::Signal) -> &'static str {
    match typed {
        cli::Signal::Term => "TERM",
        cli::Signal::Kill => "KILL",
        cli::Signal::Int => "INT",
    }
}

fn kill(interrupt: &str, signal: &'static str) -> Result<Kill> {
    let wrong = || {
        Error::Misuse(format!("--interrupt takes step=K, checkpoint=N or epoch=E, counted from 1, not `{interrupt}`"))
    };
    let (at, number) = interrupt.split_once('=').ok_or_else(wrong)?;
    let number = number.parse().ok().filter(|number| *number > 0).ok_or_else(wrong)?;
    let at = ["step", "checkpoint", "epoch"].into_iter().find(|known| *known == at).ok_or_else(wrong)?;
    Ok(Kill { at, number, signal })
}

/// The request that a campaign of these runs works on.
///
/// # Errors
/// Where an option makes no sense.
pub fn request(typed: &cli::Resume, lines: &Lines) -> Result<Request> {
    let tolerance = words::tolerance(typed.comparison.tolerance.as_deref())?;
    Ok(Request {
        line: std::env::args().collect(),
        command: lines.straight.clone(),
        catalogue: Catalogue::built_in()?,
        treatments: vec![Treatment { id: Treatment::REFERENCE.to_owned(), settings: BTreeMap::new() }],
        times: 4,
        invariant: false,
        jobs: Some(1),
        timeout: typed.timeout.as_deref().map(words::duration).transpose()?,
        environment: words::variables(&typed.env)?,
        place: Place::Here,
        pty: false,
        record: typed.record.clone(),
        stop: StopRule::never(tolerance),
        reading: reading_options(typed.comparison.metric.as_deref(), typed.comparison.pattern.as_deref())?,
        tolerance,
        metric: typed.comparison.metric.clone(),
        blame: !typed.no_blame,
        shim: true,
        confidence: None,
        detect: None,
        max_runs: None,
        level: None,
        check_observer: false,
        checkpoints: None,
        metric_files: false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    fn lines(words: &[&str]) -> Result<Lines> {
        let all = ["repro-audit", "resume"].iter().chain(words);
        match cli::Cli::try_parse_from(all).expect("it parses").command {
            cli::Command::Resume(typed) => Lines::new(&typed),
            _ => unreachable!("it is a resume"),
        }
    }

    #[test]
    fn splits_quoted_lines_as_a_shell_would() {
        let found = lines(&["--straight", "a 'b c'", "--resumed", "a --resume x"]).expect("complete");
        assert_eq!((found.straight, found.first), (vec!["a".to_owned(), "b c".to_owned()], None));
        assert!(lines(&["--straight", "a 'b", "--resumed", "a"]).is_err());
        assert!(lines(&["--resume-args", "x", "--interrupt", "step=1"]).is_err());
    }

    #[test]
    fn adds_the_arguments_of_the_resumed_run() {
        let found = lines(&["--interrupt", "step=7", "--signal", "TERM", "--resume-args=--resume x", "--", "train"])
            .expect("complete");
        assert_eq!(found.resumed, ["train", "--resume", "x"]);
        assert_eq!(found.end, End::At(Kill { at: "step", number: 7, signal: "TERM" }));
        let swept = lines(&["--sweep", "--", "train"]).expect("complete").end.points(40);
        assert_eq!(swept[0], Some(Kill { at: "step", number: 17, signal: "KILL" }));
        let kinds: Vec<&str> = swept.iter().flatten().map(|kill| kill.at).collect();
        assert_eq!(kinds, ["step", "epoch", "backward", "checkpoint"]);
        assert!(lines(&["--interrupt", "step=0", "--", "train"]).is_err());
        assert!(lines(&["--interrupt", "hour=1", "--", "train"]).is_err());
    }
}
