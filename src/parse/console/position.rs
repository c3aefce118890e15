//! Where a line stands: epoch, step, rank and part of the data, from the line and from those before it.

use super::wording::{is_count_before, is_measured};
use super::{Console, Said, ends};
use crate::parse::names::{self, Meaning, Split};
use crate::parse::number::{self, Spelling};
use crate::parse::scan::{Item, Link, Scan};
use crate::parse::sink::Place;

impl Console {
    /// `Eval begin...`: a line of words that says what the lines below it belong to. True where it was one.
    pub(super) fn heading(&mut self, text: &[u8], line: u64) -> bool {
        if text.len() > 60 || text.split(|b| *b == b' ').count() > 3 {
            return false;
        }
        let tokens = names::tokens(&String::from_utf8_lossy(text));
        let Some(first) = tokens.first() else { return false };
        match names::split(std::slice::from_ref(first)) {
            Split::Held => self.context.split = Split::Held,
            Split::Train => self.context.split = Split::Unsaid,
            Split::Unsaid => return false,
        }
        self.context.heading = line;
        (self.context.headed_epoch, self.context.headed) = (self.context.epoch, false);
        true
    }

    /// `16/16 - loss: 0.5` as the only line of an epoch: the epoch's value, not that of step 16.
    pub(super) fn whole_epoch(&mut self, said: &mut Said, complete: bool, drawn: bool) {
        if complete && !drawn && self.context.header && !self.context.counted {
            said.step = None;
        } else if complete || said.step.is_some() {
            self.context.counted = true;
        }
    }

    /// Lines below a heading belong to its part of the data, until a line counts as training does or the next epoch has begun.
    pub(super) fn under_heading(&mut self, said: &mut Said) {
        let trains = said.step.is_some() && (said.total.is_none() || said.total == self.context.total);
        let next =
            self.context.headed && said.epoch.zip(self.context.headed_epoch).is_some_and(|(now, then)| now > then);
        if next || trains || said.split != Split::Unsaid {
            self.context.split = Split::Unsaid;
        }
        if said.split == Split::Unsaid && self.context.split == Split::Held {
            said.split = Split::Held;
        }
        if said.split != Split::Held && said.total.is_some() {
            self.context.total = said.total;
        }
    }

