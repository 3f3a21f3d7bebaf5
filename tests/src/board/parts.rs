//! Which part of the program does each byte of an image belong to?
//!
//! Code is counted by the source file that it was made of, which the debugging information tells for every instruction: functions are
//! no measure, since the optimiser puts most of them into others.

use std::collections::BTreeMap;

use gimli::{EndianSlice, LittleEndian};
use object::read::elf::ElfFile32;
use object::{Object as _, ObjectSection as _, ObjectSymbol as _};

/// Bytes of flash, by part.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sizes {
    /// Code, by the part of its source.
    pub code: BTreeMap<&'static str, u64>,
    /// Constants and texts, which cannot be told apart.
    pub constants: u64,
    /// Addresses of exception handlers.
    pub vectors: u64,
    /// Variables, each by its name.
    pub variables: Vec<(String, u64)>,
    /// Variables' first values, which are in flash too.
    pub initial: u64,
    pub stack: u64,
}

/// Parts of the program, by what the path of a source file holds; the first that fits counts.
const PARTS: [(&str, &str); 19] = [
    ("library/core/src/fmt/", "Rust: formatting"),
    ("library/core/src/num/fmt", "Rust: formatting"),
    ("/library/", RUST),
    ("/core/src/config/", "core: configuration"),
    ("/core/src/mqtt/", "core: MQTT"),
    ("/core/src/redis/", "core: Redis"),
    ("/core/src/outbox/", "core: outbox"),
    ("/core/src/spool/", "core: spool"),
    ("/core/src/bridge/spooling/", "core: spool"),
    ("/crc-", "core: spool"),
    ("/core/src/", "core: the rest"),
    ("/port-bare/src/", "library"),
    ("/boards/", "board: drivers, main loop"),
    ("/smoltcp-", "smoltcp"),
    ("/managed-", "smoltcp"),
    ("/cortex-m", "cortex-m, cortex-m-rt"),
    ("/defmt", "defmt, semihosting"),
    ("/semihosting", "defmt, semihosting"),
    ("/critical-section", "defmt, semihosting"),
];
const RUST: &str = "Rust: the rest";
const CRATES: &str = "other crates";

impl Sizes {
    /// Of an ELF file.
    ///
    /// # Errors
    ///
    /// If it is none, or has no debugging information.
    pub fn of(file: &[u8]) -> Result<Self, String> {
        let elf: ElfFile32<'_> = ElfFile32::parse(file).map_err(|error| error.to_string())?;
        let size = |name| {
            elf.section_by_name(name)
                .map_or(0, |section| section.size())
        };
        let symbol = |name| elf.symbol_by_name(name).map(|symbol| symbol.address());
        let stack = symbol("_stack_start").zip(symbol("_stack_end"));
        let (top, end) = stack.ok_or("no stack")?;
        Ok(Self {
            code: code(&elf)?,
            constants: size(".rodata"),
            vectors: size(".vector_table"),
            variables: variables(&elf),
            initial: size(".data"),
            stack: top - end,
        })
    }

    /// All that is in flash.
    #[must_use]
    pub fn flash(&self) -> u64 {
        self.code.values().sum::<u64>() + self.constants + self.vectors + self.initial
    }

    /// All that is in RAM.
    #[must_use]
    pub fn ram(&self) -> u64 {
        self.variables.iter().map(|(_, size)| size).sum::<u64>() + self.stack
    }
}

fn code(elf: &ElfFile32<'_>) -> Result<BTreeMap<&'static str, u64>, String> {
    let text = elf.section_by_name(".text").ok_or("no code")?;
    let (start, end) = (text.address(), text.address() + text.size());
    let mut parts = BTreeMap::new();
    let functions = functions(elf).map_err(|error| error.to_string())?;
    // What the linker has left out begins at address 0, which is before the code.
    let linked = functions.iter().filter(|lines| {
        let first = lines.first().map_or(0, |line| line.0);
        (start..end).contains(&first)
    });
    for (first, next, file) in linked.flatten() {
        *parts.entry(part_of(file)).or_default() += next - first;
    }
    let known: u64 = parts.values().sum();
    // Between functions, and where the assembler wrote no lines.
    let rest = text.size().checked_sub(known);
    let rest = rest.ok_or("more lines than code")?;
    *parts.entry(RUST).or_default() += rest;
    Ok(parts)
}

fn part_of(file: &str) -> &'static str {
    let known = PARTS.iter().find(|(path, _)| file.contains(path));
    match known {
        Some((_, part)) => part,
        None => CRATES,
    }
}

