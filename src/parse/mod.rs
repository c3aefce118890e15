//! Log bytes to series: one file per log format, with detection.
//!
//! Input: a path, bytes in memory, or bytes as a running process writes them. Output: a [`Reading`](crate::model::Reading), or observations one
//! by one. Every format is one value of [`LogFormat`] in [`FORMATS`]; the text of consoles, where most logs come from, is
//! read in layers: physical lines and redraws, prefixes of loggers, then bars, tables, JSON and key-value
//! pairs.

mod bar;
mod cast;
pub mod checkpoint;
mod console;
mod csv;
mod digits;
mod encoding;
mod envelope;
mod events;
mod expression;
mod folder;
mod format;
mod frames;
mod json;
mod latest;
mod lexicon;
mod literal;
mod live;
mod markup;
mod metric;
mod names;
mod number;
mod open;
mod options;
mod page;
mod pattern;
mod protobuf;
mod run;
mod scan;
mod select;
mod sink;
mod source;
mod stencil;
mod stream;
mod table;
mod text;
mod track;
mod transcript;
mod units;
mod walk;
mod wandb;
mod wrapped;

pub use folder::only_events;
pub use format::{LogFormat, Reader, Sample};
pub use live::{Live, Summary};
pub use metric::Metric;
pub use open::{read_bytes, read_path};
pub use options::{Options, Pattern};
pub use sink::{Observation, Sink};
pub use stream::Stream;

/// Every log format, the most particular first.
pub const FORMATS: &[&dyn LogFormat] = &[
    &events::Events,
    &wandb::Wandb,
    &page::Page,
    &cast::Asciicast,
    &csv::Csv,
    &json::Json,
    &text::JsonLines,
    &text::Text,
];
