//! A pickle to a tree of plain values.
//!
//! A pickle is a program for a small machine. This one knows the machine's stack and memory, and nothing that it could
//! run: a name stays a name, a call becomes a description ([`globals`]). Steps, stack and memory are bounded by the
//! length of the pickle and by [`MOST_ITEMS`].

use std::collections::HashMap;

use super::globals;
use super::tree::{Item, Node, Tree};

/// Most values that a pickle may make.
const MOST_ITEMS: usize = 8_000_000;

/// Reads a pickle; gives its value.
pub fn read(bytes: &[u8], tree: &mut Tree) -> Result<Item, String> {
    let mut machine =
        Machine { bytes, at: 0, stack: Vec::new(), marks: Vec::new(), memo: HashMap::new(), tree, made: 0 };
    loop {
        let at = machine.at;
        match machine.step() {
            Ok(None) => {}
            Ok(Some(value)) => return Ok(value),
            Err(what) => return Err(format!("the pickle is damaged or unusual at byte {at}: {what}")),
        }
    }
}

struct Machine<'a> {
    bytes: &'a [u8],
    at: usize,
    stack: Vec<Item>,
    marks: Vec<usize>,
    memo: HashMap<u64, Item>,
    tree: &'a mut Tree,
    made: usize,
}

type Step<T = ()> = Result<T, String>;

