//! A line of text to items: every number with the words and the mark that stand before it.

mod ahead;
mod apart;
mod behind;
mod words;

use std::ops::Range;

use ahead::{
    arrow, is_lone_pipe, joins, mark_follows, names_in_tuple, number_follows, parts_fractions, special_starts,
    starts_atom,
};
pub(crate) use apart::clock_or_date;
use apart::source_place;
use behind::{attached_unit, end_of_range, fraction, next_word};
use words::{
    behind_brackets, counter_before_dash, counter_before_digits, counts, inside_word, is_range, is_tensor, is_word,
    loss_before_fraction, matching, quotes_a_name, word_end,
};

use super::number::{self, Number, Spelling};
use super::units::UNITS;

/// What stands between a key and its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Link {
    /// The number has no key.
    None,
    /// Blanks only: `loss 0.5`.
    Blank,
    /// A colon or an equals sign.
    Mark,
}

/// One number of a line.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Item {
    /// The words before the number; empty for a bare number.
    pub(crate) key: Range<usize>,
    /// The word that a bracket around this item was attached to: `tot_loss` in `tot_loss[loss=0.3]`.
    pub(crate) group: Range<usize>,
    /// How key and number are linked.
    pub(crate) link: Link,
    /// The number as printed.
    pub(crate) text: Range<usize>,
    /// How the number is spelled.
    pub(crate) spelling: Spelling,
    /// `N` of `n/N`.
    pub(crate) of: Option<i64>,
    /// The unit or word right after the number.
    pub(crate) unit: Range<usize>,
    /// The bracket opened right before the number: `[`, `(` or 0.
    pub(crate) bracket: u8,
    /// Whether only brackets and dashes stand before this number on the line.
    pub(crate) first: bool,
    /// Whether a number stands right before this one, a bracket aside: `0.5 (0.6)`.
    pub(crate) follows: bool,
    /// The byte after the number and its closing brackets, blanks skipped.
    pub(crate) next: u8,
}

/// The items of a line, with the words that are no keys.
#[derive(Clone, Debug, Default)]
pub(crate) struct Scan {
    /// Every number, in order.
    pub(crate) items: Vec<Item>,
    /// Words that name no number, in order: `Test set` in `Test set: loss 0.5`.
    pub(crate) words: Vec<Range<usize>>,
}

struct State {
    words: Option<Range<usize>>,
    count: u32,
    link: Link,
    bracket: u8,
    after_number: bool,
    stack: Vec<Range<usize>>,
    group: Range<usize>,
    seen_word: bool,
}

impl Scan {
    /// Scans `line`, replacing what was found before.
    pub(crate) fn read(&mut self, line: &[u8]) {
        self.items.clear();
        self.words.clear();
        let mut state = State {
            words: None,
            count: 0,
            link: Link::None,
            bracket: 0,
            after_number: false,
            stack: Vec::new(),
            group: 0..0,
            seen_word: false,
        };
        let mut at = 0;
        while at < line.len() {
            at = self.step(line, at, &mut state);
        }
        self.drop_words(&mut state);
    }

