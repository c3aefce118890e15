//! A titled set of grids with its JSON form: what `inspect`, `settings` and `env` hand to the formats.

use serde_json::Value;

/// One grid of a listing.
#[derive(Clone, Debug, PartialEq)]
pub struct Section {
    /// What it is about: a file, a group of facts.
    pub name: String,
    /// One line under its name; empty for none.
    pub about: String,
    /// The columns.
    pub head: Vec<&'static str>,
    /// The cells; text of any origin.
    pub rows: Vec<Vec<String>>,
    /// Columns of numbers, aligned to the right.
    pub right: Vec<usize>,
    /// Whether a row may become a paragraph where the grid is too wide for a terminal.
    pub cards: bool,
    /// Sentences after the grid.
    pub notes: Vec<String>,
}

/// A titled set of grids.
#[derive(Clone, Debug, PartialEq)]
pub struct Listing {
    /// What it lists, as the noun of a sentence.
    pub title: &'static str,
    /// What the sections' names are, for a data file that needs them as a column; `None` where there is but one section.
    pub key: Option<&'static str>,
    /// The grids.
    pub sections: Vec<Section>,
    /// What to say where there is no grid at all.
    pub empty: &'static str,
    /// The whole as JSON.
    pub json: Value,
}
