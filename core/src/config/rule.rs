//! How do the parameters' rules lie in a program's memory? A few bytes each, made of the schema when the program is compiled: a [`Parameter`]
//! takes some forty.

use super::parameter::{Form, Integer, Kind, Parameter, Required, Words};
use super::schema::Key;

/// A parameter as the checks see it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rule {
    pub key: Key,
    pub shape: Shape,
    pub required: Required,
    pub is_secret: bool,
}

/// [`Kind`], with numbers in the lists of all words and integers instead of these.
#[derive(Debug, Clone, Copy)]
pub(super) enum Shape {
    Table,
    Text(Form),
    Words(u8),
    Integer(u8),
    Boolean(bool),
}

/// The rules of the parameters, of which there are `N`.
pub(super) const fn rules<const N: usize>(parameters: &[Parameter]) -> [Rule; N] {
    let mut rules = [Rule {
        key: Key::FIRST,
        shape: Shape::Table,
        required: Required::No,
        is_secret: false,
    }; N];
    let (mut at, mut words, mut integers) = (0, 0, 0);
    while at < N {
        let Parameter {
            key,
            kind,
            required,
            is_secret,
        } = parameters[at];
        let shape = match kind {
            Kind::Table => Shape::Table,
            Kind::Text(form) => Shape::Text(form),
            Kind::Words(_) => {
                words += 1;
                Shape::Words(words - 1)
            }
            Kind::Integer(_) => {
                integers += 1;
                Shape::Integer(integers - 1)
            }
            Kind::Boolean(default) => Shape::Boolean(default),
        };
        rules[at] = Rule {
            key,
            shape,
            required,
            is_secret,
        };
        at += 1;
    }
    rules
}

/// The integers among the parameters, of which there are `N`.
pub(super) const fn integers<const N: usize>(parameters: &[Parameter]) -> [Integer; N] {
    let nothing = Integer {
        min: 0,
        max: 0,
        default: 0,
    };
    let mut integers = [nothing; N];
    let (mut at, mut found) = (0, 0);
    while at < parameters.len() {
        if let Kind::Integer(integer) = parameters[at].kind {
            integers[found] = integer;
            found += 1;
        }
        at += 1;
    }
    integers
}

pub(super) const fn count_integers(parameters: &[Parameter]) -> usize {
    let (mut at, mut found) = (0, 0);
    while at < parameters.len() {
        found += matches!(parameters[at].kind, Kind::Integer(_)) as usize;
        at += 1;
    }
    found
}

/// The words of those parameters that have some, of which there are `N`.
pub(super) const fn words<const N: usize>(parameters: &[Parameter]) -> [Words; N] {
    let mut words = [Words(&[]); N];
    let (mut at, mut found) = (0, 0);
    while at < parameters.len() {
        if let Kind::Words(these) = parameters[at].kind {
            words[found] = these;
            found += 1;
        }
        at += 1;
    }
    words
}

pub(super) const fn count_words(parameters: &[Parameter]) -> usize {
    let (mut at, mut found) = (0, 0);
    while at < parameters.len() {
        found += matches!(parameters[at].kind, Kind::Words(_)) as usize;
        at += 1;
    }
    found
}

/// `length` rules behind the first `start`.
pub(super) const fn part(rules: &'static [Rule], start: usize, length: usize) -> &'static [Rule] {
    rules.split_at(start).1.split_at(length).0
}
