//! A walk through JSON text that keeps every number as it is written, `NaN` and `Infinity` included.

/// One value met on the walk.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Leaf<'a> {
    /// A number, as written.
    Number(&'a [u8]),
    /// The inside of a string, escapes as written.
    Text(&'a [u8]),
    /// `true`, `false` or `null`.
    Word,
}

/// Path of a value: its keys and array indices, outermost first.
pub(crate) type Path = Vec<Part>;

/// One part of a path.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Part {
    /// A key of an object.
    Key(String),
    /// An index of an array.
    Index(usize),
}

/// Walks one JSON value that begins at the start of `text`; gives the byte after it, or `None` where it is no JSON.
pub(crate) fn walk(text: &[u8], each: &mut dyn FnMut(&Path, Leaf<'_>)) -> Option<usize> {
    let mut path = Vec::new();
    value(text, blanks(text, 0), &mut path, each)
}

/// A path as a name: `train.loss`, `losses.0`.
pub(crate) fn name(path: &[Part]) -> String {
    let mut name = String::new();
    for part in path {
        if !name.is_empty() {
            name.push('.');
        }
        match part {
            Part::Key(key) => name.push_str(key),
            Part::Index(index) => name.push_str(&index.to_string()),
        }
    }
    name
}

fn blanks(text: &[u8], mut at: usize) -> usize {
    while text.get(at).is_some_and(u8::is_ascii_whitespace) {
        at += 1;
    }
    at
}

fn value(text: &[u8], at: usize, path: &mut Path, each: &mut dyn FnMut(&Path, Leaf<'_>)) -> Option<usize> {
    if path.len() > 64 {
        return None;
    }
    match text.get(at)? {
        b'{' => object(text, at, path, each),
        b'[' => array(text, at, path, each),
        b'"' => {
            let end = string(text, at)?;
            each(path, Leaf::Text(&text[at + 1..end - 1]));
            Some(end)
        }
        _ => word(text, at, path, each),
    }
}

fn object(text: &[u8], at: usize, path: &mut Path, each: &mut dyn FnMut(&Path, Leaf<'_>)) -> Option<usize> {
    let mut at = blanks(text, at + 1);
    if text.get(at) == Some(&b'}') {
        return Some(at + 1);
    }
    loop {
        let end = string(text, at)?;
        path.push(Part::Key(unescape(&text[at + 1..end - 1])));
        at = blanks(text, end);
        if text.get(at) != Some(&b':') {
            return None;
        }
        at = blanks(text, value(text, blanks(text, at + 1), path, each)?);
        path.pop();
        match text.get(at)? {
            b',' => at = blanks(text, at + 1),
            b'}' => return Some(at + 1),
            _ => return None,
        }
    }
}

fn array(text: &[u8], at: usize, path: &mut Path, each: &mut dyn FnMut(&Path, Leaf<'_>)) -> Option<usize> {
    let mut at = blanks(text, at + 1);
    if text.get(at) == Some(&b']') {
        return Some(at + 1);
    }
    for index in 0.. {
        path.push(Part::Index(index));
        at = blanks(text, value(text, at, path, each)?);
        path.pop();
        match text.get(at)? {
            b',' => at = blanks(text, at + 1),
            b']' => return Some(at + 1),
            _ => return None,
        }
    }
    None
}

fn string(text: &[u8], at: usize) -> Option<usize> {
    if text.get(at) != Some(&b'"') {
        return None;
    }
    let mut at = at + 1;
    loop {
        at += memchr::memchr2(b'"', b'\\', text.get(at..)?)?;
        if text[at] == b'"' {
            return Some(at + 1);
        }
        at += 2;
    }
}

fn word(text: &[u8], at: usize, path: &Path, each: &mut dyn FnMut(&Path, Leaf<'_>)) -> Option<usize> {
    let end =
        at + text[at..].iter().take_while(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'+' | b'.')).count();
    let shown = &text[at..end];
    match shown {
        b"" => return None,
        b"true" | b"false" | b"null" | b"None" | b"True" | b"False" => each(path, Leaf::Word),
        _ => {
            super::number::whole(shown)?;
            each(path, Leaf::Number(shown));
        }
    }
    Some(end)
}

/// The text of a JSON string, escapes resolved.
pub(crate) fn unescape(text: &[u8]) -> String {
    let plain = String::from_utf8_lossy(text);
    if !plain.contains('\\') {
        return plain.into_owned();
    }
    serde_json::from_str(&format!("\"{plain}\"")).unwrap_or_else(|_| plain.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_numbers_as_written() {
        let mut seen = Vec::new();
        let text = br#"{"step": 1, "train": {"loss": 2.50, "x": [NaN, -Infinity]}, "t": "a\"b", "n": null} "#;
        let end = walk(text, &mut |path, leaf| {
            if let Leaf::Number(n) = leaf {
                seen.push((name(path), String::from_utf8_lossy(n).into_owned()));
            }
        });
        assert_eq!(end, Some(text.len() - 1));
        let expected = [("step", "1"), ("train.loss", "2.50"), ("train.x.0", "NaN"), ("train.x.1", "-Infinity")]
            .map(|(a, b)| (a.into(), b.into()));
        assert_eq!(seen, expected);
        assert_eq!(walk(br#"{"a": 1"#, &mut |_, _| {}), None);
    }
}
