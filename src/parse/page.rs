//! Log format `html`: a saved page that holds what a program printed, or a table of metrics.

use super::console::Console;
use super::format::{LogFormat, Reader, Sample};
use super::frames::{Frames, Reads};
use super::markup::Markup;
use super::options::Options;
use super::sink::Sink;
use crate::model::Candidate;

/// A web page: the console of a CI server, a report.
pub(crate) struct Page;

impl LogFormat for Page {
    fn id(&self) -> &'static str {
        "html"
    }

    fn describe(&self) -> &'static str {
        "web pages that hold console output or tables (saved pages of CI servers, reports)"
    }

    fn score(&self, sample: &Sample<'_>) -> Candidate {
        let text = sample.head.strip_prefix("\u{feff}".as_bytes()).unwrap_or(sample.head).trim_ascii_start();
        let begins = |tag: &&str| text.get(..tag.len()).is_some_and(|head| head.eq_ignore_ascii_case(tag.as_bytes()));
        let found = ["<!doctype html", "<html", "<table", "<pre"].iter().find(|tag| begins(tag));
        // A part of a page, as a browser copies it.
        let within = || begins(&"<div") && memchr::memmem::find(&text[..text.len().min(4096)], b"<pre").is_some();
        let found = found.or_else(|| within().then_some(&"<div"));
        let (score, why) = match found {
            Some(tag) => (0.95, format!("begins with `{tag}`")),
            None => (0.0, "does not begin as a web page does".into()),
        };
        Candidate { format: self.id().into(), score, why }
    }

    fn reader(&self, _options: &Options) -> Box<dyn Reader> {
        Box::new(PageReader::default())
    }
}

/// Lines of text that are waited for: they show what all lines are wrapped in.
const FIRST: usize = 128;

/// Reads the text of a page as a console's output.
#[derive(Clone, Debug, Default)]
struct PageReader {
    begun: bool,
    markup: Markup,
    lines: Vec<(u64, Vec<u8>)>,
    frames: Frames,
    console: Console,
}

impl PageReader {
    fn read_lines(&mut self, sink: &mut Sink) {
        if !self.begun {
            self.begun = true;
            let head: Vec<u8> = self.lines.iter().take(FIRST).flat_map(|(_, text)| text).copied().collect();
            self.console = Console::of_log(&head);
        }
        for (line, text) in self.lines.drain(..) {
            self.frames.go_to(line);
            self.frames.read(&text, &mut self.console, sink);
        }
    }
}

impl Reader for PageReader {
    fn fork(&self) -> Box<dyn Reader> {
        Box::new(self.clone())
    }

    fn push(&mut self, bytes: &[u8], sink: &mut Sink) {
        let lines = &mut self.lines;
        self.markup.read(bytes, &mut |line, text| lines.push((line, text.to_vec())));
        if self.begun || self.lines.len() >= FIRST {
            self.read_lines(sink);
        }
    }

    fn finish(&mut self, sink: &mut Sink) {
        let lines = &mut self.lines;
        self.markup.finish(&mut |line, text| lines.push((line, text.to_vec())));
        self.read_lines(sink);
        self.frames.finish(&mut |frame| self.console.frame(frame, sink));
        self.console.finish(sink);
    }

    fn detail(&self) -> String {
        self.console.styles.told()
    }
}
