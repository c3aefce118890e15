//! A terminal's screen as it was copied: lines longer than the screen is wide go on in the next one, and are put together again.

use unicode_width::UnicodeWidthStr;

use super::table;

/// Narrower screens are not looked for.
const NARROWEST: usize = 60;
/// So many blanks may have stood at the edge of the screen, where nobody copies them.
const BLANKS: usize = 3;
/// Full lines that have to show the width of the screen.
const FEWEST: usize = 4;
/// A line over so many bytes is handed on as it is.
const LONGEST: usize = 1 << 20;

/// Puts the lines of a screen of a known width together.
#[derive(Clone, Debug)]
pub(crate) struct Wrapped {
    width: usize,
    /// How the lines begin that go on from no other one.
    begins: Vec<[u8; 4]>,
    /// The part of a line that may go on, and the blanks between that and what follows.
    held: Vec<u8>,
    blanks: usize,
    /// The bytes of a line whose end has not come yet.
    rest: Vec<u8>,
    /// The line of the log that comes next, and the one in which `held` began.
    line: u64,
    begun: u64,
}

impl Wrapped {
    /// The screen that a log was copied from, where its beginning shows one.
    pub(crate) fn of_log(head: &[u8]) -> Option<Self> {
        let (width, begins) = screen(head)?;
        Some(Self { width, begins, held: Vec::new(), blanks: 0, rest: Vec::new(), line: 1, begun: 1 })
    }

    /// Takes bytes in and hands on whole lines, their line feed included, each with the line of the log that it begins in.
    pub(crate) fn read(&mut self, bytes: &[u8], each: &mut dyn FnMut(u64, &[u8])) {
        let mut start = 0;
        for end in memchr::memchr_iter(b'\n', bytes) {
            let mut line = std::mem::take(&mut self.rest);
            line.extend_from_slice(&bytes[start..end]);
            start = end + 1;
            self.whole(&line, each);
        }
        self.rest.extend_from_slice(&bytes[start..]);
    }

    /// Hands on what is left.
    pub(crate) fn finish(&mut self, each: &mut dyn FnMut(u64, &[u8])) {
        let rest = std::mem::take(&mut self.rest);
        if !rest.is_empty() {
            self.take(&rest, each);
        }
        if !self.held.is_empty() {
            each(self.begun, &std::mem::take(&mut self.held));
        }
    }

    fn whole(&mut self, line: &[u8], each: &mut dyn FnMut(u64, &[u8])) {
        let shown = line.strip_suffix(b"\r").unwrap_or(line);
        self.take(shown, each);
        self.line += 1;
        match to_the_edge(shown, self.width).filter(|_| self.held.len() < LONGEST) {
            Some(blanks) => self.blanks = blanks,
            None => self.hand_on(each),
        }
    }

    /// Adds a line to the one before, where it can only go on from that.
    fn take(&mut self, line: &[u8], each: &mut dyn FnMut(u64, &[u8])) {
        if !self.held.is_empty() && (line.is_empty() || self.begins.contains(&beginning(line))) {
            self.hand_on(each);
        }
        if self.held.is_empty() {
            self.begun = self.line;
        } else {
            self.held.extend(std::iter::repeat_n(b' ', self.blanks));
        }
        self.held.extend_from_slice(line);
    }

    fn hand_on(&mut self, each: &mut dyn FnMut(u64, &[u8])) {
        self.held.push(b'\n');
        each(self.begun, &self.held);
        self.held.clear();
    }
}

fn width_of(line: &[u8]) -> usize {
    std::str::from_utf8(line).map_or(line.len(), UnicodeWidthStr::width)
}

/// How many blanks a line lacks to reach the edge of the screen, where it is not one that was drawn from edge to edge.
fn to_the_edge(line: &[u8], width: usize) -> Option<usize> {
    let drawn = || table::is_rule(line) || line.iter().all(|byte| *byte == line[0]);
    width.checked_sub(width_of(line)).filter(|lacking| *lacking <= BLANKS && !drawn())
}

/// The width of the screen, and how its lines begin: none is wider, several are just as wide, and what stands below those begins
/// as no other line does and goes on in the midst of a word or number.
fn screen(head: &[u8]) -> Option<(usize, Vec<[u8; 4]>)> {
    if memchr::memchr2(0x1b, 0x08, head).is_some() {
        return None;
    }
    let end = memchr::memrchr(b'\n', head)?;
    let lines: Vec<&[u8]> = head[..end].split(|&b| b == b'\n').map(|l| l.strip_suffix(b"\r").unwrap_or(l)).collect();
    let width = lines.iter().map(|line| width_of(line)).max().filter(|width| *width >= NARROWEST)?;
    if lines.iter().any(|line| line.contains(&b'\r')) {
        return None;
    }
    let edge: Vec<Option<usize>> = lines.iter().map(|line| to_the_edge(line, width)).collect();
    let follows = |at: &usize| *at > 0 && edge[at - 1].is_some();
    // A line of the program fills a few lines of the screen; rows of one length would be a single one that never ends.
    let own = (0..lines.len()).filter(|at| !follows(at) && edge[*at].is_some()).count();
    let mut begins: Vec<[u8; 4]> = (0..lines.len()).filter(|at| !follows(at)).map(|at| beginning(lines[at])).collect();
    begins.sort_unstable();
    begins.dedup();
    let (mut count, mut strange, mut cut, mut odd) = (0, 0, 0, 0);
    for at in (0..lines.len()).filter(follows) {
        let known = begins.contains(&beginning(lines[at]));
        // A line that is a little shorter may as well be at its end.
        if edge[at - 1] != Some(0) {
            continue;
        }
        count += 1;
        strange += usize::from(!known);
        match seam(lines[at - 1], lines[at]) {
            Seam::Cut => cut += 1,
            Seam::Odd => odd += 1,
            Seam::Unsaid => {}
        }
    }
    let usual = width % 20 == 0 || width == 132;
    let enough = count >= FEWEST && own >= FEWEST && own * 6 >= count && strange * 10 >= count * 9 && odd * 10 <= count;
    (enough && cut > if usual { 0 } else { 2 }).then_some((width, begins))
}