    fn step(&mut self, line: &[u8], at: usize, state: &mut State) -> usize {
        match line[at] {
            b'\t' => {
                if !number_follows(line, at) || state.words.is_none() {
                    self.drop_words(state);
                }
                at + 1
            }
            b' ' => self.blank(line, at, state),
            b'-' | b'=' if state.words.is_some() && arrow(line, at).is_some() => {
                self.mark(state);
                at + arrow(line, at).unwrap_or(1)
            }
            b':' | b'=' => {
                self.mark(state);
                at + 1
            }
            b'"' | b'\'' if quotes_a_name(line, at) && state.link == Link::None => {
                self.drop_words(state);
                at + 1
            }
            b'"' | b'`' => at + 1,
            b'/' if !line.get(at + 1).is_some_and(|&b| is_word(b)) || parts_fractions(line, at) => at + 1,
            b'\'' if !inside_word(line, at) => at + 1,
            b'|' if state.words.is_some() && number_follows(line, at + 1) && is_lone_pipe(line) => {
                self.mark(state);
                at + 1
            }
            b',' if state.words.is_some() && names_in_tuple(line, at) => {
                self.mark(state);
                at + 1
            }
            b',' | b';' | b'|' | b'{' | b'}' | b'\\' => {
                self.drop_words(state);
                state.after_number = false;
                at + 1
            }
            b'[' | b'(' => self.open(line, at, state),
            b']' | b')' => {
                self.close(state);
                at + 1
            }
            b'-' | b'>' | b'<' | b'*' | b'~' | b'#' | b'+' if !starts_atom(line, at) => {
                if !(line[at] == b'#' && number_follows(line, at) || joins(line, at)) {
                    self.drop_words(state);
                    state.after_number = false;
                }
                at + 1
            }
            0xE2 | 0xE3 | 0xEF => self.wide(line, at, state).unwrap_or_else(|| self.atom(line, at, state)),
            0xC2 if line.get(at + 1) == Some(&0xA0) => at + 2,
            _ => self.atom(line, at, state),
        }
    }

    /// Full-width marks, box and bar glyphs.
    fn wide(&mut self, line: &[u8], at: usize, state: &mut State) -> Option<usize> {
        let glyph = line.get(at..at + 3)?;
        match glyph {
            _ if glyph == "：".as_bytes() || glyph == "＝".as_bytes() => self.mark(state),
            _ if glyph == "，".as_bytes() || glyph == "；".as_bytes() || glyph == "、".as_bytes() => {
                self.drop_words(state);
                state.after_number = false;
            }
            _ if glyph == "（".as_bytes() => return Some(self.open(line, at + 2, state)),
            _ if glyph == "）".as_bytes() => self.close(state),
            // `【第3轮】`, `「…」`: corner and angle brackets open with even codes and close with odd ones.
            [0xE3, 0x80, 0x8A | 0x8C | 0x8E | 0x90] => {
                self.drop_words(state);
                return Some(self.open(line, at + 2, state));
            }
            [0xE3, 0x80, 0x8B | 0x8D | 0x8F | 0x91] => self.close(state),
            [0xE2, 0x86, _] if state.words.is_some() && number_follows(line, at + 3) => self.mark(state),
            // U+2500 to U+25FF: lines, blocks, shapes; U+2190 to U+21FF: arrows; U+2010 to U+2026: dashes, bullets, dots.
            [0xE2, 0x94..=0x97 | 0x86 | 0x87, _] => {
                self.drop_words(state);
                state.after_number = false;
            }
            [0xE2, 0x80, 0x90..=0xA6] => {
                self.drop_words(state);
                state.after_number = false;
            }
            // The sign in `−0.5`.
            [0xE2, 0x88, 0x92] => return None,
            _ => return None,
        }
        Some(at + 3)
    }

    fn blank(&mut self, line: &[u8], at: usize, state: &mut State) -> usize {
        let run = line[at..].iter().take_while(|&&b| b == b' ').count();
        let next = at + run;
        // Two blanks part words from words, but not a key from its number.
        if run > 1
            && state.words.is_some()
            && state.link == Link::None
            && !number_follows(line, next)
            && !mark_follows(line, next)
        {
            self.drop_words(state);
        }
        // `12 records/second. Loss is 2.3`: a sentence ends, where `Avg. loss` is an abbreviation.
        if line[..at].ends_with(b".") && line.get(next).is_some_and(u8::is_ascii_uppercase) {
            let word = line[..at].iter().rev().take_while(|byte| !byte.is_ascii_whitespace()).count();
            if word > 6 {
                self.drop_words(state);
            }
        }
        next
    }

    fn mark(&mut self, state: &mut State) {
        if state.words.is_some() {
            state.link = Link::Mark;
        }
    }

