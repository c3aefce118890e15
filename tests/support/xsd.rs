//! Holds XML to a schema, as far as the schema of JUnit goes: elements with attributes, a choice of children, text or not.

use std::collections::BTreeMap;

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

/// What the schema says of one element.
#[derive(Debug, Default)]
struct Rule {
    attributes: BTreeMap<String, Attribute>,
    children: Vec<String>,
    text: bool,
}

#[derive(Debug)]
struct Attribute {
    required: bool,
    pattern: Option<regex::Regex>,
}

/// The schema: a rule per element.
#[derive(Debug)]
pub struct Schema(BTreeMap<String, Rule>);

fn attributes(tag: &BytesStart) -> BTreeMap<String, String> {
    tag.attributes()
        .map(|attribute| {
            let attribute = attribute.expect("well-formed attributes");
            let name = attribute.key.as_ref().to_owned();
            (name, quick_xml::escape::unescape(&attribute.value).expect("known entities").into_owned())
        })
        .collect()
}

fn name(tag: &BytesStart) -> String {
    tag.name().as_ref().to_owned()
}

impl Schema {
    /// Reads the part of XML Schema that JUnit's schema uses.
    pub fn read(xsd: &str) -> Self {
        let mut types: BTreeMap<String, Rule> = BTreeMap::new();
        let mut rules: BTreeMap<String, Rule> = BTreeMap::new();
        let mut patterns: BTreeMap<String, regex::Regex> = BTreeMap::new();
        let mut typed: Vec<(String, String)> = Vec::new();
        // The named thing that is being described, and how deep it began.
        let mut current: Option<(String, bool, usize)> = None;
        let mut simple = String::new();
        let mut depth = 0;
        let mut reader = Reader::from_str(xsd);
        loop {
            let (tag, open) = match reader.read_event().expect("a well-formed schema") {
                Event::Start(tag) => (tag, true),
                Event::Empty(tag) => (tag, false),
                Event::End(_) => {
                    depth -= 1;
                    if current.as_ref().is_some_and(|(.., at)| *at == depth) {
                        current = None;
                    }
                    continue;
                }
                Event::Eof => break,
                _ => continue,
            };
            let said = attributes(&tag);
            let get = |key: &str| said.get(key).cloned();
            let kind = name(&tag);
            let rule = |current: &Option<(String, bool, usize)>| current.clone();
            match (kind.as_str(), rule(&current)) {
                ("xs:element" | "xs:complexType", None) => {
                    let (is_type, called) = (kind == "xs:complexType", get("name").expect("a name"));
                    let into = if is_type { &mut types } else { &mut rules };
                    into.insert(called.clone(), Rule { text: said.contains_key("mixed"), ..Rule::default() });
                    if let Some(of) = get("type") {
                        typed.push((called.clone(), of));
                    }
                    if open {
                        current = Some((called, is_type, depth));
                    }
                }
                ("xs:simpleType", None) => simple = get("name").expect("a name"),
                ("xs:pattern", None) => {
                    let pattern = format!("^(?:{})$", get("value").expect("a value"));
                    patterns.insert(simple.clone(), regex::Regex::new(&pattern).expect("a pattern"));
                }
                (_, Some((called, is_type, _))) => {
                    let into = if is_type { &mut types } else { &mut rules };
                    let rule = into.get_mut(&called).expect("inserted above");
                    match kind.as_str() {
                        "xs:complexType" => rule.text = get("mixed").is_some_and(|mixed| mixed == "true"),
                        "xs:attribute" => {
                            let required = get("use").is_some_and(|of| of == "required");
                            let pattern = get("type").and_then(|of| patterns.get(&of).cloned());
                            rule.attributes.insert(get("name").expect("a name"), Attribute { required, pattern });
                        }
                        "xs:element" => rule.children.push(get("ref").or(get("name")).expect("a name")),
                        _ => {}
                    }
                }
                _ => {}
            }
            if open {
                depth += 1;
            }
        }
        for (element, of) in typed {
            let rule = match types.remove(&of) {
                Some(rule) => rule,
                None => Rule { text: true, ..Rule::default() },
            };
            rules.insert(element, rule);
        }
        Self(rules)
    }

    /// What is wrong with the document; nothing for a valid one. Fails on XML that is not well-formed.
    pub fn errors(&self, document: &str) -> Vec<String> {
        let mut errors = Vec::new();
        let mut open: Vec<String> = Vec::new();
        let mut reader = Reader::from_str(document);
        loop {
            match reader.read_event().expect("well-formed XML") {
                Event::Start(tag) => {
                    self.check(&tag, open.last(), &mut errors);
                    open.push(name(&tag));
                }
                Event::Empty(tag) => self.check(&tag, open.last(), &mut errors),
                Event::End(_) => drop(open.pop()),
                Event::Text(text) => {
                    let text: &str = &text;
                    let allowed = open.last().and_then(|name| self.0.get(name)).is_some_and(|rule| rule.text);
                    if !allowed && !text.trim().is_empty() {
                        errors.push(format!("text in {open:?}: {text}"));
                    }
                    if text.chars().any(
                        |c| matches!(c, '\0'..='\x08' | '\x0b' | '\x0c' | '\x0e'..='\x1f' | '\u{fffe}' | '\u{ffff}'),
                    ) {
                        errors.push(format!("a character that XML forbids in {open:?}"));
                    }
                }
                Event::Eof => break,
                Event::Decl(_) | Event::GeneralRef(_) => {}
                other => errors.push(format!("unexpected {other:?}")),
            }
        }
        errors
    }

    fn check(&self, tag: &BytesStart, parent: Option<&String>, errors: &mut Vec<String>) {
        let name = name(tag);
        let Some(rule) = self.0.get(&name) else {
            errors.push(format!("unknown element {name}"));
            return;
        };
        if let Some(parent) = parent
            && !self.0.get(parent).is_some_and(|rule| rule.children.contains(&name))
        {
            errors.push(format!("{name} in {parent}"));
        }
        let said = attributes(tag);
        for (key, value) in &said {
            match rule.attributes.get(key) {
                None => errors.push(format!("{name} has no attribute {key}")),
                Some(Attribute { pattern: Some(pattern), .. }) if !pattern.is_match(value) => {
                    errors.push(format!("{key}=\"{value}\" of {name}"));
                }
                _ => {}
            }
        }
        for (key, _) in rule.attributes.iter().filter(|(key, rule)| rule.required && !said.contains_key(*key)) {
            errors.push(format!("{name} lacks {key}"));
        }
    }
}

#[test]
fn the_check_finds_what_is_wrong() {
    let xsd = include_str!("../schemas/junit-10.xsd");
    let schema = Schema::read(xsd);
    let errors = |xml: &str| schema.errors(xml);
    assert!(
        errors(r#"<testsuites><testsuite name="a" tests="1" failures="0" errors="0" time="1.250"/></testsuites>"#)
            .is_empty()
    );
    assert_eq!(errors(r#"<testsuites time="x"/>"#), [r#"time="x" of testsuites"#]);
    assert_eq!(errors(r#"<testsuites><testcase name="a"/></testsuites>"#), ["testcase in testsuites"]);
    assert_eq!(errors(r#"<testcase size="1">text</testcase>"#).len(), 3);
    assert_eq!(
        errors(r#"<properties><property name="a" value="b"/><nonsense/></properties>"#),
        ["unknown element nonsense"]
    );
}
