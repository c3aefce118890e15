//! The output of a program on a console: key-value lines, tables, dict and JSON lines, progress bars, in any mixture.

use std::collections::HashMap;
use std::ops::Range;

use super::bar::{self, Lag};
use super::envelope;
use super::frames::{End, Frame};
use super::lexicon::Lexicon;
use super::names::{self, Meaning, Split};
use super::number::{self, Spelling};
use super::scan::{Item, Link, Scan};
use super::sink::{Metric, Place, Shown, Sink};
use super::table::{self, Header};
use super::walk::{self, Leaf};

/// What is remembered from line to line.
#[derive(Debug, Default)]
struct Context {
    epoch: Option<f64>,
    step: Option<i64>,
    /// The last position stood on a line of its own, so that the lines below it share it.
    header: bool,
    /// A counter below its total was seen since the last header.
    counted: bool,
    /// The part of the data that the header names.
    split: Split,
    /// Where the counter of training lines ends.
    total: Option<i64>,
}

/// Values of a line without a step, held until the bar is drawn again and tells it.
#[derive(Debug)]
struct Waiting {
    values: Vec<(usize, Place, f64, String, u64)>,
    frames: u32,
}

/// Reads console output frame by frame.
#[derive(Debug, Default)]
pub(crate) struct Console {
    scan: Scan,
    lexicon: Lexicon,
    context: Context,
    header: Option<Header>,
    block: Vec<(String, String, u64)>,
    group: String,
    lags: HashMap<usize, Lag>,
    main_bar: Option<(i64, i64)>,
    waiting: Option<Waiting>,
    decimal_comma: bool,
    key: Vec<u8>,
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

/// What a line says about where it stands.
#[derive(Clone, Copy, Debug, Default)]
struct Said {
    epoch: Option<f64>,
    step: Option<i64>,
    rank: Option<u32>,
    split: Split,
    /// `N` of a step `n/N`.
    total: Option<i64>,
}

/// One frame with what every reader of a part of it needs.
#[derive(Clone, Copy)]
struct Here<'a> {
    text: &'a [u8],
    line: u64,
    redraw: bool,
    cut: bool,
    rank: Option<u32>,
}

impl Console {
    /// Reads one frame.
    pub(crate) fn frame(&mut self, frame: Frame<'_>, sink: &mut Sink) {
        let bar_like = frame.redrawn || frame.end == End::Redraw && !frame.text.is_empty();
        let mut text = frame.text;
        if text.trim_ascii().is_empty() {
            if frame.end == End::Line && !frame.redrawn {
                self.blank(sink);
            }
            return;
        }
        let envelope = envelope::strip(text);
        text = &text[envelope.start.min(text.len())..];
        let here = Here { text, line: frame.line, redraw: bar_like, cut: frame.end == End::Cut, rank: envelope.rank };
        self.text(here, sink, 0);
        if let Some(waiting) = &mut self.waiting {
            waiting.frames += 1;
            if waiting.frames > 24 {
                self.release(None, sink);
            }
        }
    }

    /// Hands over what was held back.
    pub(crate) fn finish(&mut self, sink: &mut Sink) {
        self.close_block(sink);
        self.release(None, sink);
        sink.flush_all();
    }

    fn blank(&mut self, sink: &mut Sink) {
        self.close_block(sink);
    }

    fn text(&mut self, here: Here<'_>, sink: &mut Sink, depth: u8) {
        let text = here.text.trim_ascii_start();
        let here = Here { text, ..here };
        if text.is_empty() || depth > 8 {
            return;
        }
        if let Some(bar) = bar::find(text) {
            self.bar(here, &bar, sink);
            self.text(Here { text: &text[bar.end..], ..here }, sink, depth + 1);
            return;
        }
        if self.object(here, sink, depth) || self.table(here, sink) {
            return;
        }
        self.pairs(here, sink);
    }

    // Tables.

    fn table(&mut self, here: Here<'_>, sink: &mut Sink) -> bool {
        if table::is_rule(here.text) {
            self.close_block(sink);
            return true;
        }
        if let Some(header) = &self.header
            && let Some(cells) = header.row(here.text)
        {
            let header = header.clone();
            self.row(&header, &cells, here, sink);
            return true;
        }
        if self.block_row(here) {
            return true;
        }
        self.close_block(sink);
        if let Some(header) = Header::read(here.text) {
            self.header = Some(header);
            return true;
        }
        false
    }