    fn open(&mut self, line: &[u8], at: usize, state: &mut State) -> usize {
        let attached = at > 0 && is_word(line[at - 1]);
        let close = matching(line, at);
        // `time (sec): 1`, `D(x): 0.5`: part of the key.
        if let Some(close) = close {
            let inside = &line[at + 1..close];
            // `loss(x, y) = 0.5`: what a function was called with.
            let called = attached && line[close + 1..].trim_ascii_start().starts_with(b"=");
            let parts = |b: &u8| matches!(b, b':' | b'=' | b'[' | b']') || *b == b',' && !called;
            let wordy = !inside.is_empty() && !inside.iter().any(parts);
            let numeric = inside
                .trim_ascii_start()
                .first()
                .is_some_and(|b| b.is_ascii_digit() || matches!(b, b'-' | b'.' | b'+'));
            if line[at] == b'('
                && wordy
                && !numeric
                && !counts(inside)
                && state.link == Link::None
                && state.words.is_some()
            {
                if let Some(words) = &mut state.words {
                    words.end = close + 1;
                }
                return close + 1;
            }
            if let Some(end) = source_place(line, at, close) {
                return end;
            }
            let marked = state.words.is_some() && mark_follows(line, close + 1);
            // `avg. loss [1-50]: 0.5`: of which steps it is the mean.
            if marked && is_range(inside) {
                return close + 1;
            }
            // `auroc [BBBP]: 0.5`: of which part of the data, or in which unit.
            if let Some(words) = &mut state.words
                && marked
                && !attached
                && line[at] == b'['
                && wordy
                && !numeric
                && state.link == Link::None
                && number_follows(line, close + 2)
            {
                words.end = close + 1;
                return close + 1;
            }
        }
        if attached
            && state.link == Link::None
            && let Some(words) = state.words.clone()
        {
            state.stack.push(state.group.clone());
            state.group = words;
            if !number_follows(line, at + 1) {
                state.words = None;
            }
            state.bracket = line[at];
            return at + 1;
        }
        state.stack.push(state.group.clone());
        // `=== Training Loss (Thu Nov 26 …) ===`: what the bracket holds is about something else.
        let inner = at + line[at..].iter().take(64).take_while(|byte| matches!(byte, b'[' | b'(' | b' ')).count();
        if state.link == Link::None && !number_follows(line, inner) {
            self.drop_words(state);
        }
        state.bracket = line[at];
        at + 1
    }

    fn close(&mut self, state: &mut State) {
        self.drop_words(state);
        state.group = state.stack.pop().unwrap_or(0..0);
        state.bracket = 0;
    }

    fn atom(&mut self, line: &[u8], at: usize, state: &mut State) -> usize {
        let begins_number = line[at].is_ascii_digit() || starts_atom(line, at) || special_starts(line, at);
        if begins_number {
            if let Some(end) = clock_or_date(line, at) {
                self.drop_words(state);
                state.after_number = true;
                // `00:25/01:39`: the time that has gone by and the time that is left.
                return end + usize::from(line.get(end) == Some(&b'/'));
            }
            if let Some(number) = number::lex(line, at)
                && let Some(end) = self.number(line, at, number, state)
            {
                return end;
            }
        }
        let end = word_end(line, at);
        // `Iter-100`: a counter and its number.
        if let Some(length) = counter_before_dash(&line[at..end]) {
            self.word(at..at + length, state);
            return at + length + 1;
        }
        if let Some(length) = counter_before_digits(&line[at..end]).or_else(|| loss_before_fraction(&line[at..end])) {
            self.word(at..at + length, state);
            return at + length;
        }
        // `'loss': tensor(0.5)`, `loss=np.float64(0.5)`: what wraps the number is not its name.
        let wraps = line.get(end) == Some(&b'(') && number_follows(line, behind_brackets(line, end + 1));
        if wraps && (state.link == Link::Mark || state.words.is_some() && is_tensor(&line[at..end])) {
            state.stack.push(state.group.clone());
            return end + 1;
        }
        if state.words.is_none() && end > at + 1 && line[at..end].iter().all(|byte| *byte == b'.') {
            // The part of a bar that is not done yet, where no name goes before as in `Loss ..... 0.5`.
            return end;
        }
        self.word(at..end, state);
        end
    }

