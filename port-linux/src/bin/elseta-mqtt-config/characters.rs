//! Which characters does nobody see? Texts are pasted from web pages and letters, and bring some along.

use std::fmt::{self, Display, Write};

/// Characters without a shape, and those that turn the direction of writing.
pub fn is_invisible(character: char) -> bool {
    matches!(
        character,
        '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}'
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

/// A text of the workbook's as a terminal can show it: what nobody would see is spelled out.
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
