//! Inputs of an operation: made by arithmetic from a fixed seed, so that no generator of libtorch's takes part.

use tch::{Device, Kind, TchError, Tensor};

/// Under which conditions an operation is called, and the maker of its inputs.
pub struct Case {
    kind: Kind,
    device: Device,
    large: bool,
    state: u64,
}

/// An operation with its inputs bound.
pub struct Call {
    /// The inputs of which gradients are taken.
    pub leaves: Vec<Tensor>,
    /// The call.
    pub run: Run,
}

/// What is called with the leaves.
type Run = Box<dyn Fn(&[Tensor]) -> Result<Vec<Tensor>, TchError>>;

/// Binds the leaves to what is called with them.
pub fn call<const N: usize>(
    leaves: [Tensor; N],
    run: impl Fn(&[Tensor]) -> Result<Vec<Tensor>, TchError> + 'static,
) -> Call {
    Call { leaves: leaves.into(), run: Box::new(run) }
}

/// The result of an operation that gives one tensor.
pub fn one(result: Result<Tensor, TchError>) -> Result<Vec<Tensor>, TchError> {
    Ok(vec![result?])
}

/// The result of an operation that gives two.
pub fn two(result: Result<(Tensor, Tensor), TchError>) -> Result<Vec<Tensor>, TchError> {
    result.map(|(a, b)| vec![a, b])
}

/// The result of an operation that gives three.
pub fn three(result: Result<(Tensor, Tensor, Tensor), TchError>) -> Result<Vec<Tensor>, TchError> {
    result.map(|(a, b, c)| vec![a, b, c])
}

impl Case {
    /// Conditions: the elements' type, the device, and whether the inputs are large.
    pub fn new(kind: Kind, device: Device, large: bool) -> Self {
        Self { kind, device, large, state: 0x5eed }
    }

    /// Kind and device, for operations that make tensors.
    pub fn options(&self) -> (Kind, Device) {
        (self.kind, self.device)
    }

    /// One of two sizes. Small ones stay within one thread's share of work (32,768 elements), large ones do not.
    pub fn pick(&self, small: i64, large: i64) -> i64 {
        if self.large { large } else { small }
    }

    /// A number of the stream (SplitMix64).
    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn filled(&mut self, shape: &[i64], value: impl Fn(u64) -> f32) -> Tensor {
        let count = shape.iter().product::<i64>().max(0);
        let values: Vec<f32> = (0..count).map(|_| value(self.next())).collect();
        Tensor::from_slice(&values).reshape(shape).to_kind(self.kind).to_device(self.device)
    }

    /// Between -1 and 1.
    pub fn float(&mut self, shape: &[i64]) -> Tensor {
        self.filled(shape, |bits| (bits >> 40) as f32 / (1u32 << 23) as f32 - 1.0)
    }

    /// Between 0.5 and 1.5.
    pub fn positive(&mut self, shape: &[i64]) -> Tensor {
        self.filled(shape, |bits| (bits >> 40) as f32 / (1u32 << 24) as f32 + 0.5)
    }

    /// Whole numbers from 0 to 15 as floats: many of them tie.
    pub fn ties(&mut self, shape: &[i64]) -> Tensor {
        self.filled(shape, |bits| (bits >> 60) as f32)
    }

    /// Indices below `below`, many of them several times.
    pub fn index(&mut self, shape: &[i64], below: i64) -> Tensor {
        let count = shape.iter().product::<i64>().max(0);
        let values: Vec<i64> = (0..count).map(|_| (self.next() % below.max(1) as u64) as i64).collect();
        Tensor::from_slice(&values).reshape(shape).to_device(self.device)
    }

    /// True for about half of the elements.
    pub fn mask(&mut self, shape: &[i64]) -> Tensor {
        self.index(shape, 2).to_kind(Kind::Bool)
    }
}