/// How a line begins, whatever its numbers and however many blanks stand there.
fn beginning(line: &[u8]) -> [u8; 4] {
    let mut first = [0; 4];
    let mut count = 0;
    for byte in line {
        let kind = if byte.is_ascii_digit() { b'0' } else { *byte };
        if count > 0 && matches!(kind, b'0' | b' ') && first[count - 1] == kind {
            continue;
        }
        if count == first.len() {
            break;
        }
        first[count] = kind;
        count += 1;
    }
    first
}

/// What the place tells where one line ends and the next begins.
enum Seam {
    /// A word or a number was cut in two.
    Cut,
    /// The two do not go together.
    Odd,
    Unsaid,
}

fn seam(before: &[u8], after: &[u8]) -> Seam {
    let exponent = matches!(before, [.., b'0'..=b'9', b'e' | b'E', b'+' | b'-'] | [.., b'0'..=b'9', b'e' | b'E']);
    if exponent && matches!(after.first(), Some(b'0'..=b'9' | b'+' | b'-')) {
        return Seam::Cut;
    }
    match (before.last(), after.first()) {
        (Some(b'0'..=b'9' | b'.'), Some(b'0'..=b'9' | b'.')) => Seam::Cut,
        (Some(_), Some(b':' | b',' | b')' | b']' | b'=')) => Seam::Cut,
        (Some(a), Some(b'a'..=b'z' | b'_')) if a.is_ascii_alphabetic() || *a == b'_' => Seam::Cut,
        (Some(a), Some(b'A'..=b'Z' | b'[' | b'{' | b'<')) if a.is_ascii_alphanumeric() => Seam::Odd,
        _ => Seam::Unsaid,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lines of a training, cut where a screen of this width ends.
    fn copied(width: usize) -> String {
        let line = |step: i32| {
            format!(
                "step {step} of 24 | loss 0.{step:02}5 | accuracy 0.{step}5 | learning rate 0.001 | grad norm 1.25 | 12.5 ms\n"
            )
        };
        let wrap = |line: String| {
            let cells: Vec<char> = line.trim_end().chars().collect();
            cells.chunks(width).map(|cells| cells.iter().collect::<String>() + "\n").collect::<String>()
        };
        (0..24).map(line).map(wrap).collect()
    }

    #[test]
    fn lines_that_a_screen_has_cut_are_put_together() {
        for width in [60, 71, 80] {
            let text = copied(width);
            let mut wrapped = Wrapped::of_log(text.as_bytes()).expect("a screen");
            let mut lines = Vec::new();
            let mut each = |line, text: &[u8]| lines.push((line, String::from_utf8_lossy(text).into_owned()));
            text.as_bytes().chunks(7).for_each(|bytes| wrapped.read(bytes, &mut each));
            wrapped.finish(&mut each);
            let expected: Vec<String> = copied(1000).split_inclusive('\n').map(str::to_owned).collect();
            assert_eq!(lines.iter().map(|(_, text)| text.clone()).collect::<Vec<_>>(), expected, "{width}");
            assert_eq!(lines[3].0, 7);
        }
    }

    #[test]
    fn an_exponent_and_a_joined_name_are_cut_where_a_line_ends_in_them() {
        let cut = |before: &str, after: &str| matches!(seam(before.as_bytes(), after.as_bytes()), Seam::Cut);
        assert!(cut("2.94e", "+00") && cut("2.94e-", "01") && cut("loss_", "rpn 1") && cut("loss", "_rpn 1"));
        assert!(!cut("lr e-", "01") && !cut("done -", "3 steps") && !cut("loss", " 1"));
    }

    #[test]
    fn lines_of_one_length_are_no_screen() {
        let line = |step: i32| {
            format!("step {step:04} | loss 0.{step:04} | accuracy 0.{step:04} | learning rate 0.001 | grad norm 1.25\n")
        };
        let equal: String = (0..24).map(line).collect();
        assert!(Wrapped::of_log(equal.as_bytes()).is_none());
        let between: String = (0..24).map(|step| line(step) + "Validation: loss 0.5\n").collect();
        assert!(Wrapped::of_log(between.as_bytes()).is_none());
        let heading = (0..9).map(|line| format!("some heading {line}\n")).collect::<String>();
        let rows = (0..24).map(|row| format!("0.{row:057} 12\n")).collect::<String>();
        assert!(Wrapped::of_log(format!("{heading}{rows}").as_bytes()).is_none());
        let ruled: String = (0..24).map(|step| format!("{}\nepoch {step} loss 0.5\n", "=".repeat(80))).collect();
        assert!(Wrapped::of_log(ruled.as_bytes()).is_none());
        assert!(Wrapped::of_log(b"step 1 loss 0.5\n").is_none());
    }
}
