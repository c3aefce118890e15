//! Audits built in memory, as an audit of real jobs would fill them.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use repro_audit::model::*;

/// The names of all samples, each with its audit.
pub fn all() -> Vec<(&'static str, Audit)> {
    vec![
        ("unseeded", unseeded()),
        ("agrees", agrees()),
        ("workers", workers()),
        ("crashed", crashed()),
        ("shorter", shorter()),
        ("not_a_number", not_a_number()),
        ("many_runs", many_runs()),
        ("no_steps", no_steps()),
        ("empty", empty("run")),
        ("hostile", hostile()),
    ]
}

/// An audit in which nothing happened.
pub fn empty(command: &str) -> Audit {
    Audit { reason: "no run showed a value".to_owned(), ..Audit::blank(command) }
}

/// Three runs with nothing seeded: S5.1, with the blame that an audit finds for it.
pub fn unseeded() -> Audit {
    let first = ["2.304123", "2.300169", "2.294914"];
    let courses: Vec<Series> = (0..3).map(|run| course("loss", 60, &|step| noisy(run, step, first[run]))).collect();
    let mut audit = compared("run", &courses, &["r1", "r2", "r3"], 0..6);
    audit.verdict = Verdict::Diverged;
    audit.reason = "3 runs of the same treatment do not repeat".to_owned();
    audit.divergence = Some(part_at(&courses, &["r1", "r2", "r3"], 0, Kind::Value));
    audit.also_diverged = vec![Divergence {
        rank: None,
        metric: "accuracy".to_owned(),
        position: Position { segment: 0, epoch: Some(1.0), step: Some(59) },
        index: 0,
        stage: None,
        ..part_at(&courses, &["r1", "r2", "r3"], 59, Kind::Value)
    }];
    if let Some(divergence) = &mut audit.divergence {
        divergence.stage = Some(Stage::Parameters);
    }
    audit.treatments = vec![treatment("reference", &[], diverged(&audit), &["r1", "r2", "r3"])];
    audit.runs = (1..=3).map(|number| run(number, "reference", &[], 60)).collect();
    audit.runs[2].status = Status::Stopped;
    audit.blame = Some(Blame {
        causes: vec![
            Cause {
                id: "seed.torch".to_owned(),
                grade: Grade::Proved,
                summary: "torch's global generator is not seeded before the model is built".to_owned(),
                evidence: vec![
                    "with seed.torch held, 3 runs agree over all 60 steps".to_owned(),
                    "released again, they part at step 0".to_owned(),
                    "the first thing that differs in the record is the parameters before step 0".to_owned(),
                ],
                remedy: "import torch\n\ndef seed_everything(seed: int) -> None:\n    torch.manual_seed(seed)\n"
                    .to_owned(),
                location: Some(SourceLine { file: PathBuf::from("train.py"), line: 31 }),
                price: Some(Price { step_time_ratio: 1.004, spread: (0.99, 1.02) }),
            },
            Cause {
                id: "dataloader.generator".to_owned(),
                grade: Grade::Suspected,
                summary: "the loader draws its order from a generator without a seed".to_owned(),
                evidence: vec!["the order of the batches differs, which seed.torch alone would explain too".to_owned()],
                remedy: String::new(),
                location: None,
                price: None,
            },
        ],
        pins: vec![(SettingId::new("seed.torch"), Level::new("0"))],
        runs_used: 9,
        steps_used: 312,
        history: vec!["3 runs as they are: part at step 0".to_owned(), "seed.torch held, 3 runs: agree".to_owned()],
    });
    audit.not_checked = vec!["device: no CUDA device".to_owned(), "cudnn.benchmark: no CUDA device".to_owned()];
    audit.next = vec!["seed torch as shown, then run: repro-audit run --times 3 -- python train.py".to_owned()];
    audit.record = Some(PathBuf::from(".repro-audit/2024-05-01-1"));
    audit.environment = Some(environment("2.13.0", "a"));
    audit
}