    /// Finds epoch, step, rank and split of a line; the flag says that a bare counter has reached its total.
    pub(super) fn position(&mut self, scan: &Scan, text: &[u8]) -> (Said, bool) {
        let mut said = Said::default();
        let mut best = 0;
        let mut complete = false;
        let mut bare: Vec<&Item> = Vec::new();
        let mut valued = false;
        let mut short = None;
        for (index, item) in scan.items.iter().enumerate() {
            let value = || number::value(&text[item.text.clone()], item.spelling, false);
            let next = scan.items.get(index + 1);
            // `200/50000: episode: 3`: what begins the line counts finer than the word behind it.
            if item.first && item.of.is_some() && item.next == b':' && next.is_some_and(|n| self.is_coarse(text, n)) {
                best = 4;
                said.take_step(item, text);
                continue;
            }
            if let Some(count) = counted_after(&scan.items, index, text) {
                match self.key_meaning(text, item) {
                    Meaning::Epoch => said.take_epoch(count, text),
                    _ => said.take_step(count, text),
                }
                continue;
            }
            if item.key.is_empty() {
                let suffix = self.suffix(text, item);
                match suffix {
                    Some(Meaning::Epoch) => said.take_epoch(item, text),
                    Some(Meaning::Step(_)) if item.of.is_none() && best == 0 && !item.follows => {}
                    // `(1/8) Loss: 0.5`, but `Acc: 45% (45/100)`.
                    _ if item.of.is_some() && item.bracket == b'(' && valued => {}
                    _ => bare.push(item),
                }
                continue;
            }
            if said.epoch.is_none() && self.is_batch_of_epoch(text, item) {
                said.take_epoch(item, text);
                (said.step, said.tied, best) = (item.of, true, 5);
                continue;
            }
            // `run [50]:` as the whole line.
            if scan.items.len() == 1 && item.spelling == Spelling::Integer && text[item.text.end..] == *b"]:" {
                said.take_step(item, text);
                continue;
            }
            match self.key_meaning(text, item) {
                // `Time taken for 1 epoch 48.4 sec`
                Meaning::Epoch if is_measured(text, item) => {}
                Meaning::Epoch => said.take_epoch(item, text),
                // `Step: 12k` is too coarse to tell a place where anything else does.
                Meaning::Step(_) if matches!(&text[item.unit.clone()], b"k" | b"K" | b"M") => {
                    short = short.or(Some(item))
                }
                Meaning::Step(_) if self.ends_shown && said.epoch.is_some() && ends::is_plural(text, item) => {}
                Meaning::Step(rank) if rank > best && value().fract() == 0.0 && counts(text, item) => {
                    best = rank;
                    said.tied |= item.spelling == Spelling::Decimal;
                    said.take_step(item, text);
                }
                // Another line of this shape may show a whole number.
                Meaning::Step(_) if item.spelling == Spelling::Decimal => said.tied = true,
                Meaning::Rank => said.rank = Some(value() as u32),
                // `After 3 epochs, the loss is 0.5`
                Meaning::Unknown
                    if item.link == Link::Blank
                        && matches!(&text[item.key.clone()], b"After" | b"after" | b"At" | b"at")
                        && self.suffix(text, item) == Some(Meaning::Epoch) =>
                {
                    said.take_epoch(item, text);
                }
                Meaning::Unknown if self.is_split_counter(text, item, scan.items.get(index + 1)) => {
                    said.split = self.lexicon.of(&text[item.key.clone()]).split;
                    if item.of.is_some() {
                        bare.push(item);
                    } else {
                        said.take_epoch(item, text);
                    }
                }
                Meaning::Loss if best == 0 && is_count_before(text, item, scan.items.get(index + 1)) => {
                    best = 1;
                    said.take_step(item, text);
                }
                Meaning::Loss | Meaning::Result => valued = true,
                // `data=0000128/0001000`: how much of the data was seen.
                Meaning::Noise | Meaning::Unknown | Meaning::Config
                    if best == 0
                        && item.of.is_some()
                        && item.link == Link::Mark
                        && is_share(&text[item.key.clone()]) =>
                {
                    best = 1;
                    said.take_step(item, text);
                }
                _ => {}
            }
        }
        self.bare_position(&bare, text, best, &mut said, &mut complete);
        if let Some(short) = short.filter(|_| said.step.is_none()) {
            said.take_step(short, text);
        }
        self.finer_of_two(scan, text, &mut said);
        said.split = self.split_of_words(scan, text, said.split);
        (said, complete)
    }

    /// `Batch 2/100`: the epoch and the batch in it, where a log has had `Batch 0/0`, of which the second number is no end.
    fn is_batch_of_epoch(&mut self, text: &[u8], item: &Item) -> bool {
        let named = item.link == Link::Blank && text[item.key.clone()].to_ascii_lowercase().ends_with(b"batch");
        let Some(batch) = item.of.filter(|_| named) else { return false };
        if batch == 0 && !self.context.batch_of_epoch {
            self.context.batch_of_epoch = true;
            self.recipes.clear();
        }
        self.context.batch_of_epoch
    }

    /// `episode: 3`: a counter of something that takes many steps.
    fn is_coarse(&mut self, text: &[u8], item: &Item) -> bool {
        !item.key.is_empty() && item.of.is_none() && self.key_meaning(text, item) == Meaning::Step(3)
    }

    /// `iter 7 step 1`: where gradients are gathered over several batches, the counter of batches is ahead of the other one. It tells
    /// the place once it is seen between two steps.
    fn finer_of_two(&mut self, scan: &Scan, text: &[u8], said: &mut Said) {
        let Some(step) = said.step.filter(|_| said.total.is_none()) else { return };
        let plain = |item: &&Item| item.of.is_none() && item.spelling == Spelling::Integer && item.text != said.step_at;
        let batches = |item: &&Item| matches!(&text[item.key.clone()], b"iter" | b"Iter" | b"iteration" | b"Iteration");
        let Some(item) = scan.items.iter().filter(plain).find(batches) else { return };
        let count = number::value(&text[item.text.clone()], item.spelling, false) as i64;
        self.context.gathers |= count > step && (step == 0 || count % step != 0);
        said.tied = true;
        if self.context.gathers && count >= step {
            said.take_step(item, text);
        }
    }

