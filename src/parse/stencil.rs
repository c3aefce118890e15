//! Lines that differ from an earlier one in nothing but their digits, known by one comparison of their bytes.
//!
//! Most lines of a long log have the very layout of a line before: the same bytes, and digits where that one had digits.
//! A stencil is such a layout: for every byte the lowest one that may stand there and how far above it one may be. That a line
//! fits is found many bytes at a time, and where its numbers stand need not be looked for.

use super::frames::frame_length;

/// How many layouts are kept.
const MOST: usize = 256;
/// Longer lines are not kept.
const LONGEST: usize = 2048;
const CHUNK: usize = 32;
/// Lines after which the layouts are judged.
const WINDOW: u32 = 4096;
/// How often that may have been in vain.
const PATIENCE: u32 = 3;

/// A layout, and what is known of the lines that have it.
#[derive(Clone, Debug)]
struct Stencil<T> {
    lowest: Box<[u8]>,
    above: Box<[u8]>,
    what: T,
    /// The layouts of the line after, the last time and the time before that.
    next: [usize; 2],
}

/// The layouts seen so far.
#[derive(Clone, Debug)]
pub(crate) struct Stencils<T> {
    all: Vec<Stencil<T>>,
    by_length: Vec<Vec<u16>>,
    last: usize,
    /// Lines that fitted a layout and lines that did not, since the layouts were last judged.
    hits: u32,
    misses: u32,
    /// How often in a row all layouts were forgotten to no avail.
    fruitless: u32,
}

impl<T> Default for Stencils<T> {
    fn default() -> Self {
        Self { all: Vec::new(), by_length: Vec::new(), last: 0, hits: 0, misses: 0, fruitless: 0 }
    }
}

impl<T> Stencils<T> {
    /// Forgets everything.
    pub(crate) fn clear(&mut self) {
        self.all.clear();
        self.by_length.clear();
        self.last = 0;
    }

    /// Whether more layouts can be kept.
    pub(crate) fn has_room(&self) -> bool {
        self.fruitless != PATIENCE && self.all.len() < MOST
    }

    /// Whether nothing is known.
    pub(crate) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// Keeps the layout of a line, its end included. `free` says whether the byte at an index, a digit, may be any digit.
    pub(crate) fn learn(&mut self, line: &[u8], free: impl Fn(usize) -> bool, what: T) {
        if !self.has_room() || line.len() > LONGEST {
            return;
        }
        let is_free: Vec<bool> = (0..line.len()).map(|at| line[at].is_ascii_digit() && free(at)).collect();
        let lowest = line.iter().zip(&is_free).map(|(byte, free)| if *free { b'0' } else { *byte }).collect();
        let above = is_free.iter().map(|free| if *free { 9 } else { 0 }).collect();
        let here = self.all.len();
        self.all.push(Stencil { lowest, above, what, next: [here, here] });
        if self.by_length.len() <= line.len() {
            self.by_length.resize(line.len() + 1, Vec::new());
        }
        self.by_length[line.len()].push(here as u16);
        self.follow(here);
    }

    /// Whether the bytes begin with this very layout: its length, and the layout.
    pub(crate) fn has(&self, at: usize, bytes: &[u8]) -> Option<(usize, usize)> {
        let stencil = &self.all[at];
        let length = stencil.lowest.len();
        stencil.fits(bytes.get(..length)?).then_some((length, at))
    }

    /// The layout that is expected next, where the bytes have it: its length, and what is known of it.
    fn expected(&mut self, bytes: &[u8]) -> Option<(usize, usize)> {
        let guesses = self.all.get(self.last)?.next;
        let (length, found) = self.has(guesses[0], bytes).or_else(|| self.has(guesses[1], bytes))?;
        self.hits += 1;
        self.follow(found);
        Some((length, found))
    }

    /// The layout of a whole line, its end included.
    fn find(&mut self, line: &[u8]) -> Option<usize> {
        let known = self.by_length.get(line.len())?;
        let found = usize::from(*known.iter().find(|&&at| self.all[usize::from(at)].fits(line))?);
        self.follow(found);
        Some(found)
    }

    /// The layout that the bytes begin with, and the length of the line with its end.
    pub(crate) fn of_line(&mut self, bytes: &[u8]) -> Option<(usize, usize)> {
        if let Some(expected) = self.expected(bytes) {
            return Some(expected);
        }
        let length = frame_length(bytes)?;
        let found = self.find(&bytes[..length]);
        self.judge(found.is_some());
        Some((length, found?))
    }

    /// Where every layout is taken and many lines still have another, all are learnt anew: counters have grown. Where that does not
    /// help, looking for layouts is given up: it costs less not to.
    fn judge(&mut self, hit: bool) {
        if hit {
            self.hits += 1;
        } else {
            self.misses += 1;
        }
        if self.hits + self.misses < WINDOW || self.fruitless == PATIENCE {
            return;
        }
        let (hits, misses) = (self.hits, self.misses);
        (self.hits, self.misses) = (0, 0);
        if self.all.len() < MOST || misses * 8 < hits {
            self.fruitless = 0;
            return;
        }
        self.fruitless = if misses > hits { self.fruitless + 1 } else { 0 };
        self.clear();
    }

