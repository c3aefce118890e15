//! Bytes as a running process writes them, to observations at once.

use std::path::{Path, PathBuf};

use super::envelope::may_be_labelled;
use super::format::{Reader, Sample};
use super::metric::Metric;
use super::open;
use super::options::Options;
use super::select;
use super::sink::{Observation, Sink};
use crate::model::{Candidate, Reading, Role};

/// Whole lines that are waited for before a format is chosen.
const LINES: usize = 3;

/// Whole lines that are waited for where the first ones may have the label of a task: more of them show whether it is one.
const LABELLED: usize = 12;

/// Reads a log while it is being written.
///
/// Bytes may be cut anywhere. What stays in memory is bounded: at most one unfinished line (never more than 1 MiB of it)
/// and one held point for each metric.
pub struct Live {
    options: Options,
    reader: Option<Box<dyn Reader>>,
    candidates: Vec<Candidate>,
    beginning: String,
    head: Vec<u8>,
    /// Where the log comes from, where it is a file: then nobody waits for its first points.
    path: Option<PathBuf>,
    pub(super) sink: Sink,
}

impl Clone for Live {
    fn clone(&self) -> Self {
        Self {
            options: self.options.clone(),
            reader: self.reader.as_ref().map(|reader| reader.fork()),
            candidates: self.candidates.clone(),
            beginning: self.beginning.clone(),
            head: self.head.clone(),
            path: self.path.clone(),
            sink: self.sink.clone(),
        }
    }
}

/// What a log that was read piece by piece turned out to be.
#[derive(Clone, Debug, PartialEq)]
pub struct Summary {
    /// Id of the log format; empty where nothing was read.
    pub format: String,
    /// What the beginning decided about the prefixes of all lines, in words; empty where it decided nothing.
    pub beginning: String,
    /// The table of metrics that observations point into.
    pub metrics: Vec<Metric>,
    /// The role of each metric.
    pub roles: Vec<Role>,
    /// Whether each metric is worth comparing.
    pub kept: Vec<bool>,
    /// The primary metric.
    pub primary: Option<usize>,
    /// Names of recognised noise fields.
    pub noise: Vec<String>,
    /// What was skipped or doubtful.
    pub warnings: Vec<String>,
    /// The chosen reading first, then the losing ones.
    pub candidates: Vec<Candidate>,
}

impl Live {
    /// A reader that knows nothing yet.
    pub fn new(options: Options) -> Self {
        Self {
            options,
            reader: None,
            candidates: Vec::new(),
            beginning: String::new(),
            head: Vec::new(),
            path: None,
            sink: Sink::default(),
        }
    }

    /// A reader of a file, which sees more of it before it chooses a format, and keeps the course of every metric.
    pub(super) fn of_file(path: &Path, options: Options) -> Self {
        Self { path: Some(path.to_owned()), sink: Sink::with_courses(), ..Self::new(options) }
    }

    /// Takes the next bytes and adds what they complete to `out`.
    pub fn push(&mut self, bytes: &[u8], out: &mut Vec<Observation>) {
        match &mut self.reader {
            Some(reader) => reader.push(bytes, &mut self.sink),
            None => {
                self.head.extend_from_slice(bytes);
                let wanted = if may_be_labelled(&self.head) { LABELLED } else { LINES };
                let enough = || memchr::memchr2_iter(b'\n', b'\r', &self.head).count() >= wanted;
                if self.head.len() >= open::HEAD || self.options.pattern.is_some() || self.path.is_none() && enough() {
                    self.start(false);
                }
            }
        }
        self.sink.end_run();
        out.append(&mut self.sink.out);
    }

    /// Says that no more bytes come.
    pub fn finish(&mut self, out: &mut Vec<Observation>) -> Summary {
        if self.reader.is_none() {
            self.start(true);
        }
        if let Some(reader) = &mut self.reader {
            reader.finish(&mut self.sink);
        }
        self.sink.end_run();
        out.append(&mut self.sink.out);
        self.summary()
    }

    /// The table of metrics so far.
    pub fn metrics(&self) -> &[Metric] {
        &self.sink.metrics
    }

