//! What the command line asks for.

use lexopt::prelude::*;

pub const USAGE: &str =
    "usage: cargo sim [--seeds N] [--seed S] [--keep I,J,...] [--brief] [--plain]
       cargo sim --plan --seed S [--keep I,J,...] [--plain]
       cargo sim --mutants [WORD...]
       cargo sim --fleet";

/// See the command's page.
pub struct Arguments {
    pub task: Task,
    pub seeds: u64,
    pub seed: u64,
    /// Of a plan, only these happen.
    pub keep: Option<Vec<usize>>,
    /// Of a failing seed, one line.
    pub brief: bool,
    /// No device has a spool or a status.
    pub plain: bool,
}

pub enum Task {
    Live,
    ShowPlan,
    /// Those whose names hold one of these words, or all.
    TryMutants(Vec<String>),
    Fleet,
}

/// Lives without an argument.
const SEEDS: u64 = 2000;

/// # Errors
/// What is wrong.
pub fn parse() -> Result<Arguments, lexopt::Error> {
    let mut parser = lexopt::Parser::from_env();
    let mut arguments = Arguments {
        task: Task::Live,
        seeds: 0,
        seed: 1,
        keep: None,
        brief: false,
        plain: false,
    };
    let mut named = false;
    while let Some(argument) = parser.next()? {
        match argument {
            Long("seeds") => arguments.seeds = parser.value()?.parse()?,
            Long("seed") => {
                arguments.seed = parser.value()?.parse()?;
                named = true;
            }
            Long("keep") => {
                let numbers = parser.value()?.string()?;
                let numbers = numbers.split(',').map(str::parse).collect::<Result<_, _>>();
                arguments.keep = Some(numbers.map_err(|error| format!("--keep: {error}"))?);
            }
            Long("plain") => arguments.plain = true,
            Long("brief") => arguments.brief = true,
            Long("plan") => arguments.task = Task::ShowPlan,
            Long("fleet") => arguments.task = Task::Fleet,
            Long("mutants") => arguments.task = Task::TryMutants(Vec::new()),
            Value(word) => match &mut arguments.task {
                Task::TryMutants(words) => words.push(word.string()?),
                _ => return Err(Value(word).unexpected()),
            },
            other => return Err(other.unexpected()),
        }
    }
    if arguments.seeds == 0 {
        arguments.seeds = if named { 1 } else { SEEDS };
    }
    Ok(arguments)
}
