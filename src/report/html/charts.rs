//! The curves of the HTML report, as inline SVG whose colours come from the page.
//!
//! The plotting crate writes colours into the drawing; each one that is used here is a stand-in, replaced by a class, so
//! that the page can colour the same drawing for light and for dark. No text of the job's enters a drawing.

use std::fmt::Write as _;

use plotters::prelude::*;
use plotters::style::RGBColor;

use super::super::{Rows, Spread, words};
use crate::model::{Audit, Resolution, Source};

/// Stand-ins for colours, with the class that each becomes.
const TEXT: RGBColor = RGBColor(1, 1, 1);
const AXIS: RGBColor = RGBColor(1, 1, 2);
const GRID: RGBColor = RGBColor(1, 1, 3);
const ONSET: RGBColor = RGBColor(1, 1, 4);
const FLOOR: RGBColor = RGBColor(1, 1, 5);
const DIFFERENCE: RGBColor = RGBColor(1, 1, 6);
const CLASSES: &[(RGBColor, &str)] =
    &[(TEXT, "text"), (AXIS, "axis"), (GRID, "grid"), (ONSET, "onset"), (FLOOR, "floor"), (DIFFERENCE, "difference")];

/// How many colours runs have; further runs begin again.
pub const RUN_COLOURS: usize = 8;
/// At most this many points per curve and width: more cannot be seen.
const MOST_POINTS: usize = 700;

fn run_colour(run: usize) -> RGBColor {
    RGBColor(2, 2, (run % RUN_COLOURS) as u8)
}

/// The size of a drawing, in the units of its own coordinates: twice the pixels it is meant for, since the plotting crate
/// knows whole units only.
#[derive(Clone, Copy, Debug)]
pub struct Size {
    width: u32,
    height: u32,
    /// Class of the element, by which the page shows the drawing that fits.
    class: &'static str,
    labels: usize,
}

/// One drawing for a wide screen, one for a phone.
pub const SIZES: [Size; 2] = [
    Size { width: 1800, height: 640, class: "wide", labels: 9 },
    Size { width: 720, height: 560, class: "phone", labels: 4 },
];

/// The plane that is drawn on.
type Plane = Cartesian2d<plotters::coord::types::RangedCoordf64, plotters::coord::types::RangedCoordf64>;

/// One curve: its run's number and its pieces, broken where a value is missing or not finite.
struct Curve {
    colour: RGBColor,
    pieces: Vec<Vec<(f64, f64)>>,
}

/// What to draw: the curves, and the lines across.
struct Chart {
    curves: Vec<Curve>,
    /// Where the first divergent step stands.
    onset: Option<f64>,
    /// Height of the digit floor.
    floor: Option<f64>,
    x: (f64, f64),
    y: (f64, f64),
    /// True where heights are logarithms to the base of ten.
    logarithmic: bool,
    /// The height that stands for "no difference at all", on a logarithmic scale.
    same: Option<f64>,
}

/// The values of all runs over the steps; `None` where there is nothing to draw.
pub fn curves(audit: &Audit) -> Option<String> {
    let rows = Rows::all(audit);
    let onset = onset(&rows);
    let finite = || rows.rows.iter().flat_map(|row| row.cells.iter().flatten()).map(|point| point.value);
    let (low, high) = bounds(finite())?;
    // A loss that falls by orders of magnitude would be a flat line otherwise.
    let logarithmic = low > 0.0 && high / low > 300.0;
    let height = |value: f64| if logarithmic { value.log10() } else { value };
    let curves = (0..rows.runs.len()).map(|run| Curve {
        colour: run_colour(run),
        pieces: pieces(rows.rows.iter().enumerate().map(|(index, row)| {
            let value = row.cells[run].map(|point| point.value).filter(|value| value.is_finite());
            (x(&rows, index), value.map(height))
        })),
    });
    let (low, high) = padded(height(low), height(high));
    let chart = Chart {
        curves: curves.collect(),
        onset,
        floor: None,
        x: span(&rows)?,
        y: (low, high),
        logarithmic,
        same: None,
    };
    Some(chart.draw("curves", "The metric of every run over the steps"))
}

