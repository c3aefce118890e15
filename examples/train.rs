//! The reference training job: a small convolutional net on synthetic images, compiled against libtorch.
//!
//! In: flags. Out: one line `step K loss X` for each step. Seeded it repeats; without `--seed` it does not, like a job
//! whose author forgot; with `--race` and loader threads the batches come in the order in which threads finish them.

#![expect(clippy::print_stdout, reason = "a job prints its own log")]

use std::collections::BTreeMap;
use std::error::Error;
use std::hash::{BuildHasher, RandomState};
use std::io::{self, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use clap::{Parser, ValueEnum};
use tch::nn::{self, OptimizerConfig};
use tch::{Cuda, Device, Tensor};

const SIDE: i64 = 28;
const PIXELS: usize = (SIDE * SIDE) as usize;
const CLASSES: u64 = 10;

#[derive(Parser)]
#[command(about = "Trains a small convolutional net on synthetic images")]
struct Args {
    /// Seed of weights and data; without it every run has another one
    #[arg(long)]
    seed: Option<u64>,
    /// cpu, cuda or cuda:N
    #[arg(long, default_value = "cpu", value_parser = device)]
    device: Device,
    /// Threads within an operation
    #[arg(long)]
    threads: Option<i32>,
    /// Let cuDNN time its algorithms and take the fastest
    #[arg(long, value_enum)]
    cudnn_benchmark: Option<Switch>,
    /// Loader threads; 0 reads the batches in the training thread
    #[arg(long, default_value_t = 0)]
    num_workers: usize,
    /// Take batches in the order in which loader threads finish them
    #[arg(long)]
    race: bool,
    #[arg(long, default_value_t = 32)]
    batch_size: usize,
    #[arg(long, default_value_t = 20)]
    steps: u64,
    #[arg(long, default_value_t = 0.02)]
    lr: f64,
}

#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum Switch {
    On,
    Off,
}

fn device(text: &str) -> Result<Device, String> {
    let unknown = || format!("no device {text:?}: cpu, cuda or cuda:N");
    match text.split_once(':') {
        None if text == "cpu" => Ok(Device::Cpu),
        None if text == "cuda" => Ok(Device::Cuda(0)),
        Some(("cuda", index)) => index.parse().map(Device::Cuda).map_err(|_| unknown()),
        _ => Err(unknown()),
    }
}

/// A stream of numbers that follows from its key alone (SplitMix64).
struct Stream(u64);

impl Stream {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Between 0 and 1; 24 bits, as many as an `f32` holds.
    fn unit(&mut self) -> f32 {
        (self.next() >> 40) as f32 / (1 << 24) as f32
    }
}

/// The images and classes of one step, as plain memory: what a loader thread hands over.
struct Batch {
    pixels: Vec<f32>,
    classes: Vec<i64>,
}

/// Reads the batch of a step; it follows from seed and step, whoever reads it and whenever.
fn read_batch(seed: u64, step: u64, size: usize) -> Batch {
    let mut stream = Stream(seed ^ step.wrapping_mul(0xd6e8_feb8_6659_fd93));
    // Storage answers some requests later than others.
    thread::sleep(Duration::from_micros(500 + 250 * (stream.next() % 4)));
    let mut batch = Batch { pixels: Vec::with_capacity(size * PIXELS), classes: Vec::with_capacity(size) };
    for _ in 0..size {
        let class = stream.next() % CLASSES;
        // Each class is a bright spot at its own place on a circle, moved a little.
        let angle = class as f32 / CLASSES as f32 * std::f32::consts::TAU;
        let (x, y) = (14.0 + 8.0 * angle.cos() + stream.unit(), 14.0 + 8.0 * angle.sin() + stream.unit());
        for pixel in 0..PIXELS {
            let (dx, dy) = ((pixel % SIDE as usize) as f32 - x, (pixel / SIDE as usize) as f32 - y);
            batch.pixels.push((-(dx * dx + dy * dy) / 8.0).exp() + 0.3 * (stream.unit() - 0.5));
        }
        batch.classes.push(class as i64);
    }
    batch
}

