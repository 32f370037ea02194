//! The times of one program in several runs.
//!
//! In: durations. Out: the least and the median; ratios of the two programs of one run.

use std::time::Duration;

/// At least one duration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Samples(Vec<Duration>);

impl Samples {
    /// Takes the durations of a program's runs, in any order; none without a run.
    pub fn new(mut durations: Vec<Duration>) -> Option<Self> {
        durations.sort_unstable();
        (!durations.is_empty()).then_some(Self(durations))
    }

    /// The least: the run that was disturbed least.
    pub fn minimum(&self) -> Duration {
        self.0.first().copied().unwrap_or_default()
    }

    /// The one in the middle, or the upper of the two there.
    pub fn median(&self) -> Duration {
        self.0.get(self.0.len() / 2).copied().unwrap_or_default()
    }

    /// Milliseconds: the median, and the minimum in brackets.
    pub fn milliseconds(&self) -> String {
        let [median, minimum] =
            [self.median(), self.minimum()].map(|time| time.as_secs_f64() * 1e3);
        format!("{median:.1} ({minimum:.1})")
    }

    /// How many times the other's time this is: by the medians, and by the minima in brackets.
    pub fn times(&self, other: &Self) -> String {
        let median = self.median().as_secs_f64() / other.median().as_secs_f64();
        let minimum = self.minimum().as_secs_f64() / other.minimum().as_secs_f64();
        format!("{median:.2} ({minimum:.2})")
    }
}

#[cfg(test)]
mod tests {
    use super::Samples;
    use std::time::Duration;

    fn samples(milliseconds: &[u64]) -> Samples {
        let durations = milliseconds.iter().copied().map(Duration::from_millis);
        Samples::new(durations.collect()).unwrap()
    }

    #[test]
    fn no_runs_are_no_samples() {
        assert_eq!(Samples::new(Vec::new()), None);
    }

    #[test]
    fn median_and_minimum_do_not_depend_on_the_order_of_the_runs() {
        assert_eq!(samples(&[9, 2, 4]).milliseconds(), "4.0 (2.0)");
        assert_eq!(samples(&[4, 9, 2]).milliseconds(), "4.0 (2.0)");
    }

    #[test]
    fn a_ratio_is_of_medians_and_of_minima() {
        assert_eq!(
            samples(&[3, 6, 8]).times(&samples(&[2, 4, 9])),
            "1.50 (1.50)"
        );
        assert_eq!(
            samples(&[8, 1, 6]).times(&samples(&[2, 4, 9])),
            "1.50 (0.50)"
        );
    }
}
