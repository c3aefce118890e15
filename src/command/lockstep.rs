//! Two logs compared while they are read, so that their size does not matter.

use std::path::Path;

use crate::compare::lockstep::Concluded;
use crate::compare::{self, Digits, Lockstep, Pair, Parting};
use crate::error::Result;
use crate::model::{Audit, Comparison, Course, Curve, Point, RawLine, Reading, Role, Series, Tolerance, Verdict};
use crate::parse::{Observation, Options, Stream};

use super::findings::{self, Compared};
use super::window::Known;

/// Two logs on their way through the comparison.
struct Twins<'a> {
    logs: [&'a Path; 2],
    streams: [Stream; 2],
    lockstep: Lockstep,
    /// The lane of each metric of each log.
    lanes: [Vec<Option<usize>>; 2],
    open: [bool; 2],
}

/// What came of it: the two logs with the first points of each series, and the audit of their comparison.
pub struct Seen {
    /// The readings, without most of their points.
    pub readings: Vec<Reading>,
    /// The comparison, put together as an audit.
    pub audit: Audit,
}

/// Compares two logs in bounded memory; `None` where only the whole of both in memory will do, because they show the same
/// things in too different an order.
pub fn diff(
    logs: [&Path; 2],
    names: [&str; 2],
    options: &Options,
    tolerance: Tolerance,
    asked: Option<&str>,
) -> Result<Option<Seen>> {
    let streams = Stream::pair(logs, options)?;
    let mut twins = Twins {
        logs,
        streams,
        lockstep: Lockstep::new(tolerance),
        lanes: [Vec::new(), Vec::new()],
        open: [true, true],
    };
    let patient = logs.iter().any(|log| *log == Path::new("-"));
    if !twins.run(patient)? {
        return Ok(None);
    }
    Ok(twins.conclude(names, tolerance, asked))
}

