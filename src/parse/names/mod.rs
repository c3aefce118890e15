//! What the name of a number means: a position, a loss, another result, a schedule, noise.

mod rank;
mod words;

pub(crate) use rank::loss_rank;
use words::{
    CONFIG, EPOCHS, HELD, LOSSES, MINIMISED, NOISE, PAIRS, RESULTS, SCHEDULES, SOURCES, STEPS, TIMES, TRAIN, UNITS,
    WEAK_RESULTS, WHERE, WHOLLY_NOISE, WORK,
};

/// What a name means by itself, before its line and its log are looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Meaning {
    /// The epoch.
    Epoch,
    /// A step counter; the higher, the finer it tells where training stands in the whole run.
    Step(u8),
    /// The rank of a process.
    Rank,
    /// A loss, or what is minimised under another name.
    Loss,
    /// A known result that is no loss.
    Result,
    /// A schedule.
    Schedule,
    /// Times, throughput, memory, dates, identities.
    Noise,
    /// Sizes and totals that do not change, progress in percent.
    Config,
    /// Numbers of a line that inference prints, without a name.
    Output,
    /// Nothing that is known.
    Unknown,
}

/// Which part of the data a number was taken on, as far as its name or line says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Split {
    /// Nothing said.
    #[default]
    Unsaid,
    /// Training data.
    Train,
    /// Held-out data.
    Held,
}

/// A name in small letters, cut into its words: `Train/LossBox_2` gives `train loss box 2`, and `mIoU` gives `m iou`.
pub(crate) fn tokens(name: &str) -> Vec<String> {
    let mut all = Vec::new();
    let mut word = String::new();
    let mut last = ' ';
    for c in name.chars() {
        let camel = c.is_uppercase() && last.is_lowercase() && !(c == 'U' && word.ends_with("io"));
        if (!c.is_alphanumeric() || camel) && !word.is_empty() {
            all.push(std::mem::take(&mut word));
        }
        if c.is_alphanumeric() {
            word.extend(c.to_lowercase());
        }
        last = c;
    }
    if !word.is_empty() {
        all.push(word);
    }
    all
}

fn any(tokens: &[String], words: &[&str]) -> bool {
    tokens.iter().any(|t| words.contains(&t.as_str()))
}

/// The split that a name tells of.
pub(crate) fn split(tokens: &[String]) -> Split {
    let held = |t: &String| {
        HELD.contains(&t.as_str())
            || (t.ends_with("损失") && (t.starts_with("验证") || t.starts_with("测试")))
            || t.starts_with("検証")
            || t.starts_with("validierungs")
            || t.starts_with("검증")
    };
    // What is measured, and not on which data: `Evaluation metric`, and Spark's `Val and Grad Norm` of what it minimises.
    let measured = |pair: &[String]| matches!((&*pair[0], &*pair[1]), ("evaluation", "metric") | ("val", "and"));
    let measured = tokens.windows(2).any(measured);
    if tokens.iter().any(held) && !measured {
        Split::Held
    } else if any(tokens, TRAIN) {
        Split::Train
    } else {
        Split::Unsaid
    }
}

/// Whether a bare word names a position: what may stand before a number without being a metric.
pub(crate) fn is_position_word(word: &[u8]) -> bool {
    let name = String::from_utf8_lossy(word);
    matches!(meaning(&name), Meaning::Epoch | Meaning::Step(_))
}

/// Whether the tokens name a loss or what stands for one.
pub(crate) fn has_loss(tokens: &[String]) -> bool {
    // `l_pix`, `l_g_gan`: restorers of images call each of their losses so.
    let short =
        matches!(tokens, [l, of, ..] if l == "l" && of != "rate" && of.starts_with(|c: char| c.is_alphabetic()));
    // `Err_D`, `errG`: the two nets of a GAN.
    let adversary = matches!(tokens, [err, net] if err == "err" && matches!(net.as_str(), "g" | "d"));
    // `pg`: the loss of a policy, where its gradient has no other name.
    let policy = matches!(tokens, [pg] if pg == "pg");
    short
        || adversary
        || policy
        || tokens.windows(2).any(|pair| PAIRS.iter().any(|known| pair[0] == known[0] && pair[1] == known[1]))
        || tokens.iter().any(|t| {
            // CatBoost prints `learn: 0.5`; in a longer name it is a part of the job.
            LOSSES.contains(&t.as_str()) && (t != "learn" || tokens.len() == 1)
                || MINIMISED.contains(&t.as_str())
                || (t.ends_with("loss") && t != "floss")
                || t.ends_with("logloss")
                || t.ends_with("损失")
                || t.ends_with("損失")
                || t.ends_with("손실")
                || t.starts_with("verlust")
                || t.ends_with("verlust")
                || t.starts_with("потер")
        })
}