    fn row(&mut self, header: &Header, cells: &[(usize, Range<usize>)], here: Here<'_>, sink: &mut Sink) {
        self.styles.rows += 1;
        let mut said = Said { rank: here.rank, ..Said::default() };
        let mut best = 0;
        let mut values = Vec::new();
        for (column, range) in cells {
            let cell = &here.text[range.clone()];
            let Some(found) = table::cell_number(cell) else { continue };
            let name = &header.names[*column];
            let value = number::value(&cell[..found.end], found.spelling, self.decimal_comma);
            match header.meanings[*column] {
                Meaning::Epoch => said.epoch = Some(value),
                Meaning::Step(rank) if rank > best => {
                    best = rank;
                    said.step = Some(value as i64);
                }
                Meaning::Step(_) | Meaning::Config | Meaning::Rank => {}
                Meaning::Noise => sink.note_noise(name),
                _ if found.unit => sink.note_noise(name),
                _ => values.push((name.clone(), range.start..range.start + found.end, value)),
            }
        }
        let place = self.place(&said, !values.is_empty());
        for (name, range, value) in values {
            let id = self.metric(&name, "", said.split, here.rank, place, sink);
            self.give(
                id,
                place,
                value,
                &here.text[range.clone()],
                range.end == here.text.len() && here.cut,
                here,
                sink,
            );
        }
    }

    /// `|    loss   | 0.5 |`: a row of a block whose step stands in another row.
    fn block_row(&mut self, here: Here<'_>) -> bool {
        let (cells, piped) = table::cells(here.text);
        if !piped || cells.len() != 2 && !(cells.len() == 1 && here.text.ends_with(b"|")) {
            return false;
        }
        let name = String::from_utf8_lossy(&here.text[cells[0].clone()]).into_owned();
        if name.is_empty() || name.contains([':', '=']) || number::whole(name.as_bytes()).is_some() {
            return false;
        }
        let cell = cells.get(1).map_or(&b""[..], |c| &here.text[c.clone()]);
        if cell.is_empty() {
            self.group = name.trim_end_matches('/').to_owned();
            return name.ends_with('/');
        }
        let Some(found) = table::cell_number(cell) else { return !self.block.is_empty() };
        if found.end != cell.len() {
            return !self.block.is_empty();
        }
        let name = if self.group.is_empty() { name } else { format!("{}/{name}", self.group) };
        self.block.push((name, String::from_utf8_lossy(cell).into_owned(), here.line));
        true
    }

    fn close_block(&mut self, sink: &mut Sink) {
        self.group.clear();
        if self.block.is_empty() {
            return;
        }
        let block = std::mem::take(&mut self.block);
        self.styles.rows += block.len() as u64;
        let mut said = Said::default();
        let mut best = 0;
        for (name, text, _) in &block {
            let value = number::whole(text.as_bytes()).unwrap_or(f64::NAN);
            match names::meaning(name) {
                Meaning::Epoch => said.epoch = Some(value),
                Meaning::Step(rank) if rank > best => {
                    best = rank;
                    said.step = Some(value as i64);
                }
                _ => {}
            }
        }
        let place = self.place(&said, true);
        for (name, text, line) in &block {
            match names::meaning(name) {
                Meaning::Noise => sink.note_noise(name),
                Meaning::Epoch | Meaning::Step(_) | Meaning::Config | Meaning::Rank => {}
                _ => {
                    let id = self.metric(name, "", Split::Unsaid, None, place, sink);
                    let value = number::whole(text.as_bytes()).unwrap_or(f64::NAN);
                    sink.record(id, place, Shown { value, text, line: *line, redraw: false });
                }
            }
        }
    }

    // JSON objects.

    /// Reads a line that is one JSON object, or ends in one.
    fn object(&mut self, here: Here<'_>, sink: &mut Sink, depth: u8) -> bool {
        let Some(open) = memchr::memchr(b'{', here.text) else { return false };
        let json = here.text[open..].trim_ascii_end();
        if !json.ends_with(b"}") || !json.contains(&b'"') || open > 200 {
            return false;
        }
        let mut leaves: Vec<(String, Vec<u8>, bool)> = Vec::new();
        let end = walk::walk(json, &mut |path, leaf| {
            let (text, quoted) = match leaf {
                Leaf::Number(text) => (text, false),
                Leaf::Text(text) => (text, true),
                Leaf::Word => return,
            };
            if leaves.len() < 4096 {
                leaves.push((walk::name(path), text.to_vec(), quoted));
            }
        });
        if end != Some(json.len()) {
            return false;
        }
        self.styles.objects += 1;
        let numbers: Vec<&(String, Vec<u8>, bool)> =
            leaves.iter().filter(|(_, text, _)| number::whole(text).is_some()).collect();
        let told = numbers
            .iter()
            .any(|(name, ..)| matches!(self.meaning_of(name.as_bytes()), Meaning::Loss | Meaning::Result));
        if !told {
            // A container's or a structured logger's envelope around a line of text.
            let message = leaves.iter().find(|(name, _, quoted)| {
                *quoted
                    && matches!(
                        name.to_ascii_lowercase().as_str(),
                        "log" | "message" | "msg" | "text" | "line" | "event" | "body"
                    )
            });
            if let Some((_, text, _)) = message {
                let inner = walk::unescape(text);
                let inner = inner.trim_end();
                let stripped = envelope::strip(inner.as_bytes());
                let text = &inner.as_bytes()[stripped.start..];
                let rank = here.rank.or(stripped.rank);
                if text.iter().any(u8::is_ascii_digit) {
                    self.text(Here { text, rank, cut: false, ..here }, sink, depth + 1);
                }
                if numbers.is_empty() {
                    return true;
                }
            }
        }
        self.object_numbers(&numbers, here, sink);
        true
    }