/// The widest difference between the compared runs over the steps, on a logarithmic scale.
pub fn differences(audit: &Audit) -> Option<String> {
    let all = Rows::all(audit);
    let columns = all.compared(audit);
    if columns.len() < 2 {
        return None;
    }
    let rows = all.only(&columns);
    let sizes: Vec<Option<f64>> = rows
        .rows
        .iter()
        .map(|row| match row.spread() {
            Spread::Same => Some(0.0),
            Spread::Apart(size) if size.is_finite() => Some(size),
            _ => None,
        })
        .collect();
    let floor = audit.resolution.as_ref().and_then(digit_floor);
    let visible = || sizes.iter().flatten().copied().filter(|size| *size > 0.0);
    let (low, high) = bounds(visible().chain(floor)).unwrap_or((1e-8, 1e-6));
    let low = low.log10().floor() - 1.0;
    let high = (high.log10() + 0.1).ceil().max(low + 4.0);
    let height = |size: f64| if size > 0.0 { size.log10() } else { low };
    let points = sizes.iter().enumerate().map(|(index, size)| (x(&rows, index), size.map(height)));
    let curve = Curve { colour: DIFFERENCE, pieces: pieces(points) };
    let chart = Chart {
        curves: vec![curve],
        onset: onset(&rows),
        floor: floor.map(f64::log10),
        x: span(&rows)?,
        y: (low, high),
        logarithmic: true,
        same: Some(low),
    };
    Some(chart.draw("differences", "The widest difference between the runs over the steps, on a logarithmic scale"))
}

/// The smallest difference that printed digits can show.
pub fn digit_floor(resolution: &Resolution) -> Option<f64> {
    let decimals = resolution.decimals.filter(|_| resolution.source == Source::Printed)?;
    Some(5.0 * 10f64.powi(-i32::try_from(decimals).ok()? - 1))
}

/// Where a row stands: at its step, or at its number where steps are unknown or begin again.
fn x(rows: &Rows, index: usize) -> f64 {
    let row = &rows.rows[index];
    match row.position.step {
        Some(step) if !rows.segments => step as f64,
        _ => row.number as f64,
    }
}

fn onset(rows: &Rows) -> Option<f64> {
    rows.marked().map(|index| x(rows, index))
}

fn span(rows: &Rows) -> Option<(f64, f64)> {
    let last = rows.rows.len().checked_sub(1)?;
    let (from, to) = (x(rows, 0), x(rows, last));
    Some(if to > from { (from, to) } else { (from - 1.0, from + 1.0) })
}

fn bounds(values: impl Iterator<Item = f64>) -> Option<(f64, f64)> {
    values.filter(|value| value.is_finite()).fold(None, |bounds, value| match bounds {
        None => Some((value, value)),
        Some((low, high)) => Some((value.min(low), value.max(high))),
    })
}

fn padded(low: f64, high: f64) -> (f64, f64) {
    let pad = if high > low { (high - low) * 0.05 } else { low.abs().max(1.0) * 0.05 };
    (low - pad, high + pad)
}

/// Breaks points at the missing ones and thins them to what can be seen, keeping the lowest and highest of each stretch.
fn pieces(points: impl Iterator<Item = (f64, Option<f64>)>) -> Vec<Vec<(f64, f64)>> {
    let mut pieces = vec![Vec::new()];
    for (x, y) in points {
        match (y, pieces.last_mut()) {
            (Some(y), Some(piece)) => piece.push((x, y)),
            _ => pieces.push(Vec::new()),
        }
    }
    pieces.retain(|piece: &Vec<_>| !piece.is_empty());
    let total: usize = pieces.iter().map(Vec::len).sum();
    let stretch = total.div_ceil(MOST_POINTS / 2);
    if stretch > 2 {
        for piece in &mut pieces {
            *piece = piece.chunks(stretch).flat_map(extremes).collect();
        }
    }
    pieces
}

/// The lowest and the highest point of a stretch, in their order.
fn extremes(stretch: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let by_height = |a: &&(f64, f64), b: &&(f64, f64)| a.1.total_cmp(&b.1);
    let ends = [stretch.iter().min_by(by_height), stretch.iter().max_by(by_height)];
    let mut ends: Vec<(f64, f64)> = ends.into_iter().flatten().copied().collect();
    ends.sort_by(|a, b| a.0.total_cmp(&b.0));
    ends.dedup();
    ends
}

impl Chart {
    /// The drawing in every size; nothing where the plotting crate fails, since a report without curves is still one.
    fn draw(&self, class: &str, title: &str) -> String {
        let mut drawings = String::new();
        for size in SIZES {
            let mut svg = String::new();
            if self.draw_into(&mut svg, size).is_ok() {
                // Writing to a String cannot fail.
                let _ = writeln!(drawings, "{}", themed(&svg, &format!("{class} {}", size.class), title));
            }
        }
        drawings
    }