/// What the name of a table's column means: spaCy heads its epochs with a lone `E`.
pub(crate) fn column(name: &str) -> Meaning {
    if name == "E" {
        return Meaning::Epoch;
    }
    // `number_of_trees` heads the step of a boosted model, and Vowpal Wabbit's `example counter` that of a stream.
    match tokens(name).iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["number", "of", "trees" | "iterations" | "internal"] => Meaning::Step(3),
        [counted, "counter"] => meaning(counted),
        // Generations of an evolution.
        ["gen" | "generation"] => Meaning::Step(3),
        _ => meaning(name),
    }
}

/// The names of the columns of a table, where some say more beside others.
pub(crate) fn of_columns(names: Vec<String>) -> Vec<String> {
    // Detectors head the sum of their losses with a bare `total`.
    let terms = names.iter().filter(|name| matches!(name.as_str(), "box" | "obj" | "cls")).count();
    // An evolution's table of generations shows statistics of their fitness.
    let evolves = names.iter().any(|name| name == "gen");
    let statistic = |name: &str| matches!(name, "avg" | "std" | "min" | "max" | "mean" | "med");
    let whole = |name: String| match name.as_str() {
        "total" if terms > 1 => "total loss".to_owned(),
        bare if evolves && statistic(bare) => format!("{bare} fitness"),
        _ => name,
    };
    names.into_iter().map(whole).collect()
}

/// A loss without the aside behind it: `Training loss (for one batch)` gives `Training loss`. Other names are left whole,
/// since their unit may stand in brackets.
pub(crate) fn without_aside(name: &str) -> &str {
    match name.trim_end().strip_suffix(')').and_then(|open| open.rsplit_once('(')) {
        Some((head, _)) if has_loss(&tokens(head)) => head.trim_end(),
        _ => name,
    }
}

/// What `name` means.
pub(crate) fn meaning(name: &str) -> Meaning {
    let name = without_aside(name);
    // `训练损失为`: the loss is.
    let name = name.strip_suffix(['为', '是']).unwrap_or(name);
    // `objective/kl` is one of the things that make up an objective, and `global_step/max_steps` counts beside its end.
    let name = name.strip_prefix("objective/").unwrap_or(name);
    let name = match name.split_once('/') {
        Some((counter, end)) if is_end_of(counter, end) => counter,
        _ => name,
    };
    let tokens = tokens(name);
    let Some(last) = tokens.last().map(String::as_str) else { return special(name) };
    let lower = name.trim().to_lowercase();
    // `treeAggregate at RDDLossFunction.scala:61`: a place in a source.
    if SOURCES.iter().any(|ending| lower.ends_with(ending)) {
        return Meaning::Noise;
    }
    // Marian counts its updates as `Up.`.
    if lower == "up." {
        return Meaning::Step(4);
    }
    if lower.contains("/s") && (lower.ends_with("/s") || lower.contains("/sec"))
        || lower.contains("per_sec")
        || lower.contains("per second")
        || lower.contains("persec")
        || lower.contains("_per_s")
        || lower.contains("/s/")
    {
        return Meaning::Noise;
    }
    // Loggers that count in lists, as NVIDIA's do: epoch and iteration.
    match lower.as_str() {
        "step.0" => return Meaning::Epoch,
        "step.1" => return Meaning::Step(5),
        _ => {}
    }
    // `number of examples = 4096` counts what there was in all.
    if matches!(tokens.as_slice(), [number, of, ..] if number == "number" && of == "of") {
        return Meaning::Config;
    }
    // How far an optimiser goes: `step_size`, `Line search step: 0.5`.
    if last == "stepsize" || matches!(tokens.as_slice(), [.., of, what] if is_step_length(of, what)) {
        return Meaning::Schedule;
    }
    // `|step|`, `|gradient|`: lengths of vectors.
    if lower.len() > 2 && lower.starts_with('|') && lower.ends_with('|') {
        return Meaning::Result;
    }
    let loss = has_loss(&tokens);
    // `Iteration No: 1`, `Epoch number 1`, `Episode Num: 1`, `Epochs seen: 1`.
    let tail = matches!(last, "no" | "nr" | "num" | "number" | "seen" | "done" | "completed" | "finished");
    let indexed = matches!(tokens.as_slice(), [of, nth] if is_indexed(of, nth));
    let numbered = tokens.len() > 1 && tail && !name.ends_with(".num") || indexed;
    let counted = &tokens[..tokens.len() - usize::from(numbered)];
    // `train_acc_epoch`: an accuracy over the epoch, as Lightning calls it.
    // `Acc_iter` counts what was accumulated.
    let joined = tokens.len() > 1 && !name.contains(char::is_whitespace);
    let over = joined && matches!(last, "step" | "epoch" | "batch") && is_result(&tokens, last);
    if !over && let Some(position) = counted.last().and_then(|last| position(counted, last, loss)) {
        return position;
    }
    // OpenMMLab's `Iter(train)`.
    if let [first, part] = tokens.as_slice()
        && name.ends_with(')')
        && matches!(part.as_str(), "train" | "val" | "test")
        && let Some((_, rank)) = STEPS.iter().find(|(word, _)| word == first)
    {
        return Meaning::Step(*rank);
    }
    if loss {
        return loss_or_not(&tokens, last);
    }
    if is_noise(&tokens, last, &lower) {
        return Meaning::Noise;
    }
    if any(&tokens, SCHEDULES)
        || (any(&tokens, &["learning"]) && any(&tokens, &["rate"]))
        || last == "rate" && (tokens.len() == 1 || tokens[0] == "l")
    {
        return Meaning::Schedule;
    }
    // `num_correct` counts what came out, `num_workers` what was set.
    if any(&tokens, &["num", "proc", "nproc", "workers", "evals", "nfev"]) && !is_result(&tokens, last) {
        return Meaning::Config;
    }
    if any(&tokens, RESULTS)
        || tokens.iter().any(|t| {
            t.starts_with("rew")
                || t.starts_with("fid")
                || t.ends_with("norm")
                || t.ends_with("acc")
                || t.ends_with("error")
        })
        || lower.contains("acc@")
    {
        return Meaning::Result;
    }
    if any(&tokens, CONFIG)
        || tokens[0] == "num"
        || tokens[0] == "n" && tokens.len() > 1
        || tokens[0] == "max"
        || tokens[0] == "global"
    {
        return Meaning::Config;
    }
    Meaning::Unknown
}

