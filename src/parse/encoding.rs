//! Which encoding a text is in, told by its bytes, and a reader that turns it into UTF-8.

use std::io::{self, Read};

use encoding_rs::{Decoder, EUC_KR, Encoding, GBK, SHIFT_JIS, UTF_8, UTF_16BE, UTF_16LE, WINDOWS_1252};
use memchr::memmem;

/// What the first bytes of a text tell.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Guess {
    /// The name shown to the user.
    pub(crate) name: &'static str,
    code: Code,
    /// Whether a byte order mark stands before the text.
    marked: bool,
}

/// How bytes become characters.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Code {
    /// As the Encoding Standard says.
    Standard(&'static Encoding),
    /// Four bytes for each character, which the standard leaves out; true where the highest byte comes first.
    Four(bool),
    /// UTF-8 as a browser or a reader of documents hands it on, with blanks at which no line may break.
    Copied,
    /// Quoted-printable, as a saved mail keeps its text.
    Quoted,
}

/// The byte order mark in UTF-8.
const MARK: &[u8] = "\u{feff}".as_bytes();

/// Guesses the encoding of a text from its first bytes.
pub(crate) fn guess(head: &[u8]) -> Guess {
    let named = |name, encoding| Guess { name, code: Code::Standard(encoding), marked: head.starts_with(MARK) };
    if let Some(high_first) = four_bytes(head) {
        let name = if high_first { "utf-32be" } else { "utf-32le" };
        return Guess { name, code: Code::Four(high_first), marked: false };
    }
    if head.starts_with(&[0xFF, 0xFE]) {
        return named("utf-16le", UTF_16LE);
    }
    if head.starts_with(&[0xFE, 0xFF]) {
        return named("utf-16be", UTF_16BE);
    }
    if let Some(wide) = wide(head) {
        return wide;
    }
    if is_quoted(head) {
        return Guess { name: "quoted-printable", code: Code::Quoted, marked: false };
    }
    if is_utf8(head) {
        let copied = memmem::find_iter(head, NO_BREAK).filter(|at| !is_grouping(head, *at)).take(COPIED).count();
        let plain = named("utf-8", UTF_8);
        return if copied < COPIED { plain } else { Guess { code: Code::Copied, ..plain } };
    }
    let high = head.iter().filter(|&&b| b >= 0x80).count();
    let valid_wide = String::from_utf8_lossy(head).chars().filter(|c| !c.is_ascii() && *c != '\u{fffd}').count();
    let broken = String::from_utf8_lossy(head).chars().filter(|c| *c == '\u{fffd}').count();
    if valid_wide > broken * 2 || head.contains(&0) {
        return named("utf-8", UTF_8);
    }
    let controls = head.iter().filter(|b| matches!(b, 0x81..=0x9F)).count();
    if controls * 5 >= high && decodes(head, SHIFT_JIS) {
        return named("shift_jis", SHIFT_JIS);
    }
    if even_runs(head) {
        let korean = decoded(head, EUC_KR).chars().filter(|c| ('가'..='힣').contains(c)).count();
        if decodes(head, EUC_KR)
            && ["손실", "에포크", "학습", "정확도", "스텝"].iter().any(|w| decoded(head, EUC_KR).contains(w))
            && korean > 0
        {
            return named("euc-kr", EUC_KR);
        }
        if decodes(head, GBK) {
            return named("gbk", GBK);
        }
    }
    named("latin-1", WINDOWS_1252)
}

/// A blank at which no line may break, and how many of them show that a text was copied.
const NO_BREAK: &[u8] = "\u{a0}".as_bytes();
const COPIED: usize = 8;

/// Bytes around such a blank that tell whether it belongs to a number.
const AROUND: usize = 4;

/// Whether such a blank parts the thousands of a number: `1 234`, and not `03:04:05.678 1234`.
fn is_grouping(text: &[u8], at: usize) -> bool {
    let digits = |bytes: &mut dyn Iterator<Item = &u8>| bytes.take(AROUND).take_while(|b| b.is_ascii_digit()).count();
    let before = digits(&mut text[..at].iter().rev());
    matches!(before, 1..=3) && digits(&mut text[at + NO_BREAK.len()..].iter()) == 3
}

