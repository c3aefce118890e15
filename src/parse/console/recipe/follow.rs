//! Lines of a known shape: their values go on without a look at names.

use super::Layout;
use super::lesson::{Kind, Mark, MarkKind, Use};
use super::shape::{Found, Told};
use crate::parse::console::bars::BarSaid;
use crate::parse::console::{Console, Here, Said, is_bar_like};
use crate::parse::envelope;
use crate::parse::frames::{End, Frame, Frames};
use crate::parse::names::Split;
use crate::parse::number;
use crate::parse::run::Slot;
use crate::parse::sink::{Place, Shown, Sink};

impl Console {
    /// Reads a frame by a recipe; false where none fits.
    pub(in crate::parse::console) fn follow(&mut self, frame: Frame<'_>, redraw: bool, sink: &mut Sink) -> bool {
        let Some(at) = self.recipes.fit(frame.text) else { return false };
        // A line learnt without a prefix must not have one now: `.9:18:02` is a number, `09:18:02` a time.
        let recipe = &self.recipes.all[at];
        let offset = recipe.lesson.offset;
        if !recipe.plain_start
            && frame.text[..offset.min(frame.text.len())].trim_ascii().is_empty()
            && envelope::strip(frame.text).start > 0
        {
            return false;
        }
        if self.borrows(at) {
            return false;
        }
        let found = std::mem::take(&mut self.recipes.found);
        self.apply(at, &found, frame, redraw, sink);
        self.recipes.found = found;
        self.recipes.followed = Some(at);
        true
    }

    /// Whether a line of this shape takes its step from an earlier line with values: then it may be about something else.
    pub(super) fn borrows(&self, recipe: usize) -> bool {
        let lesson = &self.recipes.all[recipe].lesson;
        let placed = |mark: &Mark| matches!(mark.what, MarkKind::Number(Use::Step | Use::Epoch, _));
        self.context.step.is_some()
            && self.context.epoch.is_none()
            && !self.context.header
            && lesson.kind == Kind::Pairs
            && !lesson.names.is_empty()
            && !lesson.marks.iter().any(placed)
    }

    /// Reads as many frames of a known layout as the bytes begin with, and gives their length. The frames may not be told
    /// from others by anything that the console remembers.
    pub(in crate::parse::console) fn skim_known(
        &mut self,
        bytes: &[u8],
        frames: &mut Frames,
        sink: &mut Sink,
    ) -> usize {
        let mut at = 0;
        while let Some((line, redrawn)) = frames.beginning() {
            if self.recipes.layouts.is_empty() || self.holds() {
                break;
            }
            let rest = &bytes[at..];
            let Some((length, layout)) = self.recipes.laid_out(rest) else { break };
            let known = self.recipes.layouts.what(layout);
            // A carriage return is the end of a redraw only where no line feed follows.
            if self.borrows(known.recipe)
                || known.drawn != is_bar_like(redrawn, known.end, known.length)
                || known.end == End::Redraw && rest.get(length).is_none_or(|&next| next == b'\n')
            {
                break;
            }
            let end = known.end;
            let frame = Frame { text: &rest[..known.length], line, end, redrawn };
            self.apply_layout(layout, frame, sink);
            frames.passed(end);
            at += length;
        }
        at
    }

    pub(super) fn apply_layout(&mut self, layout: usize, frame: Frame<'_>, sink: &mut Sink) {
        let known = self.recipes.layouts.what(layout);
        let (recipe, drawn) = (known.recipe, known.drawn);
        let lesson = &self.recipes.all[recipe].lesson;
        match lesson.kind {
            Kind::Nothing => self.recipes.all[recipe].hits += 1,
            Kind::Pairs | Kind::Object if !drawn && !lesson.drawn && self.main_bar.is_none() => {
                self.apply_row(layout, frame, sink);
            }
            kind => {
                let mut told = Told::default();
                for (purpose, slot) in &known.positions {
                    told.read(*purpose, frame.text, slot);
                }
                if kind == Kind::Bar {
                    let row = self.bar_row(layout, sink);
                    self.recipes.all[recipe].hits += 1;
                    self.follow_bar(recipe, told, &row, frame, sink);
                    self.recipes.layouts.what_mut(layout).rows[0] = row;
                    return;
                }
                let mut found = std::mem::take(&mut self.recipes.found);
                found.reset();
                found.told = told;
                found.values.extend_from_slice(&self.recipes.layouts.what(layout).values);
                self.apply(recipe, &found, frame, drawn, sink);
                self.recipes.found = found;
            }
        }
    }

