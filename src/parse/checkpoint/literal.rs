//! The one line of Python that an npy header is: a dictionary of strings, truth values and tuples of whole numbers.

/// A value of that line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Literal {
    /// A string.
    Text(String),
    /// `True` or `False`.
    Bool(bool),
    /// A whole number.
    Int(u64),
    /// A tuple or list.
    Tuple(Vec<Literal>),
}

/// The deepest nesting that is read.
const DEEPEST: usize = 16;

/// The entries of a dictionary; `None` where it is anything else.
pub fn dictionary(text: &str) -> Option<Vec<(String, Literal)>> {
    let mut rest = Rest(text);
    rest.take("{")?;
    let mut entries = Vec::new();
    while rest.take("}").is_none() {
        let Literal::Text(key) = rest.value(0)? else { return None };
        rest.take(":")?;
        entries.push((key, rest.value(0)?));
        if rest.take(",").is_none() {
            rest.take("}")?;
            break;
        }
    }
    Some(entries)
}

struct Rest<'a>(&'a str);

impl Rest<'_> {
    fn take(&mut self, token: &str) -> Option<()> {
        self.0 = self.0.trim_start().strip_prefix(token)?;
        Some(())
    }

    fn value(&mut self, depth: usize) -> Option<Literal> {
        self.0 = self.0.trim_start();
        match self.0.chars().next()? {
            quote @ ('\'' | '"') => {
                let (text, rest) = self.0[1..].split_once(quote)?;
                self.0 = rest;
                Some(Literal::Text(text.to_owned()))
            }
            '(' | '[' if depth < DEEPEST => self.tuple(depth),
            'T' => self.take("True").map(|()| Literal::Bool(true)),
            'F' => self.take("False").map(|()| Literal::Bool(false)),
            _ => {
                let end = self.0.find(|c: char| !c.is_ascii_digit()).unwrap_or(self.0.len());
                let number = self.0[..end].parse().ok()?;
                // Python 2 wrote long integers with an L.
                self.0 = self.0[end..].trim_start_matches('L');
                Some(Literal::Int(number))
            }
        }
    }

    fn tuple(&mut self, depth: usize) -> Option<Literal> {
        let close = if self.0.starts_with('(') { ")" } else { "]" };
        self.0 = &self.0[1..];
        let mut items = Vec::new();
        while self.take(close).is_none() {
            items.push(self.value(depth + 1)?);
            if self.take(",").is_none() {
                self.take(close)?;
                break;
            }
        }
        Some(Literal::Tuple(items))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_header_that_numpy_writes() {
        let read = dictionary("{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }  \n").expect("a dictionary");
        assert_eq!(read[0], ("descr".to_owned(), Literal::Text("<f4".to_owned())));
        assert_eq!(read[1].1, Literal::Bool(false));
        assert_eq!(read[2].1, Literal::Tuple(vec![Literal::Int(3), Literal::Int(4)]));
    }

    #[test]
    fn anything_else_is_none() {
        for text in ["", "{", "{'a'", "{'a': __import__('os')}", "{'a': ((((((((((((((((((((1))))}", "[1]"] {
            assert_eq!(dictionary(text), None, "{text}");
        }
    }
}
