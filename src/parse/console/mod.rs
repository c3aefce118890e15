//! The output of a program on a console: key-value lines, tables, dict and JSON lines, progress bars, in any mixture.

mod bars;
mod conditioned;
mod ends;
mod held;
mod logfmt;
mod objects;
mod pairs;
mod pieces;
mod position;
mod printed;
mod recipe;
mod repeats;
mod rows;
mod wording;

use std::ops::Range;

use held::{HeldLine, OpenDict};
use pieces::Pieces;
use printed::Printed;
use recipe::{Lesson, Recipes};

use crate::parse::bar::{self, Lag};
use crate::parse::envelope::{self, Envelope, Label, Labels, Numbering, Shared};
use crate::parse::frames::{End, Frame, Frames, Reads};
use crate::parse::lexicon::Lexicon;
use crate::parse::metric::Metric;
use crate::parse::names::{self, Meaning, Split};
use crate::parse::number;
use crate::parse::scan::{Item, Scan};
use crate::parse::sink::{Place, Shown, Sink};
use crate::parse::table::Header;

/// Of a longer line without an object only so much is read, in bytes: looking for names takes time that grows faster than the line.
const WIDEST: usize = 16 << 10;

/// What is remembered from line to line.
#[derive(Clone, Debug, Default)]
struct Context {
    epoch: Option<f64>,
    step: Option<i64>,
    /// The last position stood on a line of its own, so that the lines below it share it.
    header: bool,
    /// A counter below its total was seen since the last header.
    counted: bool,
    /// The part of the data that the header names.
    split: Split,
    /// The line of the heading that named it last.
    heading: u64,
    /// The epoch before that heading, and whether a value stood below it.
    headed_epoch: Option<f64>,
    headed: bool,
    /// Where the counter of training lines ends.
    total: Option<i64>,
    /// Gradients are gathered over several batches, and lines tell of each of them.
    gathers: bool,
    /// `Batch 2/100` names an epoch and a batch.
    batch_of_epoch: bool,
}

/// Values of a line without a step, held until the bar is drawn again and tells it.
#[derive(Clone, Debug)]
struct Waiting {
    values: Vec<(usize, Place, f64, String, u64)>,
    frames: u32,
}

/// Reads console output frame by frame.
#[derive(Clone, Debug, Default)]
pub(crate) struct Console {
    scan: Scan,
    lexicon: Lexicon,
    context: Context,
    header: Option<Header>,
    printed: Printed,
    /// The line of the header.
    header_line: u64,
    /// The part of the data that its rows are taken on, as far as the line above it says.
    header_split: Split,
    block: Vec<rows::Pair>,
    group: String,
    /// A rule was the last thing before the block, and how many lines of others stand in it.
    ruled: bool,
    stray: usize,
    /// Indented lines with one pair each, held because their step may stand below them.
    lines: Vec<HeldLine>,
    /// A dict that goes on over several lines.
    open_dict: Option<OpenDict>,
    /// Between two rules of two dashes each.
    two_columns: bool,
    /// How far the bar lags behind the values of each metric.
    lags: Vec<Lag>,
    main_bar: Option<(i64, i64)>,
    waiting: Option<Waiting>,
    /// The text being read stands behind a bar, on its line.
    behind_bar: bool,
    decimal_comma: bool,
    /// Whether a name of the line counts hinges on the lines before it.
    hinges: bool,
    key: Vec<u8>,
    recipes: Recipes,
    labels: Labels,
    numbering: Numbering,
    shared: Shared,
    /// `Steps: 313` behind an epoch says how many steps it has.
    ends_shown: bool,
    pieces: Pieces,
    /// Several processes wrote the log, and nothing but their ids tells them apart.
    several: bool,
    /// What the slow reading of a frame found out about lines of its shape.
    lesson: Option<Lesson>,
    /// Bytes of very long lines that nobody looked at.
    pub(crate) passed_over: u64,
    /// Frames in which something was read, by style.
    pub(crate) styles: Styles,
}

/// How many frames each style of line gave.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Styles {
    /// Key-value lines.
    pub(crate) pairs: u64,
    /// Rows of tables.
    pub(crate) rows: u64,
    /// JSON objects.
    pub(crate) objects: u64,
    /// Progress bars.
    pub(crate) bars: u64,
}

