//! One operation called several times with equal inputs, deterministic algorithms off and on in turn.

use std::time::{Duration, Instant};

use repro_audit::model::{ResultSpread, UnderDeterminism};
use tch::{Cuda, Device, Kind, TchError, Tensor};

use super::case::{Call, Case};
use super::switches;
use super::tally::{Lane, Output, Tally};

/// An operation that is so slow that its calls take longer than this in all is called fewer times, but at least
/// [`LEAST`].
const PATIENCE: Duration = Duration::from_secs(4);
const LEAST: u32 = 3;
/// The seed that libtorch's generators get before every call.
const SEED: i64 = 20_260_101;
/// How libtorch says that it has no deterministic form of an operation.
const REFUSALS: [&str; 2] = ["does not have a deterministic implementation", "Deterministic behavior was enabled"];

/// One half of an operation: what its calls gave.
pub struct Half {
    /// With deterministic algorithms off.
    pub tally: Tally,
    /// With deterministic algorithms on.
    pub deterministic: UnderDeterminism,
}

/// What the calls gave.
pub struct Tried {
    /// The operation.
    pub forward: Half,
    /// Its gradients; `None` where it has none, an error where they could not be taken.
    pub backward: Option<Result<Half, String>>,
}

/// Calls an operation `times` times.
///
/// # Errors
/// Where it cannot be called under these conditions, with libtorch's reason.
pub fn trial(call: &Call, device: Device, times: u32) -> Result<Tried, String> {
    let mut weights = Weights::default();
    let (mut off, mut on) = (Side::default(), Side::default());
    let started = Instant::now();
    let mut cannot_switch = None;
    for number in 0..times.max(2) {
        if number >= LEAST && started.elapsed() > PATIENCE {
            break;
        }
        off.take(once(call, device, &mut weights));
        if let Some(why) = &off.forward_failed {
            return Err(why.clone());
        }
        if cannot_switch.is_none() && on.forward_failed.is_none() {
            match with_determinism(|| once(call, device, &mut weights)) {
                Ok(once) => on.take(once),
                Err(why) => cannot_switch = Some(why),
            }
        }
    }
    Ok(tried(off, on, cannot_switch))
}

fn with_determinism<T>(call: impl FnOnce() -> T) -> Result<T, String> {
    switches::deterministic_algorithms(true)?;
    let given = call();
    switches::deterministic_algorithms(false).map(|()| given)
}

/// What calls under one condition gave.
#[derive(Default)]
struct Side {
    forward: Tally,
    backward: Tally,
    forward_failed: Option<String>,
    backward_failed: Option<String>,
    times: Vec<Duration>,
}

impl Side {
    fn take(&mut self, once: Once) {
        match once.forward {
            Ok(outputs) => self.forward.add(outputs),
            Err(why) => {
                self.forward_failed = self.forward_failed.take().or(Some(why));
                return;
            }
        }
        match once.backward {
            Some(Ok(outputs)) => self.backward.add(outputs),
            Some(Err(why)) => self.backward_failed = self.backward_failed.take().or(Some(why)),
            None => {}
        }
        self.times.push(once.time);
    }

    /// The median time of a call, the first one left out: it pays for what is set up once.
    fn median(&self) -> Option<f64> {
        let mut times: Vec<f64> = self.times.iter().skip(1).map(Duration::as_secs_f64).collect();
        times.sort_by(f64::total_cmp);
        times.get(times.len() / 2).copied().filter(|time| times.len() >= 2 && *time > 0.0)
    }

    fn called_backward(&self) -> bool {
        self.backward_failed.is_some() || self.backward.spread().calls > 0
    }
}

