//! What stands where in the file? A pull reader of JSON (RFC 8259) that hands out tokens with their positions.
//!
//! The lexing (white space, literals, numbers, escapes) is `hifijson`'s, which works on a slice without allocating.
//! This file adds what the lexer leaves to its user: the order of tokens, a bounded depth without recursion, and
//! positions. Strings and numbers borrow from the text; a string is decoded only when somebody asks for its characters.

use hifijson::escape::Lex as _;
use hifijson::num::Lex as _;
use hifijson::token::Lex as _;
use hifijson::{Read as _, SliceLexer};

pub use super::text::Raw;

/// Arrays and objects inside each other, at most. The mapping table itself needs 3.
pub const MAX_DEPTH: u32 = 32;

/// Why the file is no JSON: what should have stood at the position.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Syntax {
    /// UTF-8 (RFC 8259, 8.1).
    Utf8,
    /// A string, number, object, array, `true`, `false` or `null`.
    Value,
    Key,
    Colon,
    CommaOrBrace,
    CommaOrBracket,
    /// Nothing: the table was complete.
    End,
    /// A number's next digit.
    Digit,
    /// A string's closing quote.
    Quote,
    /// An escape instead of the control character itself.
    Escaped,
    /// A known escape: `\n`, `\u00e9`; one above U+FFFF takes two.
    Escape,
    /// Fewer levels, see [`MAX_DEPTH`].
    Shallower,
    /// Less text: positions are kept in 31 bits.
    Shorter,
}

/// The text is no JSON, from this byte on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SyntaxError {
    pub at: usize,
    pub expected: Syntax,
}

#[derive(Debug, Clone, Copy)]
pub enum Token<'a> {
    /// `{` or `[`, and where it stands.
    Open {
        object: bool,
        at: usize,
    },
    Close,
    /// An object's key; its value is the next token.
    Key(Raw<'a>),
    /// A value other than an array or an object.
    Scalar(Value<'a>),
    /// The end of the text.
    End,
}

/// A value as it stands in the file.
#[derive(Debug, Clone, Copy)]
pub enum Value<'a> {
    Absent,
    Null,
    Bool(bool),
    Number(&'a str),
    String(Raw<'a>),
    Array {
        at: usize,
        /// Elements.
        length: usize,
    },
    Object {
        at: usize,
    },
}

/// A position in the text, and what may follow there. It is a plain value: a copy reads the same part again.
#[derive(Debug, Clone, Copy)]
pub struct Reader<'a> {
    text: &'a str,
    at: usize,
    state: State,
    depth: u32,
    /// For each open container, the innermost in the lowest bit: is it an object?
    objects: u32,
    pub(super) census: Census,
}

/// What the reader has seen so far.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Census {
    /// Bytes of all string values that hold escapes, once decoded.
    pub decoded: usize,
    /// The most keys of one object, of those that the tables' rows and anything around them can be.
    pub widest: usize,
    /// Keys so far of the open object at each depth.
    keys: [usize; 3],
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Value,
    /// After `[`.
    FirstValue,
    Key,
    /// After `{`.
    FirstKey,
    /// After a value in a container.
    Comma,
    End,
}

impl<'a> Reader<'a> {
    /// A reader that expects one value at byte `at`.
    pub fn new(text: &'a str, at: usize) -> Self {
        Reader {
            text,
            at,
            state: State::Value,
            depth: 0,
            objects: 0,
            census: Census::default(),
        }
    }