    /// What is known of a layout.
    pub(crate) fn what(&self, at: usize) -> &T {
        &self.all[at].what
    }

    /// The same, to be added to.
    pub(crate) fn what_mut(&mut self, at: usize) -> &mut T {
        &mut self.all[at].what
    }

    fn follow(&mut self, at: usize) {
        if let Some(last) = self.all.get_mut(self.last)
            && last.next[0] != at
        {
            last.next = [at, last.next[0]];
        }
        self.last = at;
    }
}

impl<T> Stencil<T> {
    /// Whether a line of the right length has this layout.
    fn fits(&self, line: &[u8]) -> bool {
        let length = self.lowest.len();
        if line.len() != length || self.above.len() != length {
            return false;
        }
        let mut at = 0;
        while at + CHUNK <= length {
            if !chunk_fits(&self.lowest[at..], &self.above[at..], &line[at..]) {
                return false;
            }
            at += CHUNK;
        }
        if length >= CHUNK {
            // The last chunk overlaps the one before.
            let at = length - CHUNK;
            return chunk_fits(&self.lowest[at..], &self.above[at..], &line[at..]);
        }
        let rest = self.lowest.iter().zip(&self.above).zip(line);
        rest.fold(true, |fits, ((lowest, above), byte)| fits & (byte.wrapping_sub(*lowest) <= *above))
    }
}

#[inline]
fn chunk_fits(lowest: &[u8], above: &[u8], line: &[u8]) -> bool {
    let (Some(lowest), Some(above), Some(line)) =
        (lowest.first_chunk::<CHUNK>(), above.first_chunk::<CHUNK>(), line.first_chunk::<CHUNK>())
    else {
        return false;
    };
    let odd = |odd: u8, ((lowest, above), byte): ((&u8, &u8), &u8)| odd | u8::from(byte.wrapping_sub(*lowest) > *above);
    lowest.iter().zip(above).zip(line).fold(0, odd) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(lines: &[&str]) -> Stencils<usize> {
        let mut stencils = Stencils::default();
        for (index, line) in lines.iter().enumerate() {
            stencils.learn(line.as_bytes(), |at| at > 0, index);
        }
        stencils
    }

    #[test]
    fn only_free_digits_may_differ() {
        let long = "1 step 17 of a rather long line: loss=0.250000, lr=1.0e-03, time=12.5\n";
        let mut stencils = known(&["1 loss 0.25\n", long]);
        assert_eq!(stencils.find(b"1 loss 9.87\n"), Some(0));
        assert_eq!(stencils.find(b"2 loss 9.87\n"), None, "a digit that is not free");
        assert_eq!(stencils.find(b"1 loss 9x87\n"), None);
        assert_eq!(stencils.find(b"1 loss 9.8:\n"), None, "just above 9");
        assert_eq!(stencils.find(b"1 loss 9.8/\n"), None, "just below 0");
        assert_eq!(stencils.find(long.replace("17", "99").as_bytes()), Some(1));
        for at in 0..long.len() {
            let mut other = long.as_bytes().to_vec();
            other[at] = b'?';
            assert_eq!(stencils.find(&other), None, "byte {at}");
        }
    }

    #[test]
    fn expects_what_came_after_the_last_two_times() {
        let mut stencils = known(&["a 1\n", "bb 2\n", "ccc 3\n"]);
        for line in ["a 3\n", "bb 4\n", "a 3\n", "bb 4\n", "bb 5\n", "a 3\n"] {
            stencils.find(line.as_bytes());
        }
        let text = b"bb 7\na 8\nbb 9\nbb 1\nccc 1\n";
        assert_eq!(stencils.expected(text), Some((5, 1)));
        assert_eq!(stencils.expected(&text[5..]), Some((4, 0)));
        assert_eq!(stencils.expected(&text[9..]), Some((5, 1)));
        assert_eq!(stencils.expected(&text[14..]), Some((5, 1)), "either came after `bb`");
        assert_eq!(stencils.expected(&text[19..]), None, "an `a` or a `bb` line was expected");
    }

    #[test]
    fn layouts_are_learnt_anew_where_lines_have_changed_and_given_up_where_they_keep_changing() {
        let line = |length: usize| format!("{} 1\n", "x".repeat(length)).into_bytes();
        let mut stencils = Stencils::default();
        let read = |stencils: &mut Stencils<()>, line: &[u8]| {
            let known = stencils.of_line(line).is_some();
            if !known {
                stencils.learn(line, |_| true, ());
            }
            known
        };
        for length in 0..MOST {
            read(&mut stencils, &line(length));
        }
        let late: Vec<bool> =
            (0..2 * WINDOW).map(|round| read(&mut stencils, &line(1000 + round as usize % 7))).collect();
        assert!(!late[..100].contains(&true), "there was no room for them at first");
        assert!(!late[late.len() - 100..].contains(&false), "known once all were learnt anew");
        for round in 0..10 * WINDOW {
            read(&mut stencils, &line(round as usize * 31 % 2000));
        }
        assert!(!stencils.has_room() && stencils.is_empty(), "given up");
    }
}