/// Batches of `steps` steps: read here, or by a pool of threads that each take the next step not yet taken.
fn batches(args: &Args, seed: u64) -> Box<dyn Iterator<Item = Batch>> {
    let (steps, size) = (args.steps, args.batch_size);
    if args.num_workers == 0 {
        return Box::new((0..steps).map(move |step| read_batch(seed, step, size)));
    }
    let next = Arc::new(AtomicU64::new(0));
    // Unbounded: the run is short, and threads that waited for room would take turns instead of racing.
    let (sender, finished) = mpsc::channel();
    for _ in 0..args.num_workers {
        let (next, sender) = (Arc::clone(&next), sender.clone());
        thread::spawn(move || {
            loop {
                let step = next.fetch_add(1, Ordering::Relaxed);
                // The receiver is gone once training has ended; nobody needs this batch then.
                if step >= steps || sender.send((step, read_batch(seed, step, size))).is_err() {
                    break;
                }
            }
        });
    }
    let finished = finished.into_iter();
    if args.race {
        return Box::new(finished.map(|(_, batch)| batch));
    }
    Box::new(in_order(finished))
}

/// Holds early batches back until it is their turn.
fn in_order(mut finished: impl Iterator<Item = (u64, Batch)>) -> impl Iterator<Item = Batch> {
    let (mut early, mut turn) = (BTreeMap::new(), 0);
    std::iter::from_fn(move || {
        loop {
            if let Some(batch) = early.remove(&turn) {
                turn += 1;
                return Some(batch);
            }
            let (step, batch) = finished.next()?;
            early.insert(step, batch);
        }
    })
}

fn net(root: &nn::Path) -> impl nn::Module + use<> {
    // A faint head: no class is preferred at first, so the first loss is close to ln 10.
    let small = nn::LinearConfig { ws_init: nn::Init::Randn { mean: 0.0, stdev: 0.02 }, ..Default::default() };
    nn::seq()
        .add(nn::conv2d(root / "conv1", 1, 8, 5, Default::default()))
        .add_fn(|x| x.max_pool2d_default(2).relu())
        .add(nn::conv2d(root / "conv2", 8, 16, 5, Default::default()))
        .add_fn(|x| x.max_pool2d_default(2).relu().flatten(1, -1))
        .add(nn::linear(root / "head", 16 * 4 * 4, CLASSES as i64, small))
}

fn main() -> Result<(), Box<dyn Error>> {
    let args = Args::parse();
    if let Some(threads) = args.threads {
        tch::set_num_threads(threads);
    }
    if let Some(benchmark) = args.cudnn_benchmark {
        Cuda::cudnn_set_benchmark(benchmark == Switch::On);
    }
    // libtorch left alone starts from a constant, which would hide that nothing was seeded; PyTorch users who forget
    // the seed get other data order and other augmentation every time. std keys its hasher from the system's entropy.
    let seed = args.seed.unwrap_or_else(|| RandomState::new().hash_one(0));
    tch::manual_seed(seed as i64);

    let weights = nn::VarStore::new(args.device);
    let model = net(&weights.root());
    let mut optimizer = nn::sgd(0.9, 0.0, 0.0, false).build(&weights, args.lr)?;
    for (step, batch) in batches(&args, seed).enumerate() {
        let images = Tensor::from_slice(&batch.pixels).view([-1, 1, SIDE, SIDE]).to_device(args.device);
        let classes = Tensor::from_slice(&batch.classes).to_device(args.device);
        let loss = images.apply(&model).cross_entropy_for_logits(&classes);
        optimizer.backward_step(&loss);
        println!("step {step} loss {:.6}", loss.double_value(&[]));
        io::stdout().flush()?;
    }
    Ok(())
}