impl Machine<'_> {
    /// Takes one step; gives the value at the end.
    fn step(&mut self) -> Step<Option<Item>> {
        let code = self.take(1)?[0];
        match code {
            b'.' => return self.pop().map(Some),
            0x80 => drop(self.take(1)?),
            0x95 => drop(self.take(8)?),
            b'(' => self.marks.push(self.stack.len()),
            b'0' => drop(self.pop()?),
            b'1' => drop(self.since_mark()?),
            b'2' => {
                let top = self.top()?;
                self.push(top)?;
            }
            b'N' => self.push(Item::None)?,
            0x88 => self.push(Item::Bool(true))?,
            0x89 => self.push(Item::Bool(false))?,
            b'I' | b'L' | b'J' | b'K' | b'M' | 0x8a | 0x8b | b'F' | b'G' => self.number(code)?,
            b'S' | b'T' | b'U' | b'V' | b'X' | 0x8c | 0x8d => self.text(code)?,
            b'B' | b'C' | 0x8e | 0x96 => self.raw(code)?,
            b']' | b')' | b'}' | 0x8f => self.empty(code)?,
            b'l' | b't' | b'd' | 0x91 => self.gathered(code)?,
            0x85..=0x87 => self.tuple(usize::from(code - 0x84))?,
            b'a' | b'e' | b's' | b'u' | 0x90 => self.extend(code)?,
            b'p' | b'q' | b'r' | 0x94 => self.remember(code)?,
            b'g' | b'h' | b'j' => self.recall(code)?,
            b'c' | 0x93 => self.global(code)?,
            b'R' | 0x81 | 0x92 | b'i' | b'o' => self.call(code)?,
            b'b' => {
                let state = self.pop()?;
                let object = self.top()?;
                self.charge(self.weight(state, true))?;
                globals::build(self.tree, object, state);
            }
            b'Q' => {
                let id = self.pop()?;
                let storage = self.storage(id)?;
                self.push(storage)?;
            }
            other => return Err(format!("the instruction {other:#04x} is not read")),
        }
        Ok(None)
    }

    fn take(&mut self, count: usize) -> Step<&[u8]> {
        let end = self.at.checked_add(count).filter(|end| *end <= self.bytes.len());
        let taken = end.and_then(|end| self.bytes.get(self.at..end)).ok_or("it ends too early")?;
        self.at += count;
        Ok(taken)
    }

    fn unsigned(&mut self, bytes: usize) -> Step<u64> {
        let taken = self.take(bytes)?;
        Ok(taken.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte)))
    }

    fn length(&mut self, bytes: usize) -> Step<usize> {
        usize::try_from(self.unsigned(bytes)?).map_err(|_| "a length beyond all measure".to_owned())
    }

    fn line(&mut self) -> Step<String> {
        let rest = &self.bytes[self.at..];
        let end = memchr::memchr(b'\n', rest).ok_or("it ends too early")?;
        let line = String::from_utf8_lossy(&rest[..end]).trim_end_matches('\r').to_owned();
        self.at += end + 1;
        Ok(line)
    }

    fn push(&mut self, item: Item) -> Step {
        self.charge(1)?;
        self.stack.push(item);
        Ok(())
    }

    /// Counts values that were made: a call may copy what it is given, and the same can be given to many calls.
    fn charge(&mut self, values: usize) -> Step {
        self.made = self.made.saturating_add(values);
        if self.made > MOST_ITEMS { Err(format!("it makes more than {MOST_ITEMS} values")) } else { Ok(()) }
    }

    /// How many values a copy of an item takes, and of the items in it.
    fn weight(&self, item: Item, deep: bool) -> usize {
        match self.tree.node(item) {
            Some(Node::Tuple(items) | Node::List(items) | Node::Set(items)) => {
                let inner = |items: &[Item]| items.iter().map(|item| self.weight(*item, false)).sum::<usize>();
                items.len() + if deep { inner(items) } else { 0 }
            }
            Some(Node::Dict(entries)) => 2 * entries.len(),
            Some(Node::Text(text) | Node::Long(text)) => text.len() / 16,
            Some(Node::Global { module, name }) => (module.len() + name.len()) / 16,
            Some(Node::NumpyType { letters, .. }) => letters.len() / 16,
            _ => 0,
        }
    }

    fn add(&mut self, node: Node) -> Step {
        let item = self.tree.add(node);
        self.push(item)
    }

    fn pop(&mut self) -> Step<Item> {
        // What stands below a mark is not to be had before the mark is.
        if self.marks.last().is_some_and(|mark| *mark >= self.stack.len()) {
            return Err("it takes more than there is".to_owned());
        }
        self.stack.pop().ok_or_else(|| "it takes more than there is".to_owned())
    }

    fn top(&self) -> Step<Item> {
        self.stack.last().copied().ok_or_else(|| "it takes more than there is".to_owned())
    }

    fn since_mark(&mut self) -> Step<Vec<Item>> {
        let mark = self.marks.pop().ok_or("a mark is missing")?;
        if mark > self.stack.len() {
            return Err("a mark is in the wrong place".to_owned());
        }
        Ok(self.stack.split_off(mark))
    }

    fn number(&mut self, code: u8) -> Step {
        let item = match code {
            b'K' => Item::Int(self.unsigned(1)?.cast_signed()),
            b'M' => Item::Int(self.unsigned(2)?.cast_signed()),
            b'J' => Item::Int(i64::from((self.unsigned(4)? as u32).cast_signed())),
            b'G' => Item::Float(f64::from_be_bytes(*self.take(8)?.first_chunk().ok_or("it ends too early")?)),
            b'F' => Item::Float(self.line()?.trim().parse().map_err(|_| "a number that is none")?),
            b'I' => match self.line()?.trim() {
                "00" => Item::Bool(false),
                "01" => Item::Bool(true),
                text => self.whole(text),
            },
            b'L' => {
                let line = self.line()?;
                self.whole(line.trim().trim_end_matches('L'))
            }
            _ => {
                let length = self.length(if code == 0x8a { 1 } else { 4 })?;
                let bytes = self.take(length)?.to_vec();
                self.long(&bytes)
            }
        };
        self.push(item)
    }

    fn whole(&mut self, text: &str) -> Item {
        text.parse().map_or_else(|_| self.tree.add(Node::Long(text.to_owned())), Item::Int)
    }

    /// A whole number in two's complement, the lowest byte first.
    fn long(&mut self, bytes: &[u8]) -> Item {
        let negative = bytes.last().is_some_and(|byte| byte & 0x80 != 0);
        if bytes.len() <= 8 {
            let mut whole = if negative { [0xff; 8] } else { [0; 8] };
            whole[..bytes.len()].copy_from_slice(bytes);
            return Item::Int(i64::from_le_bytes(whole));
        }
        let digits: String = bytes.iter().rev().map(|byte| format!("{byte:02x}")).collect();
        // In words of its own bytes: no arithmetic is needed to tell two of them apart.
        self.tree.add(Node::Long(format!("{}0x{digits}", if negative { "two's complement " } else { "" })))
    }

    fn text(&mut self, code: u8) -> Step {
        let text = match code {
            b'S' => {
                let line = self.line()?;
                let line = line.trim();
                let inner = line.get(1..line.len().saturating_sub(1)).unwrap_or_default();
                inner.to_owned()
            }
            b'V' => unescaped(&self.line()?),
            b'T' | b'U' => {
                let length = self.length(if code == b'T' { 4 } else { 1 })?;
                // Strings of Python 2: bytes, read as Latin-1, which loses nothing.
                self.take(length)?.iter().map(|byte| char::from(*byte)).collect()
            }
            _ => {
                let wide = match code {
                    0x8c => 1,
                    b'X' => 4,
                    _ => 8,
                };
                let length = self.length(wide)?;
                String::from_utf8_lossy(self.take(length)?).into_owned()
            }
        };
        self.add(Node::Text(text))
    }

    fn raw(&mut self, code: u8) -> Step {
        let wide = match code {
            b'C' => 1,
            b'B' => 4,
            _ => 8,
        };
        let length = self.length(wide)?;
        let bytes = self.take(length)?.into();
        self.add(Node::Bytes(bytes))
    }

    fn empty(&mut self, code: u8) -> Step {
        self.add(match code {
            b']' => Node::List(Vec::new()),
            b')' => Node::Tuple(Vec::new()),
            b'}' => Node::Dict(Vec::new()),
            _ => Node::Set(Vec::new()),
        })
    }

    fn gathered(&mut self, code: u8) -> Step {
        let items = self.since_mark()?;
        self.add(match code {
            b'l' => Node::List(items),
            b't' => Node::Tuple(items),
            b'd' => Node::Dict(pairs(&items)?),
            _ => Node::Set(items),
        })
    }

    fn tuple(&mut self, count: usize) -> Step {
        let mut items = Vec::with_capacity(count);
        for _ in 0..count {
            items.push(self.pop()?);
        }
        items.reverse();
        self.add(Node::Tuple(items))
    }

    /// Adds to the list, dictionary or set on top.
    fn extend(&mut self, code: u8) -> Step {
        let items = match code {
            b'a' => vec![self.pop()?],
            b's' => {
                let value = self.pop()?;
                vec![self.pop()?, value]
            }
            _ => self.since_mark()?,
        };
        let keyed = matches!(code, b's' | b'u');
        let container = self.top()?;
        match (self.tree.node_mut(container), keyed) {
            (Some(Node::Dict(entries) | Node::Opaque { entries, .. }), true) => entries.extend(pairs(&items)?),
            (Some(Node::List(list) | Node::Set(list)), false) => list.extend(items),
            (Some(Node::Opaque { entries, .. }), false) => {
                let first = entries.len() as i64;
                entries.extend((first..).map(Item::Int).zip(items));
            }
            _ => return Err("it adds to something that holds nothing".to_owned()),
        }
        Ok(())
    }

    fn remember(&mut self, code: u8) -> Step {
        let key = match code {
            b'p' => self.line()?.trim().parse().map_err(|_| "a place in memory that is none")?,
            b'q' => self.unsigned(1)?,
            b'r' => self.unsigned(4)?,
            _ => self.memo.len() as u64,
        };
        let top = self.top()?;
        self.memo.insert(key, top);
        Ok(())
    }

    fn recall(&mut self, code: u8) -> Step {
        let key = match code {
            b'g' => self.line()?.trim().parse().map_err(|_| "a place in memory that is none")?,
            b'h' => self.unsigned(1)?,
            _ => self.unsigned(4)?,
        };
        let item = *self.memo.get(&key).ok_or("it recalls what was never kept")?;
        self.push(item)
    }

    fn global(&mut self, code: u8) -> Step {
        let (module, name) = if code == b'c' {
            (self.line()?, self.line()?)
        } else {
            let (name, module) = (self.pop()?, self.pop()?);
            self.charge(self.weight(name, false) + self.weight(module, false))?;
            let text = |item| self.tree.text(item).map(str::to_owned).ok_or("a name that is no text");
            (text(module)?, text(name)?)
        };
        self.add(Node::Global { module, name })
    }

    fn call(&mut self, code: u8) -> Step {
        let (callable, arguments) = match code {
            b'R' | 0x81 => {
                let arguments = self.pop()?;
                (self.pop()?, arguments)
            }
            0x92 => {
                let (keywords, arguments) = (self.pop()?, self.pop()?);
                (self.pop()?, self.tree.add(Node::Tuple(vec![arguments, keywords])))
            }
            b'i' => {
                let (module, name) = (self.line()?, self.line()?);
                let arguments = self.since_mark()?;
                (self.tree.add(Node::Global { module, name }), self.tree.add(Node::Tuple(arguments)))
            }
            _ => {
                let mut items = self.since_mark()?;
                if items.is_empty() {
                    return Err("a call of nothing".to_owned());
                }
                let callable = items.remove(0);
                (callable, self.tree.add(Node::Tuple(items)))
            }
        };
        self.charge(self.weight(callable, false) + self.weight(arguments, true))?;
        let made = globals::call(self.tree, callable, arguments);
        self.push(made)
    }

    /// What a persistent id stands for: a storage of torch.
    fn storage(&mut self, id: Item) -> Step<Item> {
        let storage = (|| {
            let &[kind, class, key, _, length] = self.tree.sequence(id)? else { return None };
            if self.tree.text(kind)? != "storage" {
                return None;
            }
            let Node::Global { name, .. } = self.tree.node(class)? else { return None };
            let dtype = globals::storage_dtype(name);
            // Names of files in the archive are short.
            let long = self.tree.text(key)?.len() > 256;
            if long || dtype.is_none() && name != "UntypedStorage" {
                return None;
            }
            let (key, length) = (self.tree.text(key)?.to_owned(), self.tree.count(length)?);
            Some(Node::Storage { key, dtype, length })
        })();
        Ok(match storage {
            Some(storage) => self.tree.add(storage),
            None => globals::opaque(self.tree, "something kept outside of the pickle".to_owned(), id),
        })
    }
}