fn tried(off: Side, on: Side, cannot_switch: Option<String>) -> Tried {
    let whole = on.forward_failed.is_none() && on.backward_failed.is_none();
    let price = on.median().zip(off.median()).map(|(on, off)| on / off).filter(|_| whole);
    let under = |failed: &Option<String>, spread: ResultSpread| match (&cannot_switch, failed) {
        (Some(why), _) => UnderDeterminism::NotAsked(why.clone()),
        (None, Some(why)) if REFUSALS.iter().any(|refusal| why.contains(refusal)) => {
            UnderDeterminism::Refuses(why.clone())
        }
        (None, Some(why)) => UnderDeterminism::NotAsked(why.clone()),
        (None, None) => UnderDeterminism::Answers { spread, price },
    };
    let forward = under(&on.forward_failed, on.forward.spread());
    let through = if on.forward_failed.is_some() { &on.forward_failed } else { &on.backward_failed };
    let backward = under(through, on.backward.spread());
    let has_gradients = off.called_backward();
    let backward = match off.backward_failed {
        Some(why) => Err(why),
        None => Ok(Half { tally: off.backward, deterministic: backward }),
    };
    Tried { forward: Half { tally: off.forward, deterministic: forward }, backward: has_gradients.then_some(backward) }
}

/// One call.
struct Once {
    forward: Result<Vec<Output>, String>,
    backward: Option<Result<Vec<Output>, String>>,
    time: Duration,
}

/// What the outputs are multiplied with before they are summed, so that every element has a gradient of its own.
#[derive(Default)]
struct Weights(Vec<Tensor>);

impl Weights {
    fn of(&mut self, outputs: &[&Tensor]) -> &[Tensor] {
        if self.0.len() != outputs.len() {
            let weight = |output: &&Tensor| Case::new(output.kind(), output.device(), false).float(&output.size());
            self.0 = outputs.iter().map(weight).collect();
        }
        &self.0
    }
}

fn once(call: &Call, device: Device, weights: &mut Weights) -> Once {
    tch::manual_seed(SEED);
    let leaves: Vec<Tensor> =
        call.leaves.iter().map(|leaf| leaf.detach().copy().set_requires_grad(is_float(leaf.kind()))).collect();
    settle(device);
    let started = Instant::now();
    let made = (call.run)(&leaves);
    let outputs = match made {
        Ok(outputs) => outputs,
        Err(error) => return Once { forward: Err(sentence(&error)), backward: None, time: started.elapsed() },
    };
    let forward_time = finish(device, started);
    let scalar = weighted(&outputs, weights);
    let started = Instant::now();
    let gradients = scalar.map(|scalar| Tensor::f_run_backward(&[scalar?], &leaves, false, false));
    let time = forward_time + finish(device, started);
    let backward = gradients.map(|found| found.and_then(|all| bits(&all)).map_err(|error| sentence(&error)));
    Once { forward: bits(&outputs).map_err(|error| sentence(&error)), backward, time }
}

/// One number of which gradients are taken; `None` where no output has any.
fn weighted(outputs: &[Tensor], weights: &mut Weights) -> Option<Result<Tensor, TchError>> {
    let smooth: Vec<&Tensor> = outputs.iter().filter(|o| is_float(o.kind()) && o.requires_grad()).collect();
    if smooth.is_empty() {
        return None;
    }
    let weights = weights.of(&smooth);
    let parts = smooth.iter().zip(weights).map(|(output, weight)| output.f_mul(weight)?.f_sum(None));
    parts.reduce(|a, b| a?.f_add(&b?))
}

fn is_float(kind: Kind) -> bool {
    matches!(kind, Kind::Half | Kind::BFloat16 | Kind::Float | Kind::Double)
}

/// Waits for a card, so that what follows is timed alone.
fn settle(device: Device) {
    if let Device::Cuda(index) = device {
        Cuda::synchronize(index as i64);
    }
}

fn finish(device: Device, started: Instant) -> Duration {
    settle(device);
    started.elapsed()
}

/// The elements of tensors as bits; those that are not defined (inputs without a gradient) are left out.
fn bits(tensors: &[Tensor]) -> Result<Vec<Output>, TchError> {
    tensors.iter().filter(|tensor| tensor.defined()).map(bits_of).collect()
}

