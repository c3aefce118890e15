//! Lines of a shape that was read before, read again without looking at names.
//!
//! Most lines of a log differ from an earlier one in their digits alone. When a line has been read the slow way, its shape
//! is kept: the bytes that must be the same, and which of the numbers between them are the step, the epoch, a value, or
//! nothing. The next line of that shape is matched against it, and only its numbers are looked at. Whatever does not
//! match to the last byte is read the slow way, so that a recipe can only be quicker, never say something else.

mod alike;
mod follow;
mod lesson;
mod shape;

use crate::parse::frames::End;
use crate::parse::run::Slot;
use crate::parse::sink::Place;
use crate::parse::stencil::Stencils;
pub(super) use lesson::Lesson;
use lesson::Use;
use shape::{Found, Piece, is_plain_start, matches, pieces};

/// How many shapes are kept.
const MOST: usize = 24;
/// Longer lines are read the slow way.
const LONGEST: usize = 4096;

/// A shape, and what to do with a line of it.
#[derive(Clone, Debug)]
struct Recipe {
    pieces: Vec<Piece>,
    lesson: Lesson,
    /// It begins with a word or a brace that no prefix begins with.
    plain_start: bool,
    hits: u64,
    /// The recipe that the line after fitted last time.
    next: usize,
}

/// The shapes seen so far, and room for the numbers of a line.
#[derive(Clone, Debug, Default)]
pub(super) struct Recipes {
    all: Vec<Recipe>,
    last: usize,
    found: Found,
    layouts: Stencils<Layout>,
    row: Vec<Slot>,
    places: Vec<Option<Place>>,
    /// The recipe that the frame just read was read by.
    followed: Option<usize>,
    /// Read everything the slow way.
    #[cfg(test)]
    off: bool,
}

/// What is known of all lines of one layout.
#[derive(Clone, Debug)]
struct Layout {
    recipe: usize,
    /// Length of the text, without blanks and the line end behind it.
    length: usize,
    end: End,
    /// Whether the frame was drawn in place.
    drawn: bool,
    /// Where the line says its place.
    positions: Vec<(Use, Slot)>,
    values: Vec<Slot>,
    /// All bits of the bytes that say the place and the values, none of any other.
    told: Box<[u8]>,
    /// The values with their metrics, for each kind of place.
    rows: [Vec<Slot>; 4],
}

impl Recipes {
    /// Forgets everything: names may mean something else from here on.
    pub(super) fn clear(&mut self) {
        self.all.clear();
        self.last = 0;
        self.layouts.clear();
    }

    /// Forgets by which recipe the last frame was read.
    pub(super) fn forget_followed(&mut self) {
        self.followed = None;
    }

    /// Keeps the shape of `text`, which taught `lesson`.
    pub(super) fn learn(&mut self, text: &[u8], mut lesson: Lesson) {
        let start = text.as_ptr() as usize;
        let Some(offset) = lesson.base.checked_sub(start).filter(|o| *o <= text.len()) else { return };
        lesson.offset = offset;
        lesson.marks.sort_by_key(|m| m.at.start);
        for mark in &mut lesson.marks {
            mark.at = mark.at.start + offset..mark.at.end + offset;
        }
        for fixed in &mut lesson.fixed {
            *fixed = fixed.start + offset..fixed.end + offset;
        }
        let ordered = lesson.marks.windows(2).all(|pair| pair[0].at.end <= pair[1].at.start);
        let inside = lesson.marks.last().is_none_or(|m| m.at.end <= text.len());
        if text.len() > LONGEST || !ordered || !inside {
            return;
        }
        let pieces = pieces(text, &lesson);
        let plain_start = matches!(pieces.first(), Some(Piece::Text(text)) if is_plain_start(text));
        let recipe = Recipe { pieces, lesson, plain_start, hits: 1, next: 0 };
        let at = if self.all.len() < MOST {
            self.all.push(recipe);
            self.all.len() - 1
        } else {
            // What has been of least use makes room.
            let weakest = (0..self.all.len()).min_by_key(|&i| self.all[i].hits).unwrap_or(0);
            for kept in &mut self.all {
                kept.hits /= 2;
            }
            self.all[weakest] = recipe;
            self.layouts.clear();
            weakest
        };
        self.step_to(at);
    }