    fn object_numbers(&mut self, numbers: &[&(String, Vec<u8>, bool)], here: Here<'_>, sink: &mut Sink) {
        let mut said = Said { rank: here.rank, ..Said::default() };
        let mut best = 0;
        for (name, text, _) in numbers {
            let value = number::whole(text).unwrap_or(f64::NAN);
            match self.meaning_of(name.as_bytes()) {
                Meaning::Epoch => said.epoch = Some(value),
                Meaning::Step(rank) if rank > best => {
                    best = rank;
                    said.step = Some(value as i64);
                }
                Meaning::Rank => said.rank = said.rank.or(Some(value as u32)),
                _ => {}
            }
        }
        let wanted = |m: Meaning| matches!(m, Meaning::Loss | Meaning::Result | Meaning::Schedule | Meaning::Unknown);
        let any = numbers.iter().any(|(name, ..)| wanted(self.meaning_of(name.as_bytes())));
        let place = self.place(&said, any);
        let mut held = Vec::new();
        for (name, text, _) in numbers {
            match self.meaning_of(name.as_bytes()) {
                Meaning::Noise => sink.note_noise(name),
                meaning if wanted(meaning) => {
                    let id = self.metric(name, "", said.split, said.rank, place, sink);
                    let value = number::whole(text).unwrap_or(f64::NAN);
                    let text = String::from_utf8_lossy(text.trim_ascii()).into_owned();
                    held.push((id, place, value, text, here.line));
                }
                _ => {}
            }
        }
        self.deliver(held, &said, place, here, sink);
    }

    // Bars.

    fn bar(&mut self, here: Here<'_>, bar: &bar::Bar, sink: &mut Sink) {
        let text = here.text;
        let mut scan = std::mem::take(&mut self.scan);
        scan.read(&text[bar.description.clone()]);
        if let Some(header) = self.header.clone() {
            // ultralytics draws a row of its table, then the bar.
            let part = text[bar.description.clone()].trim_ascii_end();
            if let Some(cells) = header.row(part) {
                self.row(&header, &cells, Here { text: part, redraw: true, cut: false, ..here }, sink);
                self.scan = scan;
                return;
            }
        }
        let (said, _) = self.position(&scan, &text[bar.description.clone()]);
        let description = self.values(&scan, &text[bar.description.clone()], &said);
        scan.read(&text[bar.postfix.clone()]);
        let (inner, _) = self.position(&scan, &text[bar.postfix.clone()]);
        let postfix = self.values(&scan, &text[bar.postfix.clone()], &said);
        self.scan = scan;
        let split = if said.split == Split::Held { Split::Held } else { Split::Unsaid };
        if said.epoch.is_some() && split != Split::Held {
            self.context.epoch = said.epoch;
        }
        let epoch = said.epoch.or(inner.epoch).or(self.context.epoch);
        let explicit = said.step.or(inner.step);
        let mut found = false;
        for (value, base) in
            description.iter().map(|v| (v, bar.description.start)).chain(postfix.iter().map(|v| (v, bar.postfix.start)))
        {
            let range = value.text.start + base..value.text.end + base;
            if value.noise {
                sink.note_noise(&value.name);
                continue;
            }
            found = true;
            let id = self.metric(
                &value.name,
                &value.group,
                split,
                here.rank,
                Place { step: Some(0), ..Place::default() },
                sink,
            );
            let shown = String::from_utf8_lossy(&text[range.clone()]).into_owned();
            if here.cut && range.end == text.len() && !sink.looks_whole(id, &shown) {
                continue;
            }
            let place = match explicit {
                Some(step) => Some(Place { epoch, step: Some(step), lap: 0 }),
                None => {
                    let lag = self.lags.entry(id).or_default();
                    lag.step(bar.done, bar.total, epoch, &shown).map(|step| Place {
                        epoch,
                        step: Some(step),
                        lap: lag.lap(),
                    })
                }
            };
            if let Some(place) = place {
                sink.record(id, place, Shown { value: value.value, text: &shown, line: here.line, redraw: true });
            }
        }
        sink.note_noise("elapsed");
        self.styles.bars += u64::from(found);
        if !found && split != Split::Held {
            self.main(bar, text[bar.description.clone()].trim_ascii().is_empty(), sink);
        }
    }

