//! How does a person read by whose leave a program is shipped? Its parts with their licences, then each text once, with the parts that it is about.

use std::fmt::Write as _;

use super::{Bill, Part};

const LINE: &str =
    "--------------------------------------------------------------------------------";

/// The notices of all parts.
#[must_use]
pub fn text(bill: &Bill) -> String {
    let mut notices = format!(
        "{} for {}: what is in it, and by whose leave.\n\n",
        bill.product.name, bill.product.target
    );
    for part in &bill.parts {
        writeln!(notices, "{} ({})", called(part), part.licence).expect("memory");
    }
    for (text, parts) in texts(bill) {
        let names: Vec<_> = parts.into_iter().map(called).collect();
        write!(
            notices,
            "\n{LINE}\n{}\n{LINE}\n\n{text}\n",
            names.join(", ")
        )
        .expect("memory");
    }
    notices
}

/// Each text, with the parts that come with it.
fn texts(bill: &Bill) -> Vec<(&str, Vec<&Part>)> {
    let mut texts: Vec<(&str, Vec<&Part>)> = Vec::new();
    for part in &bill.parts {
        for text in &part.texts {
            match texts.iter_mut().find(|(known, _)| is_same(known, text)) {
                Some((_, parts)) => parts.push(part),
                None => texts.push((text, vec![part])),
            }
        }
    }
    texts
}

/// But for where its lines end.
fn is_same(one: &str, other: &str) -> bool {
    one.split_whitespace().eq(other.split_whitespace())
}

fn called(part: &Part) -> String {
    format!("{} {}", part.name, part.version)
}
