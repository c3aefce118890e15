//! The elements of every type: from bytes in little-endian order to bits, values, text and distances.

use super::minifloat;
use crate::model::Dtype;

/// Two elements that differ.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Apart {
    /// Both values.
    pub values: (f64, f64),
    /// Representable steps between them; `None` where one is NaN.
    pub ulps: Option<u64>,
    /// How far apart; `None` where one is not finite.
    pub absolute: Option<f64>,
}

/// A way to read the elements of one type.
pub trait Element {
    /// Bytes of one.
    const SIZE: usize;
    /// How far apart two elements are whose bytes differ.
    fn apart(&self, a: &[u8], b: &[u8]) -> Apart;
}

/// Distance of two floats given their values and their bits as sign and magnitude.
fn float_apart(values: (f64, f64), bits: (u64, u64), sign: u64) -> Apart {
    let (x, y) = values;
    let line = |bits: u64| {
        let magnitude = (bits & (sign - 1)).cast_signed();
        i128::from(if bits & sign == 0 { magnitude } else { -magnitude })
    };
    let ulps =
        (!x.is_nan() && !y.is_nan()).then(|| u64::try_from(line(bits.0).abs_diff(line(bits.1))).unwrap_or(u64::MAX));
    let absolute = (x.is_finite() && y.is_finite()).then(|| (x - y).abs());
    Apart { values, ulps, absolute }
}

macro_rules! ints {
    ($($name:ident $type:ty),*) => {$(
        /// Whole numbers.
        pub struct $name;
        impl Element for $name {
            const SIZE: usize = size_of::<$type>();
            fn apart(&self, a: &[u8], b: &[u8]) -> Apart {
                let (x, y) = (<$type>::from_le_bytes(array(a)), <$type>::from_le_bytes(array(b)));
                let steps = u64::from(x.abs_diff(y));
                Apart { values: (x as f64, y as f64), ulps: Some(steps), absolute: Some(steps as f64) }
            }
        }
    )*};
}

ints!(I64 i64, I32 i32, I16 i16, I8 i8, U64 u64, U32 u32, U16 u16, U8 u8);

/// binary64.
pub struct F64;

impl Element for F64 {
    const SIZE: usize = 8;
    fn apart(&self, a: &[u8], b: &[u8]) -> Apart {
        let (x, y) = (f64::from_le_bytes(array(a)), f64::from_le_bytes(array(b)));
        float_apart((x, y), (x.to_bits(), y.to_bits()), 1 << 63)
    }
}

/// binary32.
pub struct F32;

impl Element for F32 {
    const SIZE: usize = 4;
    fn apart(&self, a: &[u8], b: &[u8]) -> Apart {
        let (x, y) = (f32::from_le_bytes(array(a)), f32::from_le_bytes(array(b)));
        float_apart((f64::from(x), f64::from(y)), (u64::from(x.to_bits()), u64::from(y.to_bits())), 1 << 31)
    }
}

/// Floats of two bytes.
pub struct Half(pub minifloat::Format);

impl Element for Half {
    const SIZE: usize = 2;
    fn apart(&self, a: &[u8], b: &[u8]) -> Apart {
        let (x, y) = (u16::from_le_bytes(array(a)), u16::from_le_bytes(array(b)));
        float_apart((self.0.value(x), self.0.value(y)), (u64::from(x), u64::from(y)), 1 << 15)
    }
}

/// Floats of one byte.
pub struct Quarter(pub minifloat::Format);

impl Element for Quarter {
    const SIZE: usize = 1;
    fn apart(&self, a: &[u8], b: &[u8]) -> Apart {
        let (x, y) = (u16::from(a[0]), u16::from(b[0]));
        float_apart((self.0.value(x), self.0.value(y)), (u64::from(x), u64::from(y)), 1 << 7)
    }
}

/// Powers of two in one byte.
pub struct Scale;

impl Element for Scale {
    const SIZE: usize = 1;
    fn apart(&self, a: &[u8], b: &[u8]) -> Apart {
        let values = (scale(a[0]), scale(b[0]));
        let absolute = (!values.0.is_nan() && !values.1.is_nan()).then(|| (values.0 - values.1).abs());
        Apart { values, ulps: absolute.map(|_| u64::from(a[0].abs_diff(b[0]))), absolute }
    }
}