    /// A bar without values tells the step of the lines beside it.
    fn main(&mut self, bar: &bar::Bar, nameless: bool, sink: &mut Sink) {
        let Some(total) = bar.total.filter(|_| nameless) else { return };
        if self.main_bar.is_none_or(|(_, known)| total >= known) {
            self.main_bar = Some((bar.done, total));
            self.release(Some(bar.done), sink);
        }
    }

    fn release(&mut self, step: Option<i64>, sink: &mut Sink) {
        let Some(waiting) = self.waiting.take() else { return };
        let step = step.or(self.main_bar.map(|(done, _)| done));
        for (id, place, value, text, line) in waiting.values {
            sink.record(id, Place { step, ..place }, Shown { value, text: &text, line, redraw: false });
        }
    }

    /// Records values, or holds them where only a bar can tell their step.
    fn deliver(
        &mut self,
        values: Vec<(usize, Place, f64, String, u64)>,
        said: &Said,
        place: Place,
        here: Here<'_>,
        sink: &mut Sink,
    ) {
        let fractional = said.epoch.is_none_or(|e| e.fract() != 0.0) || here.text.starts_with(b"{");
        let unplaced = said.step.is_none() && place.step.is_none();
        if unplaced && fractional && self.main_bar.is_some() && !values.is_empty() {
            self.release(None, sink);
            self.waiting = Some(Waiting { values, frames: 0 });
            return;
        }
        for (id, place, value, text, line) in values {
            sink.record(id, place, Shown { value, text: &text, line, redraw: here.redraw });
        }
    }

    // Key-value lines.

    fn pairs(&mut self, here: Here<'_>, sink: &mut Sink) {
        let mut scan = std::mem::take(&mut self.scan);
        scan.read(here.text);
        self.read_pairs(&scan, here, sink);
        self.scan = scan;
    }

    fn read_pairs(&mut self, scan: &Scan, here: Here<'_>, sink: &mut Sink) {
        if scan.items.is_empty() {
            self.heading(here.text);
            return;
        }
        let (mut said, complete) = self.position(scan, here.text);
        said.rank = here.rank.or(said.rank);
        self.under_heading(&mut said);
        let values = self.values(scan, here.text, &said);
        for value in values.iter().filter(|v| v.noise) {
            sink.note_noise(&value.name);
        }
        let any = values.iter().any(|v| !v.noise);
        let draws = here.redraw || is_drawn(here.text);
        if complete && !draws && self.context.header && !self.context.counted {
            // `16/16 - loss: 0.5` as the only line of an epoch: the epoch's value, not that of step 16.
            said.step = None;
        } else if complete || said.step.is_some() {
            self.context.counted = true;
        }
        let place = self.place(&said, any);
        if !any {
            self.outputs(scan, here, place, sink);
            return;
        }
        self.styles.pairs += 1;
        let here = Here { redraw: draws, ..here };
        let last_key = values.last().map(|v| v.text.end);
        let mut held: Vec<(usize, Place, f64, String, u64)> = Vec::new();
        for value in values.iter().filter(|v| !v.noise) {
            let id = self.metric(&value.name, &value.group, said.split, said.rank, place, sink);
            let text = String::from_utf8_lossy(&here.text[value.text.clone()]).into_owned();
            let at_end = value.text.end == here.text.len() && last_key == Some(value.text.end);
            if here.cut && at_end && !sink.looks_whole(id, &text) {
                sink.warn(format!("line {}: cut inside a number; its last value was left out", here.line));
                continue;
            }
            if held.iter().all(|(known, ..)| *known != id) {
                held.push((id, place, value.value, text, here.line));
            }
        }
        self.deliver(held, &said, place, here, sink);
    }

    /// `Eval begin...`: a line of words that says what the lines below it belong to.
    fn heading(&mut self, text: &[u8]) {
        if text.len() > 60 || text.split(|b| *b == b' ').count() > 3 {
            return;
        }
        let tokens = names::tokens(&String::from_utf8_lossy(text));
        let Some(first) = tokens.first() else { return };
        match names::split(std::slice::from_ref(first)) {
            Split::Held => self.context.split = Split::Held,
            Split::Train => self.context.split = Split::Unsaid,
            Split::Unsaid => {}
        }
    }

    /// Lines below a heading belong to its part of the data, until a line counts as training does.
    fn under_heading(&mut self, said: &mut Said) {
        let trains = said.step.is_some() && (said.total.is_none() || said.total == self.context.total);
        if trains || said.split != Split::Unsaid {
            self.context.split = Split::Unsaid;
        }
        if said.split == Split::Unsaid && self.context.split == Split::Held {
            said.split = Split::Held;
        }
        if said.split != Split::Held && said.total.is_some() {
            self.context.total = said.total;
        }
    }

