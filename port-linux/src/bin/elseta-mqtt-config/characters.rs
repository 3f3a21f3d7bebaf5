//! Which characters does nobody see? Texts are pasted from web pages and letters, and bring some along.

use std::fmt::{self, Display, Write};

/// Characters without a shape, and those that turn the direction of writing (Unicode: Default_Ignorable_Code_Point, Bidi_Control).
pub fn is_invisible(character: char) -> bool {
    matches!(
        character,
        '\u{ad}'
            | '\u{61c}'
            | '\u{180e}'
            | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{feff}'
            | '\u{e0000}'..='\u{e007f}'
    )
}

/// Whether a person takes this for a space or for nothing, and a computer does not.
pub fn is_deceptive(character: char) -> bool {
    is_invisible(character)
        || (character.is_whitespace() || character.is_control())
            && !matches!(character, ' ' | '\n' | '\r')
}

/// The text without spaces, line breaks and invisible characters around it.
pub fn trim(text: &str) -> &str {
    text.trim_matches(|character: char| character.is_whitespace() || is_invisible(character))
}

/// A text of the workbook's as a terminal can show it: what nobody would see, or the terminal would obey, is spelled out. Doing so twice changes
/// nothing more.
pub fn printable(text: &str) -> impl Display {
    fmt::from_fn(move |f| {
        for character in text.chars() {
            match character {
                _ if is_invisible(character) => write!(f, "{}", character.escape_unicode())?,
                _ if character.is_control() => write!(f, "{}", character.escape_default())?,
                _ => f.write_char(character)?,
            }
        }
        Ok(())
    })
}

/// The text, or its beginning where it is longer than any that a person wrote there: a message repeats it.
pub fn brief(text: &str) -> impl Display {
    const CHARACTERS: usize = 200;
    let end = text
        .char_indices()
        .nth(CHARACTERS)
        .map_or(text.len(), |(end, _)| end);
    let (beginning, rest) = text.split_at(end);
    fmt::from_fn(move |f| {
        printable(beginning).fmt(f)?;
        f.write_str(if rest.is_empty() { "" } else { "..." })
    })
}
