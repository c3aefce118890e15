//! Key-value lines: which of their numbers are values, and of what.

use std::ops::Range;

use super::position::counted_after;
use super::recipe::Lesson;
use super::repeats::tell_apart;
use super::wording::{
    acceptable, goes_on_list, goes_on_row, has_range, is_command, is_count_before, is_drawn, is_mean_of_loss,
    is_measured, is_statistic, loss_before_step, on_counted, rate_in_sentence, trimmed_name,
};
use super::{Console, Here, Said};
use crate::parse::metric::Metric;
use crate::parse::names::{self, Meaning};
use crate::parse::number::{self, Spelling};
use crate::parse::scan::{Item, Link, Scan};
use crate::parse::select::NAMELESS;
use crate::parse::sink::{Place, Shown, Sink};

/// Most numbers behind the first one that are read of a row without names.
const FURTHER: usize = 7;

/// A value of a line.
#[derive(Clone, Debug)]
pub(super) struct Value {
    pub(super) name: String,
    pub(super) group: String,
    pub(super) text: Range<usize>,
    pub(super) value: f64,
    pub(super) noise: bool,
}

impl Console {
    pub(super) fn pairs(&mut self, here: Here<'_>, sink: &mut Sink) {
        if is_command(here.text) {
            self.lesson = Some(Lesson::nothing(here));
            return;
        }
        if self.conditioned(here, sink) {
            return;
        }
        let mut scan = std::mem::take(&mut self.scan);
        scan.read(here.text);
        self.read_pairs(&scan, here, sink);
        self.scan = scan;
    }

    pub(super) fn read_pairs(&mut self, scan: &Scan, here: Here<'_>, sink: &mut Sink) {
        if scan.items.is_empty() {
            if !self.heading(here.text, here.line) {
                self.lesson = Some(Lesson::nothing(here));
            }
            return;
        }
        let (mut said, complete) = self.position(scan, here.text);
        let own_split = said.split;
        said.rank = here.rank.or(said.rank);
        self.under_heading(&mut said);
        let mut values = self.values(scan, here.text, &said);
        tell_apart(&mut values, here.text);
        for value in values.iter().filter(|v| v.noise) {
            sink.note_noise(&value.name);
        }
        let any = values.iter().any(|v| !v.noise);
        let draws = here.redraw || is_drawn(here.text);
        self.whole_epoch(&mut said, complete, draws);
        let place = self.place(&said, any);
        let learnt = || Lesson::pairs(here, scan, &said, own_split, complete, &values);
        let counted = here.text[said.step_at.clone()].iter().all(u8::is_ascii_digit);
        let hinges = std::mem::take(&mut self.hinges);
        let doubtful = has_range(scan, here.text) || !counted || said.tied || hinges;
        self.lesson = if doubtful { None } else { learnt() };
        if !any {
            let own = said.step.is_some() || said.epoch.is_some();
            if self.nameless_row(scan, here, own.then_some(place), sink) || self.outputs(scan, here, place, sink) {
                self.lesson = None;
            }
            return;
        }
        self.styles.pairs += 1;
        let here = Here { redraw: draws, ..here };
        let last_key = values.last().map(|v| v.text.end);
        let mut held: Vec<(usize, Place, f64, String, u64)> = Vec::new();
        // Only an earlier line with values has told the step.
        let borrowed = said.step.is_none() && said.epoch.is_none() && place.step.is_some() && !self.context.header;
        for value in values.iter().filter(|v| !v.noise) {
            let mut id = self.metric(&value.name, &value.group, said.split, said.rank, place, sink);
            if borrowed && sink.is_at(id, place) {
                // `Iteration 100, loss = 0.5` and below it `Train net output #0: loss = 0.5`: two things under one name.
                id = self.metric(&value.name, &format!("{}\0again", value.group), said.split, said.rank, place, sink);
                self.lesson = None;
            }
            let text = String::from_utf8_lossy(&here.text[value.text.clone()]).into_owned();
            let at_end = value.text.end == here.text.len() && last_key == Some(value.text.end);
            if here.cut && at_end && !sink.looks_whole(id, &text) {
                sink.warn(format!("line {}: cut inside a number; its last value was left out", here.line));
                continue;
            }
            held.push((id, place, value.value, text, here.line));
        }
        self.deliver(held, &said, place, here, sink);
    }