    /// Fractions in a line without names: what inference prints. They count where a log has results and no loss.
    fn outputs(&mut self, scan: &Scan, here: Here<'_>, place: Place, sink: &mut Sink) {
        let plain =
            |i: &&Item| i.spelling == Spelling::Decimal && i.unit.is_empty() && i.of.is_none() && i.link != Link::Mark;
        if scan.items.len() > 16 || scan.items.iter().any(|i| i.link == Link::Mark || is_measured(here.text, i)) {
            return;
        }
        for item in scan.items.iter().filter(plain) {
            let id = sink.metric(b"\0output", || Metric { meaning: Meaning::Output, ..Metric::named("output") });
            let text = String::from_utf8_lossy(&here.text[item.text.clone()]);
            let value = number::value(&here.text[item.text.clone()], item.spelling, self.decimal_comma);
            sink.record(id, place, Shown { value, text: &text, line: here.line, redraw: here.redraw });
        }
    }

    /// Finds epoch, step, rank and split of a line; the flag says that a bare counter has reached its total.
    fn position(&mut self, scan: &Scan, text: &[u8]) -> (Said, bool) {
        let mut said = Said::default();
        let mut best = 0;
        let mut complete = false;
        let mut bare: Vec<&Item> = Vec::new();
        for (index, item) in scan.items.iter().enumerate() {
            let value = || number::value(&text[item.text.clone()], item.spelling, false);
            if item.key.is_empty() {
                let suffix = self.suffix(text, item);
                match suffix {
                    Some(Meaning::Epoch) => said.epoch = said.epoch.or(Some(value())),
                    Some(Meaning::Step(_)) if item.of.is_none() && best == 0 && !item.follows => {}
                    _ => bare.push(item),
                }
                continue;
            }
            match self.key_meaning(text, item) {
                Meaning::Epoch => said.epoch = said.epoch.or(Some(value())),
                Meaning::Step(rank) if rank > best && item.spelling != Spelling::Special => {
                    best = rank;
                    said.step = Some(value() as i64);
                    said.total = item.of;
                }
                Meaning::Rank => said.rank = Some(value() as u32),
                Meaning::Unknown if self.is_split_counter(text, item, scan.items.get(index + 1)) => {
                    said.split = self.lexicon.of(&text[item.key.clone()]).split;
                    if item.of.is_some() {
                        bare.push(item);
                    } else {
                        said.epoch = said.epoch.or(Some(value()));
                    }
                }
                _ => {}
            }
        }
        self.bare_position(&bare, text, best, &mut said, &mut complete);
        said.split = self.split_of_words(scan, text, said.split);
        (said, complete)
    }

    /// `Train: 0 [   5/40`, `Test: [0/3]`: the split's name before a counter.
    fn is_split_counter(&mut self, text: &[u8], item: &Item, next: Option<&Item>) -> bool {
        let counted =
            item.of.is_some() || next.is_some_and(|n| n.key.is_empty() && n.of.is_some() && n.bracket == b'[');
        item.spelling == Spelling::Integer && counted && self.lexicon.of(&text[item.key.clone()]).only_split
    }

    fn bare_position(&self, bare: &[&Item], text: &[u8], best: u8, said: &mut Said, complete: &mut bool) {
        let value = |item: &Item| number::value(&text[item.text.clone()], item.spelling, false);
        let counters: Vec<&&Item> =
            bare.iter().filter(|i| i.of.is_some() && i.spelling == Spelling::Integer && i.bracket != b'(').collect();
        let mut counters = counters.into_iter();
        if said.epoch.is_none() && best == 0 && counters.len() >= 2 {
            said.epoch = counters.next().map(|i| value(i));
        }
        if best == 0
            && let Some(counter) = counters.next()
        {
            said.step = Some(value(counter) as i64);
            *complete = counter.of == said.step;
            if let Some(number) =
                bare.iter().find(|i| i.of.is_none() && i.bracket == b'[' && i.spelling == Spelling::Integer)
                && said.epoch.is_none()
                && number.text.start < counter.text.start
            {
                said.epoch = Some(value(number));
            }
            return;
        }
        let mut numbers = bare.iter().filter(|i| i.of.is_none() && i.spelling == Spelling::Integer);
        let Some(first) = numbers.next() else { return };
        let second = numbers.next();
        // `[1,  2000] loss: 0.5`
        let closes = |i: &Item| text[i.text.end..].trim_ascii_start().starts_with(b"]");
        if let (b'[', b',', Some(twin)) = (first.bracket, first.next, second.filter(|s| best == 0 && closes(s)))
            && !text[..first.text.start].iter().any(u8::is_ascii_alphanumeric)
        {
            said.epoch = said.epoch.or(Some(value(first)));
            said.step = Some(value(twin) as i64);
            return;
        }
        if first.bracket == b'[' && text.get(first.text.end..).is_some_and(|t| t.trim_ascii_start().starts_with(b"]")) {
            let opens = !text[..first.text.start].iter().any(u8::is_ascii_alphanumeric);
            let twin = second.filter(|s| s.bracket == b'[' && s.text.start <= first.text.end + 8);
            if let (true, Some(twin)) = (said.epoch.is_none() && best == 0, twin) {
                said.epoch = Some(value(first));
                said.step = Some(value(twin) as i64);
            } else if best == 0 && (opens || said.epoch.is_some()) {
                said.step = Some(value(first) as i64);
            }
        } else if first.first && best == 0 && first.next == b'|' && second.is_some_and(|s| s.next == b'|') {
            said.epoch = said.epoch.or(Some(value(first)));
            said.step = second.map(|s| value(s) as i64);
        } else if first.first
            && best == 0
            && said.epoch.is_none()
            && matches!(first.next, b':' | b'|')
            && first.unit.is_empty()
        {
            said.step = Some(value(first) as i64);
        } else if first.first && best > 0 && first.next == b':' {
            said.rank = said.rank.or(Some(value(first) as u32));
        }
    }

