//! Where does an Excel workbook not say what its text or result is? Programs other than Excel leave that open; calamine takes one
//! meaning without a word.

use std::collections::{BTreeMap, HashMap};
use std::fmt::{self, Display, Formatter};
use std::io::{Cursor, Read};

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};
use zip::ZipArchive;

use super::{Area, table};

/// What is doubtful about a cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Doubt {
    /// Spaces at the ends of the text, or of its parts, are not marked as kept (`xml:space`), and left out.
    Spaces,
    /// The text holds something like `_x0041_`, which the standard reads as a character.
    Escape,
}

/// Without the text: it may be a password.
impl Display for Doubt {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Doubt::Spaces => {
                "has spaces, at an end or where its format changes, that the file does not mark as kept, and is read without them; \
                 type it again in Excel if they belong to it"
            }
            Doubt::Escape => {
                "holds _x, four digits and _, which stand for one character, and is read so; type it again in Excel if they do not"
            }
        })
    }
}

/// All doubts of a workbook.
#[derive(Debug, Default)]
pub struct Doubts {
    /// Results of formulas do not count: the program that wrote them has computed none.
    pub results_do_not_count: bool,
    /// Of the cells of our tabs, by the tabs' names.
    sheets: HashMap<String, Cells>,
}

/// What is doubtful in a sheet, by row and column.
#[derive(Debug, Default, PartialEq)]
pub struct Cells {
    pub doubts: BTreeMap<(u32, u32), Doubt>,
    /// Where one formula has results for more than its own cell.
    pub arrays: Vec<Area>,
}

type Failure = Box<dyn std::error::Error>;

impl Doubts {
    /// Looks through the parts of an `.xlsx`. Parts that are missing are for calamine to name.
    ///
    /// # Errors
    /// A part is not well-formed.
    pub fn read(bytes: &[u8]) -> Result<Self, Failure> {
        let mut archive = ZipArchive::new(Cursor::new(bytes))?;
        let mut part = |name: &str| -> Result<String, Failure> {
            let mut text = String::new();
            if archive.index_for_name(name).is_some() {
                archive.by_name(name)?.read_to_string(&mut text)?;
            }
            Ok(text)
        };
        let book = Workbook::read(&part("xl/workbook.xml")?)?;
        let targets = targets(&part("xl/_rels/workbook.xml.rels")?)?;
        let shared = shared_strings(&part("xl/sharedStrings.xml")?)?;
        let mut doubts = Doubts {
            results_do_not_count: book.asks_for_computation,
            ..Doubts::default()
        };
        for (name, id) in book.sheets {
            if let Some(target) = targets.get(&id) {
                let cells = doubtful_cells(&part(target)?, &shared)?;
                doubts.sheets.insert(name, cells);
            }
        }
        Ok(doubts)
    }

    /// What is doubtful in this sheet.
    pub fn of(&mut self, sheet: &str) -> Cells {
        self.sheets.remove(sheet).unwrap_or_default()
    }
}

/// What the workbook's own part says.
#[derive(Debug, Default)]
struct Workbook {
    /// Our tabs: name, and identifier of the relationship to its part.
    sheets: Vec<(String, String)>,
    /// The workbook asks whoever opens it to compute all formulas (`fullCalcOnLoad`): XlsxWriter and what is built on it write 0 as the result
    /// of each.
    asks_for_computation: bool,
}

impl Workbook {
    fn read(part: &str) -> Result<Self, Failure> {
        let mut book = Workbook::default();
        let mut reader = Reader::from_str(part);
        loop {
            match reader.read_event()? {
                Event::Start(start) | Event::Empty(start) => match start.local_name().as_ref() {
                    "sheet" => {
                        let name = attribute(&start, "name")?.unwrap_or_default();
                        if table(&name).is_some() {
                            let id = attribute(&start, "id")?.unwrap_or_default();
                            book.sheets.push((name, id));
                        }
                    }
                    "calcPr" => {
                        let asks = attribute(&start, "fullCalcOnLoad")?;
                        book.asks_for_computation =
                            asks.is_some_and(|asks| matches!(&*asks, "1" | "true"));
                    }
                    _ => {}
                },
                Event::Eof => return Ok(book),
                _ => {}
            }
        }
    }
}

/// The names of the parts that the workbook is related to, by identifier.
fn targets(part: &str) -> Result<HashMap<String, String>, Failure> {
    let mut targets = HashMap::new();
    let mut reader = Reader::from_str(part);
    loop {
        match reader.read_event()? {
            Event::Start(start) | Event::Empty(start) => {
                if let (Some(id), Some(target)) =
                    (attribute(&start, "Id")?, attribute(&start, "Target")?)
                {
                    let name = match target.strip_prefix('/') {
                        Some(absolute) => absolute.to_owned(),
                        None => format!("xl/{target}"),
                    };
                    targets.insert(id, name);
                }
            }
            Event::Eof => return Ok(targets),
            _ => {}
        }
    }
}

