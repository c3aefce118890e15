//! Lines of two logs that say the same and differ in something else, a clock time for example: read once for both.

use super::Layout;
use super::lesson::Use;
use crate::parse::console::{Console, is_bar_like};
use crate::parse::envelope;
use crate::parse::frames::{End, Frame, Frames};
use crate::parse::run::Slot;
use crate::parse::sink::Sink;

impl Console {
    /// Reads frames of two logs that say the same, as long as both have a known layout. Gives the bytes read of each.
    pub(in crate::parse) fn skim_alike(
        &mut self,
        logs: [&[u8]; 2],
        frames: &mut Frames,
        sink: &mut Sink,
    ) -> [usize; 2] {
        let mut at = [0, 0];
        while let Some((line, redrawn)) = frames.beginning() {
            if self.recipes.layouts.is_empty() || self.holds() {
                break;
            }
            let rest = [&logs[0][at[0]..], &logs[1][at[1]..]];
            let Some((length, layout)) = self.recipes.laid_out(rest[0]) else { break };
            // Most often the two lines have the very same layout.
            let twin = self.recipes.layouts.has(layout, rest[1]);
            let Some((other_length, other)) = twin.or_else(|| self.recipes.laid_out(rest[1])) else { break };
            let (known, twin) = (self.recipes.layouts.what(layout), self.recipes.layouts.what(other));
            let drawn = is_bar_like(redrawn, known.end, known.length);
            let next = |side: usize, length: usize| rest[side].get(length).is_none_or(|&next| next == b'\n');
            if self.borrows(known.recipe)
                || known.drawn != drawn
                || twin.drawn != drawn
                || known.end != twin.end
                || known.recipe != twin.recipe
                || known.end == End::Redraw && (next(0, length) || next(1, other_length))
                || !says_the_same(known, rest[0], twin, rest[1])
            {
                break;
            }
            let end = known.end;
            let frame = Frame { text: &rest[0][..known.length], line, end, redrawn };
            self.apply_layout(layout, frame, sink);
            frames.passed(end);
            at = [at[0] + length, at[1] + other_length];
        }
        at
    }

    /// Whether two lines, in full and without control codes, say the same; the layout of the second is learnt where they do.
    /// `None` where one of them is of a kind that was not read before.
    pub(in crate::parse) fn says_the_same(&mut self, lines: [&[u8]; 2], redrawn: bool) -> Option<bool> {
        let texts = lines.map(<[u8]>::trim_ascii_end);
        let ends = lines.map(|line| if line.ends_with(b"\n") { End::Line } else { End::Redraw });
        if self.holds() || ends[0] != ends[1] || texts.iter().any(|text| text.is_empty()) {
            return Some(false);
        }
        let recipe = self.recipes.fit(texts[0])?;
        let first = std::mem::take(&mut self.recipes.found.slots);
        let other = self.recipes.fit(texts[1])?;
        let starts = texts.map(|text| envelope::strip(text).start);
        let plain = self.recipes.all[recipe].plain_start;
        let told = |slots: &[(Use, Slot)], text: &[u8]| -> Vec<(Use, Vec<u8>)> {
            let counts = slots.iter().filter(|(purpose, _)| !matches!(purpose, Use::Nothing | Use::Named));
            counts.map(|(purpose, slot)| (*purpose, text[slot.at.clone()].to_vec())).collect()
        };
        // The recipe may be followed only where `follow` would do so.
        let offset = self.recipes.all[recipe].lesson.offset;
        let bare = |text: &[u8]| text[..offset.min(text.len())].trim_ascii().is_empty();
        let prefixed = |side: usize| bare(texts[side]) && starts[side] > 0;
        if recipe != other
            || self.borrows(recipe)
            || !plain && (starts[0] != starts[1] || prefixed(0) || prefixed(1))
            || told(&first, texts[0]) != told(&self.recipes.found.slots, texts[1])
        {
            return Some(false);
        }
        self.recipes.followed = Some(recipe);
        self.learn_layout(lines[1], texts[1].len(), ends[1], redrawn);
        Some(true)
    }
}

/// Whether two lines show the same place and the same values, to the last byte.
fn says_the_same(known: &Layout, line: &[u8], other: &Layout, other_line: &[u8]) -> bool {
    if std::ptr::eq(known, other) {
        return agree_where(&known.told, line, other_line);
    }
    let position = |((purpose, a), (other, b)): (&(Use, Slot), &(Use, Slot))| {
        purpose == other && line[a.at.clone()] == other_line[b.at.clone()]
    };
    let value = |(a, b): (&Slot, &Slot)| a.id == b.id && line[a.at.clone()] == other_line[b.at.clone()];
    known.positions.len() == other.positions.len()
        && known.values.len() == other.values.len()
        && known.positions.iter().zip(&other.positions).all(position)
        && known.values.iter().zip(&other.values).all(value)
}

/// Whether two lines have the same bytes wherever `told` has a bit.
fn agree_where(told: &[u8], line: &[u8], other: &[u8]) -> bool {
    let bytes = told.iter().zip(line).zip(other);
    bytes.fold(0, |odd, ((told, a), b)| odd | (a ^ b) & told) == 0
}