fn pairs(items: &[Item]) -> Step<Vec<(Item, Item)>> {
    if items.len() % 2 == 1 {
        return Err("a key without a value".to_owned());
    }
    Ok(items.chunks_exact(2).map(|pair| (pair[0], pair[1])).collect())
}

/// Text with `\uXXXX` and `\UXXXXXXXX` in it.
fn unescaped(text: &str) -> String {
    let (mut plain, mut rest) = (String::new(), text);
    while let Some(at) = rest.find("\\u").into_iter().chain(rest.find("\\U")).min() {
        let wide = if rest[at + 1..].starts_with('u') { 4 } else { 8 };
        let code = rest.get(at + 2..at + 2 + wide).and_then(|digits| u32::from_str_radix(digits, 16).ok());
        plain.push_str(&rest[..at]);
        match code {
            Some(code) => {
                plain.push(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER));
                rest = &rest[at + 2 + wide..];
            }
            None => {
                plain.push_str(&rest[at..at + 2]);
                rest = &rest[at + 2..];
            }
        }
    }
    plain + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(bytes: &[u8]) -> Result<(Tree, Item), String> {
        let mut tree = Tree::default();
        read(bytes, &mut tree).map(|item| (tree, item))
    }

    #[test]
    fn a_call_of_the_system_becomes_a_description() {
        let (tree, item) = of(b"cos\nsystem\n(S'echo pwned'\ntR.").expect("it can be read");
        let Some(Node::Opaque { what, .. }) = tree.node(item) else { panic!("{:?}", tree.node(item)) };
        assert_eq!(what, "os.system");
    }

    #[test]
    fn damaged_pickles_are_errors() {
        for bytes in
            [&b""[..], b".", b"(", b"(t", b"R.", b"h\x05.", b"X\xff\xff\xff\xff.", b"]K\x01s.", b"(K\x01d.", b"\x82."]
        {
            assert!(of(bytes).is_err(), "{bytes:?}");
        }
    }

    #[test]
    fn nesting_of_any_depth_neither_overflows_nor_lasts() {
        let mut bytes = vec![b']'; 1_000_000];
        bytes.extend(std::iter::repeat_n(b'a', 999_999));
        bytes.push(b'.');
        assert!(of(&bytes).is_ok());
    }

    #[test]
    fn copies_of_one_long_tuple_are_counted() {
        let mut bytes = b"(".to_vec();
        bytes.extend(std::iter::repeat_n(b'N', 100_000));
        bytes.extend(b"tq\x00\x85q\x010ctorch\nSize\nq\x02");
        for _ in 0..1000 {
            bytes.extend(b"h\x02h\x01R");
        }
        bytes.push(b'.');
        assert!(of(&bytes).is_err_and(|what| what.contains("more than")));
    }

    #[test]
    fn long_numbers_are_kept() {
        let (_, item) = of(b"\x8a\x02\xff\x7f.").expect("a number");
        assert_eq!(item, Item::Int(32767));
        let (_, item) = of(b"\x8a\x01\xff.").expect("a number");
        assert_eq!(item, Item::Int(-1));
        let (tree, item) = of(b"\x8a\x09\x00\x00\x00\x00\x00\x00\x00\x00\x01.").expect("a number");
        assert!(matches!(tree.node(item), Some(Node::Long(text)) if text == "0x010000000000000000"));
    }

    #[test]
    fn escapes_in_text_are_undone() {
        assert_eq!(unescaped("a\\u00e9b\\U0001F600\\n"), "aéb😀\\n");
    }
}
