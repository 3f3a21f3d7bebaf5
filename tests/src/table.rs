//! How the demo shows its rows: what went in on the left, what came out on the right, within 100 columns.

use std::fmt::Write as _;

/// The whole width, in columns.
pub const WIDTH: usize = 100;
const TIME: usize = 7;
const LEFT: usize = 46;
const RIGHT: usize = WIDTH - TIME - LEFT - 4;

/// What a row is about, and so its colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Heading,
    Good,
    BadQuality,
    HeldBack,
    Rejected,
    Missing,
}

/// A way to show rows: with or without colours.
pub struct Table {
    /// Whether a terminal shows it.
    pub colours: bool,
}

impl Table {
    /// One line.
    #[must_use]
    pub fn row(&self, time: &str, left: &str, right: &str, kind: Kind) -> String {
        let (left, right) = (fit(left, LEFT), fit(right, RIGHT));
        let mut line = format!("{time:>TIME$}  {left:<LEFT$}  ");
        if self.colours {
            write!(line, "\x1b[{}m{right}\x1b[0m", colour(kind)).expect("memory");
        } else {
            line += &right;
        }
        String::from(line.trim_end())
    }
}

fn colour(kind: Kind) -> u8 {
    match kind {
        Kind::Heading => 1,
        Kind::Good => 32,
        Kind::BadQuality => 33,
        Kind::HeldBack => 90,
        Kind::Rejected => 35,
        Kind::Missing => 31,
    }
}

fn fit(text: &str, width: usize) -> String {
    let plain = text.replace(char::is_control, "?");
    if plain.chars().count() <= width {
        return plain;
    }
    let mut cut: String = plain.chars().take(width - 1).collect();
    cut.push('…');
    cut
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_never_exceeds_the_width() {
        let table = Table { colours: false };
        let long = "x".repeat(200);
        let row = table.row("123.456", &long, &long, Kind::Good);
        assert_eq!(row.chars().count(), WIDTH);
        assert!(row.ends_with('…'));
    }

    #[test]
    fn colours_appear_only_where_wanted() {
        let row = |colours| Table { colours }.row("0.1", "in", "out", Kind::Rejected);
        assert!(!row(false).contains('\x1b'));
        assert!(row(true).contains("\x1b[35mout\x1b[0m"));
    }
}