/// `Batch id: 3`, `epoch_idx`.
fn is_indexed(counter: &str, nth: &str) -> bool {
    matches!(nth, "id" | "idx" | "index") && matches!(counter, "epoch" | "batch" | "step" | "iter" | "iteration")
}

/// `step size`, `search step`.
fn is_step_length(of: &str, what: &str) -> bool {
    matches!((of, what), ("step", "size") | ("search", "step"))
}

/// Whether `end` names how far `counter` will count.
fn is_end_of(counter: &str, end: &str) -> bool {
    any(&tokens(end), &["max", "total", "num"])
        && meaning(end) == Meaning::Config
        && matches!(meaning(counter), Meaning::Step(_) | Meaning::Epoch)
}

/// Names without a letter or digit: spaCy's `#`.
fn special(name: &str) -> Meaning {
    if name.trim() == "#" { Meaning::Step(5) } else { Meaning::Unknown }
}

/// Whether a name is that of a result, whatever else it says: `node_acc`, `latency_error`, but not `score_time`.
fn is_result(tokens: &[String], last: &str) -> bool {
    let timed = TIMES.iter().any(|time| last.ends_with(time));
    let measured = NOISE.contains(&last) && !WHERE.contains(&last) || timed;
    let tells = |t: &String| {
        RESULTS.contains(&t.as_str()) && !WEAK_RESULTS.contains(&t.as_str())
            || t.ends_with("acc")
            || t.ends_with("error")
            || t.ends_with("norm")
    };
    !measured && !matches!(last, "s" | "id") && tokens.iter().any(tells)
}

fn is_noise(tokens: &[String], last: &str, lower: &str) -> bool {
    if is_result(tokens, last) {
        return false;
    }
    matches!(lower, "data" | "data (t)" | "batch (t)" | "step_avg" | "kwh")
        || lower == "lr_time"
        || any(tokens, NOISE)
        || tokens.len() == 1 && WHOLLY_NOISE.contains(&last)
        // `data_t`: the time that data took.
        || last == "t" && matches!(tokens, [of, _] if matches!(of.as_str(), "data" | "batch" | "iter" | "total"))
        || TIMES.iter().any(|time| last.ends_with(time))
        || lower.starts_with("gpu")
        || lower.starts_with("ms/")
        || lower.starts_with("s/")
        || lower.contains("_id")
        || last == "id"
        || any(tokens, &["gpu"])
        // `save_s` and `s_per_iter`: seconds, where `acc_s` is that of a source.
        || lower.ends_with("_s") && !any(tokens, RESULTS)
        || lower.starts_with("s_per_")
        // `iteration_rate`: how many of them in a second.
        || last == "rate" && tokens.len() > 1 && STEPS.iter().any(|(word, _)| *word == tokens[tokens.len() - 2])
}