    #[expect(
        clippy::should_implement_trait,
        reason = "an iterator could not tell what is wrong"
    )]
    pub fn next(&mut self) -> Result<Token<'a>, SyntaxError> {
        let mut byte = self.skip_white_space();
        if self.state == State::Comma {
            let object = self.in_object();
            match (byte, object) {
                (Some(b','), _) => {}
                (Some(b'}'), true) | (Some(b']'), false) => return Ok(self.close()),
                (_, true) => return self.error(Syntax::CommaOrBrace),
                (_, false) => return self.error(Syntax::CommaOrBracket),
            }
            self.at += 1;
            self.state = if object { State::Key } else { State::Value };
            byte = self.skip_white_space();
        }
        match (self.state, byte) {
            (State::End, None) => Ok(Token::End),
            (State::End, Some(_)) => self.error(Syntax::End),
            (State::FirstKey, Some(b'}')) | (State::FirstValue, Some(b']')) => Ok(self.close()),
            (State::FirstKey | State::Key, Some(b'"')) => self.key(),
            (State::FirstKey | State::Key, _) => self.error(Syntax::Key),
            (_, Some(b'{')) => self.open(true),
            (_, Some(b'[')) => self.open(false),
            (_, Some(b'"')) => {
                let (raw, decoded) = self.string()?;
                if raw.escaped {
                    self.census.decoded = self.census.decoded.saturating_add(decoded);
                }
                Ok(self.scalar(Value::String(raw)))
            }
            (_, Some(b'-' | b'0'..=b'9')) => self.number(),
            (_, Some(b'n' | b't' | b'f')) => self.literal(),
            _ => self.error(Syntax::Value),
        }
    }

    /// The next key of the object that was opened last, or `None` at its end.
    pub fn key_or_close(&mut self) -> Result<Option<Raw<'a>>, SyntaxError> {
        match self.next()? {
            Token::Key(key) => Ok(Some(key)),
            _ => Ok(None),
        }
    }

    /// The next value; an array or an object is read to its end.
    pub fn value(&mut self) -> Result<Value<'a>, SyntaxError> {
        let token = self.next()?;
        self.rest_of(token)
    }

    /// The value that begins with `token`, the last one read; an array or an object is read to its end.
    pub fn rest_of(&mut self, token: Token<'a>) -> Result<Value<'a>, SyntaxError> {
        let (object, at) = match token {
            Token::Open { object, at } => (object, at),
            Token::Scalar(value) => return Ok(value),
            Token::Close | Token::Key(_) | Token::End => return self.error(Syntax::Value),
        };
        let inside = self.depth;
        let mut length = 0;
        while self.depth >= inside {
            let element = match self.next()? {
                Token::Open { .. } => self.depth == inside + 1,
                Token::Scalar(_) => self.depth == inside,
                Token::Close | Token::Key(_) | Token::End => false,
            };
            length += usize::from(element);
        }
        Ok(if object {
            Value::Object { at }
        } else {
            Value::Array { at, length }
        })
    }

    /// The string whose opening quote stands at byte `at` of the same text.
    pub fn string_at(&self, at: u32) -> Option<Raw<'a>> {
        match Reader::new(self.text, at as usize).value() {
            Ok(Value::String(raw)) => Some(raw),
            _ => None,
        }
    }

    /// A reader that expects one value at byte `at` of the same text.
    pub fn value_at(&self, at: usize) -> Self {
        Reader::new(self.text, at)
    }

    fn key(&mut self) -> Result<Token<'a>, SyntaxError> {
        if let Some(keys) = self
            .census
            .keys
            .get_mut((self.depth as usize).saturating_sub(1))
        {
            *keys += 1;
            self.census.widest = self.census.widest.max(*keys);
        }
        let (key, _) = self.string()?;
        if self.skip_white_space() != Some(b':') {
            return self.error(Syntax::Colon);
        }
        self.at += 1;
        self.state = State::Value;
        Ok(Token::Key(key))
    }

    /// The string at the opening quote here, and how many bytes it has once decoded.
    fn string(&mut self) -> Result<(Raw<'a>, usize), SyntaxError> {
        let at = self.at;
        let start = at + 1;
        let mut lexer = self.lexer_at(start);
        let mut decoded = 0;
        let mut escaped = false;
        let end = loop {
            let piece = self.position(&lexer);
            lexer.skip_until(|byte| matches!(byte, b'"' | b'\\' | 0..=0x1f));
            let here = self.position(&lexer);
            decoded += here - piece;
            match lexer.take_next() {
                Some(b'"') => break here,
                Some(b'\\') => {
                    escaped = true;
                    let kind = lexer.take_next();
                    match kind.and_then(|kind| lexer.escape(kind).ok()) {
                        Some(character) => decoded += character.len_utf8(),
                        None => return self.error_at(here, Syntax::Escape),
                    }
                }
                Some(_) => return self.error_at(here, Syntax::Escaped),
                None => return self.error_at(at, Syntax::Quote),
            }
        };
        self.at = end + 1;
        let raw = Raw {
            text: self.text.get(start..end).unwrap_or_default(),
            at: at as u32,
            escaped,
        };
        Ok((raw, decoded))
    }

    fn number(&mut self) -> Result<Token<'a>, SyntaxError> {
        let start = self.at;
        let mut lexer = self.lexer_at(start);
        let number = lexer.num_ignore();
        self.at = self.position(&lexer);
        if number.validate().is_err() {
            return self.error(Syntax::Digit);
        }
        let text = self.text.get(start..self.at).unwrap_or_default();
        Ok(self.scalar(Value::Number(text)))
    }

    fn literal(&mut self) -> Result<Token<'a>, SyntaxError> {
        let mut lexer = self.lexer_at(self.at);
        let value = match lexer.null_or_bool() {
            Some(None) => Value::Null,
            Some(Some(value)) => Value::Bool(value),
            None => return self.error(Syntax::Value),
        };
        self.at = self.position(&lexer);
        Ok(self.scalar(value))
    }

    fn open(&mut self, object: bool) -> Result<Token<'a>, SyntaxError> {
        if self.depth == MAX_DEPTH {
            return self.error(Syntax::Shallower);
        }
        if let Some(keys) = self.census.keys.get_mut(self.depth as usize) {
            *keys = 0;
        }
        let at = self.at;
        self.at += 1;
        self.depth += 1;
        self.objects = self.objects << 1 | u32::from(object);
        self.state = if object {
            State::FirstKey
        } else {
            State::FirstValue
        };
        Ok(Token::Open { object, at })
    }

    fn close(&mut self) -> Token<'a> {
        self.at += 1;
        self.depth = self.depth.saturating_sub(1);
        self.objects >>= 1;
        self.end_value();
        Token::Close
    }

    fn scalar(&mut self, value: Value<'a>) -> Token<'a> {
        self.end_value();
        Token::Scalar(value)
    }

    fn end_value(&mut self) {
        self.state = if self.depth == 0 {
            State::End
        } else {
            State::Comma
        };
    }

    fn in_object(&self) -> bool {
        self.objects & 1 == 1
    }

    fn skip_white_space(&mut self) -> Option<u8> {
        let mut lexer = self.lexer_at(self.at);
        let byte = lexer.ws_peek();
        self.at = self.position(&lexer);
        byte
    }

    fn lexer_at(&self, at: usize) -> SliceLexer<'a> {
        SliceLexer::new(self.text.as_bytes().get(at..).unwrap_or_default())
    }

    fn position(&self, lexer: &SliceLexer) -> usize {
        self.text.len().saturating_sub(lexer.as_slice().len())
    }

    fn error<T>(&self, expected: Syntax) -> Result<T, SyntaxError> {
        self.error_at(self.at, expected)
    }

    fn error_at<T>(&self, at: usize, expected: Syntax) -> Result<T, SyntaxError> {
        Err(SyntaxError { at, expected })
    }
}

