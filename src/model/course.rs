//! What is kept of a series of any length: its ends, a thinned curve, and how many digits it showed.

use super::Point;

/// Points kept of the beginning of a series.
const HEAD: usize = 13;
/// Most points kept of its curve; past twice as many every other one is dropped.
const CURVE: usize = 1000;

/// A series in bounded memory: what a report shows of one, without its points.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Course {
    /// How many points it had.
    pub count: usize,
    /// The most decimals that a point showed; `None` where none was a finite number.
    pub decimals: Option<u32>,
    /// Length of the longest printed number, in bytes.
    pub longest: usize,
    head: Vec<Point>,
    /// Whether the latest points are kept; where a log is known to go on, they need not be.
    pub trails: bool,
    /// Whether the curve is kept.
    pub curved: bool,
    tail: Vec<Point>,
    oldest: usize,
    curve: Vec<Point>,
    every: usize,
    whole_curve: bool,
}

impl Course {
    /// Points kept of the end of a series.
    pub const TAIL: usize = 8;

    /// An empty course that keeps its latest points and its curve.
    pub fn new() -> Self {
        Self { trails: true, curved: true, every: 1, whole_curve: true, ..Self::default() }
    }

    /// Counts a point by its decimals and the length of its text; true where [`Course::keep`] wants to see the point itself.
    pub fn skim(&mut self, decimals: Option<u32>, length: usize) -> bool {
        self.decimals = self.decimals.max(decimals);
        self.longest = self.longest.max(length);
        let index = self.count;
        self.count += 1;
        self.whole_curve &= self.curved;
        if !self.trails {
            self.tail.clear();
        }
        index < HEAD || self.trails || self.curved && index & (self.every - 1) == 0
    }

    /// How many of the next points nobody wants to see, but for the latest of them where those are kept.
    pub fn unwanted(&self) -> usize {
        if self.count < HEAD {
            return 0;
        }
        if !self.curved {
            return usize::MAX;
        }
        // The next one on the grid is wanted.
        (self.every - (self.count & (self.every - 1))) & (self.every - 1)
    }

    /// Counts so many points that nobody wanted to see; where the latest ones are kept, those of them follow.
    pub fn skip(&mut self, count: usize, decimals: Option<u32>, length: usize) {
        self.count += count;
        self.decimals = self.decimals.max(decimals);
        self.longest = self.longest.max(length);
        self.whole_curve &= self.curved;
        if !self.trails || count >= Self::TAIL {
            self.tail.clear();
        }
    }

    /// Takes the point that was just counted.
    pub fn keep(&mut self, point: Point) {
        let index = self.count - 1;
        if index < HEAD {
            self.head.push(point.clone());
        }
        if self.curved && self.whole_curve && index & (self.every - 1) == 0 {
            self.thin();
            if index & (self.every - 1) == 0 {
                self.curve.push(point.clone());
            }
        }
        if self.trails {
            self.trail(point);
        }
    }

    /// Takes the latest of the points that were counted.
    pub fn trail(&mut self, point: Point) {
        if self.tail.len() < Self::TAIL {
            self.tail.push(point);
            self.oldest = 0;
        } else {
            self.tail[self.oldest] = point;
            self.oldest = (self.oldest + 1) % Self::TAIL;
        }
    }

    fn thin(&mut self) {
        if self.curve.len() < 2 * CURVE {
            return;
        }
        let mut index = 0;
        self.curve.retain(|_| {
            index += 1;
            index % 2 == 1
        });
        self.every *= 2;
    }

    /// The first points, `most` at most and never more than are kept.
    pub fn beginning(&self, most: usize) -> Vec<Point> {
        self.head.iter().take(most).cloned().map(Point::with_text).collect()
    }

    /// The latest points, the oldest of them first; they end at the last point of the series.
    pub fn tail(&self) -> Vec<Point> {
        let split = if self.tail.len() < Self::TAIL { 0 } else { self.oldest };
        self.tail[split..].iter().chain(&self.tail[..split]).cloned().collect()
    }

    /// The last point.
    pub fn last(&self) -> Option<&Point> {
        let at = if self.tail.len() < Self::TAIL {
            self.tail.len().wrapping_sub(1)
        } else {
            (self.oldest + Self::TAIL - 1) % Self::TAIL
        };
        self.tail.get(at).or_else(|| self.head.last().filter(|_| self.count <= HEAD))
    }

    /// The thinned curve, its last point included where that was kept; `None` where it was not kept from the first point on.
    pub fn curve(&self) -> Option<Vec<Point>> {
        let mut points = self.curve.clone();
        let off_the_grid = self.count > 0 && (self.count - 1) & (self.every - 1) != 0;
        points.extend(self.last().filter(|_| off_the_grid).cloned());
        self.whole_curve.then(|| points.into_iter().map(Point::with_text).collect())
    }

    /// Whether the curve is all there.
    pub fn has_curve(&self) -> bool {
        self.whole_curve
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn course(count: usize) -> Course {
        let mut course = Course::new();
        for step in 0..count {
            let point = Point::printed(step as i64, "0.25", step as u64);
            if course.skim(point.text.decimals(), 4) {
                course.keep(point);
            }
        }
        course
    }

    fn steps(points: &[Point]) -> Vec<i64> {
        points.iter().filter_map(|point| point.position.step).collect()
    }

    #[test]
    fn keeps_both_ends_and_a_bounded_curve_of_a_long_series() {
        let course = course(100_001);
        assert_eq!(steps(&course.beginning(100)), (0..13).collect::<Vec<_>>());
        assert_eq!(steps(&course.tail()), (99_993..100_001).collect::<Vec<_>>());
        let curve = steps(&course.curve().unwrap());
        assert!((1000..=2001).contains(&curve.len()), "{}", curve.len());
        assert_eq!((curve[0], curve[curve.len() - 1]), (0, 100_000));
        let gap = curve[1] - curve[0];
        let even = curve[..curve.len() - 1].windows(2).all(|pair| pair[1] - pair[0] == gap);
        assert!(even, "evenly spaced, up to the last point");
        assert_eq!((course.count, course.decimals, course.longest), (100_001, Some(2), 4));
    }

    #[test]
    fn says_how_many_points_nobody_wants_to_see() {
        let mut course = course(5000);
        course.trails = false;
        let mut wanted = Vec::new();
        for _ in 0..40 {
            let free = course.unwanted();
            course.skip(free, None, 0);
            wanted.push(course.count);
            assert!(course.skim(Some(2), 4), "the one behind is wanted");
            course.keep(Point::printed(0, "0.25", 1));
        }
        assert!(wanted.windows(2).all(|pair| pair[1] - pair[0] == 4), "every fourth of 5,000: {wanted:?}");
    }

    #[test]
    fn a_short_series_is_kept_whole() {
        for count in [1, 5, 13, 20] {
            assert_eq!(steps(&course(count).curve().unwrap()), (0..count as i64).collect::<Vec<_>>());
            assert_eq!(course(count).last().unwrap().position.step, Some(count as i64 - 1));
        }
    }
}