    /// The layout that the bytes begin with, and the length of the frame.
    fn laid_out(&mut self, bytes: &[u8]) -> Option<(usize, usize)> {
        #[cfg(test)]
        if self.off {
            return None;
        }
        self.layouts.of_line(bytes)
    }

    fn step_to(&mut self, at: usize) {
        if let Some(last) = self.all.get_mut(self.last) {
            last.next = at;
        }
        self.last = at;
    }

    /// Finds a recipe that `text` fits, with its numbers in `found`.
    fn fit(&mut self, text: &[u8]) -> Option<usize> {
        #[cfg(test)]
        if self.off {
            return None;
        }
        let expected = self.all.get(self.last)?.next;
        let found = &mut self.found;
        let mut fits = |recipe: &Recipe| matches(&recipe.pieces, text, found);
        let at = match self.all.get(expected) {
            Some(recipe) if fits(recipe) => expected,
            _ => (0..self.all.len()).find(|&i| i != expected && fits(&self.all[i]))?,
        };
        self.all[at].hits += 1;
        self.step_to(at);
        Some(at)
    }
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use crate::parse::console::Console;
    use crate::parse::frames::Frames;
    use crate::parse::frames::Reads;
    use crate::parse::sink::Sink;

    fn read(bytes: &[u8], off: bool) -> Sink {
        let mut console = Console::default();
        console.recipes.off = off;
        let mut sink = Sink::default();
        let mut frames = Frames::default();
        frames.read(bytes, &mut console, &mut sink);
        frames.finish(&mut |frame| console.frame(frame, &mut sink));
        console.finish(&mut sink);
        sink
    }

    fn same(bytes: &[u8], name: &Path) {
        let (quick, slow) = (read(bytes, false), read(bytes, true));
        let shown = |sink: &Sink| -> Vec<String> {
            let name = |id: usize| &sink.metrics[id].name;
            sink.out
                .iter()
                .map(|o| format!("{} {:?} {} {}", name(o.metric), o.point.position, o.point.text, o.point.line))
                .collect()
        };
        let (quick_points, slow_points) = (shown(&quick), shown(&slow));
        for (a, b) in quick_points.iter().zip(&slow_points) {
            let line = b.rsplit(' ').next().and_then(|l| l.parse::<usize>().ok()).unwrap_or(1);
            let text = bytes
                .split(|b| *b == b'\n')
                .take(line)
                .map(|l| String::from_utf8_lossy(l))
                .collect::<Vec<_>>()
                .join("\n");
            assert_eq!(a, b, "{}\n{text}", name.display());
        }
        assert_eq!(quick_points.len(), slow_points.len(), "{}", name.display());
    }

    fn logs(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(folder).expect("a folder").filter_map(Result::ok) {
            let path = entry.path();
            if path.is_dir() { logs(&path, found) } else { found.push(path) }
        }
    }

