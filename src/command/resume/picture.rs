//! One picture of the runs on the same time line: straight, interrupted, resumed, and where they part.

use unicode_width::UnicodeWidthStr;

use crate::model::Divergence;

/// Columns of the time line.
const LENGTH: usize = 48;

/// A run as it stands on the time line of the straight one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stretch {
    /// Its id.
    pub run: String,
    /// Index in the straight run of its first point.
    pub from: usize,
    /// Index behind its last point.
    pub to: usize,
    /// The places of both in the words of the log.
    pub places: (String, String),
}

/// What the picture shows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Extent {
    /// The straight run.
    pub straight: Option<Stretch>,
    /// The interrupted run, where there is one, and how it was ended.
    pub first: Option<(Stretch, String)>,
    /// The resumed run.
    pub resumed: Option<Stretch>,
}

/// The picture, line by line; `missing`: what the checkpoint forgot, in words.
pub fn picture(extent: &Extent, divergence: Option<&Divergence>, missing: &[String]) -> Vec<String> {
    let Some(straight) = &extent.straight else { return Vec::new() };
    let whole = straight.to.max(1);
    let column = |index: usize| (index * LENGTH).div_ceil(whole).min(LENGTH);
    let mut rows = vec![(format!("straight {}", straight.run), bar(0, LENGTH, "━"), between(straight))];
    if let Some((first, how)) = &extent.first {
        let line = format!("{}┥", bar(0, column(first.to).saturating_sub(1), "━"));
        rows.push((format!("interrupted {}", first.run), line, format!("{}, then {how}", between(first))));
    }
    if let Some(resumed) = &extent.resumed {
        let (from, to) = (column(resumed.from).min(LENGTH - 1), column(resumed.to));
        let (line, said) = match divergence {
            None => (bar(from, to.max(from + 1), "━"), between(resumed)),
            Some(divergence) => {
                let parts = (column(resumed.from + divergence.index)).clamp(from, LENGTH - 1);
                let line = format!("{}✗{}", bar(from, parts, "━"), bar(0, to.saturating_sub(parts + 1), "┄"));
                (line, format!("from {}, parts at {}", resumed.places.0, divergence.position.told(divergence.index)))
            }
        };
        rows.push((format!("resumed {}", resumed.run), line, said));
    }
    let widest = rows.iter().map(|(name, ..)| name.width()).max().unwrap_or(0);
    let row = |(name, line, said): &(String, String, String)| {
        let blanks = |text: &str, width: usize| " ".repeat(width.saturating_sub(text.width()));
        format!("{name}{}  {line}{}  {said}", blanks(name, widest), blanks(line, LENGTH))
    };
    let mut lines: Vec<String> = rows.iter().map(row).collect();
    lines.extend(missing.iter().map(|item| format!("{}  forgotten: {item}", " ".repeat(widest))));
    lines
}

fn bar(from: usize, to: usize, dash: &str) -> String {
    " ".repeat(from) + &dash.repeat(to.saturating_sub(from))
}

fn between(stretch: &Stretch) -> String {
    let (first, last) = &stretch.places;
    if first == last { first.clone() } else { format!("{first} to {last}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Kind, Position};

    fn stretch(run: &str, from: usize, to: usize) -> Stretch {
        Stretch { run: run.to_owned(), from, to, places: (from.to_string(), (to - 1).to_string()) }
    }

    #[test]
    fn shows_the_runs_on_one_time_line() {
        let killed = (stretch("r3", 0, 24), "KILL after step 24".to_owned());
        let extent =
            Extent { straight: Some(stretch("r1", 0, 48)), first: Some(killed), resumed: Some(stretch("r4", 20, 48)) };
        let divergence = Divergence {
            position: Position { segment: 0, epoch: None, step: Some(30) },
            index: 10,
            metric: "loss".to_owned(),
            rank: None,
            kind: Kind::Value,
            stage: None,
            values: Vec::new(),
            absolute: None,
            relative: None,
            ulps: None,
        };
        let lines = picture(&extent, Some(&divergence), &["the optimizer's state".to_owned()]);
        let at = |line: &str, sign: char| line.chars().position(|c| c == sign);
        let begin = at(&lines[0], '━').expect("drawn");
        assert_eq!(at(&lines[1], '┥'), Some(begin + 23));
        assert_eq!((at(&lines[2], '━'), at(&lines[2], '✗')), (Some(begin + 20), Some(begin + 30)));
        assert!(lines[1].ends_with("0 to 23, then KILL after step 24"), "{}", lines[1]);
        assert!(lines[2].ends_with("from 20, parts at step 30") && lines[3].ends_with("the optimizer's state"));
        let agreed = picture(&Extent { first: None, ..extent }, None, &[]);
        assert_eq!((agreed.len(), agreed[1].ends_with("20 to 47")), (2, true));
        assert!(picture(&Extent::default(), None, &[]).is_empty());
    }
}