fn scale(bits: u8) -> f64 {
    if bits == 255 { f64::NAN } else { 2_f64.powi(i32::from(bits) - 127) }
}

fn array<const N: usize>(bytes: &[u8]) -> [u8; N] {
    bytes.first_chunk().copied().unwrap_or([0; N])
}

/// The real numbers that an element consists of, and the type of each.
pub fn lanes(dtype: Dtype) -> (usize, Dtype) {
    match dtype {
        Dtype::C128 => (2, Dtype::F64),
        Dtype::C64 => (2, Dtype::F32),
        other => (1, other),
    }
}

/// A value of any type, without loss.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Exact {
    /// A whole number.
    Int(i128),
    /// Any other.
    Float(f64),
}

impl Exact {
    /// As a floating-point number.
    pub fn float(self) -> f64 {
        match self {
            Self::Int(number) => number as f64,
            Self::Float(number) => number,
        }
    }

    /// Whether two are the same number: NaN is NaN, and zero has no sign between types.
    pub fn same(self, other: Self) -> bool {
        match (self, other) {
            (Self::Int(a), Self::Int(b)) => a == b,
            (Self::Float(a), Self::Float(b)) => a == b || (a.is_nan() && b.is_nan()),
            (Self::Int(a), Self::Float(b)) | (Self::Float(b), Self::Int(a)) => {
                b.is_finite() && b.fract() == 0.0 && b.abs() < 1e30 && b as i128 == a
            }
        }
    }
}

/// The value of the element of a type with one lane.
pub fn exact(dtype: Dtype, bytes: &[u8]) -> Exact {
    match dtype {
        Dtype::F64 | Dtype::C128 => Exact::Float(f64::from_le_bytes(array(bytes))),
        Dtype::F32 | Dtype::C64 => Exact::Float(f64::from(f32::from_le_bytes(array(bytes)))),
        Dtype::I64 => Exact::Int(i64::from_le_bytes(array(bytes)).into()),
        Dtype::I32 => Exact::Int(i32::from_le_bytes(array(bytes)).into()),
        Dtype::I16 => Exact::Int(i16::from_le_bytes(array(bytes)).into()),
        Dtype::I8 => Exact::Int(i8::from_le_bytes(array(bytes)).into()),
        Dtype::U64 => Exact::Int(u64::from_le_bytes(array(bytes)).into()),
        Dtype::U32 => Exact::Int(u32::from_le_bytes(array(bytes)).into()),
        Dtype::U16 => Exact::Int(u16::from_le_bytes(array(bytes)).into()),
        Dtype::U8 | Dtype::Bool | Dtype::Bytes => Exact::Int(bytes[0].into()),
        Dtype::F8E8m0fnu => Exact::Float(scale(bytes[0])),
        Dtype::F16 | Dtype::Bf16 => small(dtype, u16::from_le_bytes(array(bytes))),
        Dtype::F8E4m3fn | Dtype::F8E5m2 | Dtype::F8E4m3fnuz | Dtype::F8E5m2fnuz => small(dtype, bytes[0].into()),
    }
}

fn small(dtype: Dtype, bits: u16) -> Exact {
    Exact::Float(minifloat::format(dtype).map_or(f64::NAN, |format| format.value(bits)))
}

/// Its text, with as many digits as tell it from its neighbours.
pub fn text(dtype: Dtype, bytes: &[u8]) -> String {
    match (dtype, exact(dtype, bytes)) {
        (Dtype::Bool, Exact::Int(bit)) => if bit == 0 { "False" } else { "True" }.to_owned(),
        (_, Exact::Int(number)) => number.to_string(),
        (_, Exact::Float(number)) if number.is_nan() => "nan".to_owned(),
        (Dtype::F64 | Dtype::C128, Exact::Float(number)) => shortest(&format!("{number}"), &format!("{number:e}")),
        (_, Exact::Float(number)) => {
            // Exact for every smaller type: its values are values of binary32.
            let number = number as f32;
            shortest(&format!("{number}"), &format!("{number:e}"))
        }
    }
}

fn shortest(plain: &str, scientific: &str) -> String {
    if plain.len() <= 14 || plain.len() <= scientific.len() { plain } else { scientific }.to_owned()
}
