//! Log format `json`: one document with arrays of objects or of numbers (`trainer_state.json`, a saved Keras history).

use std::collections::BTreeMap;

use super::format::{LogFormat, Reader, Sample};
use super::names::{self, Meaning};
use super::number;
use super::options::Options;
use super::sink::{Place, Shown, Sink};
use super::transcript::Transcript;
use super::walk::{self, Leaf, Part};
use crate::model::Candidate;

/// Longest document that is held.
const LARGEST: usize = 512 << 20;

/// One JSON document.
pub(crate) struct Json;

impl LogFormat for Json {
    fn id(&self) -> &'static str {
        "json"
    }

    fn describe(&self) -> &'static str {
        "one JSON document: arrays of objects or of numbers (trainer_state.json, a saved history), or what a notebook printed"
    }

    fn score(&self, sample: &Sample<'_>) -> Candidate {
        let (score, why) = fit(sample);
        Candidate { format: self.id().into(), score, why: why.into() }
    }

    fn reader(&self, _options: &Options) -> Box<dyn Reader> {
        Box::new(JsonReader::default())
    }
}

fn fit(sample: &Sample<'_>) -> (f64, &'static str) {
    let text = sample.head.strip_prefix("\u{feff}".as_bytes()).unwrap_or(sample.head).trim_ascii();
    let opens = matches!(text.first(), Some(b'{' | b'['));
    if !opens {
        return (0.0, "does not begin with a bracket");
    }
    if text.starts_with(b"[")
        && !text[1..]
            .trim_ascii_start()
            .first()
            .is_some_and(|b| matches!(b, b'{' | b'[') || b.is_ascii_digit() || *b == b'-')
    {
        return (0.0, "a bracketed word, no array");
    }
    let mut array = false;
    match walk::walk(text, &mut |path, _| array |= path.iter().any(|part| matches!(part, Part::Index(_)))) {
        Some(end) if end == text.len() => {
            let lines = text.split(|&b| b == b'\n').count();
            if lines == 1 && text.starts_with(b"{") && !array {
                (0.45, "one object on one line")
            } else {
                (0.95, "one JSON document")
            }
        }
        Some(_) => (0.1, "several documents: JSON lines"),
        None if sample.whole => (0.0, "no complete JSON"),
        None => {
            let first = text.split(|&b| b == b'\n').next().unwrap_or(text).trim_ascii_end();
            let open_line = first.len() <= 2 || !first.ends_with(b"}");
            if open_line && text.starts_with(b"{\"") || first.len() <= 2 || text.starts_with(b"[{") {
                (0.8, "the beginning of a JSON document")
            } else {
                (0.1, "JSON lines")
            }
        }
    }
}

#[derive(Clone, Debug, Default)]
struct JsonReader {
    text: Vec<u8>,
    dropped: bool,
}

impl Reader for JsonReader {
    fn fork(&self) -> Box<dyn Reader> {
        Box::new(self.clone())
    }

    fn push(&mut self, bytes: &[u8], _sink: &mut Sink) {
        let room = LARGEST - self.text.len();
        self.dropped |= bytes.len() > room;
        self.text.extend_from_slice(&bytes[..bytes.len().min(room)]);
    }

    fn finish(&mut self, sink: &mut Sink) {
        let (mut found, mut printed) = (Found::default(), Transcript::default());
        let text = self.text.strip_prefix("\u{feff}".as_bytes()).unwrap_or(&self.text);
        let start = text.as_ptr() as usize;
        let mut line = Lines { text, at: 0, line: 1 };
        let end = walk::walk(text, &mut |path, leaf| {
            let (shown, words) = match leaf {
                Leaf::Number(shown) => (shown, false),
                Leaf::Text(shown) => (shown, true),
                Leaf::Word => return,
            };
            let shown = number::wrapped(shown).map_or(shown, |inner| &shown[inner]);
            let at = shown.as_ptr() as usize - start;
            if let Some(value) = number::whole(shown) {
                found.leaf(path, value, String::from_utf8_lossy(shown).into_owned(), line.of(at));
            } else if words {
                // A text as long as this is no value that was printed oddly.
                if shown.len() < 80 && matches!(names::meaning(&walk::name(path)), Meaning::Loss | Meaning::Result) {
                    sink.note_unread(&walk::name(path), shown);
                }
                printed.take(path, walk::unescape(shown), line.of(at));
            }
        });
        if end.is_none() || self.dropped {
            sink.warn("the JSON document is not complete".into());
        }
        // What a program printed counts where the document itself has no results.
        if printed.is_empty() || found.tells() {
            found.record(sink)
        } else {
            printed.read(sink)
        }
        sink.warn_of_unread();
    }

    fn detail(&self) -> String {
        "one document".into()
    }
}

struct Lines<'a> {
    text: &'a [u8],
    at: usize,
    line: u64,
}

impl Lines<'_> {
    fn of(&mut self, at: usize) -> u64 {
        if at > self.at {
            self.line += memchr::memchr_iter(b'\n', &self.text[self.at..at]).count() as u64;
            self.at = at;
        }
        self.line
    }
}

