//! From a path or bytes to a reading: which format, then the whole log through its reader.

use std::io::Read;
use std::path::Path;

use super::FORMATS;
use super::encoding;
use super::folder;
use super::format::{Reader, Sample};
use super::options::Options;
use super::pattern::PatternReader;
use super::select;
use super::sink::Sink;
use super::source;
use crate::error::{Error, Result};
use crate::model::{Candidate, Point, Position, Reading, Role, Series};

/// Bytes by which a format is chosen.
pub(crate) const HEAD: usize = 64 << 10;

const BLOCK: usize = 256 << 10;

/// Reads a log or metric file of any format, or a folder that holds some; `-` is standard input.
pub fn read_path(path: &Path, options: &Options) -> Result<Reading> {
    if path.is_dir() { folder::read(path, options) } else { read_file(path, options) }
}

/// Reads one file.
pub(crate) fn read_file(path: &Path, options: &Options) -> Result<Reading> {
    let mut source = source::open(path)?;
    read_source(&mut source.bytes, source.encoding, Some(path), options).map_err(Error::file("read", path))
}

/// Reads a log that is in memory.
pub fn read_bytes(bytes: &[u8], options: &Options) -> Reading {
    let guess = encoding::guess(&bytes[..bytes.len().min(HEAD)]);
    let read = if guess.is_utf8() {
        read_source(&mut &bytes[..], guess.name, None, options)
    } else {
        read_source(&mut encoding::Converted::new(bytes, guess), guess.name, None, options)
    };
    // Reading from memory cannot fail.
    read.unwrap_or_else(|e| Reading::nothing("utf-8", e.to_string()))
}

fn read_source(
    source: &mut dyn Read,
    encoding: &str,
    path: Option<&Path>,
    options: &Options,
) -> std::io::Result<Reading> {
    let mut block = vec![0; BLOCK];
    let mut head = 0;
    while head < HEAD {
        match source.read(&mut block[head..HEAD])? {
            0 => break,
            n => head += n,
        }
    }
    let sample = Sample { path, head: &block[..head], whole: head < HEAD };
    let (mut reader, mut candidates) = choose(&sample, options);
    let mut sink = Sink::default();
    let mut gathered = Gathered::default();
    reader.push(&block[..head], &mut sink);
    gathered.take(&mut sink);
    loop {
        match source.read(&mut block) {
            Ok(0) => break,
            Ok(n) => reader.push(&block[..n], &mut sink),
            // A compressed file that ends early is like a log that was cut.
            Err(error)
                if matches!(error.kind(), std::io::ErrorKind::UnexpectedEof | std::io::ErrorKind::InvalidData) =>
            {
                sink.warn(format!("the file ends early or is damaged: {error}"));
                break;
            }
            Err(error) => return Err(error),
        }
        gathered.take(&mut sink);
    }
    reader.finish(&mut sink);
    gathered.take(&mut sink);
    if let Some(chosen) = candidates.first_mut() {
        let detail = reader.detail();
        if !detail.is_empty() {
            chosen.why = format!("{}; {detail}", chosen.why);
        }
    }
    Ok(gathered.into_reading(sink, candidates, encoding, options))
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
    let reader = scored[0].1.reader_of(options, sample);
    (reader, scored.into_iter().map(|(candidate, _)| candidate).collect())
}

/// Observations, gathered into series.
#[derive(Debug, Default)]
pub(crate) struct Gathered {
    series: Vec<Series>,
}

impl Gathered {
    /// A series for every metric of a sink, with the points that `points` gives.
    pub(crate) fn of(sink: &Sink, points: impl Fn(usize) -> Vec<Point>) -> Self {
        let series = |(id, metric): (usize, &super::metric::Metric)| {
            let mut series = Series::new(&metric.name, Role::Other);
            (series.source, series.points) = (metric.source, points(id));
            series
        };
        Self { series: sink.metrics.iter().enumerate().map(series).collect() }
    }

    /// Takes what the sink has ready.
    pub(crate) fn take(&mut self, sink: &mut Sink) {
        for metric in sink.metrics.iter().skip(self.series.len()) {
            let mut series = Series::new(&metric.name, Role::Other);
            series.source = metric.source;
            self.series.push(series);
        }
        for observation in sink.out.drain(..) {
            self.series[observation.metric].points.push(observation.point);
        }
    }

    /// Chooses roles and the primary metric.
    pub(crate) fn into_reading(
        self,
        sink: Sink,
        candidates: Vec<Candidate>,
        encoding: &str,
        options: &Options,
    ) -> Reading {
        let selection = select::select(&sink.metrics, options.metric.as_deref());
        let mut warnings = sink.warnings;
        let mut primary = None;
        let mut series = Vec::new();
        for (index, mut one) in self.series.into_iter().enumerate() {
            if !selection.kept[index] {
                continue;
            }
            if selection.primary == Some(index) {
                primary = Some(series.len());
            }
            one.role = selection.roles[index];
            one.sampled = sink.metrics[index].sampled;
            if sink.metrics[index].by_order {
                forget_steps(&mut one.points);
            }
            series.push(one);
        }
        plain_primary_name(&mut series, primary);
        if let (Some(asked), None) = (&options.metric, primary) {
            let known: Vec<&str> = series.iter().map(|s: &Series| s.metric.as_str()).collect();
            let found =
                if known.is_empty() { "none was found".to_owned() } else { format!("found: {}", known.join(", ")) };
            let noise = match sink.noise.iter().find(|name| name.eq_ignore_ascii_case(asked)) {
                Some(_) => ", and `--pattern` compares what is called like a time, a rate or a size",
                None => "",
            };
            warnings.push(format!("no metric is called `{asked}`; {found}{noise}"));
        } else if series.is_empty() {
            let what = match &options.pattern {
                Some(pattern) => format!("nothing that `{}` matches is a number", pattern.as_str()),
                None => "no metric was recognised; name one with --pattern".to_owned(),
            };
            warnings.push(what);
        }
        let format =
            candidates.first().filter(|best| best.score > 0.0).map(|best| best.format.clone()).unwrap_or_default();
        Reading {
            format,
            encoding: encoding.to_owned(),
            series,
            primary,
            noise: sink.noise,
            warnings,
            left_out: sink.left_out,
            candidates,
        }
    }
}

/// Leaves points to their order, or to their epochs where they have some.
fn forget_steps(points: &mut [Point]) {
    for point in points {
        point.position = Position { segment: 0, epoch: point.position.epoch, step: None };
    }
}

/// Of two series of one name the primary one has it without a number.
fn plain_primary_name(series: &mut [Series], primary: Option<usize>) {
    let Some(primary) = primary else { return };
    let Some((base, tail)) = series[primary].metric.rsplit_once(" (") else { return };
    if !tail.trim_end_matches(')').bytes().all(|b| b.is_ascii_digit()) {
        return;
    }
    if let Some(other) = series.iter().position(|s| s.metric == base) {
        let name = std::mem::take(&mut series[primary].metric);
        series[primary].metric = std::mem::replace(&mut series[other].metric, name);
    }
}