#[cfg(test)]
mod tests {
    use super::{MAX_DEPTH, Raw, Reader, Syntax, SyntaxError, Token, Value};

    /// Reads `text` to its end.
    fn read(text: &str) -> Result<Reader<'_>, SyntaxError> {
        let mut reader = Reader::new(text, 0);
        while !matches!(reader.next()?, Token::End) {}
        Ok(reader)
    }

    #[test]
    fn valid_texts_are_read_to_their_end() {
        for text in [
            "0",
            " [] ",
            "{}",
            "[1,-0,1.5e+10,0.25,1E9]",
            "[null,true,false]",
            "\t{\"a\" : [ { } , [ ] ] , \"b\" : \"\" }\r\n",
            r#""\"\\\/\b\f\n\r\t\u00e9\uD83D\ude00""#,
            "\"\u{7f}\u{e9}\u{1f600}\"",
        ] {
            assert!(read(text).is_ok(), "{text}");
        }
    }

    #[test]
    fn each_error_says_what_was_expected_and_where() {
        for (text, at, expected) in [
            ("", 0, Syntax::Value),
            ("  ", 2, Syntax::Value),
            ("nul", 0, Syntax::Value),
            ("True", 0, Syntax::Value),
            ("'a'", 0, Syntax::Value),
            ("+1", 0, Syntax::Value),
            ("[", 1, Syntax::Value),
            ("[1,]", 3, Syntax::Value),
            ("[,1]", 1, Syntax::Value),
            ("]", 0, Syntax::Value),
            ("{", 1, Syntax::Key),
            ("{a:1}", 1, Syntax::Key),
            ("{\"a\":1,}", 7, Syntax::Key),
            ("{1:1}", 1, Syntax::Key),
            ("{\"a\"}", 4, Syntax::Colon),
            ("{\"a\" 1}", 5, Syntax::Colon),
            ("{\"a\":}", 5, Syntax::Value),
            ("{\"a\":1 \"b\":2}", 7, Syntax::CommaOrBrace),
            ("{\"a\":1]", 6, Syntax::CommaOrBrace),
            ("[1 2]", 3, Syntax::CommaOrBracket),
            ("[1}", 2, Syntax::CommaOrBracket),
            ("[007]", 2, Syntax::CommaOrBracket),
            ("{} x", 3, Syntax::End),
            ("1 2", 2, Syntax::End),
            ("nullx", 4, Syntax::End),
            ("-", 1, Syntax::Digit),
            ("1.", 2, Syntax::Digit),
            ("1e", 2, Syntax::Digit),
            ("1e+", 3, Syntax::Digit),
            ("[.5]", 1, Syntax::Value),
            ("[\"a]", 1, Syntax::Quote),
            ("\"a\nb\"", 2, Syntax::Escaped),
            ("\"a\\qb\"", 2, Syntax::Escape),
            ("\"\\", 1, Syntax::Escape),
            ("\"\\u12g4\"", 1, Syntax::Escape),
            ("\"\\ud83d\"", 1, Syntax::Escape),
            ("\"\\ud83d\\u0041\"", 1, Syntax::Escape),
            ("\"\\ude00\"", 1, Syntax::Escape),
        ] {
            assert_eq!(
                read(text).err(),
                Some(SyntaxError { at, expected }),
                "{text}"
            );
        }
    }

    #[test]
    fn depth_is_bounded() {
        let brackets = [b'['; MAX_DEPTH as usize + 1];
        let text = str::from_utf8(&brackets).unwrap();
        let too_deep = SyntaxError {
            at: MAX_DEPTH as usize,
            expected: Syntax::Shallower,
        };
        assert_eq!(read(text).err(), Some(too_deep));
        let unfinished = read(&text[1..]).err();
        assert_eq!(
            unfinished.map(|error| error.expected),
            Some(Syntax::Value),
            "{MAX_DEPTH} levels are allowed"
        );
    }

    #[test]
    fn escapes_are_decoded() {
        let text = r#""\"\\\/\b\f\n\r\t\u00e9\uD83D\ude00.""#;
        let decoded = "\"\\/\u{8}\u{c}\n\r\t\u{e9}\u{1f600}.";
        let mut reader = Reader::new(text, 0);
        let Ok(Value::String(raw)) = reader.value() else {
            panic!("{text}");
        };
        assert!(raw.characters().eq(decoded.chars()));
        assert!(raw.is(decoded));
        assert!(!raw.is("x"));
        assert_eq!(reader.census.decoded, decoded.len());
    }

    #[test]
    fn a_container_is_read_to_its_end_and_its_elements_are_counted() {
        let mut reader = Reader::new(r#"[[1, [2, 3], {"a": 4}, "b"], 5]"#, 0);
        assert!(matches!(
            reader.next(),
            Ok(Token::Open { object: false, .. })
        ));
        assert!(matches!(
            reader.value(),
            Ok(Value::Array { at: 1, length: 4 })
        ));
        assert!(matches!(reader.value(), Ok(Value::Number("5"))));
        assert!(matches!(reader.next(), Ok(Token::Close)));
        assert!(matches!(reader.next(), Ok(Token::End)));
    }

    #[test]
    fn the_census_counts_the_keys_of_the_widest_object() {
        let reader = read(r#"{"a":{"b":1,"c":2,"d":3},"e":[{"f":1,"g":2},{"h":1,"i":2}]}"#);
        assert_eq!(reader.map(|reader| reader.census.widest), Ok(3));
    }

    #[test]
    fn a_string_knows_where_it_stands() {
        let text = r#"  {"key": "v"}"#;
        let mut reader = Reader::new(text, 0);
        assert!(matches!(
            reader.next(),
            Ok(Token::Open {
                object: true,
                at: 2
            })
        ));
        let Ok(Some(Raw { at: 3, .. })) = reader.key_or_close() else {
            panic!("{text}");
        };
        let Ok(Value::String(Raw { at: 10, text, .. })) = reader.value() else {
            panic!("no value");
        };
        assert_eq!(text, "v");
    }
}