#[derive(Debug)]
struct Cell {
    name: String,
    value: f64,
    text: String,
    line: u64,
}

/// Rows by where they stand: the path of their array, and their index in it.
#[derive(Debug, Default)]
struct Found {
    rows: BTreeMap<(usize, i64), Vec<Cell>>,
    arrays: Vec<String>,
    columns: BTreeMap<(usize, i64), Vec<Cell>>,
    parents: Vec<String>,
    keyed: BTreeMap<i64, Vec<Cell>>,
    alone: Vec<Cell>,
}

impl Found {
    fn leaf(&mut self, path: &[Part], value: f64, text: String, line: u64) {
        let first = path.iter().position(|p| matches!(p, Part::Index(_)));
        match first {
            Some(at) if at + 1 < path.len() => {
                let array = index_of(&mut self.arrays, walk::name(&path[..at]));
                let name = walk::name(&path[at + 1..]);
                self.rows.entry((array, position(&path[at]))).or_default().push(Cell { name, value, text, line });
            }
            Some(at) => {
                let keys = &path[..at];
                let parent = index_of(&mut self.parents, walk::name(&keys[..keys.len().saturating_sub(1)]));
                let cell = Cell { name: walk::name(keys), value, text, line };
                self.columns.entry((parent, position(&path[at]))).or_default().push(cell);
            }
            None => self.keyed_leaf(path, value, text, line),
        }
    }

    /// `{"0": {"loss": 0.5}, "1": …}`: steps as keys.
    fn keyed_leaf(&mut self, path: &[Part], value: f64, text: String, line: u64) {
        let key = path.iter().position(|p| matches!(p, Part::Key(k) if k.parse::<i64>().is_ok()));
        let step = key.and_then(|at| match &path[at] {
            Part::Key(key) => key.parse().ok(),
            Part::Index(_) => None,
        });
        match (key, step) {
            (Some(at), Some(step)) => {
                let mut rest = path[..at].to_vec();
                rest.extend_from_slice(&path[at + 1..]);
                self.keyed.entry(step).or_default().push(Cell { name: walk::name(&rest), value, text, line });
            }
            _ => self.alone.push(Cell { name: walk::name(path), value, text, line }),
        }
    }

    /// Whether a number of the document is a loss or another result by its name.
    fn tells(&self) -> bool {
        let placed = self.rows.values().chain(self.columns.values()).chain(self.keyed.values());
        placed
            .chain([&self.alone])
            .flatten()
            .any(|cell| matches!(names::meaning(&cell.name), Meaning::Loss | Meaning::Result))
    }

    /// `[[wall time, step, value], …]`: what TensorBoard hands out for one curve.
    fn name_triples(&mut self) {
        let triple = |cells: &Vec<Cell>| {
            let named = cells.iter().map(|cell| cell.name.as_str()).eq(["0", "1", "2"]);
            named && cells[0].value > 1e9 && cells[1].value.fract() == 0.0
        };
        if !self.rows.values().all(triple) {
            return;
        }
        for cells in self.rows.values_mut() {
            for (cell, name) in cells.iter_mut().zip(["wall time", "step", "value"]) {
                cell.name = name.into();
            }
        }
    }

    fn record(mut self, sink: &mut Sink) {
        self.name_triples();
        let several = self.arrays.len() > 1;
        for ((array, _), cells) in self.rows {
            let prefix = if several { format!("{}.", self.arrays[array]) } else { String::new() };
            row(&cells, &prefix, None, sink);
        }
        for ((_, index), cells) in self.columns {
            row(&cells, "", Some(index), sink);
        }
        for (step, cells) in self.keyed {
            row(&cells, "", Some(step), sink);
        }
        if sink.metrics.is_empty() {
            row(&self.alone, "", None, sink);
        }
    }
}

fn index_of(names: &mut Vec<String>, name: String) -> usize {
    match names.iter().position(|n| *n == name) {
        Some(at) => at,
        None => {
            names.push(name);
            names.len() - 1
        }
    }
}

fn position(part: &Part) -> i64 {
    match part {
        Part::Index(index) => *index as i64,
        Part::Key(_) => 0,
    }
}

fn row(cells: &[Cell], prefix: &str, index: Option<i64>, sink: &mut Sink) {
    let mut place = Place::default();
    let mut best = 0;
    for cell in cells {
        match names::meaning(&cell.name) {
            Meaning::Epoch => place.epoch = Some(cell.value),
            Meaning::Step(rank) if rank > best => {
                best = rank;
                place.step = Some(cell.value as i64);
            }
            _ => {}
        }
    }
    if place.step.is_none() && place.epoch.is_none() {
        place.step = index;
    }
    for cell in cells {
        match names::meaning(&cell.name) {
            Meaning::Epoch | Meaning::Step(_) | Meaning::Rank | Meaning::Config => {}
            Meaning::Noise => sink.note_noise(&cell.name),
            _ => {
                let id = sink.plain(&format!("{prefix}{}", cell.name));
                sink.record(
                    id,
                    place,
                    Shown { value: cell.value.into(), text: cell.text.as_bytes(), line: cell.line, redraw: false },
                );
            }
        }
    }
}
