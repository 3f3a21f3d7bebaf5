//! What does a person see meanwhile? A bar on the terminal, and nothing where standard error is none.

use indicatif::{ProgressBar, ProgressStyle};

use crate::characters::brief;

/// How far reading has come, in rows. Dropping it clears the line.
pub struct Progress(ProgressBar);

impl Progress {
    pub fn new() -> Self {
        let style =
            ProgressStyle::with_template("{msg} {wide_bar} {human_pos} of {human_len} rows");
        let bar = ProgressBar::new(0);
        bar.set_style(style.expect("the template above is valid"));
        Progress(bar)
    }

    /// Another sheet of about `rows` rows is being read.
    pub fn sheet(&self, name: &str, rows: usize) {
        self.0.set_message(brief(name).to_string());
        self.0.inc_length(rows as u64);
    }

    /// One more row has been read.
    pub fn row(&self) {
        self.0.inc(1);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
