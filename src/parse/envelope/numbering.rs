//! The numbers that `cat -n`, `grep -n` and pagers write before the lines of a log.

use super::blanks;
use super::label::shows_more;
use crate::parse::names::is_position_word;
use crate::parse::number;

/// Lines at the beginning of a log that are looked at all together, and the fewest of them that tell anything.
const FIRST: usize = 256;
const FEWEST: usize = 6;

/// The numbers before the lines of a log of which the beginning shows that every line has one.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Numbering {
    mark: Option<u8>,
}

impl Numbering {
    /// The numbering that the beginning of a log shows by itself: the numbers rise from line to line. Those of `cat -n` stand in six
    /// columns before a tab; `7:` may as well be a step, unless the lines have something else to count or nothing to say.
    pub(crate) fn at_the_beginning(head: &[u8]) -> Self {
        let lines: Vec<&[u8]> = head.split(|byte| *byte == b'\n').take(FIRST).collect();
        let lines = &lines[..lines.len() - 1];
        let Some(mark) = lines.first().and_then(|line| numbered(line)).map(|(length, _)| lines[0][length - 1]) else {
            return Self::default();
        };
        let numbers: Vec<_> =
            lines.iter().map_while(|line| numbered(line).filter(|(length, _)| line[length - 1] == mark)).collect();
        let rises = numbers.len() == lines.len() && numbers.is_sorted_by(|(_, a), (_, b)| a < b);
        let texts = || lines.iter().zip(&numbers).map(|(line, (length, _))| &line[*length..]);
        let count = |wanted: fn(&[u8]) -> bool| texts().filter(|text| wanted(text)).count();
        let aligned = mark == b'\t' && numbers.iter().all(|(length, _)| *length >= 7);
        let shown = count(shows_more);
        // Behind a step stands one blank.
        let glued = count(|text| !text.starts_with(b" ") && !text.starts_with(b"\t") || text.starts_with(b"  "));
        let whole =
            numbers.iter().zip(1..).all(|((_, number), line)| *number == line) && shown > 0 && glued * 3 > lines.len();
        let believed =
            lines.len() >= FEWEST && rises && (aligned || mark == b':' && (shown * 2 > lines.len() || whole));
        Self { mark: Some(mark).filter(|_| believed) }
    }

    /// The mark behind the numbers, where there are some.
    pub(crate) fn words(self) -> String {
        self.mark.map(char::from).into_iter().collect()
    }

    /// How many bytes of a line its number takes.
    pub(crate) fn length(self, line: &[u8]) -> usize {
        let Some(mark) = self.mark else { return 0 };
        match numbered(line) {
            Some((length, _)) if line[length - 1] == mark => length,
            // Blanks at the end of a line are gone by now, and with them the tab before an empty one.
            None if mark == b'\t' && number::count(line.trim_ascii_start()).is_some() => line.len(),
            _ => 0,
        }
    }
}

/// Whether a line begins with a number that may be that of the line.
pub(super) fn is_numbered(line: &[u8]) -> bool {
    numbered(line).is_some()
}

/// The number of a line, with the length of it and of the mark behind it.
fn numbered(line: &[u8]) -> Option<(usize, i64)> {
    let blank = blanks(&line[..line.len().min(8)]);
    let digits = line[blank..].iter().take(9).take_while(|byte| byte.is_ascii_digit()).count();
    let end = blank + digits;
    let number = number::count(&line[blank..end])?;
    matches!(line.get(end), Some(b':' | b'\t')).then_some((end + 1, number))
}

/// `11:[0]`, `     1\t[0]`, `     4 Epoch 1`: the number of the line, before what counts for itself.
pub(super) fn numbering(line: &[u8]) -> Option<usize> {
    let blank = blanks(line);
    let digits = line[blank..].iter().take(9).take_while(|byte| byte.is_ascii_digit()).count();
    let end = blank + digits;
    let rest = line.get(end + 1..).filter(|_| digits > 0)?;
    let gap = blanks(rest);
    let text = &rest[gap..];
    let digit = |at: usize| text.get(at).is_some_and(u8::is_ascii_digit);
    let marked = line[end] == b':' && gap == 0 || line[end] == b'\t' && blank > 0;
    if marked && text.first() == Some(&b'[') && digit(1) {
        return Some(end + 1);
    }
    let word = text.iter().take(12).take_while(|byte| byte.is_ascii_alphabetic()).count();
    let counter = word + text[word..].iter().take(3).take_while(|byte| matches!(byte, b' ' | b':')).count();
    let parted = matches!(line[end], b' ' | b'\t') && blank > 0;
    (parted && counter > word && digit(counter) && is_position_word(&text[..word])).then_some(end + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rests<'t>(lines: &[&'t str]) -> Vec<&'t str> {
        let numbering = Numbering::at_the_beginning((lines.join("\n") + "\n").as_bytes());
        lines.iter().map(|line| &line[numbering.length(line.as_bytes())..]).collect()
    }

    #[test]
    fn numbers_before_every_line_are_none_of_the_lines() {
        let numbered = |texts: &[&str], number: fn(usize) -> String| -> Vec<String> {
            texts.iter().enumerate().map(|(index, text)| number(index + 1) + text).collect()
        };
        let texts = ["loading", "", "Epoch 1/3", "0.5", "1 0.4", "| loss | 0.5 |", "step 3 loss 1"];
        for number in
            [|n| format!("{n:6}\t"), |n| format!("{n}:"), |n| format!("{}:", n * n + 3)] as [fn(usize) -> String; 3]
        {
            let lines = numbered(&texts, number);
            assert_eq!(rests(&lines.iter().map(String::as_str).collect::<Vec<_>>()), texts);
        }
        let steps = numbered(&["loss 0.5"; 9], |n| format!("{n}: "));
        let steps: Vec<&str> = steps.iter().map(String::as_str).collect();
        assert_eq!(rests(&steps), steps, "steps");
        let again = ["1:a", "2:b", "3:c", "1:a", "2:b", "3:c", "4:d"];
        assert_eq!(rests(&again), again, "numbers that begin anew");
        assert_eq!(rests(&["1:a", "2:b", "3:c"]), ["1:a", "2:b", "3:c"], "too few lines");
    }
}