    fn draw_into(&self, svg: &mut String, size: Size) -> Result<(), Box<dyn std::error::Error>> {
        let root = SVGBackend::with_string(svg, (size.width, size.height)).into_drawing_area();
        let text = ("sans-serif", 30).into_font().color(&TEXT);
        let mut chart = ChartBuilder::on(&root)
            .margin(16)
            .x_label_area_size(48)
            .y_label_area_size(if size.class == "phone" { 110 } else { 130 })
            .build_cartesian_2d(self.x.0..self.x.1, self.y.0..self.y.1)?;
        let height = |y: &f64| match self.same {
            Some(same) if (y - same).abs() < 1e-9 => "same".to_owned(),
            // Between whole powers of ten a label would say little.
            _ if self.logarithmic && y.fract() != 0.0 && self.same.is_some() => String::new(),
            _ if self.logarithmic && y.fract() == 0.0 => format!("1e{y}"),
            _ if self.logarithmic => words::short(10f64.powf(*y)),
            _ => label(*y, self.y),
        };
        chart
            .configure_mesh()
            .label_style(text.clone())
            .x_labels(size.labels)
            .y_labels(6)
            .x_label_formatter(&|x| if x.fract() == 0.0 { format!("{x}") } else { String::new() })
            .y_label_formatter(&height)
            .axis_style(AXIS)
            .bold_line_style(GRID)
            .light_line_style(TRANSPARENT)
            .draw()?;
        if let Some(floor) = self.floor {
            chart.draw_series([PathElement::new(vec![(self.x.0, floor), (self.x.1, floor)], FLOOR.stroke_width(3))])?;
        }
        // The runs that are compared come first, and are to lie on top.
        for curve in self.curves.iter().rev() {
            for piece in &curve.pieces {
                match piece.as_slice() {
                    [only] => chart.draw_series([Circle::new(*only, 4, curve.colour.filled())])?,
                    piece => chart.draw_series([PathElement::new(piece.to_vec(), curve.colour.stroke_width(4))])?,
                };
            }
        }
        if let Some(onset) = self.onset {
            chart.draw_series([PathElement::new(vec![(onset, self.y.0), (onset, self.y.1)], ONSET.stroke_width(3))])?;
        }
        self.name_lines(&mut chart)?;
        root.present()?;
        Ok(())
    }
}

impl Chart {
    /// Writes beside the lines across what they are.
    fn name_lines(
        &self,
        chart: &mut ChartContext<'_, SVGBackend<'_>, Plane>,
    ) -> Result<(), Box<dyn std::error::Error>> {
        use plotters::style::text_anchor::{HPos, Pos, VPos};
        let style = |colour: &RGBColor, across: HPos, above: VPos| {
            ("sans-serif", 28).into_font().color(colour).pos(Pos::new(across, above))
        };
        let step = (self.x.1 - self.x.0) * 0.008;
        if let Some(onset) = self.onset {
            let right = onset > (self.x.0 + self.x.1) / 2.0;
            let (at, anchor) = if right { (onset - step, HPos::Right) } else { (onset + step, HPos::Left) };
            chart.draw_series([Text::new("first difference", (at, self.y.1), style(&ONSET, anchor, VPos::Top))])?;
        }
        if let Some(floor) = self.floor {
            let at = (self.x.1 - step, floor);
            let words = "finest difference the digits show";
            chart.draw_series([Text::new(words, at, style(&FLOOR, HPos::Right, VPos::Bottom))])?;
        }
        Ok(())
    }
}

/// A value of the axis with as many decimals as its range asks for.
fn label(value: f64, (low, high): (f64, f64)) -> String {
    let decimals = (1.0 - (high - low).log10().floor()).clamp(0.0, 9.0);
    if value.abs() >= 1e6 { format!("{value:.1e}") } else { format!("{value:.*}", decimals as usize) }
}

/// The drawing with classes instead of stand-in colours, sized by the page.
fn themed(svg: &str, class: &str, title: &str) -> String {
    let mut svg = svg.to_owned();
    let classes = CLASSES.iter().map(|(colour, class)| (*colour, (*class).to_owned()));
    let runs = (0..RUN_COLOURS).map(|run| (run_colour(run), format!("run{run}")));
    for (RGBColor(r, g, b), class) in classes.chain(runs) {
        for attribute in ["stroke", "fill"] {
            let colour = format!("{attribute}=\"#{r:02X}{g:02X}{b:02X}\"");
            svg = svg.replace(&colour, &format!("class=\"{attribute}-{class}\""));
        }
    }
    match svg.split_once('>') {
        Some((head, body)) => {
            let view = head.find("viewBox").map_or("", |at| &head[at..]);
            let view = view.split_inclusive('"').take(2).collect::<String>();
            format!(
                "<svg class=\"{class}\" role=\"img\" aria-label=\"{title}\" {view} xmlns=\"http://www.w3.org/2000/svg\">{body}"
            )
        }
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thinning_keeps_the_peaks_and_breaks_stay() {
        let peak = |index: usize| if index == 5_000 { 9.0 } else { 0.0 };
        let points = (0..10_000).map(|index| (index as f64, (index != 7_000).then(|| peak(index))));
        let pieces = pieces(points);
        assert_eq!(pieces.len(), 2);
        assert!(pieces.iter().map(Vec::len).sum::<usize>() <= MOST_POINTS);
        assert!(pieces[0].contains(&(5_000.0, 9.0)));
    }
}