impl Styles {
    /// What was read, in words.
    pub(crate) fn told(&self) -> String {
        let all = [
            (self.pairs, "key-value lines"),
            (self.rows, "table rows"),
            (self.objects, "JSON objects"),
            (self.bars, "progress bars"),
        ];
        let told: Vec<String> = all.iter().filter(|(n, _)| *n > 0).map(|(n, name)| format!("{n} {name}")).collect();
        if told.is_empty() { "no line held a metric".into() } else { told.join(", ") }
    }
}

/// A line in which a system logger has written control characters as `#011`: with what they stood for.
fn unescape_controls(text: &[u8]) -> Option<Vec<u8>> {
    let mut at = memchr::memmem::find(text, b"#0")?;
    let mut plain = text[..at].to_vec();
    while at < text.len() {
        match text.get(at..at + 4) {
            Some(b"#011") => plain.push(b'\t'),
            Some(b"#015" | b"#012") => plain.push(b' '),
            Some(b"#033") => {
                // A colour code goes as a whole.
                let rest = &text[at + 4..];
                let code = rest.iter().take_while(|b| b.is_ascii_digit() || matches!(b, b'[' | b';')).count();
                at += code + usize::from(rest.get(code).is_some_and(u8::is_ascii_alphabetic));
            }
            _ => {
                plain.push(text[at]);
                at += 1;
                continue;
            }
        }
        at += 4;
    }
    Some(plain)
}

/// Whether a frame is drawn in place.
fn is_bar_like(redrawn: bool, end: End, length: usize) -> bool {
    redrawn || end == End::Redraw && length > 0
}

/// What a line says about where it stands.
#[derive(Clone, Debug, Default)]
struct Said {
    epoch: Option<f64>,
    step: Option<i64>,
    rank: Option<u32>,
    split: Split,
    /// `N` of a step `n/N`.
    total: Option<i64>,
    /// Which of two counters tells the place, other lines have shown: nothing is to be learnt from this one.
    tied: bool,
    /// Where the text shows the epoch and the step.
    epoch_at: Range<usize>,
    step_at: Range<usize>,
}

impl Said {
    fn take_epoch(&mut self, item: &Item, text: &[u8]) {
        if self.epoch.is_none() {
            self.epoch = Some(number::value(&text[item.text.clone()], item.spelling, false));
            self.epoch_at = item.text.clone();
        }
    }

    fn take_step(&mut self, item: &Item, text: &[u8]) {
        self.step = Some(number::value(&text[item.text.clone()], item.spelling, false) as i64);
        self.step_at = item.text.clone();
        self.total = item.of;
    }

    /// `Episode [1/3]: 40%|…| 4/10`: what stands before a bar and has its end counts how often the bar was drawn to its own.
    fn count_laps(&mut self) {
        if self.epoch.is_none() && self.total.is_some() {
            self.epoch = self.step.take().map(|step| step as f64);
            self.epoch_at = std::mem::take(&mut self.step_at);
        }
    }
}

/// One frame with what every reader of a part of it needs.
#[derive(Clone, Copy)]
struct Here<'a> {
    text: &'a [u8],
    /// Whether the line is indented.
    indented: bool,
    /// Where the text begins in its line, behind what that was wrapped in.
    column: usize,
    line: u64,
    redraw: bool,
    cut: bool,
    rank: Option<u32>,
}

/// A line without what it was wrapped in.
struct Opened<'t> {
    text: &'t [u8],
    indented: bool,
    rank: Option<u32>,
    /// Whether something may be learnt from it about other lines.
    certain: bool,
}

impl<'t> Opened<'t> {
    fn here(&self, line: u64, redraw: bool, cut: bool) -> Here<'t> {
        Here { text: self.text, indented: self.indented, column: 0, line, redraw, cut, rank: self.rank }
    }
}

impl Reads for Console {
    fn skim(&mut self, bytes: &[u8], frames: &mut Frames, sink: &mut Sink) -> usize {
        self.skim_known(bytes, frames, sink)
    }

    fn frame(&mut self, frame: Frame<'_>, sink: &mut Sink) {
        self.read_frame(frame, sink);
    }

    fn learn(&mut self, raw: &[u8], length: usize, end: End, redrawn: bool) {
        self.learn_layout(raw, length, end, redrawn);
    }
}

impl Console {
    /// A console for the log that begins like this.
    pub(crate) fn of_log(head: &[u8]) -> Self {
        let numbering = Numbering::at_the_beginning(head);
        let shared = Shared::at_the_beginning(head);
        let ends_shown = ends::are_shown(head);
        let several = envelope::has_several_processes(head);
        Self { labels: Labels::at_the_beginning(head), numbering, shared, ends_shown, several, ..Self::default() }
    }

