//! Progress bars: the values beside them, and the step they tell to the lines around them.

use super::pairs::Value;
use super::recipe::Lesson;
use super::repeats::tell_apart;
use super::wording::has_range;
use super::{Console, Here, Said, Waiting};
use crate::parse::bar::{self, Lag};
use crate::parse::names::Split;
use crate::parse::sink::{Place, Shown, Sink};
use crate::parse::table::Header;

/// What a bar and the words around it say.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct BarSaid {
    pub(super) done: i64,
    pub(super) total: Option<i64>,
    pub(super) epoch: Option<f64>,
    /// The epoch, where it stands before the bar.
    pub(super) outer_epoch: Option<f64>,
    pub(super) step: Option<i64>,
    pub(super) held: bool,
    /// Whether no words stand before the bar.
    pub(super) nameless: bool,
}

fn shift(values: &mut [Value], by: usize) {
    for value in values {
        value.text = value.text.start + by..value.text.end + by;
    }
}

impl Console {
    pub(super) fn bar(&mut self, here: Here<'_>, bar: &bar::Bar, sink: &mut Sink) {
        let text = here.text;
        let mut scan = std::mem::take(&mut self.scan);
        scan.read(&text[bar.description.clone()]);
        if let Some(header) = self.header.clone() {
            // ultralytics draws a row of its table, then the bar.
            let part = text[bar.description.clone()].trim_ascii_end();
            if let Some(cells) = header.row(part, here.column) {
                self.row(&header, &cells, Here { text: part, redraw: true, cut: false, ..here }, sink);
                self.scan = scan;
                return;
            }
        }
        if scan.items.is_empty() && self.heads_rows(here, bar) {
            self.scan = scan;
            return;
        }
        let (mut said, _) = self.position(&scan, &text[bar.description.clone()]);
        said.count_laps();
        let description = self.values(&scan, &text[bar.description.clone()], &said);
        scan.read(&text[bar.postfix.clone()]);
        let (inner, _) = self.position(&scan, &text[bar.postfix.clone()]);
        let postfix = self.values(&scan, &text[bar.postfix.clone()], &said);
        let ranged = has_range(&scan, &text[bar.postfix.clone()]);
        self.scan = scan;
        let bar_said = BarSaid {
            done: bar.done,
            total: bar.total,
            epoch: said.epoch.or(inner.epoch),
            outer_epoch: said.epoch,
            step: said.step.or(inner.step),
            held: said.split == Split::Held,
            nameless: text[bar.description.clone()].trim_ascii().is_empty(),
        };
        let epoch = self.bar_epoch(&bar_said);
        let place = Place { step: Some(0), ..Place::default() };
        let split = if bar_said.held { Split::Held } else { Split::Unsaid };
        let mut values = description;
        shift(&mut values, bar.description.start);
        let behind = values.len();
        values.extend(postfix);
        shift(&mut values[behind..], bar.postfix.start);
        tell_apart(&mut values, text);
        let shown = |value: &Value| {
            let (value, text) = (value.value.into(), &text[value.text.clone()]);
            Shown { value, text, line: here.line, redraw: true }
        };
        let (mut found, mut placed) = (false, Vec::new());
        for value in &values {
            if value.noise {
                sink.note_noise(&value.name);
                continue;
            }
            found = true;
            let id = self.metric(&value.name, &value.group, split, here.rank, place, sink);
            let whole = || String::from_utf8_lossy(&text[value.text.clone()]);
            if here.cut && value.text.end == text.len() && !sink.looks_whole(id, &whole()) {
                continue;
            }
            placed.extend(self.bar_place(id, &bar_said, epoch, shown(value), sink).map(|place| (id, place, value)));
        }
        placed.into_iter().for_each(|(id, place, value)| sink.record(id, place, shown(value)));
        sink.note_noise("elapsed");
        self.bar_end(&bar_said, found, sink);
        let hinges = std::mem::take(&mut self.hinges);
        // Where nothing is drawn, its times have to be looked at.
        let drawn = bar.total.is_none() || !bar.places.glyphs.is_empty();
        if bar.end == text.len() && !here.cut && !ranged && !hinges && drawn {
            self.lesson = Some(Lesson::bar(here, bar, &said, &inner, values));
        }
    }

