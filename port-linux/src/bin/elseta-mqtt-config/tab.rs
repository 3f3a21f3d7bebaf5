//! How does a tab of a new workbook look? The header with its explanations, and columns that take what is typed into them.

use mqtt_client_core::config::Table;
use rust_xlsxwriter::{
    Color, DataValidation, DataValidationRule, Format, FormatBorder, Note, Worksheet, XlsxError,
};

use crate::parameters::{Kind, Parameter, Range, Required};

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
    pub fn parameter(&mut self, column: u16, parameter: &Parameter) -> Result<(), XlsxError> {
        let name = parameter.key.name();
        let format = match parameter.required {
            Required::Yes => &self.required,
            Required::No | Required::If(_) => &self.header,
        };
        self.sheet
            .write_string_with_format(0, column, name, format)?;
        let note = Note::new(explanation(parameter))
            .add_author_prefix(false)
            .set_width(300)
            .set_height(130);
        self.sheet.insert_note(0, column, &note)?;
        if parameter.kind == Kind::Text {
            self.sheet.set_column_format(column, &self.text)?;
        }
        let rule = match parameter.range {
            Range::OneOf(words) => Some(DataValidation::new().allow_list_strings(words)?),
            Range::Between(min, max) => Some(
                DataValidation::new().allow_whole_number(DataValidationRule::Between(min, max)),
            ),
            Range::Any | Range::Words(_) => None,
        };
        if let Some(rule) = rule {
            let rule = rule
                .set_error_title(name)?
                .set_error_message(format!("Range: {}", range(parameter.range)))?;
            self.sheet
                .add_data_validation(1, column, LAST_ROW, column, &rule)?;
        }
        self.widen(column, name)
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

fn explanation(parameter: &Parameter) -> String {
    let kind = match parameter.kind {
        Kind::Text => "string",
        Kind::Integer => "integer",
        Kind::Boolean => "boolean",
    };
    let required = match parameter.required {
        Required::Yes => "yes",
        Required::No => "no",
        Required::If(setting) => &format!("if {setting}"),
    };
    let mut lines = vec![
        parameter.explanation.to_owned(),
        format!("Type: {kind}"),
        format!("Required: {required}"),
    ];
    if !parameter.default.is_empty() {
        lines.push(format!("Default: {}", parameter.default));
    }
    if parameter.range != Range::Any {
        lines.push(format!("Range: {}", range(parameter.range)));
    }
    lines.join("\n")
}

fn range(range: Range) -> String {
    match range {
        Range::Any => "any".into(),
        Range::Words(words) => words.into(),
        Range::Between(min, max) => format!("{min} to {max}"),
        Range::OneOf(words) => words.join(", "),
    }
}
