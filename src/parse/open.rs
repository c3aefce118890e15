//! From a path or bytes to a reading: which format, then the whole log through its reader.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use super::FORMATS;
use super::format::{Reader, Sample};
use super::options::Options;
use super::pattern::PatternReader;
use super::select;
use super::sink::Sink;
use crate::error::{Error, Result};
use crate::model::{Candidate, Reading, Series};

/// Bytes by which a format is chosen.
pub(crate) const HEAD: usize = 64 << 10;

const BLOCK: usize = 256 << 10;

/// Reads a log or metric file of any format; `-` is standard input.
pub fn read_path(path: &Path, options: &Options) -> Result<Reading> {
    let mut source = source(path)?;
    read_source(&mut source, Some(path), options).map_err(Error::file("read", path))
}

/// Opens a file, or standard input.
pub(crate) fn source(path: &Path) -> Result<Box<dyn Read>> {
    if path == Path::new("-") {
        return Ok(Box::new(std::io::stdin()));
    }
    Ok(Box::new(File::open(path).map_err(Error::file("read", path))?))
}

/// Reads a log that is in memory.
pub fn read_bytes(bytes: &[u8], options: &Options) -> Reading {
    let mut rest = bytes;
    // Reading from memory cannot fail.
    read_source(&mut rest, None, options).unwrap_or_else(|e| Reading::nothing("utf-8", e.to_string()))
}

fn read_source(source: &mut dyn Read, path: Option<&Path>, options: &Options) -> std::io::Result<Reading> {
    let mut block = vec![0; BLOCK];
    let mut head = 0;
    while head < HEAD {
        match source.read(&mut block[head..])? {
            0 => break,
            n => head += n,
        }
    }
    let sample = Sample { path, head: &block[..head], whole: head < HEAD };
    let (mut reader, candidates) = choose(&sample, options);
    let mut sink = Sink::default();
    let mut collected = Vec::new();
    reader.push(&block[..head], &mut sink);
    collect(&mut sink, &mut collected);
    loop {
        match source.read(&mut block)? {
            0 => break,
            n => reader.push(&block[..n], &mut sink),
        }
        collect(&mut sink, &mut collected);
    }
    reader.finish(&mut sink);
    collect(&mut sink, &mut collected);
    Ok(reading(sink, collected, candidates, reader.as_ref(), options))
}

/// The reader that fits best, and all candidates, best first.
pub(crate) fn choose(sample: &Sample<'_>, options: &Options) -> (Box<dyn Reader>, Vec<Candidate>) {
    if let Some(pattern) = &options.pattern {
        let chosen =
            Candidate { format: "pattern".into(), score: 1.0, why: format!("asked for: {}", pattern.as_str()) };
        return (Box::new(PatternReader::new(pattern)), vec![chosen]);
    }
    let mut scored: Vec<_> = FORMATS.iter().map(|format| (format.score(sample), format)).collect();
    scored.sort_by(|a, b| b.0.score.total_cmp(&a.0.score));
    let reader = scored[0].1.reader(options);
    (reader, scored.into_iter().map(|(candidate, _)| candidate).collect())
}

fn collect(sink: &mut Sink, collected: &mut Vec<Series>) {
    for (index, metric) in sink.metrics.iter().enumerate().skip(collected.len()) {
        debug_assert_eq!(index, collected.len());
        let mut series = Series::new(&metric.name, crate::model::Role::Other);
        series.source = metric.source;
        collected.push(series);
    }
    for observation in sink.out.drain(..) {
        collected[observation.metric].points.push(observation.point);
    }
}

fn reading(
    sink: Sink,
    collected: Vec<Series>,
    mut candidates: Vec<Candidate>,
    reader: &dyn Reader,
    options: &Options,
) -> Reading {
    let selection = select::select(&sink.metrics, options.metric.as_deref());
    if let Some(chosen) = candidates.first_mut() {
        let detail = reader.detail();
        if !detail.is_empty() {
            chosen.why = format!("{}; {detail}", chosen.why);
        }
    }
    let mut warnings = sink.warnings;
    let mut primary = None;
    let mut series = Vec::new();
    for (index, mut one) in collected.into_iter().enumerate() {
        if !selection.kept[index] {
            continue;
        }
        if selection.primary == Some(index) {
            primary = Some(series.len());
        }
        one.role = selection.roles[index];
        one.sampled = sink.metrics[index].sampled;
        series.push(one);
    }
    if let (Some(asked), None) = (&options.metric, primary) {
        let known: Vec<&str> = series.iter().map(|s| s.metric.as_str()).collect();
        warnings.push(format!("no metric is called `{asked}`; found: {}", known.join(", ")));
    } else if series.is_empty() {
        warnings.push("no metric was recognised; name one with --pattern".into());
    }
    let format = candidates.first().map(|c| c.format.clone()).unwrap_or_default();
    Reading { format, encoding: "utf-8".into(), series, primary, noise: sink.noise, warnings, candidates }
}
