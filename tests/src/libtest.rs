//! How many tests ran: the summary lines of Rust's test programs, added up.

use std::fmt;
use std::ops::AddAssign;

/// Numbers of tests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    pub passed: u64,
    pub failed: u64,
    pub ignored: u64,
    /// Tests that passed only because they could not run here, which they said: see [`skipped`].
    pub skipped: u64,
}

/// What tests that cannot run on this machine say instead, with `--show-output`: `skipped: ` and the reason.
pub fn skipped(output: &str) -> impl Iterator<Item = &str> {
    output.lines().filter(|line| line.starts_with("skipped: "))
}

impl Totals {
    /// Adds up the `test result:` lines in the output of `cargo test`.
    #[must_use]
    pub fn of(output: &str) -> Self {
        let mut totals = Self {
            skipped: skipped(output).count() as u64,
            ..Self::default()
        };
        for line in output.lines() {
            if let Some(summary) = line.trim_start().strip_prefix("test result: ") {
                totals.passed += number_before(summary, " passed");
                totals.failed += number_before(summary, " failed");
                totals.ignored += number_before(summary, " ignored");
            }
        }
        totals.passed -= totals.skipped.min(totals.passed);
        totals
    }
}

impl AddAssign for Totals {
    fn add_assign(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.ignored += other.ignored;
        self.skipped += other.skipped;
    }
}

impl fmt::Display for Totals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ran = self.passed + self.failed;
        write!(
            f,
            "{ran} ran, {} passed, {} failed, {} ignored, {} skipped",
            self.passed, self.failed, self.ignored, self.skipped
        )
    }
}

fn number_before(text: &str, word: &str) -> u64 {
    let before = text.split(word).next().unwrap_or("");
    let digits = before.rsplit(' ').next().unwrap_or("");
    digits.parse().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_summary_lines_of_all_test_programs_are_added_up() {
        let output = "
running 2 tests
test a ... ok
skipped: no such thing on this machine
test result: ok. 21 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.19s
test result: FAILED. 3 passed; 2 failed; 0 ignored; 0 measured; 7 filtered out; finished in 0.00s
";
        let totals = Totals::of(output);
        assert_eq!(
            totals.to_string(),
            "25 ran, 23 passed, 2 failed, 1 ignored, 1 skipped"
        );
    }
}
