//! Progress bars: the values beside them, and the step they tell to the lines around them.

use super::{Console, Here, Said, Waiting};
use crate::parse::bar;
use crate::parse::names::Split;
use crate::parse::sink::{Place, Shown, Sink};

impl Console {
    pub(super) fn bar(&mut self, here: Here<'_>, bar: &bar::Bar, sink: &mut Sink) {
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
    pub(super) fn main(&mut self, bar: &bar::Bar, nameless: bool, sink: &mut Sink) {
        let Some(total) = bar.total.filter(|_| nameless) else { return };
        if self.main_bar.is_none_or(|(_, known)| total >= known) {
            self.main_bar = Some((bar.done, total));
            self.release(Some(bar.done), sink);
        }
    }

    pub(super) fn release(&mut self, step: Option<i64>, sink: &mut Sink) {
        let Some(waiting) = self.waiting.take() else { return };
        let step = step.or(self.main_bar.map(|(done, _)| done));
        for (id, place, value, text, line) in waiting.values {
            sink.record(id, Place { step, ..place }, Shown { value, text: &text, line, redraw: false });
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
            return;
        }
        for (id, place, value, text, line) in values {
            sink.record(id, place, Shown { value, text: &text, line, redraw: here.redraw });
        }
    }
}