    /// The split that words outside any pair tell: `Test set: loss 0.5`, `validation: …`.
    fn split_of_words(&mut self, scan: &Scan, text: &[u8], known: Split) -> Split {
        if known != Split::Unsaid {
            return known;
        }
        let lexicon = &mut self.lexicon;
        let mut value = |i: &&Item| {
            !i.key.is_empty()
                && matches!(lexicon.of(&text[i.key.clone()]).meaning, Meaning::Loss | Meaning::Result | Meaning::Noise)
        };
        let first =
            scan.items.iter().find(&mut value).or(scan.items.first()).map_or(usize::MAX, |i| i.key.start.max(1));
        for words in scan.words.iter().filter(|w| w.start < first && w.len() < 40) {
            let split = self.lexicon.of(&text[words.clone()]).split;
            if split == Split::Held {
                return split;
            }
        }
        for item in scan.items.iter().filter(|i| !i.key.is_empty()) {
            if matches!(self.key_meaning(text, item), Meaning::Epoch | Meaning::Step(_)) {
                let split = self.lexicon.of(&text[item.key.clone()]).split;
                if split == Split::Held {
                    return split;
                }
            }
        }
        Split::Unsaid
    }

    /// The values of a line, noise included.
    fn values(&mut self, scan: &Scan, text: &[u8], said: &Said) -> Vec<Value> {
        let mut found: Vec<Value> = Vec::new();
        let mut left_over: Option<Range<usize>> = None;
        let known = scan.items.iter().any(|i| {
            !i.key.is_empty()
                && matches!(self.key_meaning(text, i), Meaning::Loss | Meaning::Result | Meaning::Schedule)
        });
        let placed = said.step.is_some() || said.epoch.is_some();
        let counters: Vec<bool> = (0..scan.items.len())
            .map(|n| {
                !scan.items[n].key.is_empty() && self.is_split_counter(text, &scan.items[n], scan.items.get(n + 1))
            })
            .collect();
        let mut kept_before = false;
        for (index, item) in scan.items.iter().enumerate() {
            let group = self.group_name(&text[item.group.clone()]);
            let value = number::value(&text[item.text.clone()], item.spelling, self.decimal_comma);
            if item.spelling == Spelling::DecimalComma {
                self.decimal_comma = true;
            }
            let previous = found.last().map(|v: &Value| (v.name.clone(), v.noise)).filter(|_| kept_before);
            kept_before = false;
            if item.key.is_empty() {
                if let Some((name, range)) = self.named_behind(text, item) {
                    found.push(Value { name, group, text: range, value, noise: false });
                    continue;
                }
                if let Some(key) = left_over.take().filter(|_| item.of.is_none() && !item.follows || item.bracket == 0)
                {
                    let name = trimmed_name(&text[key]);
                    found.push(Value { name, group, text: item.text.clone(), value, noise: is_measured(text, item) });
                    kept_before = true;
                } else if let Some((name, false)) = previous
                    && item.follows
                    && item.bracket == b'('
                    && item.of.is_none()
                    && item.unit.is_empty()
                {
                    found.push(Value {
                        name: format!("{name} avg"),
                        group,
                        text: item.text.clone(),
                        value,
                        noise: false,
                    });
                }
                continue;
            }
            let meaning = self.key_meaning(text, item);
            let mut raw = &text[item.key.clone()];
            // `loss at epoch 3 is 0.5`
            if let (b"is" | b"was" | b"of", Some(key)) = (raw, left_over.take()) {
                raw = &text[key];
            }
            let name = trimmed_name(raw);
            let meaning = if raw.len() == item.key.len() { meaning } else { self.meaning_of(raw) };
            match meaning {
                Meaning::Epoch | Meaning::Step(_) | Meaning::Rank | Meaning::Config => {
                    left_over = loss_before_step(raw).map(|length| item.key.start..item.key.start + length);
                }
                Meaning::Noise => found.push(Value { name, group, text: item.text.clone(), value, noise: true }),
                _ if is_measured(text, item) => {
                    found.push(Value { name, group, text: item.text.clone(), value, noise: true })
                }
                _ if counters[index] => {}
                _ => {
                    if acceptable(&name, meaning, item.link, known, placed) {
                        found.push(Value { name, group, text: item.text.clone(), value, noise: false });
                        kept_before = true;
                    }
                }
            }
        }
        found
    }