    /// What the beginning of the log has decided: the prefixes of its lines, each digit as a 0, and what its counters are.
    pub(crate) fn beginning(&self) -> String {
        let ends = if self.ends_shown { " ends" } else { "" };
        let text = format!("{} {} {}{ends}", self.labels.words(), self.numbering.words(), self.shared.words());
        text.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect()
    }

    /// Reads one frame.
    fn read_frame(&mut self, frame: Frame<'_>, sink: &mut Sink) {
        let bar_like = is_bar_like(frame.redrawn, frame.end, frame.text.len());
        self.recipes.forget_followed();
        let text = frame.text;
        if text.trim_ascii().is_empty() {
            if frame.end == End::Line && !frame.redrawn {
                self.blank(sink);
            }
            return;
        }
        if frame.end != End::Cut && !self.holds() && self.follow(frame, bar_like, sink) {
            return;
        }
        self.lesson = None;
        let Some(text) = self.pieces.join(frame) else { return };
        let unescaped = logfmt::message(&text).or_else(|| unescape_controls(&text));
        let opened = self.open(unescaped.as_deref().unwrap_or(&text));
        if envelope::is_tracker_talk(opened.text) {
            return;
        }
        if opened.text.trim_ascii().is_empty() && frame.end == End::Line && !frame.redrawn {
            self.blank(sink);
            return;
        }
        let certain = opened.certain;
        let here = opened.here(frame.line, bar_like, frame.end == End::Cut);
        if !self.gather(here, sink) {
            self.text(here, sink, 0);
        }
        if let Some(lesson) = self.lesson.take().filter(|_| certain && frame.end != End::Cut && self.waiting.is_none())
        {
            self.recipes.learn(frame.text, lesson);
        }
        if let Some(waiting) = &mut self.waiting {
            waiting.frames += 1;
            if waiting.frames > 24 {
                self.release(None, sink);
            }
        }
    }