    /// `Train: 0 [   5/40`, `Test: [0/3]`, `Train 3, loss: 0.5`: the split's name before a counter.
    pub(super) fn is_split_counter(&mut self, text: &[u8], item: &Item, next: Option<&Item>) -> bool {
        let begins = item.key.start == 0 && item.link == Link::Blank && text[item.text.end..].starts_with(b", ");
        let counted = item.of.is_some()
            || next.is_some_and(|n| n.key.is_empty() && n.of.is_some() && n.bracket == b'[')
            || begins && next.is_some_and(|n| n.link == Link::Mark);
        item.spelling == Spelling::Integer && counted && self.lexicon.of(&text[item.key.clone()]).only_split
    }

    pub(super) fn bare_position(&self, bare: &[&Item], text: &[u8], best: u8, said: &mut Said, complete: &mut bool) {
        let value = |item: &Item| number::value(&text[item.text.clone()], item.spelling, false);
        let counters: Vec<&&Item> = bare.iter().filter(|i| i.of.is_some() && i.spelling == Spelling::Integer).collect();
        let mut counters = counters.into_iter();
        if said.epoch.is_none()
            && best == 0
            && counters.len() >= 2
            && let Some(counter) = counters.next()
        {
            said.take_epoch(counter, text);
        }
        if best == 0
            && let Some(counter) = counters.next()
        {
            said.take_step(counter, text);
            *complete = counter.of == said.step;
            if let Some(number) =
                bare.iter().find(|i| i.of.is_none() && i.bracket == b'[' && i.spelling == Spelling::Integer)
                && said.epoch.is_none()
                && number.text.start < counter.text.start
            {
                said.take_epoch(number, text);
            }
            return;
        }
        let mut numbers = bare.iter().filter(|i| i.of.is_none() && i.spelling == Spelling::Integer);
        let Some(first) = numbers.next() else { return };
        let second = numbers.next();
        // `[1,  2000] loss: 0.5`
        // `(1, 2000) loss: 0.5` as well.
        let close: &[u8] = if first.bracket == b'(' { b")" } else { b"]" };
        let closes = |i: &Item| text[i.text.end..].trim_ascii_start().starts_with(close);
        if let (b'[' | b'(', b',', Some(twin)) = (first.bracket, first.next, second.filter(|s| best == 0 && closes(s)))
            && !text[..first.text.start].iter().any(u8::is_ascii_alphanumeric)
        {
            said.take_epoch(first, text);
            said.take_step(twin, text);
            return;
        }
        if first.bracket == b'[' && text.get(first.text.end..).is_some_and(|t| t.trim_ascii_start().starts_with(b"]")) {
            let opens = !text[..first.text.start].iter().any(u8::is_ascii_alphanumeric);
            let twin =
                second.filter(|s| s.bracket == b'[' && !is_measured(text, s) && s.text.start <= first.text.end + 8);
            if let (true, Some(twin)) = (said.epoch.is_none() && best == 0, twin) {
                said.take_epoch(first, text);
                said.take_step(twin, text);
            } else if best == 0 && (opens || said.epoch.is_some()) {
                said.take_step(first, text);
            }
        } else if first.first && best == 0 && first.next == b'|' && second.is_some_and(|s| s.next == b'|') {
            said.take_epoch(first, text);
            if let Some(second) = second {
                said.take_step(second, text);
            }
        } else if first.first
            && best == 0
            && said.epoch.is_none()
            && let Some(twin) = second.filter(|twin| is_pair_before_loss(first, twin, text))
        {
            said.take_epoch(first, text);
            said.take_step(twin, text);
        } else if first.first
            && best == 0
            && said.epoch.is_none()
            && (matches!(first.next, b':' | b'|') && first.unit.is_empty()
                // `12 [D loss: 0.5]`
                || first.next == b'[' && first.unit.is_empty() && first.bracket == 0
                || names_a_loss(&text[first.unit.clone()])
                // `12   83.5 ms run, 0.5 loss`
                || first.unit.is_empty() && bare.get(1).is_some_and(|time| is_time_right_behind(first, time, text))
                || text[..first.text.start].ends_with(b"#")
                || text[..first.text.start].ends_with(b"<") && text[first.text.end..].starts_with(b">"))
        {
            said.take_step(first, text);
        } else if best == 0 && said.epoch.is_none() && stands_alone(first, text) && is_measured(text, bare[0]) {
            // `0.83 s | 12 | loss 0.5`
            said.take_step(first, text);
        } else if first.first && best > 0 && text[first.text.end..].starts_with(b": ") {
            said.rank = said.rank.or(Some(value(first) as u32));
        }
    }