fn bits_of(tensor: &Tensor) -> Result<Output, TchError> {
    let home = tensor.detach().f_to_device(Device::Cpu)?.f_contiguous()?;
    let kind = home.f_kind()?;
    let lane = match kind {
        Kind::Half => Lane::F16,
        Kind::BFloat16 => Lane::Bf16,
        Kind::Float => Lane::F32,
        Kind::Double => Lane::F64,
        other => Lane::Whole(other.elt_size_in_bytes()),
    };
    let mut bytes = vec![0; home.numel() * kind.elt_size_in_bytes()];
    home.f_copy_data_u8(&mut bytes, home.numel())?;
    Ok(Output { lane, bytes })
}

/// libtorch's reason without its stack.
fn sentence(error: &TchError) -> String {
    let text = error.to_string();
    let text = text.strip_prefix("Internal torch error: ").unwrap_or(&text);
    let first = text.lines().next().unwrap_or_default();
    first.chars().take(300).collect()
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::super::case::call;
    use super::*;

    /// Adds one, and in one of its calls a little more: an operation that lies.
    fn liar(lies_in: u32) -> Call {
        let count = Cell::new(0);
        call([Tensor::from_slice(&[1.0f32, 2.0, 3.0])], move |x| {
            count.set(count.get() + 1);
            let told = x[0].f_add_scalar(1.0)?;
            // 2.4e-7 is one ULP of what lies between 2 and 4.
            Ok(vec![if count.get() == lies_in { told.f_add_scalar(2.4e-7)? } else { told }])
        })
    }

    #[test]
    fn an_operation_that_lies_in_one_call_is_found() {
        // Calls with deterministic algorithms off and on take turns: the fifth is the third with them off.
        let tried = trial(&liar(5), Device::Cpu, 4).expect("it can be called");
        let spread = tried.forward.tally.spread();
        assert_eq!((spread.calls, spread.distinct, spread.first, spread.ulps), (4, 2, Some(3), Some(1)));
        let Some(Ok(backward)) = tried.backward else { panic!("it has gradients") };
        assert_eq!(backward.tally.spread().repeats(), Some(true), "its gradients do not lie");
    }

    #[test]
    fn an_operation_that_lies_under_determinism_only_is_found_there() {
        let tried = trial(&liar(6), Device::Cpu, 4).expect("it can be called");
        assert_eq!(tried.forward.tally.spread().repeats(), Some(true));
        let UnderDeterminism::Answers { spread, .. } = tried.forward.deterministic else { panic!("it answers") };
        assert_eq!((spread.distinct, spread.first), (2, Some(3)));
    }

    #[test]
    fn an_honest_operation_repeats() {
        let tried = trial(&liar(0), Device::Cpu, 4).expect("it can be called");
        assert_eq!(tried.forward.tally.spread().repeats(), Some(true));
    }

    #[test]
    fn an_operation_that_has_no_deterministic_form_is_told_as_refusing() {
        let i = Tensor::from_slice(&[0i64, 1, 0]);
        let put = call([Tensor::from_slice(&[0.0f32, 0.0]), Tensor::from_slice(&[1.0f32, 2.0, 3.0])], move |x| {
            Ok(vec![x[0].f_put(&i, &x[1], false)?])
        });
        let tried = trial(&put, Device::Cpu, 2).expect("it can be called");
        assert!(matches!(&tried.forward.deterministic, UnderDeterminism::Refuses(why) if why.contains("put_")));
    }

    #[test]
    fn an_operation_that_fails_gives_its_reason() {
        let bad = call([Tensor::from_slice(&[1.0f32, 2.0])], |x| Ok(vec![x[0].f_mm(&x[0])?]));
        let why = trial(&bad, Device::Cpu, 2).err().expect("it cannot be called");
        assert!(!why.is_empty() && !why.contains('\n'), "{why}");
    }
}