    /// Takes off what a line is wrapped in: the label of a task, the prefixes of loggers and collectors.
    fn open<'t>(&mut self, line: &'t [u8]) -> Opened<'t> {
        let line = &line[self.numbering.length(line)..];
        let shared = self.shared.length(line);
        if shared > 0 {
            let rank = envelope::strip(line).rank;
            let opened = self.open_labelled(self.shared.text(line));
            return Opened { rank: opened.rank.or(rank), ..opened };
        }
        self.open_labelled(line)
    }

    fn open_labelled<'t>(&mut self, line: &'t [u8]) -> Opened<'t> {
        let (text, mut label) = self.unlabelled(line);
        let mut envelope = envelope::strip(text);
        let mut text = &text[envelope.start.min(text.len())..];
        if label.is_none() && envelope.start > 0 {
            // Whoever collects the lines may put a stamp before the label.
            (text, label) = self.unlabelled(text);
            if label.is_some() {
                let inner = envelope::strip(text);
                envelope = Envelope { rank: inner.rank.or(envelope.rank), ..inner };
                text = &text[envelope.start.min(text.len())..];
            }
        }
        let rank = envelope.rank.or(label.and_then(|label| label.rank));
        let certain = label.map_or_else(|| !self.labels.may_have(text), |label| !label.doubtful);
        Opened { text, indented: envelope.indented, rank, certain }
    }

    /// A line without the label of a task or host.
    fn unlabelled<'t>(&mut self, text: &'t [u8]) -> (&'t [u8], Option<Label>) {
        let Some((label, new)) = self.labels.of(text) else { return (text, None) };
        if new {
            self.recipes.clear();
        }
        (&text[label.length..], Some(label))
    }

    /// Whether lines before are still waited with.
    fn holds(&self) -> bool {
        !self.block.is_empty()
            || !self.lines.is_empty()
            || self.open_dict.is_some()
            || self.waiting.is_some()
            || !self.pieces.is_empty()
    }

    /// Hands over what was held back.
    pub(crate) fn finish(&mut self, sink: &mut Sink) {
        for text in self.pieces.take().iter().filter(|text| !text.is_empty()) {
            let here = self.open(text).here(0, false, true);
            self.text(here, sink, 0);
        }
        self.give_up(sink);
        self.close_block(sink);
        self.release(None, sink);
        self.settle_bars(sink);
        sink.flush_all();
        let ranked = |metric: &Metric| metric.name.contains("[rank ");
        if self.several && !sink.metrics.is_empty() && !sink.metrics.iter().any(ranked) {
            let warning = "several processes wrote this log in the order of the clock, and only their ids tell them apart: \
                           let one of them print, or each print its rank";
            sink.warn(warning.to_owned());
        }
        if self.printed.repeated > 0 {
            sink.warn(format!("{} rows of a table were printed again: they count once", self.printed.repeated));
        }
    }

    fn blank(&mut self, sink: &mut Sink) {
        self.close_block(sink);
    }

    fn text(&mut self, here: Here<'_>, sink: &mut Sink, depth: u8) {
        let text = here.text.trim_ascii_start();
        let here = Here { text, column: here.column + here.text.len() - text.len(), ..here };
        if text.is_empty() || depth > 8 {
            return;
        }
        if text.len() > WIDEST {
            self.wide_text(here, sink, depth);
            return;
        }
        // A bar inside an envelope is for whoever opens the envelope.
        if text.starts_with(b"{\"") && self.object(here, sink, depth) {
            return;
        }
        if let Some(bar) = bar::find(text) {
            self.bar(here, &bar, sink);
            if bar.end < text.len() {
                let behind = &text[bar.end..];
                let start = envelope::strip(behind).start;
                self.behind_bar = true;
                self.text(Here { text: &behind[start..], ..here }, sink, depth + 1);
                self.behind_bar = false;
                // What stands behind the bar says nothing about the bar.
                self.lesson = None;
            }
            return;
        }
        if self.object(here, sink, depth) || self.table(here, sink) {
            return;
        }
        self.pairs(here, sink);
    }

    /// A line that is longer than names beside numbers ever are: an object, or its beginning is read.
    fn wide_text(&mut self, here: Here<'_>, sink: &mut Sink, depth: u8) {
        if self.object(here, sink, depth) {
            return;
        }
        let words = here.text[..WIDEST].iter().rposition(u8::is_ascii_whitespace).unwrap_or(WIDEST);
        self.passed_over += (here.text.len() - words) as u64;
        self.text(Here { text: &here.text[..words], ..here }, sink, depth);
        self.lesson = None;
    }

    pub(super) fn meaning_of(&mut self, key: &[u8]) -> Meaning {
        self.lexicon.of(key).meaning
    }

    /// The metric of a name on this kind of line.
    pub(super) fn metric(
        &mut self,
        name: &str,
        group: &str,
        split: Split,
        rank: Option<u32>,
        place: Place,
        sink: &mut Sink,
    ) -> usize {
        self.key.clear();
        // `train loss` is none of held-out data, whatever stood above its line.
        let held = split == Split::Held && self.lexicon.of(name.as_bytes()).split != Split::Train;
        let rank = rank.filter(|&r| r > 0);
        // A value of the epoch and a value of a step are two things under one name.
        let coarse: &[u8] = if place.step.is_none() { b"epoch" } else { b"" };
        for part in [name.as_bytes(), group.as_bytes(), if held { b"held" } else { b"" }, coarse] {
            self.key.extend_from_slice(part);
            self.key.push(0);
        }
        self.key.extend_from_slice(&rank.unwrap_or(0).to_le_bytes());
        sink.metric(&self.key, || {
            let mut metric = Metric::named(name);
            let group = group.strip_suffix("\0again").unwrap_or(group);
            if !group.is_empty() && !name.eq_ignore_ascii_case(group) {
                metric = Metric::named(&format!("{group}/{name}"));
            }
            if held && metric.split == Split::Unsaid {
                metric.split = Split::Held;
                metric.name = format!("Test {}", metric.name);
            }
            if let Some(base) = name.strip_suffix(" avg") {
                metric.smoothed = true;
                metric.meaning = names::meaning(base);
            }
            if let Some(rank) = rank {
                metric.name = format!("{} [rank {rank}]", metric.name);
            }
            metric
        })
    }

    #[expect(clippy::too_many_arguments, reason = "a value and where it stands")]
    fn give(
        &mut self,
        id: usize,
        place: Place,
        value: f64,
        text: &[u8],
        at_cut: bool,
        here: Here<'_>,
        sink: &mut Sink,
    ) {
        let text = String::from_utf8_lossy(text);
        if at_cut && !sink.looks_whole(id, &text) {
            sink.warn(format!("line {}: cut inside a number; its last value was left out", here.line));
            return;
        }
        sink.record(
            id,
            place,
            Shown { value: value.into(), text: text.as_bytes(), line: here.line, redraw: here.redraw },
        );
    }
}