/// The doubt about each of the shared strings, in their order (ECMA-376, part 1, 18.4.9).
fn shared_strings(part: &str) -> Result<Vec<Option<Doubt>>, Failure> {
    let mut strings = Vec::new();
    let mut reader = Reader::from_str(part);
    loop {
        match reader.read_event()? {
            Event::Start(start) if start.local_name().as_ref() == "si" => {
                strings.push(Pieces::read(&mut reader, start.name().as_ref())?.doubt());
            }
            Event::Empty(start) if start.local_name().as_ref() == "si" => strings.push(None),
            Event::Eof => return Ok(strings),
            _ => {}
        }
    }
}

/// What is doubtful in a sheet's part.
fn doubtful_cells(part: &str, shared: &[Option<Doubt>]) -> Result<Cells, Failure> {
    let mut cells = Cells::default();
    let mut reader = Reader::from_str(part);
    let (mut place, mut kind, mut is_value) = (None, None, false);
    loop {
        match reader.read_event()? {
            Event::Start(start) => match start.local_name().as_ref() {
                "c" => {
                    place = attribute(&start, "r")?.as_deref().and_then(place_of);
                    kind = attribute(&start, "t")?;
                }
                "is" => {
                    let doubt = Pieces::read(&mut reader, start.name().as_ref())?.doubt();
                    cells.doubts.extend(place.zip(doubt));
                }
                "f" => cells
                    .arrays
                    .extend(attribute(&start, "ref")?.as_deref().and_then(area_of)),
                "v" => is_value = true,
                _ => {}
            },
            Event::Text(text) if is_value => {
                let text = text.xml10_content();
                let doubt = match kind.as_deref() {
                    Some("s") => {
                        let number = text.trim().parse::<usize>().ok();
                        number.and_then(|number| *shared.get(number)?)
                    }
                    Some("str") => has_escape(&text).then_some(Doubt::Escape),
                    _ => None,
                };
                cells.doubts.extend(place.zip(doubt));
            }
            Event::End(end) if end.local_name().as_ref() == "v" => is_value = false,
            Event::Eof => return Ok(cells),
            _ => {}
        }
    }
}

/// The cells of a name such as `F2:F3`.
fn area_of(name: &str) -> Option<Area> {
    let (first, last) = name.split_once(':').unwrap_or((name, name));
    Some(Area {
        first: place_of(first)?,
        last: place_of(last)?,
    })
}

/// Row and column of a cell's name, such as `J2`.
fn place_of(name: &str) -> Option<(u32, u32)> {
    let digits = name.find(|character: char| character.is_ascii_digit())?;
    let (letters, row) = name.split_at_checked(digits)?;
    let column = letters.bytes().try_fold(0_u32, |column, letter| {
        let digit = match letter.to_ascii_uppercase() {
            letter @ b'A'..=b'Z' => u32::from(letter - b'A') + 1,
            _ => return None,
        };
        column.checked_mul(26)?.checked_add(digit)
    });
    Some((
        row.parse::<u32>().ok()?.checked_sub(1)?,
        column?.checked_sub(1)?,
    ))
}

fn attribute(start: &BytesStart<'_>, name: &str) -> Result<Option<String>, Failure> {
    for attribute in start.attributes() {
        let attribute = attribute?;
        if attribute.key.local_name().as_ref() == name {
            return Ok(Some(
                quick_xml::escape::unescape(&attribute.value)?.into_owned(),
            ));
        }
    }
    Ok(None)
}

/// A text in the making: as the file has it, and as it is read.
#[derive(Default)]
struct Pieces {
    whole: String,
    read: String,
}

impl Pieces {
    /// Reads a shared string (`si`) or a cell's own (`is`) to its end; its parts are `t` (ECMA-376, part 1, 18.4).
    fn read(reader: &mut Reader<&[u8]>, name: &str) -> Result<Self, Failure> {
        let mut pieces = Pieces::default();
        let mut is_kept = None;
        let mut part = String::new();
        loop {
            match reader.read_event()? {
                Event::Start(start) => match start.local_name().as_ref() {
                    "t" => {
                        is_kept = Some(attribute(&start, "space")?.as_deref() == Some("preserve"))
                    }
                    // How a word is spoken is no part of the text.
                    "rPh" => {
                        reader.read_to_end(start.name())?;
                    }
                    _ => {}
                },
                Event::Text(piece) if is_kept.is_some() => part.push_str(&piece.xml10_content()),
                Event::GeneralRef(reference) if is_kept.is_some() => {
                    let name = reference.as_ref();
                    part.push_str(&quick_xml::escape::unescape(&format!("&{name};"))?);
                }
                Event::End(end) if end.local_name().as_ref() == "t" => {
                    pieces.push(&part, is_kept.take().unwrap_or(true));
                    part.clear();
                }
                Event::End(end) if end.name().as_ref() == name => return Ok(pieces),
                Event::Eof => return Err("a text has no end".into()),
                _ => {}
            }
        }
    }