    /// The values of a bar of this layout, with their metrics; to be put back.
    fn bar_row(&mut self, layout: usize, sink: &mut Sink) -> Vec<Slot> {
        let known = self.recipes.layouts.what_mut(layout);
        let row = std::mem::take(&mut known.rows[0]);
        if row.len() == known.values.len() {
            return row;
        }
        let (recipe, values) = (known.recipe, known.values.clone());
        self.bar_values(recipe, &values, sink)
    }

    /// Values of a bar with their metrics.
    fn bar_values(&mut self, recipe: usize, values: &[Slot], sink: &mut Sink) -> Vec<Slot> {
        let lesson = &self.recipes.all[recipe].lesson;
        let split = if lesson.split == Split::Held { Split::Held } else { Split::Unsaid };
        let said = Said { rank: lesson.rank, split, ..Said::default() };
        let place = Place { step: Some(0), ..Place::default() };
        let known = values.iter().cloned();
        known.map(|slot| Slot { id: self.known_id(recipe, slot.id, &said, place, sink), ..slot }).collect()
    }

    /// A line of pairs or an object in its usual place: the values go on as a row.
    fn apply_row(&mut self, layout: usize, frame: Frame<'_>, sink: &mut Sink) {
        let known = self.recipes.layouts.what(layout);
        let recipe = known.recipe;
        let lesson = &self.recipes.all[recipe].lesson;
        let mut said = Said { rank: lesson.rank, split: lesson.split, ..Said::default() };
        for (purpose, slot) in &known.positions {
            match purpose {
                Use::Step => said.step = Some(slot.count(frame.text)),
                Use::Epoch => said.epoch = Some(slot.number(frame.text)),
                Use::Total => said.total = Some(slot.count(frame.text)),
                _ => {}
            }
        }
        let any = !known.values.is_empty();
        let pairs = lesson.kind == Kind::Pairs;
        if pairs {
            let complete = lesson.counter && said.total == said.step;
            self.under_heading(&mut said);
            self.whole_epoch(&mut said, complete, false);
        }
        let place = self.place(&said, any);
        self.recipes.all[recipe].hits += 1;
        if !any {
            return;
        }
        *(if pairs { &mut self.styles.pairs } else { &mut self.styles.objects }) += 1;
        let kind = kind_of_place(&said, place);
        if self.recipes.layouts.what(layout).rows[kind].is_empty() {
            let values = self.recipes.layouts.what(layout).values.clone();
            let row =
                values.into_iter().map(|slot| Slot { id: self.known_id(recipe, slot.id, &said, place, sink), ..slot });
            self.recipes.layouts.what_mut(layout).rows[kind] = row.collect();
        }
        sink.record_row(place, frame.text, &self.recipes.layouts.what(layout).rows[kind], frame.line);
    }

    fn apply(&mut self, recipe: usize, found: &Found, frame: Frame<'_>, redraw: bool, sink: &mut Sink) {
        self.recipes.all[recipe].hits += 1;
        match self.recipes.all[recipe].lesson.kind {
            Kind::Nothing => {}
            Kind::Bar => {
                let row = self.bar_values(recipe, &found.values, sink);
                self.follow_bar(recipe, found.told, &row, frame, sink);
            }
            Kind::Pairs | Kind::Object => self.follow_pairs(recipe, found, frame, redraw, sink),
        }
    }

    /// Keeps the layout of a frame that was just followed; its text is the first `length` bytes of `raw`.
    pub(in crate::parse::console) fn learn_layout(&mut self, raw: &[u8], length: usize, end: End, redrawn: bool) {
        let Some(recipe) = self.recipes.followed.take().filter(|_| self.recipes.layouts.has_room()) else { return };
        let drawn = is_bar_like(redrawn, end, length);
        let found = &self.recipes.found;
        let positions =
            found.slots.iter().filter(|(purpose, _)| !matches!(purpose, Use::Nothing | Use::Named | Use::Value(_)));
        let (positions, values): (Vec<_>, _) = (positions.cloned().collect(), found.values.clone());
        let mut told = vec![0; length].into_boxed_slice();
        for slot in positions.iter().map(|(_, slot)| slot).chain(&values) {
            told[slot.at.clone()].fill(u8::MAX);
        }
        let layout = Layout { recipe, length, end, drawn, positions, values, told, rows: Default::default() };
        self.recipes.layouts.learn(raw, |at| found.is_free(at), layout);
    }