/// Three runs that agree.
pub fn agrees() -> Audit {
    let courses: Vec<Series> = (0..3).map(|_| course("loss", 938, &|step| noisy(0, step, "2.283671"))).collect();
    let mut audit = compared("run", &courses, &["r1", "r2", "r3"], 0..3);
    for comparison in &mut audit.comparisons {
        let points = &courses[0].points;
        comparison.window.points.extend(points[points.len() - 3..].iter().cloned());
        comparison.raw.clear();
    }
    audit.verdict = Verdict::Agreed;
    audit.reason = "3 runs agree in all 938 values of loss".to_owned();
    audit.treatments =
        vec![treatment("reference", &[("num_workers", "0")], Some(Outcome::Agreed), &["r1", "r2", "r3"])];
    audit.runs = (1..=3).map(|number| run(number, "reference", &[("num_workers", "0")], 938)).collect();
    audit.confidence = Some(Confidence {
        repeats: 3,
        statement: "3 runs agree: a job that parts in 1 run of 10 would have looked the same with a chance of 73 %."
            .to_owned(),
        missed: vec![Missed { rate: 0.1, probability: 0.73 }, Missed { rate: 0.5, probability: 0.25 }],
    });
    audit.not_checked = vec!["device: no CUDA device".to_owned()];
    audit
}

/// Workers break a job that repeats without them, and one setting that only moves the result.
pub fn workers() -> Audit {
    let courses: Vec<Series> = (0..3)
        .map(|run| course("Train/Loss", 40, &|step| noisy(if step < 12 { 0 } else { run }, step, "2.308435")))
        .collect();
    let names = ["r4", "r5", "r6"];
    let mut audit = compared("run", &courses, &names, 9..18);
    audit.verdict = Verdict::Diverged;
    audit.reason = "the reference repeats, num_workers=4 does not".to_owned();
    let parted = part_at(&courses, &names, 12, Kind::Value);
    audit.treatments = vec![
        treatment("reference", &[("num_workers", "0")], Some(Outcome::Agreed), &["r1", "r2", "r3"]),
        treatment("num_workers=4", &[("num_workers", "4")], Some(Outcome::Diverged(parted)), &names),
        treatment("batch_size=32", &[("batch_size", "32")], Some(Outcome::Agreed), &["r7", "r8", "r9"]),
        TreatmentResult {
            notes: vec!["no CUDA device".to_owned()],
            ..treatment("cudnn.benchmark=on", &[("cudnn.benchmark", "on")], None, &[])
        },
        treatment(
            "threads=8",
            &[("threads", "8")],
            Some(Outcome::Unresolved("torch reports 2 threads: the level did not take effect".to_owned())),
            &["r10", "r11", "r12"],
        ),
    ];
    audit.runs = (1..=12)
        .map(|number| {
            let (id, settings): (&str, &[(&str, &str)]) = match number {
                1..=3 => ("reference", &[("num_workers", "0")]),
                4..=6 => ("num_workers=4", &[("num_workers", "4")]),
                7..=9 => ("batch_size=32", &[("batch_size", "32")]),
                _ => ("threads=8", &[("threads", "8")]),
            };
            run(number, id, settings, 40)
        })
        .collect();
    let effect = |id: &str, levels: [&str; 2], repeatability, result, step: Option<i64>| Effect {
        setting: SettingId::new(id),
        levels: levels.map(str::to_owned).to_vec(),
        changes_repeatability: repeatability,
        changes_result: result,
        onset: step.map(Position::at_step),
        prices: Vec::new(),
        confounded_with: Vec::new(),
    };
    let four_workers = Price { step_time_ratio: 0.62, spread: (0.6, 0.7) };
    audit.effects = vec![
        Effect {
            prices: vec![LevelPrice { level: "4".to_owned(), price: Ok(four_workers) }],
            ..effect("num_workers", ["0", "4"], Some(true), None, Some(12))
        },
        Effect {
            prices: vec![LevelPrice { level: "32".to_owned(), price: Err("too few steps".to_owned()) }],
            ..effect("batch_size", ["64", "32"], Some(false), Some(true), Some(0))
        },
        Effect {
            confounded_with: vec![SettingId::new("hashseed"), SettingId::new("env.OMP_NUM_THREADS")],
            ..effect("threads", ["2", "8"], None, None, None)
        },
    ];
    audit.blame = Some(Blame {
        causes: vec![Cause {
            id: "seed.worker".to_owned(),
            grade: Grade::Likely,
            summary: "a generator used in loader workers is not derived from the run's seed".to_owned(),
            evidence: vec!["the job repeats without workers and parts with 4 of them".to_owned()],
            remedy: "def seed_worker(worker_id):\n    seed = torch.initial_seed() % 2**32\n    rng.seed(seed)\n\nDataLoader(..., worker_init_fn=seed_worker)"
                .to_owned(),
            location: None,
            price: None,
        }],
        runs_used: 12,
        steps_used: 480,
        ..Blame::default()
    });
    audit.warnings = vec!["r5: 3 lines were no valid UTF-8".to_owned()];
    audit
}