/// Epoch, step and rank words. Where a loss stands in the same name (`loss_step`, `Loss at step`) it is no position.
fn position(tokens: &[String], last: &str, loss: bool) -> Option<Meaning> {
    let first = tokens[0].as_str();
    let size = any(
        tokens,
        &[
            "size",
            "per",
            "num",
            "max",
            "total",
            "time",
            "times",
            "sec",
            "s",
            "ms",
            "skipped",
            "nan",
            "warmup",
            "reward",
            "rew",
            "len",
            "mean",
            "best",
            "early",
            "remaining",
            "accumulation",
            "this",
            "save",
            "eval",
            "logging",
            "until",
            "left",
            "stop",
        ],
    );
    let running_total = matches!(tokens, [a, b] if a == "total" && b == "timesteps")
        || tokens == ["total", "train", "updates"]
        || tokens == ["num", "updates"]
        || tokens == ["num", "trees"]
        || tokens == ["time", "total", "timesteps"]
        || tokens == ["consumed", "samples"]
        || tokens == ["time", "iterations"];
    if loss && !tokens.iter().any(|t| matches!(t.as_str(), "at" | "after" | "in" | "for" | "on")) {
        return None;
    }
    // An episode's own steps say how long it was.
    if size && !running_total || tokens == ["episode", "steps"] {
        return (STEPS.iter().any(|(w, _)| *w == last) || EPOCHS.contains(&last))
            .then_some(Meaning::Config)
            .filter(|_| !loss)
            .filter(|_| !any(tokens, &["reward", "rew", "len", "mean", "time", "times", "sec", "s", "ms"]));
    }
    if last == "rank" {
        return Some(Meaning::Rank);
    }
    // `训练轮次`, `训练步数`: scripts without blanks write them as one word.
    if !loss && !last.is_ascii() && ["轮次", "轮数", "周期"].iter().any(|word| last.ends_with(word)) {
        return Some(Meaning::Epoch);
    }
    // `训练次数`: how often it was trained.
    if !loss && !last.is_ascii() && last.ends_with("次数") {
        return Some(Meaning::Step(4));
    }
    // `step_in_epoch`
    if let [counter, within, _] = tokens
        && within == "in"
        && let Some((_, rank)) = STEPS.iter().find(|(word, _)| word == counter)
    {
        return Some(Meaning::Step(*rank));
    }
    if EPOCHS.contains(&last) && (last != "e" || tokens.len() == 1)
        || (tokens.len() <= 2 && first == "epoch" && matches!(last, "train" | "val" | "test" | "epoch"))
    {
        return Some(Meaning::Epoch);
    }
    if running_total {
        return Some(Meaning::Step(if tokens.contains(&"updates".to_owned()) {
            7
        } else if tokens.contains(&"timesteps".to_owned()) {
            6
        } else {
            1
        }));
    }
    let (_, rank) = STEPS.iter().find(|(w, _)| *w == last)?;
    let whole_run = any(tokens, &["global", "current", "completed", "optimizer", "opt", "learner"]);
    (*rank > 0).then(|| Meaning::Step(if whole_run { rank + 2 } else { *rank }))
}