    /// `iter 3: 0.5`, `3:\t0.5`, `3 0.5 0.9`: a counter and numbers without names, of which the first one with a fraction is read. It
    /// counts where a log shows nothing else, since it may be anything.
    fn nameless_row(&mut self, scan: &Scan, here: Here<'_>, place: Option<Place>, sink: &mut Sink) -> bool {
        let items = &scan.items;
        let value = |item: &Item| number::value(&here.text[item.text.clone()], item.spelling, self.decimal_comma);
        let fraction = |item: &&Item| item.spelling == Spelling::Decimal && item.key.is_empty() && item.of.is_none();
        // `[  100, 0.0004] 5.2, 0.5`: what shares a bracket with the counter was set, as a learning rate is.
        let opening = if here.text.starts_with(b"[") { memchr::memchr(b']', here.text).unwrap_or(0) } else { 0 };
        let behind = items.iter().filter(|item| item.text.start > opening).find(fraction);
        let first = behind.or_else(|| items.iter().find(fraction));
        let Some(shown) = first.filter(|item| item.unit.is_empty()) else { return false };
        if items.iter().any(|item| item.link == Link::Mark) {
            return false;
        }
        let bare = scan.words.is_empty() && items.iter().all(|item| item.key.is_empty() && item.of.is_none());
        // `0m 10s (5000 6%) 2.85`: times and shares count nothing.
        let mut numbers = items.iter().filter(|item| item.unit.start != item.text.end || item.unit.is_empty());
        let counts: Vec<f64> =
            numbers.by_ref().take_while(|item| item.spelling == Spelling::Integer).map(value).collect();
        let place = match (place, counts.as_slice()) {
            (Some(place), _) if items.len() <= 8 => place,
            (None, &[step]) if bare => Place { step: Some(step as i64), ..Place::default() },
            (None, &[epoch, step]) if bare => Place { epoch: Some(epoch), step: Some(step as i64), ..Place::default() },
            _ => return false,
        };
        let at = items.iter().position(|item| item.text == shown.text).unwrap_or(0);
        // A lone further number may be a time.
        let further = items[at + 1..].iter().take(FURTHER).take_while(|item| is_alike(item, shown, here.text)).count();
        let last = at + if further > 1 { further } else { 0 };
        let shown: Vec<(f64, Range<usize>)> =
            items[at..=last].iter().map(|item| (value(item), item.text.clone())).collect();
        for (nth, (value, at)) in shown.into_iter().enumerate() {
            let id = sink.metric(&[0, b'r', nth as u8], || nameless(nth));
            self.give(id, place, value, &here.text[at.clone()], at.end == here.text.len() && here.cut, here, sink);
        }
        true
    }

    /// Fractions in a line without names: what inference prints. They count where a log has results and no loss.
    pub(super) fn outputs(&mut self, scan: &Scan, here: Here<'_>, place: Place, sink: &mut Sink) -> bool {
        let plain =
            |i: &&Item| i.spelling == Spelling::Decimal && i.unit.is_empty() && i.of.is_none() && i.link != Link::Mark;
        if scan.items.len() > 16 || scan.items.iter().any(|i| i.link == Link::Mark || is_measured(here.text, i)) {
            return false;
        }
        for item in scan.items.iter().filter(plain) {
            let id = sink.metric(b"\0output", || Metric { meaning: Meaning::Output, ..Metric::named("output") });
            let text = String::from_utf8_lossy(&here.text[item.text.clone()]);
            let value = number::value(&here.text[item.text.clone()], item.spelling, self.decimal_comma);
            sink.record(
                id,
                place,
                Shown { value: value.into(), text: text.as_bytes(), line: here.line, redraw: here.redraw },
            );
        }
        scan.items.iter().any(|i| plain(&i))
    }