/// One run of three crashed; nothing parts.
pub fn crashed() -> Audit {
    let courses: Vec<Series> =
        [60, 17, 60].iter().map(|&points| course("loss", points, &|step| noisy(0, step, "2.283671"))).collect();
    let mut audit = compared("run", &courses, &["r1", "r2", "r3"], 14..20);
    audit.reason = "r2 crashed at step 17; as far as it got, all runs agree".to_owned();
    audit.runs = (1..=3).map(|number| run(number, "reference", &[], 60)).collect();
    audit.runs[1] = Run {
        status: Status::Crashed,
        exit_code: None,
        signal: Some(9),
        points: 17,
        attempts: vec![Attempt {
            id: "12.0".to_owned(),
            node: "node-2".to_owned(),
            state: "interrupted".to_owned(),
            reason: "SIGTERM".to_owned(),
        }],
        last_words: vec![
            "Traceback (most recent call last):".to_owned(),
            "  File \"train.py\", line 88, in <module>".to_owned(),
            "RuntimeError: DataLoader worker (pid 4242) is killed by signal: Killed.".to_owned(),
        ],
        ..audit.runs[1].clone()
    };
    audit.treatments = vec![treatment(
        "reference",
        &[],
        Some(Outcome::Unresolved("r2 crashed at step 17".to_owned())),
        &["r1", "r2", "r3"],
    )];
    audit.next = vec!["look at the end of runs/r2/stderr.log".to_owned()];
    audit
}

/// Two recorded logs, one of which ends earlier; the paths share their folders.
pub fn shorter() -> Audit {
    let names = ["results/2024-05-01/baseline/train.log", "results/2024-05-02/with-new-loader/train.log"];
    let courses: Vec<Series> =
        [1000, 701].iter().map(|&n| course("loss", n, &|step| noisy(0, step, "2.301"))).collect();
    let mut audit = compared("diff", &courses, &names, 697..705);
    audit.verdict = Verdict::Diverged;
    audit.reason = "the second log ends after 701 of 1000 points".to_owned();
    audit.divergence = Some(part_at(&courses, &names, 701, Kind::Length));
    audit.environments =
        vec![(names[0].to_owned(), environment("2.9.1", "a")), (names[1].to_owned(), environment("2.13.0", "b"))];
    audit
}