    /// What is known so far; roles may still change as more is read.
    pub fn summary(&self) -> Summary {
        let selection = select::select(&self.sink.metrics, self.options.metric.as_deref());
        Summary {
            format: self.candidates.first().map(|c| c.format.clone()).unwrap_or_default(),
            beginning: self.beginning.clone(),
            metrics: self.sink.metrics.clone(),
            roles: selection.roles,
            kept: selection.kept,
            primary: selection.primary,
            noise: self.sink.noise.clone(),
            warnings: self.sink.warnings.clone(),
            candidates: self.candidates.clone(),
        }
    }

    /// Whether a format has been chosen.
    pub(super) fn has_begun(&self) -> bool {
        self.reader.is_some()
    }

    /// Chooses a format for this log and another one, which begin with what was pushed so far and go on as `rests` say; gives
    /// the candidates for the other one. `None`, and nothing is chosen, where that looks like another format, or its lines have other prefixes.
    pub(super) fn begin(&mut self, other: &Path, rests: [&[u8]; 2]) -> Option<Vec<Candidate>> {
        let choose = |path: Option<&Path>, rest: &[u8]| {
            let room = open::HEAD.saturating_sub(self.head.len()).min(rest.len());
            let head = [&self.head[..self.head.len().min(open::HEAD)], &rest[..room]].concat();
            open::choose(&Sample { path, head: &head, whole: head.len() < open::HEAD }, &self.options)
        };
        let (mut reader, candidates) = choose(self.path.as_deref(), rests[0]);
        let (other_reader, others) = choose(Some(other), rests[1]);
        let format = |candidates: &[Candidate]| candidates.first().map(|chosen| chosen.format.clone());
        if format(&candidates) != format(&others) || reader.beginning() != other_reader.beginning() {
            return None;
        }
        self.beginning = reader.beginning();
        reader.push(&std::mem::take(&mut self.head), &mut self.sink);
        self.candidates = candidates;
        self.reader = Some(reader);
        Some(others)
    }

    /// Says by what its format was chosen.
    pub(super) fn set_candidates(&mut self, candidates: Vec<Candidate>) {
        self.candidates = candidates;
    }

    /// Reads on in two logs as far as they say the same; gives the bytes read of each.
    pub(super) fn read_alike(&mut self, logs: [&[u8]; 2]) -> [usize; 2] {
        self.reader.as_mut().map_or([0, 0], |reader| reader.read_alike(logs, &mut self.sink))
    }

    /// Reads one line of two logs where it says the same in both; false, and nothing is read, where it may not.
    pub(super) fn line_alike(&mut self, lines: [&[u8]; 2]) -> bool {
        self.reader.as_mut().is_some_and(|reader| reader.line_alike(lines, &mut self.sink))
    }

    /// Writes down what is still counted.
    pub(super) fn settle(&mut self) {
        self.sink.end_run();
    }

    /// The line that the next byte belongs to.
    pub(super) fn line(&self) -> Option<u64> {
        self.reader.as_ref()?.line()
    }

    /// The metric that the user named.
    pub(super) fn asked(&self) -> Option<&str> {
        self.options.metric.as_deref()
    }

    /// The reader of another log, which has said the same so far: it goes on from here under its own name.
    pub(super) fn like(&self, other: &Self) -> Self {
        let chosen = if other.candidates.is_empty() { &self.candidates } else { &other.candidates };
        Self { path: other.path.clone(), candidates: chosen.clone(), ..self.clone() }
    }

    /// What was read, with the first points of every metric in place of all of them.
    pub(super) fn sketch(&self, encoding: &str) -> Reading {
        let heads = |id: usize| self.sink.course(id).map(|course| course.beginning(usize::MAX)).unwrap_or_default();
        let gathered = open::Gathered::of(&self.sink, heads);
        gathered.into_reading(self.sink.clone(), self.candidates.clone(), encoding, &self.options)
    }

    fn start(&mut self, whole: bool) {
        let head = std::mem::take(&mut self.head);
        let begins = head.len().min(open::HEAD);
        let sample = Sample { path: self.path.as_deref(), head: &head[..begins], whole: whole && begins == head.len() };
        let (mut reader, candidates) = open::choose(&sample, &self.options);
        self.candidates = candidates;
        self.beginning = reader.beginning();
        reader.push(&head, &mut self.sink);
        self.reader = Some(reader);
    }
}
