//! One line that shows the three runs against one another.

use crate::command::findings::place;
use crate::model::Divergence;

/// How far each run goes, in steps as they were counted; `None` where that is not known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Extent {
    /// First and last place of the straight run.
    pub straight: Option<(String, String)>,
    /// The same of the interrupted run.
    pub first: Option<(String, String)>,
    /// The same of the resumed run.
    pub resumed: Option<(String, String)>,
}

/// `straight 0 ──── 39 · interrupted 0 ── 19 · resumed 20 ─✗ epoch 3, step 2`.
pub fn picture(extent: &Extent, divergence: Option<&Divergence>) -> String {
    let line = |name: &str, range: &Option<(String, String)>, dashes: &str| {
        range.as_ref().map(|(from, to)| format!("{name} {from} {dashes} {to}"))
    };
    let resumed = match divergence {
        Some(divergence) => {
            extent.resumed.as_ref().map(|(from, _)| format!("resumed {from} ─✗ parts at {}", place(divergence)))
        }
        None => line("resumed", &extent.resumed, "──"),
    };
    let parts = [line("straight", &extent.straight, "────"), line("interrupted", &extent.first, "──┤"), resumed];
    parts.into_iter().flatten().collect::<Vec<_>>().join(" · ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shows_the_runs_on_one_line() {
        let range = |from: &str, to: &str| Some((from.to_owned(), to.to_owned()));
        let extent = Extent { straight: range("0", "39"), first: range("0", "19"), resumed: range("20", "39") };
        assert_eq!(picture(&extent, None), "straight 0 ──── 39 · interrupted 0 ──┤ 19 · resumed 20 ── 39");
        assert_eq!(picture(&Extent { first: None, ..extent }, None), "straight 0 ──── 39 · resumed 20 ── 39");
    }
}