/// A range of addresses, from and to, with the source file that the innermost function there comes from.
type Line = (u64, u64, String);

/// The lines of each function that was compiled, linked or not.
fn functions(elf: &ElfFile32<'_>) -> Result<Vec<Vec<Line>>, gimli::Error> {
    let section = |id: gimli::SectionId| {
        let section = elf.section_by_name(id.name());
        let data = section.and_then(|section| section.data().ok());
        Ok::<_, gimli::Error>(EndianSlice::new(data.unwrap_or(&[]), LittleEndian))
    };
    let dwarf = gimli::Dwarf::load(section)?;
    let mut functions = Vec::new();
    let mut units = dwarf.units();
    while let Some(header) = units.next()? {
        let unit = dwarf.unit(header)?;
        let Some(program) = unit.line_program.clone() else {
            continue;
        };
        let mut rows = program.rows();
        let mut lines = Vec::new();
        let mut before: Option<(u64, String)> = None;
        while let Some((header, row)) = rows.next_row()? {
            if let Some((first, file)) = before.take() {
                lines.push((first, row.address(), file));
            }
            if row.end_sequence() {
                functions.push(std::mem::take(&mut lines));
            } else if let Some(file) = row.file(header) {
                let directory = match file.directory(header) {
                    Some(value) => dwarf.attr_string(&unit, value)?.to_string_lossy(),
                    None => "".into(),
                };
                let name = dwarf.attr_string(&unit, file.path_name())?;
                // A relative one starts where the compiler was started: in its crate, or in the workspace.
                let start = unit.comp_dir.filter(|_| !directory.starts_with('/'));
                let start = start.map_or("".into(), |folder| folder.to_string_lossy());
                let path = format!("{start}/{directory}/{}", name.to_string_lossy());
                before = Some((row.address(), path));
            }
        }
    }
    Ok(functions)
}

/// Variables in RAM, the biggest first; those below 64 bytes as one.
fn variables(elf: &ElfFile32<'_>) -> Vec<(String, u64)> {
    let sections = [".data", ".bss", ".uninit"].map(|name| elf.section_by_name(name));
    let sections: Vec<_> = sections.into_iter().flatten().collect();
    let mut variables: Vec<(String, u64)> = elf
        .symbols()
        .filter(|symbol| {
            let section = symbol.section_index();
            symbol.size() >= 64 && sections.iter().any(|one| Some(one.index()) == section)
        })
        .map(|symbol| {
            let name = symbol.name().unwrap_or("");
            // The last word of a mangled path that has a length before it.
            let is_word =
                |word: &&str| word.len() > 1 && word.chars().all(|c| c.is_ascii_uppercase());
            let mut words = name.split(|c: char| !c.is_ascii_alphabetic());
            (
                String::from(words.rfind(is_word).unwrap_or(name)),
                symbol.size(),
            )
        })
        .collect();
    variables.sort_by_key(|(_, size)| std::cmp::Reverse(*size));
    let all: u64 = sections.iter().map(|section| section.size()).sum();
    let known: u64 = variables.iter().map(|(_, size)| size).sum();
    variables.push((String::from("other variables"), all.saturating_sub(known)));
    variables
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_file_belongs_to_the_first_part_that_fits() {
        for (file, part) in [
            (
                "/home/me/mqtt-client/core/src/config/json.rs",
                "core: configuration",
            ),
            (
                "/home/me/mqtt-client/core/src/bridge/mod.rs",
                "core: the rest",
            ),
            ("/r/smoltcp-0.14.0/src/socket/tcp.rs", "smoltcp"),
            ("/rustc/abc/library/core/src/fmt/mod.rs", "Rust: formatting"),
            ("/rustc/abc/library/core/src/str/mod.rs", RUST),
            ("/r/nom-8.0.0/src/lib.rs", CRATES),
        ] {
            assert_eq!(part_of(file), part, "{file}");
        }
    }
}