    /// The split that words outside any pair tell: `Test set: loss 0.5`, `validation: …`.
    pub(super) fn split_of_words(&mut self, scan: &Scan, text: &[u8], known: Split) -> Split {
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

    /// Turns what a line says into a place, with what earlier lines said.
    pub(super) fn place(&mut self, said: &Said, has_values: bool) -> Place {
        let own = said.step.is_some() || said.epoch.is_some();
        let context = &mut self.context;
        context.headed |= has_values;
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
}

/// `Loss after 3 epochs = 0.5`, `Loss after 3 of 9 iterations: 0.5`: the item of the count, for the one with the value, before which
/// stands the word of what was counted.
pub(super) fn counted_after<'s>(items: &'s [Item], index: usize, text: &[u8]) -> Option<&'s Item> {
    let item = items.get(index).filter(|item| item.link == Link::Mark && item.spelling != Spelling::Integer)?;
    let counts = |count: &&Item| count.spelling == Spelling::Integer && count.text.end < item.key.start;
    let mut before = items[..index].iter().rev().filter(counts).take(2);
    let count = before.find(|count| text[count.key.clone()].ends_with(b" after"))?;
    let word = text[item.key.clone()].rsplit(|byte| *byte == b' ').next()?;
    let loss = || names::has_loss(&names::tokens(&String::from_utf8_lossy(&text[count.key.clone()])));
    (names::is_position_word(word) && loss()).then_some(count)
}

/// Whether a number counts something: it is none of a time, nor one that shows two decimals by chance, as `Sample: 9.00` does.
fn counts(text: &[u8], item: &Item) -> bool {
    !(is_measured(text, item) || item.spelling == Spelling::Decimal && text[item.text.clone()].ends_with(b".00"))
}

/// `0 10 loss - 0.5`: two counters at the beginning of a line, right before the name of a loss.
fn is_pair_before_loss(first: &Item, twin: &Item, text: &[u8]) -> bool {
    let parted = text[first.text.end..twin.text.start].iter().all(|byte| *byte == b' ');
    parted && first.bracket == 0 && twin.spelling == Spelling::Integer && names_a_loss(&text[twin.unit.clone()])
}

/// Whether nothing but blanks stands between a number and a time.
fn is_time_right_behind(first: &Item, time: &Item, text: &[u8]) -> bool {
    let parted = text.get(first.text.end..time.text.start).is_some_and(|part| part.iter().all(|byte| *byte == b' '));
    parted && first.bracket == 0 && is_measured(text, time)
}

/// Whether a number has a cell of its own between two pipes.
fn stands_alone(item: &Item, text: &[u8]) -> bool {
    item.next == b'|' && item.unit.is_empty() && text[..item.text.start].trim_ascii_end().ends_with(b"|")
}

/// Whether a fraction of this name tells how far training has come.
fn is_share(name: &[u8]) -> bool {
    [&b"data"[..], b"progress"].iter().any(|known| name.eq_ignore_ascii_case(known))
}

/// `12 train loss: 0.5`: a word behind a leading number that can only begin the name of a loss.
fn names_a_loss(word: &[u8]) -> bool {
    let tokens = names::tokens(&String::from_utf8_lossy(word));
    !tokens.is_empty() && (names::split(&tokens) != Split::Unsaid || names::has_loss(&tokens))
}