    fn push(&mut self, piece: &str, is_kept: bool) {
        self.whole.push_str(piece);
        let is_space = |character: char| matches!(character, ' ' | '\t' | '\r' | '\n');
        self.read.push_str(if is_kept {
            piece
        } else {
            piece.trim_matches(is_space)
        });
    }

    fn doubt(self) -> Option<Doubt> {
        if has_escape(&self.read) {
            Some(Doubt::Escape)
        } else if self.read != self.whole && !self.read.is_empty() {
            Some(Doubt::Spaces)
        } else {
            None
        }
    }
}

/// Whether something like `_x0041_` is in the text, which stands for the character of that number (ECMA-376, part 1, 22.9.2.19).
fn has_escape(text: &str) -> bool {
    text.as_bytes().windows(7).any(|window| match window {
        [b'_', b'x', digits @ .., b'_'] => digits.iter().all(u8::is_ascii_hexdigit),
        _ => false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spaces_that_the_file_does_not_keep_and_what_stands_for_a_character_are_doubtful() {
        let shared = shared_strings(
            "<sst><si><t> p </t></si><si><r><t>hall </t></r><r><t>7</t></r></si>\
             <si><t xml:space=\"preserve\"> q </t></si><si><t>a b</t></si><si><t> </t></si><si/>\
             <si><t>a/_x0041_/b &amp; c</t></si><si><t>_x12_</t></si><si><t>&amp; a</t></si></sst>",
        );
        let spaces = Some(Doubt::Spaces);
        assert_eq!(
            shared.expect("well-formed"),
            [
                spaces,
                spaces,
                None,
                None,
                None,
                None,
                Some(Doubt::Escape),
                None,
                None
            ]
        );
    }

    #[test]
    fn a_doubt_is_about_its_cell_alone() {
        let shared = [None, Some(Doubt::Spaces)];
        let part = "<worksheet><sheetData><row><c r=\"A1\" t=\"s\"><v>0</v></c><c r=\"B1\" t=\"s\"><v> 1 </v></c>\
                    <c r=\"C1\"><v>1</v></c><c r=\"AA2\" t=\"inlineStr\"><is><t>x </t></is></c></row>\
                    <row><c r=\"A3\"><f t=\"array\" ref=\"A3:A4\">x</f><v>0</v></c><c r=\"B3\" t=\"str\"><v>a_x0041_</v></c></row></sheetData></worksheet>";
        let cells = doubtful_cells(part, &shared).expect("well-formed");
        let expected = [
            ((0, 1), Doubt::Spaces),
            ((1, 26), Doubt::Spaces),
            ((2, 1), Doubt::Escape),
        ];
        assert_eq!(cells.doubts, expected.into());
        let area = Area {
            first: (2, 0),
            last: (3, 0),
        };
        assert_eq!(cells.arrays, [area]);
    }

    #[test]
    fn a_cell_is_found_by_its_name() {
        for (name, place) in [
            ("A1", Some((0, 0))),
            ("J2", Some((1, 9))),
            ("XFD1048576", Some((1_048_575, 16_383))),
            ("A0", None),
            ("1", None),
            ("A", None),
            ("\u{e4}1", None),
        ] {
            assert_eq!(place_of(name), place, "{name}");
        }
    }

    #[test]
    fn a_workbook_may_ask_to_be_computed_by_whoever_opens_it() {
        for (part, expected) in [
            (
                "<workbook><calcPr calcId=\"1\" fullCalcOnLoad=\"1\"/></workbook>",
                true,
            ),
            (
                "<x:workbook><x:calcPr fullCalcOnLoad=\"true\"></x:calcPr></x:workbook>",
                true,
            ),
            ("<workbook><calcPr fullCalcOnLoad=\"0\"/></workbook>", false),
            ("<workbook><calcPr calcId=\"1\"/></workbook>", false),
            ("<workbook/>", false),
        ] {
            let book = Workbook::read(part).expect("well-formed");
            assert_eq!(book.asks_for_computation, expected, "{part}");
        }
    }
}