/// Whether every equals sign of a text is written as `=3D`, and lines end in a lone one to go on in the next. Where no line does so,
/// `net=3D` may as well be meant as it stands.
fn is_quoted(head: &[u8]) -> bool {
    let (mut signs, mut joints, mut line) = (0, 0, 0);
    for at in memchr::memchr2_iter(b'=', b'\n', head) {
        match &head[at..] {
            [b'\n', ..] => line = at + 1,
            [b'=', b'3', b'D', rest @ ..] => {
                let parted =
                    head[..at].ends_with(b" ") || rest.first().is_some_and(|b| b.is_ascii_digit() || *b == b'-');
                signs += usize::from(parted);
            }
            [b'=', b'\n', ..] | [b'=', b'\r', b'\n', ..] => joints += usize::from((70..=76).contains(&(at - line))),
            [b'=', a, b, ..] if hex(*a).is_none() || hex(*b).is_none() => return false,
            _ => {}
        }
    }
    signs + joints >= 3
}

/// The worth of a hexadecimal digit as quoted-printable writes it.
fn hex(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

/// Appends what quoted-printable text says, and gives how many bytes of it were read; the last ones may not be told yet.
fn unquote(text: &[u8], last: bool, out: &mut Vec<u8>) -> usize {
    let mut at = 0;
    while at < text.len() {
        let (byte, length) = match &text[at..] {
            [b'=', b'\r', b'\n', ..] => (None, 3),
            [b'=', b'\n', ..] => (None, 2),
            [b'=', a, b, ..] => match (hex(*a), hex(*b)) {
                (Some(high), Some(low)) => (Some(high * 16 + low), 3),
                _ => (Some(b'='), 1),
            },
            [b'=', ..] if !last => break,
            [byte, ..] => (Some(*byte), 1),
            [] => break,
        };
        out.extend(byte);
        at += length;
    }
    at
}

/// UTF-16 without a mark: every other byte of plain text is zero.
fn wide(head: &[u8]) -> Option<Guess> {
    let pairs = head.len() / 2;
    if pairs < 8 {
        return None;
    }
    let zero = |offset: usize| head.iter().skip(offset).step_by(2).filter(|&&b| b == 0).count();
    let (even, odd) = (zero(0), zero(1));
    if odd * 10 > pairs * 6 && even * 20 < pairs {
        return Some(Guess { name: "utf-16le", code: Code::Standard(UTF_16LE), marked: false });
    }
    let high_first = even * 10 > pairs * 6 && odd * 20 < pairs;
    high_first.then_some(Guess { name: "utf-16be", code: Code::Standard(UTF_16BE), marked: false })
}

/// UTF-32: every character of the first ones is below U+110000 and some are plain letters. True where the highest byte comes first.
fn four_bytes(head: &[u8]) -> Option<bool> {
    let whole: Vec<[u8; 4]> = head.chunks_exact(4).take(256).filter_map(|four| four.try_into().ok()).collect();
    if whole.len() < 4 {
        return None;
    }
    let fits = |read: fn([u8; 4]) -> u32| {
        let plain = whole.iter().filter(|four| matches!(read(**four), 9..=0x7e)).count();
        plain * 2 > whole.len() && whole.iter().all(|four| char::from_u32(read(*four)).is_some())
    };
    if fits(u32::from_le_bytes) { Some(false) } else { fits(u32::from_be_bytes).then_some(true) }
}

/// Whether the bytes are UTF-8, a character cut at the end aside.
fn is_utf8(head: &[u8]) -> bool {
    match std::str::from_utf8(head) {
        Ok(_) => true,
        Err(error) => error.error_len().is_none(),
    }
}

fn decoded(head: &[u8], encoding: &'static Encoding) -> String {
    encoding.decode_without_bom_handling(head).0.into_owned()
}

fn decodes(head: &[u8], encoding: &'static Encoding) -> bool {
    let text = decoded(head, encoding);
    // The last character of the head may be cut.
    text.chars().filter(|c| *c == '\u{fffd}').count() <= 1
}

/// Whether nearly all runs of high bytes have an even length, as in two-byte encodings.
fn even_runs(head: &[u8]) -> bool {
    let (mut even, mut all) = (0, 0);
    for run in head.split(|b| *b < 0x80).filter(|run| !run.is_empty()) {
        all += 1;
        even += usize::from(run.len() % 2 == 0);
    }
    all > 0 && even * 10 >= all * 9
}

impl Guess {
    /// Whether the text needs no conversion: a byte order mark has to go.
    pub(crate) fn is_utf8(self) -> bool {
        self.code == Code::Standard(UTF_8) && !self.marked
    }
}

/// Turns bytes into UTF-8, whatever pieces they come in.
enum Turn {
    Standard(Decoder),
    /// The bytes of a character that is not complete yet, and whether the highest byte comes first.
    Four(Vec<u8>, bool),
    /// The bytes that were handed on last, and those behind them that cannot be told yet.
    Copied(Vec<u8>),
    /// The beginning of what one byte is written as.
    Quoted(Vec<u8>),
}

impl Turn {
    fn turn(&mut self, bytes: &[u8], last: bool, out: &mut Vec<u8>) {
        match self {
            Self::Standard(decoder) => {
                let room = decoder.max_utf8_buffer_length(bytes.len()).unwrap_or(bytes.len() * 4 + 16);
                out.resize(room, 0);
                let (_, _, written, _) = decoder.decode_to_utf8(bytes, out, last);
                out.truncate(written);
            }
            Self::Four(held, high_first) => {
                out.clear();
                held.extend_from_slice(bytes);
                let mut text = String::new();
                for four in held.chunks_exact(4).filter_map(|four| four.try_into().ok()) {
                    let code = if *high_first { u32::from_be_bytes(four) } else { u32::from_le_bytes(four) };
                    text.extend(
                        char::from_u32(code).or(Some(char::REPLACEMENT_CHARACTER)).filter(|c| *c != '\u{feff}'),
                    );
                }
                out.extend_from_slice(text.as_bytes());
                held.drain(..held.len() / 4 * 4);
            }
            Self::Copied(held) => {
                out.clear();
                held.extend_from_slice(bytes);
                // The byte before a blank and the one behind it tell what it is for.
                let end = if last { held.len() } else { held.len().saturating_sub(NO_BREAK.len() + AROUND) };
                let mut at = AROUND;
                while at < end {
                    let blank = held[at..].starts_with(NO_BREAK) && !is_grouping(held, at);
                    out.push(if blank { b' ' } else { held[at] });
                    at += if blank { NO_BREAK.len() } else { 1 };
                }
                held.drain(..at - AROUND);
            }
            Self::Quoted(held) => {
                out.clear();
                held.extend_from_slice(bytes);
                let read = unquote(held, last, out);
                held.drain(..read);
            }
        }
    }
}

/// Turns a text into UTF-8 while it is read.
pub(crate) struct Converted<R> {
    source: R,
    decoder: Turn,
    raw: Vec<u8>,
    ready: Vec<u8>,
    at: usize,
    done: bool,
}

impl<R: Read> Converted<R> {
    /// Reads `source`, which is in the guessed encoding.
    pub(crate) fn new(source: R, guess: Guess) -> Self {
        let decoder = match guess.code {
            Code::Standard(encoding) => Turn::Standard(encoding.new_decoder_with_bom_removal()),
            Code::Four(high_first) => Turn::Four(Vec::new(), high_first),
            Code::Copied => Turn::Copied(vec![b'\n'; AROUND]),
            Code::Quoted => Turn::Quoted(Vec::new()),
        };
        Self { source, decoder, raw: vec![0; 64 << 10], ready: Vec::new(), at: 0, done: false }
    }

    fn fill(&mut self) -> io::Result<()> {
        let read = self.source.read(&mut self.raw)?;
        self.done = read == 0;
        self.decoder.turn(&self.raw[..read], self.done, &mut self.ready);
        self.at = 0;
        Ok(())
    }
}

impl<R: Read> Read for Converted<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        while self.at == self.ready.len() && !self.done {
            self.fill()?;
        }
        let count = out.len().min(self.ready.len() - self.at);
        out[..count].copy_from_slice(&self.ready[self.at..self.at + count]);
        self.at += count;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_encodings_by_their_bytes() {
        let utf16: Vec<u8> = "step 1 loss 0.5\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
        assert_eq!(guess(&utf16).name, "utf-16le");
        let wide =
            |turn: fn(u32) -> [u8; 4]| "step 1 损失 0.5".chars().flat_map(|c| turn(u32::from(c))).collect::<Vec<u8>>();
        assert_eq!(guess(&wide(u32::to_le_bytes)).name, "utf-32le");
        assert_eq!(guess(&wide(u32::to_be_bytes)).name, "utf-32be");
        assert_eq!(guess("步 1 损失 0.5".as_bytes()).name, "utf-8");
        for (text, encoding, name) in [
            ("エポック 1 損失: 0.5\nエポック 2 損失: 0.4\n", SHIFT_JIS, "shift_jis"),
            ("第1轮 损失: 0.5 准确率: 0.3\n", GBK, "gbk"),
            ("에포크 1 손실: 0.5\n", EUC_KR, "euc-kr"),
            ("époque 1 perte: 0.5 précision: 0.3\n", WINDOWS_1252, "latin-1"),
            ("Época 1 pérdida: 0,5\n", WINDOWS_1252, "latin-1"),
        ] {
            assert_eq!(guess(&encoding.encode(text).0).name, name, "{text}");
        }
        let copied = |blank: &str| guess(format!("step 1{blank}loss 0.5\n").repeat(9).as_bytes()).is_utf8();
        assert!(!copied("\u{a0}") && copied(" ") && copied(" 1\u{a0}234 "));
        assert_eq!(guess("loss 0.5 ✓ fine ✓ good ✓ \u{fffd}".replace('\u{fffd}', "").as_bytes()).name, "utf-8");
    }

    #[test]
    fn converts_while_reading() {
        let text = "第1轮 损失: 0.5 of it\n".repeat(20_000);
        let wide = format!("\u{feff}{text}").chars().flat_map(|c| u32::from(c).to_be_bytes()).collect::<Vec<u8>>();
        let copied = "step 1\u{a0}234\u{a0} loss\u{a0}0.5 µ\n".repeat(20_000);
        let mut out = String::new();
        let mut reader =
            Converted::new((&copied.as_bytes()[..7]).chain(&copied.as_bytes()[7..]), guess(copied.as_bytes()));
        reader.read_to_string(&mut out).expect("reads");
        assert_eq!(out, "step 1\u{a0}234  loss 0.5 µ\n".repeat(20_000), "a number keeps its blank");
        let (mut out, mail) = (String::new(), "loss =3D 0.=\n5 =C2=B5 =3D=\r\n=3D\n".repeat(20_000));
        let mut reader = Converted::new((&mail.as_bytes()[..6]).chain(&mail.as_bytes()[6..]), guess(mail.as_bytes()));
        reader.read_to_string(&mut out).expect("reads");
        assert_eq!(out, "loss = 0.5 µ ==\n".repeat(20_000), "a mail");
        let plain = ["net=3D net=3D net =3D2 lr=0.1\n", "net=3D net=3D net=3D\n", "=====\nlr=\n0.1\n"];
        assert!(plain.iter().all(|text| guess(text.repeat(9).as_bytes()).is_utf8()));
        for bytes in [GBK.encode(&text).0.into_owned(), wide] {
            let mut out = String::new();
            // A source that gives odd pieces.
            let mut reader = Converted::new((&bytes[..7]).chain(&bytes[7..]), guess(&bytes));
            reader.read_to_string(&mut out).expect("reads");
            assert_eq!(out, text);
        }
    }
}