    /// Takes the number in; `None` when it turns out to be the beginning of a word such as `2nd` or a hash.
    fn number(&mut self, line: &[u8], at: usize, number: Number, state: &mut State) -> Option<usize> {
        let mut end = number.end;
        let (mut of, mut text) = (None, at..number.end);
        if number.spelling == Spelling::Integer {
            if let Some((after, total)) = fraction(line, end) {
                of = Some(total);
                end = after;
            } else if let Some(last) = end_of_range(line, text.clone()).filter(|_| state.words.is_some()) {
                (end, text) = (last.end, last);
            }
        }
        let unit_start = end;
        let unit_end = attached_unit(line, end)?;
        let mut unit = unit_start..unit_end;
        end = unit_end;
        let mut after = end;
        while matches!(line.get(after), Some(b'"' | b'\'')) {
            after += 1;
        }
        if unit.is_empty() {
            unit = next_word(line, after);
            // `3.0秒 剩余:`: the unit is no part of the name behind it.
            let wide = unit.start == end && line.get(end).is_some_and(|byte| *byte >= 0x80);
            if wide && std::str::from_utf8(&line[unit.clone()]).is_ok_and(|unit| UNITS.contains(&unit)) {
                (end, after) = (unit.end, unit.end);
            }
        }
        let next = line[after.min(line.len())..]
            .iter()
            .copied()
            .find(|b| !b.is_ascii_whitespace() && !matches!(b, b']' | b')'))
            .unwrap_or(0);
        let key = state.words.take().unwrap_or(0..0);
        let link = match (key.is_empty(), state.link) {
            (true, _) => Link::None,
            (false, Link::Mark) => Link::Mark,
            (false, _) => Link::Blank,
        };
        self.items.push(Item {
            first: self.items.is_empty() && !state.seen_word,
            key,
            group: state.group.clone(),
            link,
            text,
            spelling: number.spelling,
            of,
            unit,
            bracket: state.bracket,
            follows: state.after_number,
            next,
        });
        state.count = 0;
        state.link = Link::None;
        state.bracket = 0;
        state.after_number = true;
        Some(end)
    }

    fn word(&mut self, range: Range<usize>, state: &mut State) {
        state.seen_word = true;
        state.after_number = false;
        state.bracket = 0;
        if state.link == Link::Mark {
            self.drop_words(state);
        }
        match &mut state.words {
            Some(words) => words.end = range.end,
            None => state.words = Some(range),
        }
        state.count += 1;
    }