    /// `3.41 avg loss,`, `12 detections`: the name stands behind the number, up to the next mark.
    fn named_behind(&mut self, text: &[u8], item: &Item) -> Option<(String, Range<usize>)> {
        if item.unit.is_empty() || item.of.is_some() || item.unit.start == item.text.end {
            return None;
        }
        let rest = &text[item.unit.start..];
        let end = rest
            .iter()
            .take(40)
            .position(|b| matches!(b, b',' | b';' | b'|' | b'\t' | b'(' | b'['))
            .unwrap_or(rest.len());
        let phrase = rest[..end].trim_ascii();
        let wordy =
            phrase.len() <= 32 && phrase.iter().all(|b| b.is_ascii_alphabetic() || matches!(b, b' ' | b'_' | b'-'));
        if !wordy || phrase.split(|b| *b == b' ').count() > 3 {
            return None;
        }
        let known = matches!(self.meaning_of(phrase), Meaning::Loss | Meaning::Result);
        known.then(|| (String::from_utf8_lossy(phrase).into_owned(), item.text.clone()))
    }

    /// The word a bracket is attached to, where it tells something: `tot_loss[…]`, `val(…)`, but not `TrainState(…)`.
    fn group_name(&mut self, word: &[u8]) -> String {
        if word.is_empty() {
            return String::new();
        }
        let name = String::from_utf8_lossy(word).into_owned();
        let known = self.lexicon.of(word);
        let tells = known.meaning == Meaning::Loss || known.only_split;
        if tells { name } else { String::new() }
    }

    /// Turns what a line says into a place, with what earlier lines said.
    fn place(&mut self, said: &Said, has_values: bool) -> Place {
        let own = said.step.is_some() || said.epoch.is_some();
        let context = &mut self.context;
        if !own {
            let step = if context.header || context.epoch.is_none() { context.step } else { None };
            return Place { epoch: context.epoch, step, lap: 0 };
        }
        if !has_values {
            if said.epoch.is_some() {
                context.counted = false;
            }
            context.header = true;
            context.epoch = said.epoch.or(context.epoch);
            context.step = said.step;
            context.split = said.split;
            return Place { epoch: context.epoch, step: context.step, lap: 0 };
        }
        if said.epoch.is_some() && said.epoch != context.epoch {
            context.step = None;
        }
        if said.step.is_some() || said.epoch.is_some() && said.epoch != context.epoch {
            context.header = context.header && said.epoch.is_none();
        }
        context.epoch = said.epoch.or(context.epoch);
        if said.step.is_some() && !context.header {
            context.step = said.step;
        }
        Place { epoch: said.epoch.or(context.epoch), step: said.step, lap: 0 }
    }

    fn key_meaning(&mut self, text: &[u8], item: &Item) -> Meaning {
        let key = &text[item.key.clone()];
        let meaning = self.meaning_of(key);
        // `第 3 轮`: the counter's word follows.
        if meaning == Meaning::Unknown && !item.unit.is_empty() && key == "第".as_bytes() {
            return self.meaning_of(&text[item.unit.clone()]);
        }
        if item.link == Link::Blank && meaning == Meaning::Unknown {
            // `DEBUG TRAIN Batch 0/100`: only the last word belongs to the number.
            let last = key.rsplit(|b| b.is_ascii_whitespace()).next().unwrap_or(key);
            return self.meaning_of(last);
        }
        meaning
    }

    fn suffix(&mut self, text: &[u8], item: &Item) -> Option<Meaning> {
        let unit = &text[item.unit.clone()];
        (!unit.is_empty()).then(|| self.meaning_of(unit))
    }

    fn meaning_of(&mut self, key: &[u8]) -> Meaning {
        self.lexicon.of(key).meaning
    }

    /// The metric of a name on this kind of line.
    fn metric(
        &mut self,
        name: &str,
        group: &str,
        split: Split,
        rank: Option<u32>,
        place: Place,
        sink: &mut Sink,
    ) -> usize {
        self.key.clear();
        let held = split == Split::Held;
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
        sink.record(id, place, Shown { value, text: &text, line: here.line, redraw: here.redraw });
    }
}