    /// `Class  Images  mAP50): 100%|████| 1/1`: whether names of columns stand before the bar, as ultralytics draws it while it
    /// validates. The rows are printed below it.
    fn heads_rows(&mut self, here: Here<'_>, bar: &bar::Bar) -> bool {
        let names = here.text[bar.description.clone()].trim_ascii();
        let names = names.strip_suffix(b":").unwrap_or(names);
        let names = names.strip_suffix(b")").unwrap_or(names);
        let parted = memchr::memmem::find(names, b"   ").is_some();
        let Some(header) = Header::read(names).filter(|_| parted) else { return false };
        (self.header, self.header_line, self.header_split) = (Some(header.at(here.column)), here.line, Split::Held);
        true
    }

    /// The epoch of a bar, which the lines after it share.
    pub(super) fn bar_epoch(&mut self, said: &BarSaid) -> Option<f64> {
        if said.outer_epoch.is_some() && !said.held {
            self.context.epoch = said.outer_epoch;
        }
        said.epoch.or(self.context.epoch)
    }

    /// Where a value beside a bar stands; `None` for what the bar still shows of the one before, and for what it has to prove first.
    pub(super) fn bar_place(
        &mut self,
        id: usize,
        said: &BarSaid,
        epoch: Option<f64>,
        shown: Shown<'_>,
        sink: &mut Sink,
    ) -> Option<Place> {
        if said.step.is_some() {
            return Some(Place { epoch, step: said.step, lap: 0 });
        }
        if self.lags.len() <= id {
            self.lags.resize_with(id + 1, Lag::default);
        }
        let lag = &mut self.lags[id];
        let (settled, step) = lag.step(said.done, said.total, epoch, shown);
        if let Some(settled) = settled {
            sink.settle(id, settled);
        }
        Some(Place { epoch, step: Some(step?), lap: lag.lap() })
    }

    /// Places what bars still hold at the end of a log.
    pub(super) fn settle_bars(&mut self, sink: &mut Sink) {
        for (id, lag) in self.lags.iter_mut().enumerate() {
            lag.finish().into_iter().for_each(|settled| sink.settle(id, settled));
        }
    }

    /// What a bar means for the lines around it.
    pub(super) fn bar_end(&mut self, said: &BarSaid, found: bool, sink: &mut Sink) {
        self.styles.bars += u64::from(found);
        if !found && !said.held {
            self.main(said, sink);
        }
    }

    /// A bar without values tells the step of the lines beside it.
    fn main(&mut self, bar: &BarSaid, sink: &mut Sink) {
        let Some(total) = bar.total.filter(|_| bar.nameless) else { return };
        if self.main_bar.is_none_or(|(_, known)| total >= known) {
            self.main_bar = Some((bar.done, total));
            self.release(Some(bar.done), sink);
        }
    }

    pub(super) fn release(&mut self, step: Option<i64>, sink: &mut Sink) {
        let Some(waiting) = self.waiting.take() else { return };
        let step = step.or(self.main_bar.map(|(done, _)| done));
        for (id, place, value, text, line) in waiting.values {
            if let Some((step, (_, total))) = step.zip(self.main_bar) {
                sink.borrow(id, step, total);
            }
            sink.record(
                id,
                Place { step, ..place },
                Shown { value: value.into(), text: text.as_bytes(), line, redraw: false },
            );
        }
    }

    /// Records values, or holds them where only a bar can tell their step.
    pub(super) fn deliver(
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
            if self.behind_bar {
                // What stands on the very line of a bar needs no other one.
                self.release(None, sink);
            }
            return;
        }
        for (id, place, value, text, line) in values {
            sink.record(id, place, Shown { value: value.into(), text: text.as_bytes(), line, redraw: here.redraw });
        }
    }
}
