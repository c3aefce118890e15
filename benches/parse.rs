//! How fast logs are read, against `wc -l` on the same file: `cargo bench --bench parse [MEGABYTES]`.
//!
//! Each figure is the best of five, so that other work on the machine disturbs it least.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use repro_audit::parse::{Options, Stream};

type Line = fn(u64, f64) -> String;

const KINDS: [(&str, Line); 6] = [
    ("plain", |i, v| format!("Train Epoch: 1 [{}/60000000 ({}%)]\tLoss: {v:.6}\n", i * 64, i % 100)),
    ("hf", |i, v| {
        format!(
            "{{'loss': {v:.4}, 'grad_norm': {:.6}, 'learning_rate': 1.0e-04, 'epoch': {:.4}}}\n",
            v / 3.0,
            i as f64 / 1e3
        )
    }),
    ("logging", |i, v| match i % 5 {
        0 => format!(
            "2026-11-21 09:18:33,{:03} - INFO - trainer - step {i}/1000000 | loss={v:.6} | lr=1.00e-03 | {:.1} ms/step\n",
            i % 1000,
            v * 9.0
        ),
        _ => format!(
            "2026-11-21 09:18:33,{:03} - DEBUG - http - \"GET /api/v1/items/{i}?page=2&size=100 HTTP/1.1\" 200 None and some more words to fill the line\n",
            i % 1000
        ),
    }),
    ("tqdm", |i, v| {
        format!(
            "\repoch 0:  {}%|███       | {}/1000000 [00:00<00:00, 127.69it/s, loss={v:.4}, lr=0.01]",
            i / 10_000,
            i + 1
        )
    }),
    ("jsonl", |i, v| {
        format!(
            "{{\"step\": {i}, \"loss\": {v}, \"lr\": 0.0001, \"grad_norm\": {}, \"epoch\": {}, \"tokens_per_s\": 9123.5, \"time\": {}}}\n",
            v / 3.0,
            i as f64 / 1e3,
            i as f64 / 10.0
        )
    }),
    ("csv", |i, v| match i {
        0 => "step,loss,a,b,c,d,e,f,g,h,i,j\n".to_owned(),
        _ => format!("{i},{v:.6},{v:.4},{v:.4},{v:.4},{v:.4},{v:.4},{v:.4},{v:.4},{v:.4},{v:.4},{v:.4}\n"),
    }),
];

fn main() {
    let size = std::env::args().skip(1).find_map(|a| a.parse::<u64>().ok()).unwrap_or(64) << 20;
    let folder = std::env::temp_dir().join("repro-audit-bench");
    fs::create_dir_all(&folder).expect("a folder for the data");
    let mut out = std::io::stdout();
    writeln!(out, "{:8} {:>10} {:>10} {:>12} {:>8}", "log", "MB/s", "points", "wc -l MB/s", "times").expect("output");
    for (name, line) in KINDS {
        let path = folder.join(name);
        write_log(&path, line, size);
        let megabytes = fs::metadata(&path).expect("the file").len() as f64 / 1e6;
        let (ours, points) = best(|| read(&path));
        let (wc, _) = best(|| count_lines(&path));
        let speed = |time: Duration| megabytes / time.as_secs_f64();
        let ratio = ours.as_secs_f64() / wc.as_secs_f64();
        writeln!(out, "{name:8} {:>10.0} {points:>10} {:>12.0} {ratio:>8.1}", speed(ours), speed(wc)).expect("output");
    }
}

fn best(mut run: impl FnMut() -> u64) -> (Duration, u64) {
    let times = (0..5).map(|_| {
        let start = Instant::now();
        let count = run();
        (start.elapsed(), count)
    });
    times.min().expect("five times")
}

fn read(path: &Path) -> u64 {
    let mut stream = Stream::open(path, &Options::default()).expect("the file");
    let (mut out, mut points) = (Vec::new(), 0);
    while stream.next_block(&mut out).expect("readable") {
        points += out.len() as u64;
        out.clear();
    }
    points
}

fn count_lines(path: &Path) -> u64 {
    let status = Command::new("wc").arg("-l").arg(path).stdout(Stdio::null()).status().expect("wc");
    u64::from(status.success())
}

fn write_log(path: &Path, line: Line, size: u64) {
    let mut file = std::io::BufWriter::new(fs::File::create(path).expect("a file"));
    let (mut written, mut index, mut state) = (0, 0, 1u64);
    while written < size {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        let text = line(index, (state >> 11) as f64 / (1u64 << 53) as f64);
        written += text.len() as u64;
        index += 1;
        file.write_all(text.as_bytes()).expect("space");
    }
    file.flush().expect("space");
}