/// A value of a line.
#[derive(Clone, Debug)]
struct Value {
    name: String,
    group: String,
    text: Range<usize>,
    value: f64,
    noise: bool,
}

/// Whether a pair is worth a series.
fn acceptable(name: &str, meaning: Meaning, link: Link, known: bool, placed: bool) -> bool {
    let words = name.split_whitespace().count();
    match (meaning, link) {
        _ if name.len() > 80 || !name.chars().any(char::is_alphanumeric) => false,
        (Meaning::Unknown, _) if ends_in_a_small_word(name) => false,
        (Meaning::Loss, Link::Mark) => true,
        (Meaning::Loss, _) => words <= 6,
        (Meaning::Result | Meaning::Schedule, Link::Mark) => words <= 6,
        (Meaning::Result | Meaning::Schedule, _) => words <= 3,
        (_, Link::Mark) => (known || placed) && words <= 5,
        _ => (known && placed) && words <= 2,
    }
}

/// `over`, `kept in`: a sentence, not a name.
fn ends_in_a_small_word(name: &str) -> bool {
    const SMALL: [&str; 24] = [
        "over", "in", "of", "with", "for", "at", "to", "from", "than", "after", "by", "and", "or", "is", "was", "are",
        "the", "a", "on", "about", "every", "took", "has", "all",
    ];
    name.split_whitespace().last().is_some_and(|last| SMALL.contains(&last.to_ascii_lowercase().as_str()))
}

/// Whether the unit says that a number is a time, a rate or a size.
fn is_measured(text: &[u8], item: &Item) -> bool {
    const UNITS: [&str; 44] = [
        "ms",
        "s",
        "sec",
        "secs",
        "second",
        "seconds",
        "us",
        "µs",
        "ns",
        "min",
        "mins",
        "minutes",
        "h",
        "hr",
        "hrs",
        "hours",
        "it/s",
        "s/it",
        "s/iter",
        "GB",
        "MB",
        "KB",
        "kB",
        "GiB",
        "MiB",
        "KiB",
        "B",
        "G",
        "M",
        "MHz",
        "tok/s",
        "tokens/s",
        "samples/s",
        "img/s",
        "images/s",
        "fps",
        "FPS",
        "tps",
        "Mb",
        "TFLOPs",
        "TFLOPS",
        "GFLOPs",
        "W",
        "秒",
    ];
    let unit = &text[item.unit.clone()];
    if unit.is_empty() {
        return false;
    }
    let shown = String::from_utf8_lossy(unit);
    UNITS.contains(&shown.as_ref())
        || shown.ends_with("/s")
        || shown.ends_with("/sec")
        || shown.starts_with("ms/")
        || shown.starts_with("s/")
        || shown.contains("/second")
}

/// A key without the words and marks that do not belong to the name.
fn trimmed_name(raw: &[u8]) -> String {
    let text = String::from_utf8_lossy(raw);
    let mut name = text.trim().trim_matches(['"', '\'', '`', '*', '-', '>', '#', '.', ',', '!', '?', '~']).trim();
    if let Some((_, end)) = name.rsplit_once(" with ") {
        name = end;
    }
    name = name.strip_prefix("with ").unwrap_or(name);
    for tail in [" is", " was", " of", " at", " value"] {
        if let Some(short) = name.strip_suffix(tail) {
            name = short.trim_end();
        }
    }
    let joined: Vec<&str> =
        name.split_whitespace().map(|w| w.trim_matches(['"', '\''])).filter(|w| !w.is_empty()).collect();
    // Composer prints `Train loss/train/total`: the path is the name.
    if let [first, path] = joined[..]
        && matches!(first, "Train" | "Eval")
        && path.contains('/')
    {
        return path.to_owned();
    }
    joined.join(" ")
}

/// `Average loss at step 100: 4.5`: the length of the name before ` at step`.
fn loss_before_step(raw: &[u8]) -> Option<usize> {
    let text = std::str::from_utf8(raw).ok()?;
    let lower = text.to_ascii_lowercase();
    let at = [" at ", " after ", " in ", " for ", " on "].iter().filter_map(|w| lower.find(w)).min()?;
    let known = matches!(names::meaning(&text[..at]), Meaning::Loss | Meaning::Result);
    known.then_some(at)
}

/// Whether a line is one drawing of a bar, printed line by line: it holds bar glyphs or `[====>...]`.
fn is_drawn(text: &[u8]) -> bool {
    let glyph = |t: &[u8]| matches!(t, [0xE2, 0x94, 0x81] | [0xE2, 0x95, 0xB8] | [0xE2, 0x96, _]);
    text.windows(3).any(glyph)
        || memchr::memmem::find(text, b"[==").is_some()
        || memchr::memmem::find(text, b"[>..").is_some()
        || memchr::memmem::find(text, b"....]").is_some()
}