impl Twins<'_> {
    /// Reads both logs to their ends; false where they cannot be compared as they are read. What cannot be read again is
    /// never given up.
    fn run(&mut self, patient: bool) -> Result<bool> {
        let mut out = Vec::new();
        self.name_lanes(0, true);
        self.name_lanes(1, true);
        while self.open != [false, false] {
            let side = self.behind();
            if self.streams[side].next_block(&mut out)? {
                self.take(side, &mut out);
            } else {
                self.open[side] = false;
                self.lockstep.end(side);
            }
            self.lockstep.advance(Some([0, 1].map(|side| self.streams[side].offset())));
            if !patient && self.lockstep.has_failed() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// The side whose points the other one waits for.
    fn behind(&self) -> usize {
        match self.open {
            [false, _] => 1,
            [_, false] => 0,
            _ => {
                let [left, right] = self.lockstep.waiting();
                usize::from(left > right)
            }
        }
    }

    fn take(&mut self, side: usize, out: &mut Vec<Observation>) {
        self.name_lanes(side, false);
        for observation in out.drain(..) {
            if let Some(lane) = self.lanes[side][observation.metric] {
                self.lockstep.push(side, lane, observation.point);
            }
        }
        for (metric, lane) in self.lanes[side].iter().enumerate() {
            if lane.is_none_or(|lane| self.lockstep.is_settled(lane)) {
                self.streams[side].mute(metric);
            }
        }
    }

    /// Gives new metrics of a log their lanes. Before anything else is read, the course of each holds what both logs have
    /// in common.
    fn name_lanes(&mut self, side: usize, common: bool) {
        let stream = &self.streams[side];
        for metric in stream.metrics().iter().skip(self.lanes[side].len()) {
            let course = stream.course(self.lanes[side].len()).filter(|_| common);
            let common = course.map_or((0, Vec::new()), |course| (course.count, course.tail()));
            let lane = metric.may_count().then(|| self.lockstep.lane(&metric.name, metric.source, common));
            self.lanes[side].push(lane);
        }
    }

    fn conclude(self, names: [&str; 2], tolerance: Tolerance, asked: Option<&str>) -> Option<Seen> {
        let Self { logs, streams, lockstep, .. } = self;
        // That a step is only the clock's shows as a log goes on, when earlier points were compared by theirs.
        let once = |log: &&Path| *log == Path::new("-");
        if !logs.iter().any(once) && streams.iter().any(|stream| stream.metrics().iter().any(|metric| metric.by_order))
        {
            return None;
        }
        let readings: Vec<Reading> = streams.iter().map(Stream::sketch).collect();
        let renamed = [renamed(&streams[0], &readings[0]), renamed(&streams[1], &readings[1])];
        let [named, other] = &renamed;
        if named != other && readings.iter().all(|reading| !reading.series.is_empty()) {
            return None;
        }
        let swap = named.as_ref().or(other.as_ref());
        let original = |metric: &str| original(metric, swap);
        let only = asked.map(|asked| findings::as_spelled(asked, &readings));
        let pair = [Pair::whole(names[0], &readings[0]), Pair::whole(names[1], &readings[1])];
        let concluded = lockstep.conclude(pair, only.as_deref(), &original);
        let compared: Vec<Compared<'_>> =
            (0..2).map(|side| Compared { name: names[side], reading: &readings[side], log: logs[side] }).collect();
        let course = |side: usize, metric: &str| -> Option<&Course> {
            let metric = original(metric);
            let index = streams[side].metrics().iter().position(|known| known.name == metric)?;
            streams[side].course(index)
        };
        let curves = curves(&compared, &course)?;
        let mut audit = Audit { tolerance, ..Audit::blank("diff") };
        audit.curves = curves;
        fill(&mut audit, &concluded, &compared, &streams, &course);
        Some(Seen { readings, audit })
    }
}

/// The names that the primary metric and another one have changed between them, where they have: `loss (2)` and `loss`.
fn renamed(stream: &Stream, reading: &Reading) -> Option<(String, String)> {
    let before = &stream.metrics()[stream.summary().primary?].name;
    let now = &reading.primary()?.metric;
    (before != now).then(|| (before.clone(), now.clone()))
}

/// The name under which a metric was compared.
fn original(metric: &str, swap: Option<&(String, String)>) -> String {
    match swap {
        Some((before, now)) if metric == now => before.clone(),
        Some((before, now)) if metric == before => now.clone(),
        _ => metric.to_owned(),
    }
}

fn fill<'a>(
    audit: &mut Audit,
    concluded: &Concluded,
    compared: &[Compared<'_>],
    streams: &[Stream; 2],
    course: &dyn Fn(usize, &str) -> Option<&'a Course>,
) {
    findings::conclude_without_points(audit, &concluded.group, compared);
    let divergence = concluded.group.outcome.divergence();
    let Some(metric) = divergence.map(|d| d.metric.clone()).or_else(|| audit.metric.clone()) else { return };
    let digits = compared.iter().enumerate().filter_map(|(side, one)| {
        let course = course(side, &metric).filter(|course| course.count > 0)?;
        let source = findings::series(one.reading, &metric)?.source;
        Some(Digits { metric: &metric, source, decimals: course.decimals, longest: course.longest })
    });
    audit.resolution = compare::resolution(digits);
    if audit.resolution.is_none() && audit.verdict == Verdict::Agreed {
        audit.verdict = Verdict::Unresolved;
        audit.reason = compare::replicates::nothing_but_nan(&metric);
    }
    let parting = concluded.partings.iter().find(|(name, _)| *name == metric).map(|(_, parting)| parting);
    let parting = parting.filter(|_| divergence.is_some());
    let sides = compared.iter().zip(streams).enumerate();
    let comparison = |(side, (one, stream)): (usize, (&Compared<'_>, &Stream))| {
        let (points, raw) = match parting {
            Some(parting) => around(parting, side, one, stream),
            None => (beginning(course(side, &metric)), Vec::new()),
        };
        let empty = Series::new(&metric, Role::Other);
        let whole = findings::series(one.reading, &metric).unwrap_or(&empty);
        Comparison { run: one.name.to_owned(), window: Series { points, ..findings::empty_like(whole) }, raw }
    };
    audit.comparisons = sides.map(comparison).collect();
}

/// The points and lines of one log around the divergence.
fn around(parting: &Parting, side: usize, one: &Compared<'_>, stream: &Stream) -> (Vec<Point>, Vec<RawLine>) {
    let points = parting.windows[side].clone();
    let known = Known { marks: stream.marks(), read: parting.read.map(|read| read[side]) };
    let raw = parting.nearest(side).or(points.last()).map(|point| findings::raw_around(one.log, point, known));
    (points, raw.unwrap_or_default())
}

/// The first points of a series.
fn beginning(course: Option<&Course>) -> Vec<Point> {
    course.map(|course| course.beginning(findings::AFTER + 1)).unwrap_or_default()
}

/// The course of each log's primary metric; `None` where one was not kept from its beginning.
fn curves<'a>(compared: &[Compared<'_>], course: &dyn Fn(usize, &str) -> Option<&'a Course>) -> Option<Vec<Curve>> {
    let mut curves = Vec::new();
    for (side, one) in compared.iter().enumerate() {
        let Some(whole) = one.reading.primary() else { continue };
        let points = course(side, &whole.metric)?.curve()?;
        curves.push(Curve { run: one.name.to_owned(), series: Series { points, ..findings::empty_like(whole) } });
    }
    Some(curves)
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::command::diff::from_memory;
    use crate::parse;

    fn logs(folder: &Path, found: &mut Vec<PathBuf>) {
        let entries = std::fs::read_dir(folder).expect("fixtures").filter_map(|entry| Some(entry.ok()?.path()));
        for path in entries {
            if path.is_dir() { logs(&path, found) } else { found.push(path) }
        }
        found.sort();
    }

    /// The audit of a pair as it is read, and the same from memory.
    fn both(paths: [&Path; 2]) -> Option<(Audit, Audit)> {
        let options = Options::default();
        let Ok(seen) = diff(paths, ["a", "b"], &options, Tolerance::Exact, None) else {
            assert!(paths.iter().any(|path| parse::read_path(path, &options).is_err()), "readable in memory alone");
            return None;
        };
        let seen = seen?;
        let logs = paths.map(Path::to_owned);
        let readings: Vec<Reading> =
            logs.iter().map(|log| parse::read_path(log, &options).expect("readable")).collect();
        Some((seen.audit, from_memory(&readings, &logs, &["a".into(), "b".into()], Tolerance::Exact, None)))
    }

    fn assert_same(paths: [&Path; 2], what: &str) -> bool {
        let Some((streamed, whole)) = both(paths) else { return false };
        assert_eq!(streamed.verdict, whole.verdict, "{what}: {} / {}", streamed.reason, whole.reason);
        assert_eq!(streamed.reason, whole.reason, "{what}");
        // NaN is not equal to itself.
        let shown = |audit: &Audit| {
            // Where one side lacks the point, its place is known by index here and by position there.
            let both = audit.divergence.as_ref().is_none_or(|one| one.values.iter().all(|value| value.text.is_some()));
            let of = audit.comparisons.iter().filter(|_| both);
            let windows: Vec<_> = of.map(|one| (&one.run, &one.window.points, &one.raw)).collect();
            format!("{:?} {:?} {:?} {windows:?}", audit.divergence, audit.also_diverged, audit.warnings)
        };
        assert_eq!(shown(&streamed), shown(&whole), "{what}");
        assert_eq!(streamed.metric, whole.metric, "{what}");
        assert_eq!(
            streamed.resolution.map(|resolution| resolution.note),
            whole.resolution.map(|resolution| resolution.note),
            "{what}"
        );
        true
    }

    #[test]
    fn two_logs_compared_as_they_are_read_give_what_they_give_in_memory() {
        let folder = tempfile::tempdir().unwrap();
        let other = folder.path().join("other");
        let (mut found, mut compared) = (Vec::new(), 0);
        logs(&Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/logs"), &mut found);
        found.retain(|path| path.file_name().is_some_and(|name| name != "expected.json"));
        let mut state = 7u64;
        let mut random = |most: usize| {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            (state >> 33) as usize % most.max(1)
        };
        for (index, path) in found.iter().enumerate() {
            let bytes = std::fs::read(path).unwrap();
            assert!(assert_same([path, path], &path.display().to_string()), "{}", path.display());
            for round in 0..4 {
                let mut changed = bytes.clone();
                match round {
                    0 | 1 => {
                        let at = random(changed.len());
                        let digit = changed.iter().skip(at).position(u8::is_ascii_digit).map(|skip| at + skip);
                        digit.into_iter().for_each(|at| changed[at] = b'0' + (changed[at] - b'0' + 1) % 10);
                    }
                    2 => changed.truncate(random(bytes.len())),
                    _ => changed = std::fs::read(&found[(index + 1) % found.len()]).unwrap(),
                }
                std::fs::write(&other, &changed).unwrap();
                if round >= 2 {
                    // A cut log may name another metric first; that the two part is what counts.
                    if let Some((streamed, whole)) = both([path, &other]) {
                        assert_eq!(streamed.verdict, whole.verdict, "{}, round {round}", path.display());
                        compared += 1;
                    }
                    continue;
                }
                compared += usize::from(assert_same([path, &other], &format!("{}, round {round}", path.display())));
                assert_same([&other, path], &format!("{}, round {round}, turned round", path.display()));
            }
        }
        assert!(
            compared * 3 > found.len() * 8,
            "{compared} of {} pairs were compared as they were read",
            found.len() * 4
        );
    }

    /// A long log whose lines are written by `line` from the step and whether this is the other side.
    fn long(path: &Path, other: bool, line: impl Fn(u64, bool) -> String) {
        std::fs::write(path, (0..9_000).map(|step| line(step, other)).collect::<String>()).unwrap();
    }

    #[test]
    fn long_logs_part_where_they_part() {
        let folder = tempfile::tempdir().unwrap();
        let paths = [folder.path().join("a"), folder.path().join("b")];
        type Line<'a> = &'a dyn Fn(u64, bool) -> String;
        let bar = |step: u64, clock: u64, postfix: &str| {
            format!("\r  5%|##        | {step}/9000 [00:{:02}<01:{:02}, {clock}it/s{postfix}]", clock % 60, clock % 53)
        };
        let moved = |s: u64, b: bool, from: u64| s as f64 / 9e3 + if b && s >= from { 0.1 } else { 0.0 };
        let kinds: [(&str, Line); 11] = [
            ("a bar", &|s, b| bar(s, s * 7 % 900 + u64::from(b), &format!(", loss={:.4}", moved(s, b, 6_001)))),
            ("a bar drawn twice a step", &|s, b| {
                let drawn = |clock| bar(s, clock, &format!(", loss={:.4}", moved(s, b, 5_432)));
                drawn(s % 70) + &drawn(s % 31 + u64::from(b))
            }),
            ("a bar that lags behind", &|s, b| {
                let before = format!(", loss={:.4}", moved(s.saturating_sub(1), b, 4_444));
                bar(s, s % 90 + u64::from(b), &before) + &bar(s, s % 90, &format!(", loss={:.4}", moved(s, b, 4_444)))
            }),
            ("a bar with two values", &|s, b| {
                let (loss, other) = (moved(s, false, 0), moved(s, b, 7_777) * 3.0);
                bar(s, s * 7 % 900 + u64::from(b), &format!(", loss={loss:.4}, acc={other:.3}"))
            }),
            ("objects with a time", &|s, b| {
                let time = s as f64 * 1.37 + f64::from(u8::from(b)) * 0.01;
                format!("{{\"time\": {time}, \"step\": {s}, \"loss\": {}}}\n", moved(s, b, 8_000))
            }),
            ("plain", &|s, b| {
                format!("step {s} loss {:.4}\n", s as f64 / 9e3 + if b && s == 7_500 { 0.1 } else { 0.0 })
            }),
            ("clock", &|s, b| {
                let clock = (s * 7 + u64::from(b)) % 1000;
                format!(
                    "12:00:00,{clock:03} INFO step={s} loss={:.4}\n",
                    s as f64 / 9e3 + if b && s >= 6_000 { 0.1 } else { 0.0 }
                )
            }),
            ("a rare metric", &|s, b| {
                let rare = if s % 2500 == 0 {
                    format!("step {s} val_loss {}\n", if b && s == 7_500 { 2 } else { 1 })
                } else {
                    String::new()
                };
                format!("step {s} loss 0.5 lr 0.1\n{rare}")
            }),
            ("a missing step", &|s, b| {
                if b && s == 4_567 { String::new() } else { format!("{{\"step\": {s}, \"loss\": 0.25}}\n") }
            }),
            ("epochs", &|s, b| {
                format!("epoch {} step {} loss {}\n", s / 100, s % 100, if b && s == 8_999 { 1.5 } else { 0.5 })
            }),
            ("more noise on one side", &|s, b| {
                let noise = if b { "a word about nothing\n".repeat((s % 7) as usize) } else { String::new() };
                format!("{noise}step {s} loss {}\n", if b && s == 6_666 { 1.5 } else { 0.5 })
            }),
        ];
        for (name, line) in kinds {
            long(&paths[0], false, line);
            long(&paths[1], true, line);
            assert!(assert_same([&paths[0], &paths[1]], name), "{name}");
            let (streamed, _) = both([&paths[0], &paths[1]]).unwrap();
            assert!(streamed.divergence.is_some(), "{name}");
        }
    }
}