    fn follow_pairs(&mut self, at: usize, found: &Found, frame: Frame<'_>, redraw: bool, sink: &mut Sink) {
        let lesson = &self.recipes.all[at].lesson;
        let pairs = lesson.kind == Kind::Pairs;
        let drawn = redraw || lesson.drawn;
        let complete = lesson.counter && found.told.total == found.told.step;
        let mut said = Said {
            epoch: found.told.epoch,
            step: found.told.step,
            rank: lesson.rank,
            split: lesson.split,
            total: found.told.total,
            ..Said::default()
        };
        let any = !found.values.is_empty();
        if pairs {
            self.under_heading(&mut said);
            self.whole_epoch(&mut said, complete, drawn);
        }
        let place = self.place(&said, any);
        if !any {
            return;
        }
        if pairs {
            self.styles.pairs += 1;
        } else {
            self.styles.objects += 1;
        }
        if self.main_bar.is_some() {
            let values = found.values.iter().map(|slot| {
                let id = self.known_id(at, slot.id, &said, place, sink);
                let text = &frame.text[slot.at.clone()];
                let value = number::value(text, slot.spelling, false);
                (id, place, value, String::from_utf8_lossy(text).into_owned(), frame.line)
            });
            let values = values.collect();
            let start = self.recipes.all[at].lesson.offset.min(frame.text.len());
            let here = Here {
                column: 0,
                text: &frame.text[start..],
                indented: false,
                line: frame.line,
                redraw: drawn,
                cut: false,
                rank: said.rank,
            };
            self.deliver(values, &said, place, here, sink);
            return;
        }
        let mut row = std::mem::take(&mut self.recipes.row);
        row.clear();
        for slot in &found.values {
            row.push(Slot { id: self.known_id(at, slot.id, &said, place, sink), ..slot.clone() });
        }
        if drawn {
            sink.record_drawn_row(place, frame.text, &row, frame.line);
        } else {
            sink.record_row(place, frame.text, &row, frame.line);
        }
        self.recipes.row = row;
    }

    fn follow_bar(&mut self, at: usize, told: Told, row: &[Slot], frame: Frame<'_>, sink: &mut Sink) {
        let lesson = &self.recipes.all[at].lesson;
        let bar = BarSaid {
            done: told.done,
            total: told.bar_total,
            epoch: told.epoch.or(told.inner_epoch),
            outer_epoch: told.epoch,
            step: told.step,
            held: lesson.split == Split::Held,
            nameless: lesson.nameless,
        };
        let epoch = self.bar_epoch(&bar);
        if let [slot] = row {
            if let Some(place) = self.bar_place(slot.id, &bar, epoch, drawn(slot, frame), sink) {
                sink.record_drawn_row(place, frame.text, row, frame.line);
            }
        } else {
            self.follow_bar_values(&bar, epoch, row, frame, sink);
        }
        self.bar_end(&bar, !row.is_empty(), sink);
    }

    /// Several values beside a bar: together where the bar lags as far behind one as behind the other.
    fn follow_bar_values(
        &mut self,
        bar: &BarSaid,
        epoch: Option<f64>,
        row: &[Slot],
        frame: Frame<'_>,
        sink: &mut Sink,
    ) {
        let mut places = std::mem::take(&mut self.recipes.places);
        places.clear();
        for slot in row {
            places.push(self.bar_place(slot.id, bar, epoch, drawn(slot, frame), sink));
        }
        match places.first() {
            Some(Some(place)) if places.iter().all(|other| *other == Some(*place)) => {
                sink.record_drawn_row(*place, frame.text, row, frame.line);
            }
            _ => {
                for (slot, place) in row.iter().zip(&places) {
                    place.iter().for_each(|place| sink.record(slot.id, *place, drawn(slot, frame)));
                }
            }
        }
        self.recipes.places = places;
    }

    /// The metric of a value, looked up by name once for each kind of place.
    fn known_id(&mut self, at: usize, index: usize, said: &Said, place: Place, sink: &mut Sink) -> usize {
        let kind = kind_of_place(said, place);
        if let Some(id) = self.recipes.all[at].lesson.names[index].ids[kind] {
            return id;
        }
        let named = &self.recipes.all[at].lesson.names[index];
        let (name, group) = (named.name.clone(), named.group.clone());
        let id = self.metric(&name, &group, said.split, said.rank, place, sink);
        self.recipes.all[at].lesson.names[index].ids[kind] = Some(id);
        id
    }
}

/// A value beside a bar.
fn drawn<'f>(slot: &Slot, frame: Frame<'f>) -> Shown<'f> {
    Shown { value: slot.worth(), text: &frame.text[slot.at.clone()], line: frame.line, redraw: true }
}

/// Values of held-out data, and values without a step, are other metrics than those of the same name.
fn kind_of_place(said: &Said, place: Place) -> usize {
    usize::from(said.split == Split::Held) * 2 + usize::from(place.step.is_some())
}
