//! How much agreeing repeats prove: the chance that they agree by luck.

/// No plan asks for more repeats than this; beyond it the answer is "not within reach".
pub const MOST_REPEATS: usize = 500;

/// The chance that `repeats` runs all agree although a share `rate` of runs shows another outcome:
/// all of them show the one, or all of them the other.
pub fn agree_by_luck(rate: f64, repeats: usize) -> f64 {
    let rate = rate.clamp(0.0, 1.0);
    let power = i32::try_from(repeats).unwrap_or(i32::MAX);
    ((1.0 - rate).powi(power) + rate.powi(power)).min(1.0)
}

/// The fewest repeats that show, with at least this confidence, a divergence that comes at rate `detect`.
///
/// Rates above one half mean the same as one half: then no outcome is the rule. Answers at least 2, and `None` where
/// the numbers make no sense or no sane number of repeats is enough.
pub fn repeats_for(confidence: f64, detect: f64) -> Option<usize> {
    let sane = (0.0..1.0).contains(&confidence) && detect > 0.0 && detect <= 1.0;
    if !sane {
        return None;
    }
    let rate = detect.min(0.5);
    (2..=100_000).find(|&repeats| agree_by_luck(rate, repeats) <= 1.0 - confidence)
}

/// How often a job was seen to part, where some of its repeats agree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// Runs that show the usual outcome.
    pub usual: usize,
    /// Runs that show another.
    pub other: usize,
}

impl Rate {
    /// The rate behind groups of identical runs, given by their sizes; `None` where no two runs agree (then repeats that
    /// agree do not do so by luck) or where all do.
    pub fn of_groups(groups: &[usize]) -> Option<Self> {
        let total: usize = groups.iter().sum();
        let usual = groups.iter().copied().max().unwrap_or(0);
        (usual >= 2 && usual < total).then_some(Self { usual, other: total - usual })
    }

    /// The share of runs that show another outcome than the usual one.
    pub fn observed(self) -> f64 {
        self.other as f64 / (self.usual + self.other) as f64
    }

    /// The chance that `repeats` further runs all agree although nothing has changed, averaged over all true rates that
    /// fit what was seen: few sightings say little about the rate, and this says so. The first sighting is what brought
    /// us to ask and does not count as one; otherwise rare causes, seen by luck, would be taken for frequent ones.
    pub fn agree_by_luck(self, repeats: usize) -> f64 {
        let (usual, other) = (self.usual as f64 + 1.0, self.other.max(1) as f64);
        let all =
            |outcome: f64| (0..repeats).map(|k| (outcome + k as f64) / (usual + other + k as f64)).product::<f64>();
        (all(usual) + all(other)).min(1.0)
    }

    /// This and what was seen elsewhere of the same cause.
    pub fn and(self, more: Self) -> Self {
        Self { usual: self.usual + more.usual, other: self.other + more.other }
    }

    /// The fewest repeats that all agree by luck with at most `risk`.
    pub fn repeats_for(self, risk: f64) -> usize {
        (2..MOST_REPEATS).find(|&repeats| self.agree_by_luck(repeats) <= risk).unwrap_or(MOST_REPEATS)
    }
}

/// The most runs worth recording until two of them part, given the groups of identical reference runs so far: a pair
/// where no two of those agree, and else as many as show the divergence with this confidence, within `most`.
pub fn recordings(groups: &[usize], confidence: f64, most: usize) -> usize {
    Rate::of_groups(groups).map_or(2, |rate| rate.repeats_for(1.0 - confidence).min(most).max(2))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rare_divergence_is_missed_by_three_repeats() {
        assert!((agree_by_luck(0.25, 3) - 0.4375).abs() < 1e-12);
        assert!((agree_by_luck(0.1, 3) - 0.73).abs() < 1e-12);
    }

    #[test]
    fn repeats_follow_from_confidence_and_rate() {
        assert_eq!(repeats_for(0.95, 0.25), Some(11));
        assert_eq!(repeats_for(0.95, 0.5), Some(6));
        assert_eq!(repeats_for(0.95, 1.0), Some(6));
        assert_eq!(repeats_for(0.5, 0.5), Some(2));
        for (confidence, detect) in [(1.0, 0.1), (0.9, 0.0), (f64::NAN, 0.1), (0.9, f64::NAN), (0.9, 1.5)] {
            assert_eq!(repeats_for(confidence, detect), None, "{confidence} {detect}");
        }
    }

    #[test]
    fn one_fewer_repeat_would_not_do() {
        for confidence in [0.8, 0.9, 0.95, 0.99] {
            for rate in [0.5, 0.25, 0.1, 0.05] {
                let repeats = repeats_for(confidence, rate).unwrap();
                assert!(agree_by_luck(rate, repeats) <= 1.0 - confidence);
                assert!(repeats == 2 || agree_by_luck(rate, repeats - 1) > 1.0 - confidence);
            }
        }
    }

    #[test]
    fn runs_that_never_agree_have_no_rate_of_agreeing() {
        assert_eq!(Rate::of_groups(&[1, 1, 1]), None);
        assert_eq!(Rate::of_groups(&[3]), None);
        assert_eq!(Rate::of_groups(&[2, 1]), Some(Rate { usual: 2, other: 1 }));
        assert_eq!(Rate::of_groups(&[1, 3, 1]), Some(Rate { usual: 3, other: 2 }));
    }

    #[test]
    fn more_sightings_of_the_same_rate_ask_for_fewer_repeats_at_low_risk() {
        let few = Rate { usual: 2, other: 1 }.repeats_for(0.01);
        let many = Rate { usual: 20, other: 10 }.repeats_for(0.01);
        assert!(many < few, "{many} {few}");
    }
}
