//! How does a tab of a new workbook look? The header with its explanations, and columns that take what is typed into them.

use mqtt_client_core::config::{self, Column, Integer, Required, Table};
use rust_xlsxwriter::{
    Color, DataValidation, DataValidationRule, Format, FormatBorder, Note, Worksheet, XlsxError,
};

use crate::value::Kind;

/// The last row of a sheet.
const LAST_ROW: u32 = 1_048_575;

/// A sheet in the making.
pub struct Tab<'w> {
    sheet: &'w mut Worksheet,
    header: Format,
    required: Format,
    text: Format,
    /// In characters, by column.
    widths: Vec<usize>,
}

impl<'w> Tab<'w> {
    /// Gives the sheet its name, and keeps the header and the first two columns in sight.
    pub fn new(sheet: &'w mut Worksheet, table: Table) -> Result<Self, XlsxError> {
        sheet.set_name(match table {
            Table::Devices => "Devices",
            Table::Signals => "Signals",
            Table::Spool => "Spool",
            Table::Redis | Table::Top => "Redis",
        })?;
        sheet.set_freeze_panes(1, 2)?;
        let header = Format::new()
            .set_bold()
            .set_border_bottom(FormatBorder::Thin)
            .set_background_color(Color::RGB(0xF2_F2_F2));
        Ok(Tab {
            sheet,
            required: header.clone().set_background_color(Color::RGB(0xDD_EB_F7)),
            header,
            // Excel leaves alone what is typed into a cell with this format.
            text: Format::new().set_num_format("@"),
            widths: Vec::new(),
        })
    }

    /// The header of a parameter's column, with the explanation as its note. Where there are only some values to choose from, the
    /// cells below have a list.
    pub fn parameter(&mut self, number: u16, column: &Column) -> Result<(), XlsxError> {
        let name = column.key().name();
        let format = match column.parameter.required {
            Required::Yes => &self.required,
            Required::No | Required::If(_) => &self.header,
        };
        self.sheet
            .write_string_with_format(0, number, name, format)?;
        let note = Note::new(explanation(column))
            .add_author_prefix(false)
            .set_width(300)
            .set_height(130);
        self.sheet.insert_note(0, number, &note)?;
        if Kind::of(column.parameter) == Kind::Text {
            self.sheet.set_column_format(number, &self.text)?;
        }
        if let Some(rule) = rule(column)? {
            let rule = rule
                .set_error_title(name)?
                .set_error_message(format!("Range: {}", column.range()))?;
            self.sheet
                .add_data_validation(1, number, LAST_ROW, number, &rule)?;
        }
        self.widen(number, name)
    }

    /// The header of a column that no parameter has.
    pub fn unknown(&mut self, column: u16, name: &str) -> Result<(), XlsxError> {
        self.sheet
            .write_string_with_format(0, column, name, &self.header)?;
        self.widen(column, name)
    }

    pub fn text(&mut self, row: u32, column: u16, text: &str) -> Result<(), XlsxError> {
        self.sheet
            .write_string_with_format(row, column, text, &self.text)?;
        self.widen(column, text)
    }

    pub fn number(&mut self, row: u32, column: u16, number: f64) -> Result<(), XlsxError> {
        self.sheet.write_number(row, column, number)?;
        Ok(())
    }

    /// Makes room for `text`, if it is not too long for that.
    fn widen(&mut self, column: u16, text: &str) -> Result<(), XlsxError> {
        const WIDTHS: std::ops::RangeInclusive<usize> = 10..=40;
        let width = text.chars().count().clamp(*WIDTHS.start(), *WIDTHS.end());
        let place = usize::from(column);
        self.widths.resize(self.widths.len().max(place + 1), 0);
        if width > self.widths[place] {
            self.widths[place] = width;
            self.sheet.set_column_width(column, width as f64 + 2.0)?;
        }
        Ok(())
    }
}

fn explanation(column: &Column) -> String {
    let required = match column.parameter.required {
        Required::Yes => "yes",
        Required::No => "no",
        Required::If(setting) => &format!("if {}", setting.name()),
    };
    let mut lines = vec![
        column.note.explanation.to_owned(),
        format!("Type: {}", column.type_name()),
        format!("Required: {required}"),
    ];
    for (name, words) in [
        ("Default", column.default().to_string()),
        ("Range", column.range().to_string()),
    ] {
        if !words.is_empty() {
            lines.push(format!("{name}: {words}"));
        }
    }
    lines.join("\n")
}

/// The longest range of integers that is a list to choose from.
const LIST: i64 = 3;

/// What a spreadsheet program lets be typed into a column.
fn rule(column: &Column) -> Result<Option<DataValidation>, XlsxError> {
    let rule = DataValidation::new();
    let rule = match column.parameter.kind {
        config::Kind::Boolean(_) => rule.allow_list_strings(&["0", "1"])?,
        config::Kind::Words(words) => rule.allow_list_strings(words.0)?,
        config::Kind::Integer(Integer { min, max, .. }) if max - i64::from(min) < LIST => {
            let numbers: Vec<_> = (min.into()..=max)
                .map(|number| number.to_string())
                .collect();
            rule.allow_list_strings(&numbers)?
        }
        config::Kind::Integer(Integer { min, max, .. }) => match max.try_into() {
            Ok(max) => rule.allow_whole_number(DataValidationRule::Between(min, max)),
            Err(_) => return Ok(None),
        },
        config::Kind::Table | config::Kind::Text(_) => return Ok(None),
    };
    Ok(Some(rule))
}