/// Names that hold a loss word: the loss itself, or something about it.
fn loss_or_not(tokens: &[String], last: &str) -> Meaning {
    // Apex says which of its scalers it is, and collectors of statistics how many values one stands for.
    if matches!(last, "scaler" | "num" | "count") {
        return Meaning::Config;
    }
    if any(tokens, &["scale", "scaler", "scaling"]) {
        return Meaning::Schedule;
    }
    // Paddle's `batch_cost` is the time that a batch cost.
    let timed = last == "cost" && any(tokens, &["batch", "data", "reader", "time"]);
    let worked = last == "s" && any(tokens, WORK);
    if timed || worked || UNITS.contains(&last) {
        return Meaning::Noise;
    }
    if any(tokens, &["weight", "weights", "coef", "coeff", "lambda"]) {
        return Meaning::Schedule;
    }
    if any(
        tokens,
        &[
            "best",
            "delta",
            "improvement",
            "improved",
            "change",
            "std",
            "stddev",
            "min",
            "minimum",
            "lowest",
            "ratio",
            "patience",
            "threshold",
            "target",
            "init",
            "initial",
            "scores",
            "signs",
        ],
    ) {
        return Meaning::Result;
    }
    Meaning::Loss
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_names_by_their_words() {
        for (names, expected) in [
            (
                &[
                    "loss",
                    "Loss_D",
                    "train-rmse",
                    "training's l2",
                    "val_loss",
                    "lm loss",
                    "损失",
                    "训练损失",
                    "Verlust",
                    "loss_step",
                    "TrainLoss",
                    "cost",
                    "train/box_loss",
                    "total_loss",
                    "validation_0-logloss",
                    "learn",
                    "loss_cls_s",
                    "duration_loss",
                    "l_pix",
                    "D loss",
                    "avr_loss",
                ][..],
                Meaning::Loss,
            ),
            (&["epoch", "Train Epoch", "轮", "Epoch(train)", "trainer/epoch"], Meaning::Epoch),
            (
                &[
                    "accuracy",
                    "acc@1",
                    "grad_norm",
                    "ppl",
                    "ep_rew_mean",
                    "best val loss",
                    "init loss",
                    "Loss/scores/fake.mean",
                    "gnorm",
                    "train-error",
                    "node_acc",
                    "peak_acc",
                    "gpu_acc",
                    "speed_error",
                    "power_error",
                    "job_score",
                    "latency_error",
                    "wait_reward",
                    "num_correct",
                    "acc_node",
                    "train_acc_step",
                    "train_acc_epoch",
                    "val/f1_epoch",
                    "norm_normal_batch",
                ],
                Meaning::Result,
            ),
            (
                &[
                    "lr",
                    "learning_rate",
                    "loss scale",
                    "loss_scale",
                    "lr/pg0",
                    "l_rate",
                    "Step Size",
                    "Line search step",
                ],
                Meaning::Schedule,
            ),
            (
                &[
                    "time",
                    "iter_dt",
                    "mfu",
                    "tokens_per_second_per_gpu",
                    "train_steps_per_second",
                    "it/s",
                    "batch_time",
                    "elapsed_time",
                    "Data",
                    "peak_memory_active",
                    "GPU_mem",
                    "global_step/sec",
                    "v_num",
                    "ms/batch",
                    "elapsed time per iteration (ms)",
                    "max_mem",
                    "eval_runtime",
                    "time_s",
                    "dur",
                    "iteration_rate",
                    "maintenance",
                    "s_per_iter",
                    "save_s",
                    "temperature_gpu",
                    "energy_kwh",
                    "処理時間",
                    "소요시간",
                    "Laufzeit",
                    "осталось",
                    "temps restant",
                    "geçen süre",
                    "残り",
                    "backward",
                    "data_t",
                    "learn_throughput",
                    "learn_fps",
                    "timers/learn_throughput",
                    "loss_compute_s",
                    "gpu_energy_joules",
                    "cost_usd",
                    "score_time",
                    "error_ms",
                ],
                Meaning::Noise,
            ),
            (
                &[
                    "batch size",
                    "total_steps",
                    "max_steps",
                    "num_epochs",
                    "percentage",
                    "episode steps",
                    "loss scaler",
                    "Loss/D/loss.num",
                ],
                Meaning::Config,
            ),
        ] {
            for name in names {
                assert_eq!(meaning(name), expected, "{name}");
            }
        }
        for name in [
            "step",
            "global_step",
            "current_steps",
            "iter",
            "Iteration",
            "batch",
            "num_updates",
            "completed step",
            "第 步",
            "global_step/max_steps",
            "num-trees",
            "step_in_epoch",
            "Batch id",
            "batch_idx",
        ] {
            assert!(matches!(meaning(name), Meaning::Step(_)), "{name}: {:?}", meaning(name));
        }
    }

    #[test]
    fn ranks_the_loss_above_what_resembles_it() {
        let rank = |name: &str| loss_rank(name).map_or(0, |r| r.strength);
        assert!(rank("loss") > rank("loss_ce"));
        assert!(rank("total_loss") > rank("loss"));
        assert!(rank("train_loss") > rank("mean loss"));
        assert!(rank("loss") > rank("train-rmse"));
        assert!(rank("train/loss") > rank("train/value_loss"));
        assert_eq!(loss_rank("val_loss").map(|r| r.split), Some(Split::Held));
    }
}
