//! The digit floor: the smallest difference that the compared values could have shown.

use crate::model::{Resolution, Series, Source};

/// How many digits a series of a metric shows.
#[derive(Clone, Debug, PartialEq)]
pub struct Digits<'a> {
    /// The metric's name.
    pub metric: &'a str,
    /// Whether its points are printed digits or exact bits.
    pub source: Source,
    /// The most decimals of any point; `None` where none is a finite number.
    pub decimals: Option<u32>,
    /// Length of the longest printed number.
    pub longest: usize,
}

impl<'a> From<&'a Series> for Digits<'a> {
    fn from(series: &'a Series) -> Self {
        let lengths = series.points.iter().map(|point| point.text.as_str().len());
        Self {
            metric: &series.metric,
            source: series.source,
            decimals: series.decimals(),
            longest: lengths.max().unwrap_or_default(),
        }
    }
}

/// The resolution of a comparison of these series of one metric; `None` where none has a finite number.
pub fn resolution<'a>(series: impl IntoIterator<Item = Digits<'a>>) -> Option<Resolution> {
    let series: Vec<Digits<'a>> = series.into_iter().collect();
    let first = series.first()?;
    if series.iter().all(|s| s.source == Source::Exact) {
        let note = "exact bits were compared: any difference would have been seen".to_owned();
        return Some(Resolution { source: Source::Exact, decimals: None, note });
    }
    // The coarsest run decides what could be seen.
    let decimals = series.iter().filter_map(|s| s.decimals).min()?;
    let note = if first.longest >= 17 {
        format!("{} was printed with all digits of its value", first.metric)
    } else {
        format!(
            "{} was printed with {decimals} decimal{}: a difference below {} cannot be seen",
            first.metric,
            if decimals == 1 { "" } else { "s" },
            half_unit(decimals)
        )
    };
    Some(Resolution { source: Source::Printed, decimals: Some(decimals), note })
}

/// Half a unit of the last decimal: two values closer than this may print alike.
fn half_unit(decimals: u32) -> String {
    if decimals == 0 { "0.5".to_owned() } else { format!("5e-{}", decimals + 1) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Point, Role};

    fn series(values: &[&str]) -> Series {
        let mut series = Series::new("loss", Role::TrainingLoss);
        series.points = values.iter().zip(0..).map(|(text, step)| Point::printed(step, text, 1)).collect();
        series
    }

    fn of(runs: &[&[&str]]) -> Option<Resolution> {
        let runs: Vec<Series> = runs.iter().map(|values| series(values)).collect();
        resolution(runs.iter().map(Digits::from))
    }

    #[test]
    fn says_what_printed_digits_cannot_show() {
        let resolution = of(&[&["2.3041", "1.2"]]).unwrap();
        assert_eq!(resolution.decimals, Some(4));
        assert!(resolution.note.contains("below 5e-5"), "{}", resolution.note);
    }

    #[test]
    fn the_coarser_run_decides() {
        assert_eq!(of(&[&["2.304123"], &["2.30"]]).unwrap().decimals, Some(2));
        assert_eq!(of(&[&["nan"]]), None);
    }
}
