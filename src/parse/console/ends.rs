//! Counters that tell how many steps an epoch has, and not where it stands.

use crate::parse::lexicon::Lexicon;
use crate::parse::names::Meaning;
use crate::parse::number::{self, Spelling};
use crate::parse::scan::{Item, Link, Scan};

/// Lines at the beginning of a log that are looked at.
const FIRST: usize = 1024;

/// Whether the beginning of a log shows that its `Steps: 313` behind `Epoch: 1` is the same in every epoch.
pub(super) fn are_shown(head: &[u8]) -> bool {
    if !says_plural(head) {
        return false;
    }
    let (mut scan, mut lexicon) = (Scan::default(), Lexicon::default());
    let (mut last, mut again) = (None, false);
    for line in head.split(|byte| *byte == b'\n').take(FIRST).filter(|line| line.len() < 400 && says_plural(line)) {
        scan.read(line);
        let count = |item: &Item| number::value(&line[item.text.clone()], item.spelling, false) as i64;
        let mut pairs = scan.items.windows(2).filter(|pair| {
            let epoch = lexicon.of(&line[pair[0].key.clone()]).meaning == Meaning::Epoch;
            epoch && is_plural(line, &pair[1]) && pair[0].spelling == Spelling::Integer
        });
        let Some((epoch, end)) = pairs.next().map(|pair| (count(&pair[0]), count(&pair[1]))) else { continue };
        if let Some((before, known)) = last.replace((epoch, end)) {
            if epoch <= before || end != known {
                return false;
            }
            again = true;
        }
    }
    again
}

/// Whether a text may hold such a counter at all.
fn says_plural(text: &[u8]) -> bool {
    let marked = |word: &[u8]| {
        memchr::memmem::find_iter(text, word).any(|at| matches!(text.get(at + word.len()), Some(b':' | b'=')))
    };
    [&b"teps"[..], b"ters", b"tions", b"tches"].into_iter().any(marked)
}

/// `Steps: 313`, `iters: 313`: a counter of several.
pub(super) fn is_plural(text: &[u8], item: &Item) -> bool {
    const PLURALS: [&[u8]; 4] = [b"steps", b"iters", b"iterations", b"batches"];
    let key = &text[item.key.clone()];
    let plural = PLURALS.iter().any(|word| key.eq_ignore_ascii_case(word));
    plural && item.link == Link::Mark && item.of.is_none() && item.spelling == Spelling::Integer
}