    #[test]
    fn a_recipe_never_says_anything_else_than_the_slow_reading() {
        let mut found = Vec::new();
        logs(&Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/logs"), &mut found);
        found.sort();
        for path in found {
            let bytes = std::fs::read(&path).expect("a log");
            same(&bytes, &path);
            // The same log again behind itself, and with digits and blanks disturbed.
            same(&[&bytes[..], &bytes[..]].concat(), &path);
            let mut state = 12345u64;
            for round in 0..6 {
                let mut other = bytes.clone();
                for _ in 0..other.len() / 40 + 1 {
                    state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
                    let at = (state >> 33) as usize % other.len().max(1);
                    let new = b"0123456789 .-,:[]()eE/%ax|\n\r"[(state >> 20) as usize % 28];
                    if let Some(byte) = other.get_mut(at) {
                        if round % 2 == 0 && !byte.is_ascii_digit() {
                            continue;
                        }
                        *byte = new;
                    }
                }
                same(&other, &path);
            }
        }
    }

    #[test]
    fn lines_that_differ_in_their_digits_alone_are_all_read() {
        let mut found = Vec::new();
        logs(&Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/logs"), &mut found);
        found.sort();
        let mut state = 1u32;
        for path in found {
            let bytes = std::fs::read(&path).expect("a log");
            let mut lines: Vec<&[u8]> = bytes.split_inclusive(|byte| *byte == b'\n').collect();
            lines.dedup_by_key(|line| {
                line.iter().map(|b| if b.is_ascii_digit() { b'0' } else { *b }).collect::<Vec<u8>>()
            });
            // The digits of an escaped control character are no number.
            for line in lines.into_iter().filter(|line| memchr::memmem::find(line, b"#0").is_none()).take(100) {
                let mut log = Vec::new();
                for _ in 0..6 {
                    for &byte in line {
                        state = state.wrapping_mul(747_796_405).wrapping_add(2_891_336_453);
                        let other = b'0' + (state >> 24) as u8 % 10;
                        log.push(if byte.is_ascii_digit() && state >> 31 == 0 { other } else { byte });
                    }
                }
                same(&log, &path);
            }
        }
    }

    /// What stands before, at and behind the values of a line: every combination is a log of its own.
    const PARTS: [&[&str]; 3] = [
        &[
            "",
            "[rank0]: ",
            "[rank1]: ",
            "2026-01-02 03:04:05,678 - INFO - trainer - ",
            "INFO:root:",
            "Epoch 3/90 ",
            "epoch 3: ",
            "Validation ",
            "[12/90] ",
            "saved 7 files, ",
            "gpu0 | ",
            "worker 2: ",
            "  ",
            "\u{1b}[32m",
            "\r",
            "\"",
        ],
        &[
            "step 120 loss 2.5013 lr 1e-3",
            "step=120, loss=2.5013, acc=91.25%",
            "{'loss': 2.5013, 'learning_rate': 1.5e-05, 'epoch': 1.25}",
            "{\"step\": 120, \"loss\": 2.5013, \"time\": 12.5}",
            "Loss: 2.5013 (2.6017)  Acc@1 75.20 (71.05)",
            " 36%|###     | 3/8 [00:02<00:05,  0.71s/it, loss=1.8986]",
            "100%|########| 8/8 [00:02<00:00, loss=1.8986, v_num=3]",
            "12it [00:02, 68.1it/s, loss=0.5013]",
            "train 36%|###     | 3/8 [00:02<00:05,  0.71s/it]",
            "| 120 | 2.5013 | 91.25 |",
            "iter 1,204/2,500: loss 2.5013",
            "120/938 [==>......] - ETA: 12s - loss: 2.5013 - acc: 0.7520",
            "loss: 2.5013  [  640/60000]",
        ],
        &[
            "",
            " ok",
            ",",
            " (12.5 ms)",
            " val_loss 3.1415",
            " eta 1:02:03",
            "\u{1b}[0m",
            "\"",
            ", saved to ckpt-120.pt",
            " 77",
            "\r",
        ],
    ];

    #[test]
    fn whatever_stands_around_the_values_of_a_line_every_line_is_read() {
        let mut state = 7u32;
        for before in PARTS[0] {
            for values in PARTS[1] {
                for behind in PARTS[2] {
                    let line = format!("{before}{values}{behind}\n");
                    let mut log = Vec::new();
                    for _ in 0..6 {
                        for &byte in line.as_bytes() {
                            state = state.wrapping_mul(747_796_405).wrapping_add(2_891_336_453);
                            let other = b'1' + (state >> 24) as u8 % 9;
                            log.push(if byte.is_ascii_digit() && state >> 30 == 0 { other } else { byte });
                        }
                    }
                    same(&log, Path::new(&line));
                }
            }
        }
    }
}