    fn drop_words(&mut self, state: &mut State) {
        if let Some(words) = state.words.take()
            && self.words.len() < 16
        {
            self.words.push(words);
        }
        state.count = 0;
        state.link = Link::None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(line: &str) -> Vec<String> {
        let mut scan = Scan::default();
        scan.read(line.as_bytes());
        scan.items
            .iter()
            .map(|i| {
                let key = &line[i.key.clone()];
                let of = i.of.map_or(String::new(), |of| format!("/{of}"));
                format!("{key}{}{}{of}", if i.link == Link::Mark { "=" } else { " " }, &line[i.text.clone()])
            })
            .collect()
    }

    #[test]
    fn finds_pairs_in_every_spelling() {
        for (line, expected) in [
            (
                "iter 10: loss 4.1630, time 22.78ms, mfu -100.00%",
                vec!["iter 10", "loss 4.1630", "time 22.78", "mfu -100.00"],
            ),
            ("Train Epoch: 1 [640/6400 (10%)]\tLoss: 1.3", vec!["Train Epoch=1", " 640/6400", " 10", "Loss=1.3"]),
            ("{'loss': '3.48', 'epoch': '0.125'}", vec!["loss=3.48", "epoch=0.125"]),
            ("[5]\ttraining's l2: 3.9\tvalid_1's l2: 3.6", vec![" 5", "training's l2=3.9", "valid_1's l2=3.6"]),
            (
                "[Epoch 0/20] [Batch 3/50] [D loss: 0.1] [G loss: -2]",
                vec!["Epoch 0/20", "Batch 3/50", "D loss=0.1", "G loss=-2"],
            ),
            ("D(x): 0.5\tD(G(z)): 0.5 / 0.01", vec!["D(x)=0.5", "D(G(z))=0.5", " 0.01"]),
            (
                "| epoch   1 |   200/ 2983 batches | lr 20.00 | loss  5.6 |",
                vec!["epoch 1", " 200/2983", "lr 20.00", "loss 5.6"],
            ),
            (
                "elapsed time per iteration (ms): 123.4 | lm loss: 1.0E+01",
                vec!["elapsed time per iteration (ms)=123.4", "lm loss=1.0E+01"],
            ),
            ("损失：0.5，第3轮", vec!["损失=0.5", "第 3"]),
            ("【第3轮】训练损失：0.5", vec!["第 3", "训练损失=0.5"]),
            ("step 3 loss tf.Tensor(0.5, shape=(), dtype=float32)", vec!["step 3", "loss 0.5"]),
            ("lr=[0.0001], mom=[(0.9, 0.999)]", vec!["lr=0.0001", "mom=0.9", " 0.999"]),
            ("acc=46.1% elapsed 0:00:15 ts 2026-01-02", vec!["acc=46.1"]),
            ("[train.py:100] step 3", vec!["step 3"]),
            ("a1,\"step 1 | loss 2\",INFO,2026-11-21T09:00:16.123Z", vec!["step 1", "loss 2"]),
            ("train CrossEntropy |  0.5", vec!["train CrossEntropy=0.5"]),
            ("lr 1e-4 loss nan", vec!["lr 1e-4", "loss nan"]),
            (
                "Train Metrics (step 10 epoch 1) - Gradient Norm: 2 | Loss: 3",
                vec!["step 10", "epoch 1", "Gradient Norm=2", "Loss=3"],
            ),
            ("Iter-100; D_loss: 0.5; top-1: 2", vec!["Iter 100", "D_loss=0.5", "top-1=2"]),
            ("Evaluation metric 'epoch_loss'=5.43", vec!["epoch_loss=5.43"]),
            ("Verlust: 0,6931, Genauigkeit: 0,5", vec!["Verlust=0,6931", "Genauigkeit=0,5"]),
            ("step:1,loss:2,acc:3", vec!["step=1", "loss=2", "acc=3"]),
            ("dice_loss - 0.5, step 3 - loss: 1 - 2", vec!["dice_loss 0.5", "step 3", "loss=1", " 2"]),
            ("train <loss>=0.5 <10> a <b> 1", vec!["train <loss=0.5", " 10", " 1"]),
            ("Minibatch[   1- 100]: loss = 2", vec!["Minibatch 100", "loss=2"]),
            ("('epoch', 0, 'loss', 0.5)", vec!["epoch=0", "loss=0.5"]),
            ("[('loss', 2), ('q', 3)] 'x', 4", vec!["loss=2", "q=3", " 4"]),
            ("(:epoch, 1, :loss, 2)", vec!["epoch=1", "loss=2"]),
            ("step 1 loss [[0.5]] [a, 2]", vec!["step 1", "loss 0.5", " 2"]),
            ("[=>.... 3/8 ....] Loss: 2", vec![" 3/8", "Loss=2"]),
            ("Step 3 | Loss --> 2 | Lr -> 1 | a => 4", vec!["Step 3", "Loss=2", "Lr=1", "a=4"]),
            ("loss(x, y) = 0.5, f(1, 2) = 3", vec!["loss(x, y)=0.5", "f 1", " 2", " 3"]),
            ("auroc [BBBP]: 0.5 time [s]: 2", vec!["auroc [BBBP]=0.5", "time [s]=2"]),
            ("acc: tensor([0.5]) loss: tensor([[2.5]], device='cuda:0')", vec!["acc=0.5", "loss=2.5", "cuda=0"]),
            ("EPOCH[1/9] loss0.693-|Sample:1.2| loss1.txt", vec!["EPOCH 1/9", "loss 0.693", "Sample=1.2"]),
            ("loss for minibatches 100-199 is 0.5", vec!["loss for minibatches 199", "is 0.5"]),
        ] {
            assert_eq!(pairs(line), expected, "{line}");
        }
    }
}