    /// The values of a line, noise included.
    pub(super) fn values(&mut self, scan: &Scan, text: &[u8], said: &Said) -> Vec<Value> {
        let mut found: Vec<Value> = Vec::new();
        let mut left_over: Option<Range<usize>> = None;
        let known = scan.items.iter().any(|i| {
            !i.key.is_empty()
                && matches!(self.key_meaning(text, i), Meaning::Loss | Meaning::Result | Meaning::Schedule)
        });
        let nets = has_two_nets(scan, text);
        let known = known || nets;
        let placed = said.step.is_some() || said.epoch.is_some();
        let counters: Vec<bool> = (0..scan.items.len())
            .map(|n| {
                !scan.items[n].key.is_empty() && self.is_split_counter(text, &scan.items[n], scan.items.get(n + 1))
            })
            .collect();
        let mut kept_before = false;
        // The name and the length of the list that the last value stands in, and whether it is in brackets.
        let mut list: Option<(String, usize, bool, Meaning)> = None;
        let mut counted: Option<String> = None;
        // `Value and Grad Norm: 0.5 (rel: 0.3) 0.7`: a name that is one of two.
        let mut both: Option<String> = None;
        for (index, item) in scan.items.iter().enumerate() {
            let group = self.group_name(&text[item.group.clone()]);
            let value = number::value(&text[item.text.clone()], item.spelling, self.decimal_comma);
            if item.spelling == Spelling::DecimalComma {
                self.decimal_comma = true;
            }
            let listed = list.take().filter(|(_, nth, bracketed, meaning)| {
                goes_on_list(&scan.items, index, text, *bracketed)
                    || goes_on_row(&scan.items, index, text, *nth > 1, *meaning)
            });
            let previous = found.last().map(|v: &Value| (v.name.clone(), v.noise)).filter(|_| kept_before);
            kept_before = false;
            if let Some(count) = counted_after(&scan.items, index, text) {
                let name = trimmed_name(&text[count.key.clone()]);
                found.retain(|value| value.text != count.text);
                found.push(Value { name, group, text: item.text.clone(), value, noise: false });
                continue;
            }
            if item.key.is_empty() {
                if let Some((base, nth, bracketed, meaning)) = listed {
                    let name = format!("{base} [{}]", nth + 1);
                    found.push(Value { name, group, text: item.text.clone(), value, noise: false });
                    list = Some((base, nth + 1, bracketed, meaning));
                    continue;
                }
                if let Some((name, range)) = self.named_behind(text, item) {
                    // `12.5, 13.4 avg loss`: before its mean, which names the pair, stands the loss itself.
                    if let Some(own) = own_before_mean(&scan.items, index, text, &name, self.decimal_comma) {
                        found.push(own);
                    }
                    found.push(Value { name, group, text: range, value, noise: false });
                    continue;
                }
                if let Some(name) = both.take().filter(|_| item.spelling == Spelling::Decimal && item.unit.is_empty()) {
                    let name = format!("{name} [2]");
                    found.push(Value { name, group, text: item.text.clone(), value, noise: false });
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
            // `loss at epoch 3 is 0.5`, and of `time for epoch 3 is 7.5` nobody knows what it would be.
            if matches!(raw, b"is" | b"was" | b"of") {
                match left_over.take() {
                    Some(key) => raw = &text[key],
                    None if index > 0 && raw != b"of" => continue,
                    None => {}
                }
            }
            // `Adjusting learning rate of group 0 to 1.0000e-04.`
            if raw == b"to" && item.spelling == Spelling::Decimal {
                if let Some(name) = left_over.take().and_then(|key| rate_in_sentence(&text[key])) {
                    found.push(Value { name, group, text: item.text.clone(), value, noise: false });
                }
                continue;
            }
            if item.link == Link::Blank
                && let Some(name) = rate_in_sentence(raw)
            {
                if raw.ends_with(b" to") {
                    found.push(Value { name, group, text: item.text.clone(), value, noise: false });
                    continue;
                }
                if item.spelling == Spelling::Integer
                    && scan.items.get(index + 1).is_some_and(|n| text[n.key.clone()] == *b"to")
                {
                    left_over = Some(item.key.clone());
                    continue;
                }
            }
            // `Accuracy of the network on the 10000 test images: 90 %`
            if let Some(about) = on_counted(raw, item) {
                counted = Some(about);
                continue;
            }
            if let Some(about) = counted.take().filter(|_| item.link == Link::Mark) {
                let name = format!("{about} on {}", trimmed_name(raw));
                found.push(Value { name, group, text: item.text.clone(), value, noise: false });
                continue;
            }
            let name = trimmed_name(raw);
            let meaning = if raw.len() == item.key.len() { meaning } else { self.meaning_of(raw) };
            match meaning {
                Meaning::Config if self.is_total(scan, text, item) => {
                    let name = format!("{name} loss");
                    found.push(Value { name, group, text: item.text.clone(), value, noise: false });
                }
                Meaning::Epoch | Meaning::Step(_) | Meaning::Rank | Meaning::Config => {
                    let own = loss_before_step(raw).map(|length| item.key.start..item.key.start + length);
                    // `loss in epoch 1 iteration 5: 0.5`
                    left_over = own.or(left_over);
                }
                Meaning::Noise => found.push(Value { name, group, text: item.text.clone(), value, noise: true }),
                Meaning::Loss if is_count_before(text, item, scan.items.get(index + 1)) => {
                    left_over = Some(item.key.clone());
                }
                _ if is_measured(text, item) => {
                    found.push(Value { name, group, text: item.text.clone(), value, noise: true })
                }
                _ if counters[index] => {}
                Meaning::Unknown if item.link == Link::Mark && self.is_below_losses(scan, text, item) => {
                    let name = format!("Losses {name}");
                    found.push(Value { name, group, text: item.text.clone(), value, noise: false });
                }
                Meaning::Unknown if nets && is_net(text, item) => {
                    let name = format!("{name} loss");
                    found.push(Value { name, group, text: item.text.clone(), value, noise: false });
                }
                _ => {
                    let told = self.is_told(&name, meaning, placed);
                    if acceptable(&name, meaning, item.link, known, placed || told) {
                        if item.link == Link::Mark && name.contains(" and ") {
                            both = Some(name.clone());
                        }
                        list = Some((name.clone(), 1, item.bracket != 0, meaning));
                        found.push(Value { name, group, text: item.text.clone(), value, noise: false });
                        kept_before = true;
                    }
                }
            }
        }
        found
    }

    /// `Mean action noise std: 0.2` below `Learning iteration 3`: a statistic whose place was told above it. Only the lines before say
    /// so, so that nothing is to be learnt from its own.
    fn is_told(&mut self, name: &str, meaning: Meaning, placed: bool) -> bool {
        let statistic = !placed && meaning == Meaning::Unknown && is_statistic(name);
        self.hinges |= statistic;
        statistic && self.context.header && (self.context.step.is_some() || self.context.epoch.is_some())
    }

    /// `policy=0.5 value=0.1 mse=0.2 total=0.8`: a bare total behind terms of a loss, none of which is the loss itself, is their sum.
    fn is_total(&mut self, scan: &Scan, text: &[u8], item: &Item) -> bool {
        let key = |item: &Item| String::from_utf8_lossy(&text[item.key.clone()]).into_owned();
        let total = text[item.key.clone()].eq_ignore_ascii_case(b"total") && item.link == Link::Mark;
        let ranks = || scan.items.iter().filter_map(|other| names::loss_rank(&key(other)));
        total
            && item.of.is_none()
            && item.unit.is_empty()
            && ranks().count() > 0
            && ranks().all(|rank| rank.strength < 90)
    }

    /// `Losses {'ner': 0.5}`: whether the dict that a pair stands in is one of losses.
    fn is_below_losses(&mut self, scan: &Scan, text: &[u8], item: &Item) -> bool {
        let before = scan.words.iter().rev().find(|words| words.end <= item.key.start);
        before.is_some_and(|words| {
            let opens = text[words.end..].trim_ascii_start().starts_with(b"{");
            opens && self.meaning_of(&text[words.clone()]) == Meaning::Loss
        })
    }

    /// `3.41 avg loss,`, `12 detections`: the name stands behind the number, up to the next mark.
    pub(super) fn named_behind(&mut self, text: &[u8], item: &Item) -> Option<(String, Range<usize>)> {
        if item.first && item.next == b'=' && item.unit.is_empty() {
            return self.equals(text, item);
        }
        if item.unit.is_empty() || item.of.is_some() || item.unit.start == item.text.end {
            return None;
        }
        let rest = &text[item.unit.start..];
        let end = rest
            .iter()
            .take(40)
            .position(|b| matches!(b, b',' | b';' | b'|' | b'\t' | b'(' | b'['))
            .unwrap_or(rest.len());
        let mut phrase = rest[..end].trim_ascii();
        let sentence = phrase.split(u8::is_ascii_digit).next().unwrap_or(phrase);
        if sentence.split(|b| *b == b' ').count() > 4 && item.spelling == Spelling::Decimal {
            // `557.2 perplexity estimate based on …`
            phrase = phrase.split(|b| *b == b' ').next().unwrap_or(phrase);
        }
        let wordy =
            phrase.len() <= 32 && phrase.iter().all(|b| b.is_ascii_alphabetic() || matches!(b, b' ' | b'_' | b'-'));
        if !wordy || phrase.split(|b| *b == b' ').count() > 3 {
            return None;
        }
        let known = match self.meaning_of(phrase) {
            Meaning::Loss | Meaning::Result => true,
            // `0.005 LR`
            Meaning::Schedule => item.spelling == Spelling::Decimal,
            _ => false,
        };
        known.then(|| (String::from_utf8_lossy(phrase).into_owned(), item.text.clone()))
    }

    /// `0.8734 = Validation score   (accuracy)`: the name stands behind the mark.
    fn equals(&mut self, text: &[u8], item: &Item) -> Option<(String, Range<usize>)> {
        let name = text[item.text.end..].trim_ascii_start().strip_prefix(b"=")?;
        let end = memchr::memmem::find(name, b"  ").into_iter().chain(memchr::memchr(b'(', name)).min();
        let name = name[..end.unwrap_or(name.len())].trim_ascii();
        let known = matches!(self.meaning_of(name), Meaning::Loss | Meaning::Result);
        (known && name.len() <= 40).then(|| (trimmed_name(name), item.text.clone()))
    }

    /// The word a bracket is attached to, where it tells something: `tot_loss[…]`, `val(…)`, but not `TrainState(…)`.
    pub(super) fn group_name(&mut self, word: &[u8]) -> String {
        if word.is_empty() {
            return String::new();
        }
        let name = String::from_utf8_lossy(word).into_owned();
        let known = self.lexicon.of(word);
        let tells = known.meaning == Meaning::Loss || known.only_split;
        if tells { name } else { String::new() }
    }

    pub(super) fn key_meaning(&mut self, text: &[u8], item: &Item) -> Meaning {
        let key = &text[item.key.clone()];
        let meaning = self.meaning_of(key);
        // `第 3 轮`: the counter's word follows.
        if meaning == Meaning::Unknown && !item.unit.is_empty() && key == "第".as_bytes() {
            let unit = &text[item.unit.clone()];
            // `第3轮训练`: what follows the counter's word is written without a blank.
            let unit = unit.strip_prefix("个".as_bytes()).unwrap_or(unit);
            let counted = ["轮", "回合", "周期", "步", "批次"].iter().find(|word| unit.starts_with(word.as_bytes()));
            // `第3次训练`: the third time.
            let times = ["次训练", "次迭代"].iter().any(|word| unit.starts_with(word.as_bytes()));
            let unit = counted.map_or(unit, |word| word.as_bytes());
            return if times { Meaning::Step(3) } else { self.meaning_of(unit) };
        }
        if item.link == Link::Blank && meaning == Meaning::Unknown {
            // `DEBUG TRAIN Batch 0/100`: only the last word belongs to the number.
            let last = key.rsplit(|b| b.is_ascii_whitespace()).next().unwrap_or(key);
            return self.meaning_of(last);
        }
        meaning
    }

    pub(super) fn suffix(&mut self, text: &[u8], item: &Item) -> Option<Meaning> {
        let unit = &text[item.unit.clone()];
        (!unit.is_empty()).then(|| self.meaning_of(unit))
    }
}

/// `G: 2.51 | D: 0.57`, `d: 2.4; g: 0.9`: whether a line shows the losses of a generator and of what discriminates, by their letters.
fn has_two_nets(scan: &Scan, text: &[u8]) -> bool {
    let shows = |letter: &[u8]| {
        scan.items.iter().any(|item| is_net(text, item) && text[item.key.clone()].eq_ignore_ascii_case(letter))
    };
    shows(b"g") && shows(b"d")
}

fn is_net(text: &[u8], item: &Item) -> bool {
    let fraction = item.link == Link::Mark && item.of.is_none() && item.unit.is_empty();
    fraction && item.spelling != Spelling::Integer && matches!(&text[item.key.clone()], b"g" | b"G" | b"d" | b"D")
}

/// A number of a row without names, the first of which is called `column 2`.
fn nameless(nth: usize) -> Metric {
    let name = if nth == 0 { NAMELESS.to_owned() } else { format!("{NAMELESS} [{}]", nth + 1) };
    Metric { meaning: Meaning::Output, ..Metric::named(&name) }
}

/// Whether a number of a row without names is of the kind of the first one: a comma parts it from what stands before, it has as many
/// decimals, and nothing is said of it.
fn is_alike(item: &Item, first: &Item, text: &[u8]) -> bool {
    let decimals = |item: &Item| text[item.text.clone()].iter().rev().position(|byte| *byte == b'.');
    let plain = item.key.is_empty() && item.of.is_none() && item.unit.is_empty() && item.bracket == 0;
    let listed = text[..item.text.start].trim_ascii_end().ends_with(b",");
    plain && listed && item.spelling == Spelling::Decimal && decimals(item) == decimals(first)
}

/// The number without a name right before a mean that has its name behind it: darknet's `12.5, 13.4 avg loss`.
fn own_before_mean(items: &[Item], index: usize, text: &[u8], mean: &str, decimal_comma: bool) -> Option<Value> {
    let before = items.get(index.checked_sub(1)?)?;
    let plain = before.key.is_empty() && before.of.is_none() && before.spelling == Spelling::Decimal;
    let joined = text[before.text.end..items[index].text.start].trim_ascii() == b",";
    (is_mean_of_loss(mean) && plain && joined).then(|| Value {
        name: format!("before {mean}"),
        group: String::new(),
        text: before.text.clone(),
        value: number::value(&text[before.text.clone()], before.spelling, decimal_comma),
        noise: false,
    })
}