/// One run becomes NaN, another prints an infinity.
pub fn not_a_number() -> Audit {
    let value = |run: usize, step: usize| match (run, step) {
        (1, 5..) => "nan".to_owned(),
        (0, 7) => "inf".to_owned(),
        (0, 8) => "-inf".to_owned(),
        _ => noisy(0, step, "0.5300"),
    };
    let courses: Vec<Series> = (0..2).map(|run| course("loss", 12, &|step| value(run, step))).collect();
    let mut audit = compared("run", &courses, &["r1", "r2"], 2..10);
    audit.verdict = Verdict::Diverged;
    audit.reason = "2 runs of the same treatment do not repeat".to_owned();
    let mut divergence = part_at(&courses, &["r1", "r2"], 5, Kind::Nan);
    (divergence.absolute, divergence.relative, divergence.ulps) = (None, None, None);
    audit.divergence = Some(divergence);
    audit
}

/// More runs than fit a terminal.
pub fn many_runs() -> Audit {
    let names: Vec<String> = (1..=14).map(|number| format!("r{number}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let odd = |run: usize, step: usize| usize::from(step >= 3 && (run == 9 || run == 12)) * run;
    let courses: Vec<Series> =
        (0..14).map(|run| course("loss", 20, &|step| noisy(odd(run, step), step, "2.283671"))).collect();
    let mut audit = compared("run", &courses, &names, 0..9);
    audit.verdict = Verdict::Diverged;
    audit.reason = "14 runs of the same treatment do not repeat: 2 of them part".to_owned();
    audit.divergence = Some(part_at(&courses, &names, 3, Kind::Value));
    audit
}

/// Two logs without step numbers.
pub fn no_steps() -> Audit {
    let value = |run: usize, point: usize| noisy(if point < 4 { 0 } else { run * 9 }, point, "0.91");
    let mut courses: Vec<Series> = (0..2).map(|run| course("error rate", 8, &|point| value(run, point))).collect();
    for point in courses.iter_mut().flat_map(|series| &mut series.points) {
        point.position = Position::default();
    }
    let mut audit = compared("diff", &courses, &["a.log", "b.log"], 2..7);
    audit.verdict = Verdict::Diverged;
    audit.reason = "two logs without step numbers part at their 5th value".to_owned();
    audit.divergence = Some(part_at(&courses, &["a.log", "b.log"], 4, Kind::Value));
    audit
}

/// Everything that a log could try, wherever an audit holds text of the job's.
pub const ATTACKS: &[&str] = &[
    "\x1b[2J\x1b]0;owned\x07\u{9b}31m\x08\x7f",
    "\n::error file=a.py,line=1::owned\r\n::stop-commands::x",
    "##[error]owned",
    "</td></pre><script>alert(1)</script><img src=x onerror=alert(2)>",
    "]]><failure message='owned'/><!-- ",
    "\" onload=\"alert(3)\" '",
    "```\n</details>\n# owned\n| a | b |\n[x](https://owned.example) ![y](z) @everyone",
    "=HYPERLINK(\"https://owned.example\")",
    "-2+3+cmd|' /C calc'!A0",
    "{\"verdict\": \"agreed\"}\u{0}\u{ffff}",
    "\u{202e}txt.exe\u{2066}\u{200b}\u{feff}",
];

/// An audit in which every text that can come from a job is hostile.
pub fn hostile() -> Audit {
    let attack = ATTACKS.join(" ");
    let mut audit = unseeded();
    let name = |index: usize| format!("{}{index}", ATTACKS[index % ATTACKS.len()]);
    audit.reason = attack.clone();
    audit.metric = Some(attack.clone());
    audit.not_checked = ATTACKS.iter().map(|attack| (*attack).to_owned()).collect();
    audit.warnings.clone_from(&audit.not_checked);
    audit.next.clone_from(&audit.not_checked);
    for (index, comparison) in audit.comparisons.iter_mut().enumerate() {
        comparison.run = name(index + 7);
        comparison.window.metric.clone_from(&attack);
        for (line, attack) in comparison.raw.iter_mut().zip(ATTACKS) {
            line.text = format!("{attack} {}", line.text);
        }
    }
    for (curve, comparison) in audit.curves.iter_mut().zip(&audit.comparisons) {
        curve.run.clone_from(&comparison.run);
        curve.series.metric.clone_from(&attack);
    }
    let divergences = audit.divergence.iter_mut().chain(&mut audit.also_diverged);
    for divergence in divergences {
        divergence.metric.clone_from(&attack);
        for (value, comparison) in divergence.values.iter_mut().zip(&audit.comparisons) {
            value.run.clone_from(&comparison.run);
        }
    }
    for (index, run) in audit.runs.iter_mut().enumerate() {
        run.id = name(index + 7);
        run.node.clone_from(&attack);
        run.status = Status::Crashed;
        run.last_words = ATTACKS.iter().map(|attack| (*attack).to_owned()).collect();
        run.log = PathBuf::from(&attack);
        run.settings.insert(SettingId::new("env.X"), Level::new(attack.clone()));
    }
    let broken = Some(Outcome::Unresolved(attack.clone()));
    audit.treatments = vec![TreatmentResult {
        notes: vec![attack.clone()],
        ..treatment(&format!("env.X={attack}"), &[("env.X", &attack)], broken, &["r1"])
    }];
    audit.treatments.push(treatment("reference", &[], diverged(&audit), &["r1", "r2", "r3"]));
    audit.effects = vec![Effect {
        setting: SettingId::new("env.X"),
        levels: vec![attack.clone(), "b".to_owned()],
        changes_repeatability: Some(false),
        changes_result: Some(true),
        onset: None,
        prices: vec![
            LevelPrice { level: attack.clone(), price: Ok(Price { step_time_ratio: 1.5, spread: (1.4, 1.6) }) },
            LevelPrice { level: "b".to_owned(), price: Err(attack.clone()) },
        ],
        confounded_with: vec![SettingId::new(attack.clone())],
    }];
    if let Some(blame) = &mut audit.blame {
        blame.history.clone_from(&audit.not_checked);
        for cause in &mut blame.causes {
            cause.summary.clone_from(&attack);
            cause.evidence.clone_from(&audit.not_checked);
            cause.remedy = ATTACKS.join("\n");
            cause.location = Some(SourceLine { file: PathBuf::from(format!("{attack}.py")), line: 3 });
        }
    }
    audit.confidence = Some(Confidence { repeats: 3, statement: attack.clone(), missed: Vec::new() });
    audit.environment = None;
    audit.environments =
        vec![(attack.clone(), environment(&attack, "a")), ("b".to_owned(), environment("2.13.0", "b"))];
    audit
}

fn environment(torch: &str, host: &str) -> Environment {
    let facts =
        [("os", "Linux 6.8"), ("cpu", "Some CPU @ 3.0GHz"), ("python", "3.11.9"), ("torch", torch), ("node", host)];
    Environment { facts: facts.iter().map(|(name, fact)| ((*name).to_owned(), (*fact).to_owned())).collect() }
}

fn diverged(audit: &Audit) -> Option<Outcome> {
    audit.divergence.clone().map(Outcome::Diverged)
}

fn treatment(id: &str, settings: &[(&str, &str)], outcome: Option<Outcome>, runs: &[&str]) -> TreatmentResult {
    TreatmentResult {
        treatment: Treatment { id: id.to_owned(), settings: levels(settings) },
        outcome,
        notes: Vec::new(),
        runs: runs.iter().map(|run| (*run).to_owned()).collect(),
    }
}

fn levels(settings: &[(&str, &str)]) -> BTreeMap<SettingId, Level> {
    settings.iter().map(|(id, level)| (SettingId::new(*id), Level::new(*level))).collect()
}

fn run(number: u32, treatment: &str, settings: &[(&str, &str)], points: usize) -> Run {
    Run {
        id: format!("r{number}"),
        treatment: treatment.to_owned(),
        replicate: (number - 1) % 3 + 1,
        settings: levels(settings),
        read_back: levels(settings),
        status: Status::Finished,
        exit_code: Some(0),
        signal: None,
        points,
        duration: Duration::from_millis(3_200 + u64::from(number)),
        node: "node-1".to_owned(),
        attempts: Vec::new(),
        log: PathBuf::from(format!("runs/r{number}/stdout.log")),
        last_words: Vec::new(),
    }
}

/// A falling loss; runs with another number see other values, in the digits of `first`.
fn noisy(run: usize, step: usize, first: &str) -> String {
    if step == 0 {
        return first.to_owned();
    }
    let decimals = first.rsplit_once('.').map_or(0, |(_, digits)| digits.len());
    let start: f64 = first.parse().unwrap_or(1.0);
    let fall = start / (1.0 + 0.11 * step as f64);
    let wave = 0.02 * ((step * 7) as f64).sin();
    let apart = run as f64 * 0.000_8 * (1.0 + step as f64 * 0.4) * ((step + run) as f64).cos();
    format!("{:.decimals$}", fall + wave * fall + apart)
}

fn course(metric: &str, points: usize, text: &dyn Fn(usize) -> String) -> Series {
    let mut series = Series::new(metric, Role::TrainingLoss);
    series.points = (0..points)
        .map(|step| {
            let mut point = Point::printed(step as i64, &text(step), step as u64 + 4);
            point.position.epoch = Some(1.0);
            point
        })
        .collect();
    series
}

/// An audit of these series, with the window `shown` of each, its raw lines and its curve.
fn compared(command: &str, courses: &[Series], names: &[&str], shown: std::ops::Range<usize>) -> Audit {
    let mut audit = empty(command);
    audit.metric = courses.first().map(|series| series.metric.clone());
    let decimals = courses.first().and_then(Series::decimals).unwrap_or(0);
    audit.resolution = Some(Resolution {
        source: Source::Printed,
        decimals: Some(decimals),
        note: format!("{decimals} decimals printed: a difference below 5e-{} cannot be seen", decimals + 1),
    });
    for (index, (series, name)) in courses.iter().zip(names).enumerate() {
        let points = series.points.get(shown.start..shown.end.min(series.points.len())).unwrap_or_default();
        let raw = points.iter().map(|point| RawLine { number: point.line, text: line(point, index) }).collect();
        let window = Series { points: points.to_vec(), ..series.clone() };
        audit.comparisons.push(Comparison { run: (*name).to_owned(), window, raw });
        audit.curves.push(Curve { run: (*name).to_owned(), series: series.clone() });
    }
    audit
}

/// The line of the classic PyTorch example, with its tab and a time of its own.
fn line(point: &Point, run: usize) -> String {
    let step = point.position.step.unwrap_or(0);
    let done = 100 * step / 60;
    let time = 0.1 + 0.003 * (run + 1) as f64;
    format!("Train Epoch: 1 [{}/3840 ({done}%)]\tLoss: {}  ({time:.3} s)", step * 64, point.text)
}

fn part_at(courses: &[Series], names: &[&str], index: usize, kind: Kind) -> Divergence {
    let point = |series: &Series| series.points.get(index).cloned();
    let values: Vec<RunValue> = courses
        .iter()
        .zip(names)
        .map(|(series, name)| RunValue {
            run: (*name).to_owned(),
            text: point(series).map(|point| point.text),
            value: point(series).map(|point| point.value),
            line: point(series).map(|point| point.line),
        })
        .collect();
    let numbers: Vec<f64> = values.iter().filter_map(|value| value.value).collect();
    let low = numbers.iter().copied().fold(f64::INFINITY, f64::min);
    let high = numbers.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let sizes = numbers.len() == values.len();
    Divergence {
        rank: None,
        position: courses.iter().find_map(point).map(|point| point.position).unwrap_or_default(),
        index,
        metric: courses.first().map_or(String::new(), |series| series.metric.clone()),
        kind,
        stage: None,
        values,
        absolute: sizes.then_some(high - low),
        relative: sizes.then_some((high - low) / high),
        ulps: sizes.then(|| u64::from((high as f32).to_bits() - (low as f32).to_bits())),
    }
}
